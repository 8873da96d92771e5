"""What classification and regression share: steps, epoch losses, scores, optimiser, schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import lightning as L
import torch
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor
from torch.optim import Optimizer

from bionn.data.batches import Batch
from bionn.errors import InputError
from bionn.metrics import Scores
from bionn.models.heads import TaskKind, link, objective
from bionn.models.layers import feed, set_code_table

Schedule = Literal["constant", "one_cycle"]
WARM_UP = 0.1
"""Share of the steps in which the one-cycle schedule rises to its peak."""

OptimizerFactory = Callable[[Iterable[torch.nn.Parameter]], Optimizer]


class Task(L.LightningModule):
    """A network of logits, its objective and its scores, as Lightning trains them.

    Args:
        model: any network that returns logits ``(N, out)``. One of this package is fed codes,
            another one-hot ``(N, A, L)``.
        kind: ``binary``, ``multiclass`` or ``regression``.
        names: the classes or the targets.
        optimizer: makes the optimiser from the parameters; AdamW with the two settings below when
            None.
        learning_rate: the peak of the schedule.
        weight_decay: of AdamW, on weights and not on biases.
        schedule: ``one_cycle`` rises and falls to nothing over the epochs of the trainer;
            ``constant`` stays.
        loss_options: further options of the loss function.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        kind: TaskKind,
        names: Sequence[str],
        *,
        optimizer: OptimizerFactory | None = None,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-2,
        schedule: Schedule = "one_cycle",
        **loss_options: Any,
    ) -> None:
        super().__init__()
        if schedule not in ("constant", "one_cycle"):
            raise InputError(f"schedule: constant or one_cycle needed, {schedule!r} found")
        self.model = model
        self.kind: TaskKind = kind
        self.make_optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.schedule: Schedule = schedule
        self.loss_options = loss_options
        self.scores = Scores(kind, names)
        self.register_buffer("code_table", None, persistent=False)
        self._train_losses: list[tuple[Tensor, int]] = []
        self._other_losses: list[tuple[Tensor, int]] = []

    def setup(self, stage: str) -> None:
        """Learn from the data module, if it knows, what the codes stand for."""
        del stage
        table = getattr(getattr(self.trainer, "datamodule", None), "code_table", None)
        if table is not None:
            self.code_table = table.to(self.device)
            set_code_table(self.model, table)

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits ``(N, out)`` for codes, one-hot columns or features."""
        return self.model(feed(self.model, inputs, self.code_table))

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The objective, a mean over the batch."""
        return objective(self.kind, logits, targets, **self.loss_options)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The objective on a batch."""
        del batch_idx
        return self.loss(self(batch.inputs), batch.targets)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Keep the loss on its device: nothing waits for it before the epoch ends."""
        del batch_idx
        self._train_losses.append((outputs["loss"].detach(), len(batch.targets)))

    def on_train_epoch_end(self) -> None:
        """Log the epoch's mean training loss."""
        self._log_mean("train", self._train_losses)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """The objective on a batch; full scores only where nothing is being trained."""
        del batch_idx
        self._evaluate(batch, scored=self.trainer.state.fn != TrainerFn.FITTING)

    def on_validation_epoch_end(self) -> None:
        """Log the loss and, outside training, the scores."""
        self._finish("val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """The objective and the scores on a batch."""
        del batch_idx
        self._evaluate(batch, scored=True)

    def on_test_epoch_end(self) -> None:
        """Log the loss and the scores."""
        self._finish("test")

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Probabilities, or values in standardised units."""
        del batch_idx
        return link(self.kind, self(batch.inputs))

    def configure_optimizers(self) -> Any:
        """AdamW, or the optimiser asked for, under the schedule."""
        if self.make_optimizer is not None:
            optimizer = self.make_optimizer(self.parameters())
        else:
            weights = [p for p in self.parameters() if p.requires_grad and p.ndim > 1]
            others = [p for p in self.parameters() if p.requires_grad and p.ndim <= 1]
            groups = [{"params": weights}, {"params": others, "weight_decay": 0.0}]
            optimizer = torch.optim.AdamW(
                groups, lr=self.learning_rate, weight_decay=self.weight_decay, fused=True
            )
        if self.schedule == "constant" or self.make_optimizer is not None:
            return optimizer
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=self.learning_rate,
            total_steps=int(self.trainer.estimated_stepping_batches) + 1,
            pct_start=WARM_UP,
            cycle_momentum=False,
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def _evaluate(self, batch: Batch, *, scored: bool) -> None:
        logits = self(batch.inputs)
        self._other_losses.append((self.loss(logits, batch.targets).detach(), len(batch.targets)))
        if scored:
            self.scores.update(link(self.kind, logits), batch.targets)

    def _finish(self, part: str) -> None:
        self._log_mean(part, self._other_losses)
        if self.scores.update_called:
            values = self.scores.compute()
            self.scores.reset()
            self.log_dict(
                {f"{part}_{n}": float(v) for n, v in values.items() if isinstance(v, float)}
            )

    def _log_mean(self, part: str, losses: list[tuple[Tensor, int]]) -> None:
        """Log the mean over rows, not over batches, and forget the losses."""
        sizes = torch.tensor([size for _, size in losses], device=self.device)
        mean = (torch.stack([loss for loss, _ in losses]) * sizes).sum() / sizes.sum()
        losses.clear()
        self.log(f"{part}_loss", mean, sync_dist=True, prog_bar=True)
