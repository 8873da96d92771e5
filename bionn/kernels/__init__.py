"""Fast tensor-to-tensor code without autograd; where it is absent, the ops compute in plain torch."""
