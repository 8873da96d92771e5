"""What a task does where memory does not suffice for the rows of a step: it takes fewer at a time."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from bionn.data.batches import Batch
from bionn.errors import InputError, InputWarning
from bionn.memory import is_out_of_memory
from bionn.tasks.accumulation import loss_in_parts
from bionn.tasks.processes import process_count


class Fitting:
    """How many rows of a step are computed at a time, learned by trying.

    The optimiser sees the same gradient, but for rounding. The rest of the training, and what goes on
    from its checkpoints, keeps to what was learned.

    Attributes:
        most_rows: how many; None: all.
    """

    def __init__(self) -> None:
        self.most_rows: int | None = None
        self._rows = 0

    def loss(
        self, task: L.LightningModule, loss: Callable[[Batch], Tensor], batch: Batch
    ) -> Tensor:
        """The mean loss of a batch, by parts of it where memory did not suffice for all.

        Args:
            task: that is trained.
            loss: its loss of a batch.
            batch: the rows of the step.
        """
        self._rows = len(batch.targets)
        if self.most_rows is None or self._rows <= self.most_rows:
            return loss(batch)
        scaler = getattr(task.trainer.precision_plugin, "scaler", None)
        return loss_in_parts(
            loss,
            batch,
            self.most_rows,
            [parameter for parameter in task.parameters() if parameter.requires_grad],
            scale=1.0 if scaler is None else scaler.get_scale(),
            same_draws=not getattr(task, "compiles", False),
        )

    def compute(self, task: L.LightningModule, closure: Callable[[], Any]) -> Any:
        """Forward and backward of a step, again and with fewer rows at a time until there is memory.

        Args:
            task: that is trained.
            closure: Lightning's, which sets gradients to zero before it computes them.

        Raises:
            InputError: there is not enough for a single row, or parts would not do the same.
        """
        before = torch.get_rng_state()
        other = torch.cuda.get_rng_state(task.device) if task.device.type == "cuda" else None
        while True:
            try:
                return closure()
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                self._take_fewer(task)
            # here the error, and with it all that was being computed, is gone
            torch.set_rng_state(before)
            if other is not None:
                torch.cuda.empty_cache()
                torch.cuda.set_rng_state(other, task.device)

    def _take_fewer(self, task: L.LightningModule) -> None:
        now = self._rows if self.most_rows is None else min(self.most_rows, self._rows)
        why_not = None
        if now < 2:
            why_not = "choose a smaller network"
        elif process_count() > 1 or task.trainer.accumulate_grad_batches > 1:
            why_not = "choose a smaller batch_size"
        elif any(isinstance(module, _BatchNorm) for module in task.modules()):
            why_not = "choose a smaller batch_size, as batch normalisation needs all rows at once"
        if why_not is not None:
            rows = "a single row" if now < 2 else f"{now} rows"
            raise InputError(f"memory: more needed for {rows} of a step than there is; {why_not}")
        self.most_rows = (now + 1) // 2
        warnings.warn(str(self.note), InputWarning, stacklevel=2)

    @property
    def note(self) -> str | None:
        """What was done, in words; None as long as memory suffices."""
        if self.most_rows is None:
            return None
        return (
            f"memory does not suffice for all rows of a step at once: {self.most_rows} at a time, their "
            "gradients are summed up; the result is the same but for rounding"
        )
