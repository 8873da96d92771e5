"""A callback that makes gradients explode, though all numbers stay finite, at a step of a training."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch


class Inflate(L.Callback):
    """Multiplies every weight before a step.

    Args:
        epoch: when, counted from 0.
        step: the step of the epoch, counted from 0.
        factor: by what.
    """

    def __init__(self, epoch: int, step: int, factor: float) -> None:
        self.when = (epoch, step)
        self.factor = factor

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Multiply them if it is time."""
        del batch
        if (trainer.current_epoch, batch_idx) == self.when:
            with torch.no_grad():
                for parameter in pl_module.parameters():
                    parameter.mul_(self.factor)
