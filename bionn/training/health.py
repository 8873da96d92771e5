"""Whether training is well: a loss that is no number, or gradients that explode; each is named."""

from __future__ import annotations

import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from bionn.data.batches import Batch, ResidentBatches
from bionn.data.resident import ResidentDataModule
from bionn.errors import InputError
from bionn.models.layers import feed
from bionn.tasks.base import SHARDED, Task
from bionn.training.callbacks import KeepBest
from bionn.training.dead_units import dead_layers, watched
from bionn.training.explosion import Usual, find_explosion, usual_after
from bionn.training.remedies import OF_FIT, OF_RUN, Remedies

NAMED = 5
"""Records that a message names."""


class Diverged(InputError):
    """Training came to a loss, or to weights, that are not finite."""


def weights_finite(module: torch.nn.Module) -> bool:
    """Whether every parameter is finite; the one wait for the device is at the end.

    Example:
        >>> layer = torch.nn.Linear(2, 1)
        >>> weights_finite(layer)
        True
        >>> _ = torch.nn.init.constant_(layer.bias, torch.nan)
        >>> weights_finite(layer)
        False
    """
    finite = [torch.isfinite(p.detach()).all() for p in module.parameters()]
    return not finite or bool(torch.stack(finite).all())


class Watch(L.Callback):
    """Ends a training whose loss or weights are no longer finite, notes gradients that explode.

    Looks at the end of an epoch, at the losses that the task kept: no step waits for it. With an
    epoch that was good, training just ends, and the best epoch's weights stand; else it fails. Gradients
    that have exploded end nothing, as training may recover: they are noted, once.

    Args:
        best: where the weights of the best epoch are; None: there is no such epoch.
        remedies: what helps.

    Attributes:
        found: why training was ended, in words; None as long as all is well.
        exploded: how gradients exploded, in words; None if they did not.
        kept: the checkpoint from before gradients exploded; None if there is none.
        memory: what was done as it did not suffice, in words; None if it did.

    Raises:
        Diverged: from training, where no epoch was good.
    """

    def __init__(self, best: KeepBest | None = None, *, remedies: Remedies = OF_RUN) -> None:
        self.found: str | None = None
        self.exploded: str | None = None
        self.kept: Path | None = None
        self.memory: str | None = None
        self._best = best
        self._remedies = remedies
        self._good: dict[str, Tensor] = {}
        self._usual: Usual | None = None

    @property
    def notes(self) -> list[str]:
        """What was wrong, and what helps, a sentence each."""
        wrong = [what for what in (self.exploded, self.found) if what is not None]
        before = "" if self.kept is None else f"; the state before is kept: {self.kept}"
        told = [f"{what}; {self._remedies.of_divergence}{before}" for what in wrong]
        return told if self.memory is None else [self.memory, *told]

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Ask for norms; remember the weights that training begins with, or goes on with."""
        _task(pl_module).gradient_norms.wanted = True
        if _is_whole(trainer):
            self._good = _copied(_task(pl_module).model)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Look at the epoch; remember its weights if they are good."""
        task = _task(pl_module)
        self.memory = task.fitting.note
        losses = task.losses_of_epoch()
        skips = getattr(trainer.precision_plugin, "scaler", None) is not None  # steps that overflow
        finite = skips or bool(torch.isfinite(losses).all())
        whole = _is_whole(trainer)
        if finite and (not whole or weights_finite(task.model)):
            if whole:
                self._look_for_explosion(trainer, task, losses)
                self._good = _copied(task.model)
            return
        self.found = self._describe(trainer, task, losses.cpu())
        if self._best is None or self._best.epoch is None:
            raise Diverged(f"training: {self.found}; {self._remedies.of_divergence}")
        trainer.should_stop = True

    def _look_for_explosion(self, trainer: L.Trainer, task: Task, losses: Tensor) -> None:
        """Note the first explosion of gradients."""
        names, norms = task.gradient_norms.of_epoch() or ([], losses[:0])
        if len(norms) != len(losses) or not len(losses):  # steps of several batches, or none
            return
        losses, norms = losses.float().cpu(), norms.float().cpu()
        if self._usual is None:
            self._usual = Usual(max(1.0, float(losses[0])), None)
        found = find_explosion(losses, norms, self._usual)
        self._usual = usual_after(losses, norms, self._usual)
        if found is None or self.exploded is not None:
            return
        batch = batch_at(trainer, found.step)
        records = "" if batch is None else f", records {_named(trainer, batch.ids.cpu().tolist())}"
        self.exploded = (
            f"epoch {trainer.current_epoch + 1}, step {found.step + 1}: gradients explode: a norm of "
            f"{found.norm:.2g} where {found.usual:.2g} was usual, longest in {names[found.parameter]}, "
            f"the loss {float(losses[found.step]):.2g}{records}"
        )

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold to go on."""
        return {"exploded": self.exploded, "usual": self._usual and tuple(self._usual)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.exploded, usual = state_dict["exploded"], state_dict["usual"]
        self._usual = None if usual is None else Usual(*usual)

    def _describe(self, trainer: L.Trainer, task: Task, losses: Tensor) -> str:
        """Epoch, step, records and layer of the first loss that is not finite."""
        bad = (~torch.isfinite(losses)).nonzero().flatten().tolist()
        step = bad[0] if bad else len(losses) - 1
        what = f"the loss is {losses[step]:g}" if bad else "the weights are not finite afterwards"
        where = f"epoch {trainer.current_epoch + 1}, step {step + 1}: {what}"
        batch = batch_at(trainer, step) if _is_whole(trainer) else None
        if batch is None:
            return where
        layer, rows = self._first_layer(trainer, task, batch)
        if layer is None and batch.targets.is_floating_point():
            rows = torch.isinf(batch.targets).flatten(1).any(1).nonzero().flatten()
            layer = "the targets" if len(rows) else None
        if layer is None:
            rows = torch.arange(len(batch.ids))
            names = [n for n, p in task.model.named_parameters() if not torch.isfinite(p).all()]
            layer = f"the weights {names[0]}" if names else None
        if layer is not None:
            where += f", first in {layer}"
        return f"{where}, records {_named(trainer, batch.ids.cpu()[rows.cpu()].tolist())}"

    def _first_layer(
        self, trainer: L.Trainer, task: Task, batch: Batch
    ) -> tuple[str | None, Tensor]:
        """The first layer that the last good weights give a non-finite output, and the batch's rows."""
        model = deepcopy(task.model).eval()  # not compiled, as hooks must be run
        if self._good:
            model.load_state_dict(self._good)
        seen: list[tuple[str, Tensor]] = []

        def look(name: str, output: Tensor) -> None:
            bad = ~torch.isfinite(output).flatten(1).all(1)
            if not seen and bad.any():
                seen.append((name, bad.nonzero().flatten()))

        with torch.no_grad(), trainer.precision_plugin.forward_context(), watched(model, look):
            model(feed(model, batch.inputs, task.code_table, task.features))
        return seen[0] if seen else (None, torch.empty(0, dtype=torch.int64))


