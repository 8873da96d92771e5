"""What classification and regression share: steps, epoch losses, scores, optimiser, schedule."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Literal

import lightning as L
import numpy as np
import torch
from lightning.pytorch.strategies import FSDPStrategy, ModelParallelStrategy
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR

from bionn.data.batches import Batch
from bionn.errors import InputError
from bionn.memory import halved
from bionn.metrics import Scores
from bionn.models.decision import class_weights, logit_shift
from bionn.models.heads import (
    TaskKind,
    evidence,
    find_objective,
    link,
    objective,
    squared_error,
)
from bionn.models.layers import feed, set_code_table
from bionn.tasks.fitting import Fitting
from bionn.tasks.optimizer import AdamW
from bionn.tasks.processes import (
    constant_buffers,
    in_order,
    process_count,
    process_rank,
    share_of_mean,
    summing,
)
from bionn.tasks.slim_loop import slim_down
from bionn.tasks.steps import GradientNorms, StepLosses, clip_by_norm, with_gradients

Schedule = Literal["constant", "one_cycle"]
WARM_UP = 0.1
"""Share of the steps in which the one-cycle schedule rises to its peak."""

SHARDED = (FSDPStrategy, ModelParallelStrategy)
"""Strategies under which a process has a part of each weight."""

OptimizerFactory = Callable[[Iterable[torch.nn.Parameter]], Optimizer]


class Task(L.LightningModule):
    """A network of logits, its objective and its scores, as Lightning trains them.

    Args:
        model: any network that returns logits ``(N, out)``. One of this package is fed codes,
            another one-hot ``(N, A, L)``.
        kind: ``binary``, ``multiclass`` or ``regression``.
        names: the classes or the targets.
        optimizer: makes the optimiser from the parameters, whose rate then stays; when None, AdamW
            with the settings below.
        learning_rate: the peak of the schedule.
        weight_decay: of AdamW, on weights and not on biases.
        schedule: ``one_cycle`` rises and falls to nothing over the epochs of the trainer;
            ``constant`` stays.
        class_weight: of the classes in the training loss: ``balanced``, ``A=1,B=5`` or a number each.
        objective: what training minimises; see :func:`bionn.models.heads.find_objective`.
        compile: let ``torch.compile`` make one program of the network while it is fitted; what
            dropout draws then differs.
        cuda_graphs: the same (mode ``reduce-overhead``), and launch it as one graph of a GPU.

    Validation and test losses are always the cross-entropy, or the squared error of numbers. Weights,
    and a data module that draws rows of each class in other shares than they have, bias the logits;
    ``logit_shift`` says by how much. Losses and scores of validation and test rows, and
    predictions, are without that bias, and so comparable whatever the weights.

    Several processes that share the rows of each step (Lightning's ``ddp``, ...) take the steps of
    one: each counts by its rows, which may be none. Losses and scores are those of all rows.
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
        class_weight: str | Sequence[float] | None = None,
        objective: str = "auto",
        compile: bool = False,
        cuda_graphs: bool = False,
    ) -> None:
        super().__init__()
        self.objective = find_objective(kind, objective)
        if schedule not in ("constant", "one_cycle"):
            raise InputError(f"schedule: constant or one_cycle needed, {schedule!r} found")
        for name, value in (("learning_rate", learning_rate), ("weight_decay", weight_decay)):
            if not 0 <= value < math.inf:
                raise InputError(f"{name}: a finite number from 0 on needed, {value:g} found")
        self.model = model
        self.kind: TaskKind = kind
        self.make_optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.schedule: Schedule = schedule
        self.names = list(names)
        self.class_weight = class_weight
        self.compiles = compile or cuda_graphs
        self.cuda_graphs = cuda_graphs
        self.scores = Scores(kind, names)
        self.register_buffer("loss_weight", None, persistent=False)
        self.register_buffer("logit_shift", None, persistent=False)
        self.register_buffer("code_table", None, persistent=False)
        self.features: torch.nn.Module | None = None
        self.fitting = Fitting()
        self.gradient_norms = GradientNorms()
        self._train_losses = StepLosses()
        self._epoch_losses: Tensor | None = None
        self._other_losses = StepLosses()

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; Lightning's, set forty times a step, without torch's search for modules."""
        if name == "_current_fx_name":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def setup(self, stage: str) -> None:
        """Learn from the data module, if it knows, what codes stand for and which features they give."""
        if stage == "fit":
            slim_down(self.trainer)
        data = getattr(self.trainer, "datamodule", None)
        found = getattr(data, "task", self.kind)
        if found != self.kind:
            raise InputError(
                f"task: {type(self).__name__} is for {self.kind}, the data's targets are {found}; "
                "choose the other task, or name other targets"
            )
        table = getattr(data, "code_table", None)
        if table is not None:
            self.code_table = table.to(self.device)
            set_code_table(self.model, table)
        features = getattr(data, "sequence_features", None)
        self.features = None if features is None else features.to(self.device)

        self._set_weights(getattr(data, "class_counts", None), getattr(data, "oversampling", None))
        # what every process has made for itself is not to be sent to it before each step
        self._ddp_params_and_buffers_to_ignore = constant_buffers(self)

    def configure_model(self) -> None:
        """Share the network out among processes where ``ModelParallelStrategy`` asks for it."""
        mesh = getattr(self, "_device_mesh", None)
        if mesh is not None:
            from bionn.tasks.sharding import shard

            shard(self.model, mesh["data_parallel"])

    def on_fit_start(self) -> None:
        """Compile the network in place: its parameters and their names stay."""
        if rank := process_rank():  # each draws its own dropout
            torch.manual_seed(torch.initial_seed() + rank)
        if self.cuda_graphs and self.device.type != "cuda":
            raise InputError(
                f"cuda_graphs: a GPU of NVIDIA needed, device {self.device.type} found; leave it out"
            )
        if self.compiles:
            self.model.compile(mode="reduce-overhead" if self.cuda_graphs else None)

    def on_train_start(self) -> None:
        """Refuse to go on past the end that the schedule of a checkpoint was laid out for."""
        for settings in self.trainer.lr_scheduler_configs:
            scheduler, steps = settings.scheduler, self.trainer.estimated_stepping_batches
            if isinstance(scheduler, OneCycleLR) and scheduler.total_steps <= steps:
                raise InputError(
                    f"schedule: the checkpoint's one_cycle ends with step {scheduler.total_steps - 1}, "
                    f"max_epochs and max_steps ask for {steps}; leave them as they were, or choose "
                    "schedule constant from the beginning"
                )

    def on_fit_end(self) -> None:
        """Leave a network that computes as it did; torch has no door for that."""
        self.model._compiled_call_impl = None

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits ``(N, out)`` for codes, one-hot columns or features."""
        if self.cuda_graphs:
            torch.compiler.cudagraph_mark_step_begin()  # what the last step left may be overwritten
        return self.model(feed(self.model, inputs, self.code_table, self.features))

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The objective in training, a mean over the batch."""
        minimised = squared_error if self.objective == "squared-error" else objective
        return minimised(self.kind, logits, targets, class_weight=self.loss_weight)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor | dict[str, Tensor]:
        """The objective on a batch; on parts of it where memory did not suffice for all."""
        del batch_idx
        if process_count() == 1:
            return self.fitting.loss(self, self._loss_of, batch)
        own = evidence(batch.targets).to(self.device)
        total = summing(own)  # while the network computes
        loss = self.fitting.loss(self, self._loss_of, batch)
        return {"loss": share_of_mean(loss, own, total()), "own_loss": loss.detach()}

    def _loss_of(self, batch: Batch) -> Tensor:
        return self.loss(self(batch.inputs), batch.targets)

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Any,
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:
        """Step; where memory does not suffice for the batch, on fewer rows at a time."""
        del epoch, batch_idx
        assert optimizer_closure is not None
        optimizer.step(closure=partial(self.fitting.compute, self, optimizer_closure))

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Keep the loss on its device: nothing waits for it before the epoch ends.

        The mean is logged here, after the last batch: callbacks' ``on_train_epoch_end`` comes before
        this module's, and would see the loss of the epoch before.
        """
        del batch_idx
        loss = outputs.get("own_loss")
        if loss is None:
            loss, batches = outputs["loss"], self.trainer.accumulate_grad_batches
            loss = loss if batches == 1 else loss * batches  # Lightning has divided it by them
        self._train_losses.add(loss, evidence(batch.targets))
        if self.trainer.is_last_batch:
            self._epoch_losses = self.losses_of_epoch()
            self.gradient_norms.end_epoch()
            self._log_mean("train", self._train_losses)

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip as Lightning would, and keep the norms by parameter, which clipping needs anyway."""
        if not gradient_clip_val and not self.gradient_norms.wanted:
            return
        parameters = with_gradients(optimizer)
        if parameters and not isinstance(self.trainer.strategy, SHARDED):
            norms = self.gradient_norms.add(self.model, parameters)
            if gradient_clip_val and gradient_clip_algorithm != "value":
                clip_by_norm(parameters, gradient_clip_val, torch.linalg.vector_norm(norms))
                return
        self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def losses_of_epoch(self) -> Tensor:
        """The training loss of each step of this epoch, or of the one that has just ended, ``(S,)``."""
        if self._train_losses or self._epoch_losses is None:
            return self._train_losses.of_all(self.device)[0]
        return self._epoch_losses

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the losses of an epoch that is not over."""
        checkpoint["train_losses"] = self._train_losses.to_checkpoint(self.device)
        checkpoint["most_rows"] = self.fitting.most_rows
        checkpoint["gradient_norms"] = self.gradient_norms.to_checkpoint()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with an epoch that is not over."""
        self._train_losses.load(checkpoint.get("train_losses", []))
        self.gradient_norms.load(checkpoint.get("gradient_norms", []))
        self.fitting.most_rows = checkpoint.get("most_rows")

    def on_train_epoch_end(self) -> None:
        """Log the mean training loss of an epoch that was cut short (``max_steps``)."""
        if self._train_losses:
            self.gradient_norms.end_epoch()
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
        """Probabilities, or values in standardised units, of all processes' rows in their order."""
        del batch_idx

        def some(start: int, stop: int) -> Tensor:
            return link(self.kind, self._unbiased(self(batch.inputs[start:stop])))

        return in_order(torch.cat(halved(some, len(batch.inputs))))

    def configure_optimizers(self) -> Any:
        """AdamW, or the optimiser asked for, under the schedule."""
        if self.make_optimizer is not None:
            optimizer = self.make_optimizer(self.parameters())
        else:
            weights = [p for p in self.parameters() if p.requires_grad and p.ndim > 1]
            others = [p for p in self.parameters() if p.requires_grad and p.ndim <= 1]
            groups = [{"params": weights}, {"params": others, "weight_decay": 0.0}]
            optimizer = AdamW(
                groups,
                lr=self.learning_rate,
                weight_decay=self.weight_decay,
                fused="mixed" not in str(self.trainer.precision),  # Lightning cannot clip it there
            )
        if self.schedule == "constant" or self.make_optimizer is not None:
            return optimizer
        if math.isinf(self.trainer.estimated_stepping_batches):
            raise InputError(
                "schedule: one_cycle needs an end, but the trainer has none; give max_epochs or "
                "max_steps, or choose schedule constant"
            )
        steps = int(self.trainer.estimated_stepping_batches) + 1
        scheduler = OneCycleLR(
            optimizer,
            max_lr=self.learning_rate,
            total_steps=steps,
            pct_start=max(WARM_UP, 2 / steps),  # a rise of one step would divide by zero
            cycle_momentum=False,
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def _set_weights(self, counts: np.ndarray | None, oversampling: np.ndarray | None) -> None:
        """Weights of the loss, and what they and the drawing of rows add to the logits."""
        weights = None
        if self.class_weight is not None:
            if isinstance(self.class_weight, str) and counts is None:
                raise InputError(
                    "class_weight: a number for each class needed, as this data module does not "
                    f"count its classes; {self.class_weight!r} found; give a list"
                )
            known = np.ones(len(self.names)) if counts is None else counts
            weights = class_weights(self.class_weight, self.names, known)
        if weights is not None:
            self.loss_weight = torch.as_tensor(weights, dtype=torch.float32, device=self.device)
        factors = [factor for factor in (weights, oversampling) if factor is not None]
        if factors:
            shift = logit_shift(np.prod(factors, axis=0))
            self.logit_shift = torch.as_tensor(shift, dtype=torch.float32, device=self.device)

    def _unbiased(self, logits: Tensor) -> Tensor:
        return logits if self.logit_shift is None else logits - self.logit_shift

    def _evaluate(self, batch: Batch, *, scored: bool) -> None:
        def look(start: int, stop: int) -> None:
            targets = batch.targets[start:stop]
            logits = self._unbiased(self(batch.inputs[start:stop]))
            loss = objective(self.kind, logits, targets)
            if scored:
                self.scores.update(link(self.kind, logits), targets)
            self._other_losses.add(loss, evidence(targets))

        halved(look, len(batch.targets))

    def _finish(self, part: str) -> None:
        self._log_mean(part, self._other_losses)
        if self.scores.update_called:
            values = self.scores.compute()
            self.scores.reset()
            self.log_dict(
                {f"{part}_{n}": float(v) for n, v in values.items() if isinstance(v, float)},
                sync_dist=True,  # equal everywhere: the rows of all processes are in them
            )

    def _log_mean(self, part: str, losses: StepLosses) -> None:
        """Log the mean, and forget the losses."""
        mean = losses.mean(self.device)
        losses.clear()
        self.log(
            f"{part}_loss",
            mean,
            on_step=False,
            on_epoch=True,
            batch_size=1,
            sync_dist=True,
            prog_bar=True,
        )
