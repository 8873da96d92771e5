"""How a task is trained: seeds, callbacks, and the loop that keeps the best epoch."""