def batch_at(trainer: L.Trainer, step: int) -> Batch | None:
    """A batch of the epoch that has just ended, cut again; None from other loaders than ours.

    Args:
        trainer: at the end of an epoch.
        step: counted from 0.
    """
    for batches in tree_leaves(trainer.train_dataloader):
        if isinstance(batches, ResidentBatches):
            return trainer.strategy.batch_to_device(batches.at(step))
    return None


class TellHealth(L.Callback):
    """Prints a note of exploded gradients and of dead units when fitting ends.

    Args:
        watch: what looked at the training.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Print."""
        data = getattr(trainer, "datamodule", None)
        if not trainer.is_global_zero:
            return
        notes = self._watch.notes
        if isinstance(data, ResidentDataModule) and _is_whole(trainer):
            model = deepcopy(_task(pl_module).model).eval()
            notes += dead_layers(model, data.prepared, OF_FIT)
        for note in notes:
            print(f"note: {note}", file=sys.stderr)


def _copied(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def _task(module: L.LightningModule) -> Task:
    assert isinstance(module, Task)
    return module


def _is_whole(trainer: L.Trainer) -> bool:
    """Whether this process has whole weights: under FSDP and its like it has a part of each."""
    return not isinstance(trainer.strategy, SHARDED)


def _named(trainer: L.Trainer, rows: list[int]) -> str:
    """The first records of some rows, by id where they are known."""
    data = getattr(trainer, "datamodule", None)
    ids = data.prepared.samples.ids if isinstance(data, ResidentDataModule) else None
    more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
    return (
        ", ".join(f"in row {row}" if ids is None else str(ids[row]) for row in rows[:NAMED]) + more
    )
