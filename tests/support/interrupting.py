"""A callback that sends its own process a signal, once, at a step of a training."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import lightning as L


class Interrupt(L.Callback):
    """Sends a signal after a step.

    Args:
        number: the signal.
        epoch: when, counted from 0.
        step: the step of the epoch, counted from 0.
        rank: in which process.
        once: a file that tells that it has been sent.
    """

    def __init__(self, number: int, epoch: int, step: int, rank: int, once: str) -> None:
        self.number = number
        self.when = (epoch, step)
        self.rank = rank
        self.once = Path(once)

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Send it if it is time."""
        now = (trainer.current_epoch, batch_idx)
        if now == self.when and trainer.global_rank == self.rank and not self.once.exists():
            self.once.touch()
            os.kill(os.getpid(), self.number)
