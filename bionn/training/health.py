"""Whether training is well: the first loss that is no number, named; and hidden units that are dead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from bionn.data.batches import Batch, ResidentBatches, evaluation_rows
from bionn.data.prepared import Prepared
from bionn.errors import InputError
from bionn.models.layers import feed
from bionn.nn.activation import ReLU
from bionn.tasks.base import Task
from bionn.training.callbacks import KeepBest

NAMED = 5
"""Records that a message names."""

DEAD_ROWS = 4096
"""Training rows that are looked at for dead units."""

RELU = (ReLU, torch.nn.ReLU)
"""Activations of which a unit can be dead."""

REMEDY = "lower --learning-rate, set --gradient-clip, or look at these records"


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


class WatchFinite(L.Callback):
    """Ends a training whose loss or weights are no longer finite, and says where that began.

    Looks at the end of an epoch, at the losses that the task kept: no step waits for it. With an
    epoch that was good, training just ends, and the best epoch's weights stand; else it fails.

    Args:
        ids: of all samples, by row number.
        best: where the weights of the best epoch are; None: there is no such epoch.

    Attributes:
        found: what was found, in words; None as long as all is well.

    Raises:
        Diverged: from training, where no epoch was good.
    """

    def __init__(self, ids: Sequence[str], best: KeepBest | None = None) -> None:
        self.found: str | None = None
        self._ids = ids
        self._best = best
        self._good: dict[str, Tensor] = {}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Remember the weights that training begins with, or goes on with."""
        del trainer
        self._good = _copied(_task(pl_module).model)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Look at the epoch; remember its weights if they are good."""
        task = _task(pl_module)
        losses = task.losses_of_epoch()
        skips = getattr(trainer.precision_plugin, "scaler", None) is not None  # steps that overflow
        finite = skips or bool(torch.isfinite(losses).all())
        if finite and weights_finite(task.model):
            self._good = _copied(task.model)
            return
        self.found = self._describe(trainer, task, losses.cpu())
        if self._best is None or self._best.epoch is None:
            raise Diverged(f"training: {self.found}; {REMEDY}")
        trainer.should_stop = True

    def _describe(self, trainer: L.Trainer, task: Task, losses: Tensor) -> str:
        """Epoch, step, records and layer of the first loss that is not finite."""
        bad = (~torch.isfinite(losses)).nonzero().flatten().tolist()
        step = bad[0] if bad else len(losses) - 1
        what = f"the loss is {losses[step]:g}" if bad else "the weights are not finite afterwards"
        where = f"epoch {trainer.current_epoch + 1}, step {step + 1}: {what}"
        batch = batch_at(trainer, step)
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
        return f"{where}, records {self._named(batch.ids.cpu()[rows.cpu()].tolist())}"

    def _first_layer(
        self, trainer: L.Trainer, task: Task, batch: Batch
    ) -> tuple[str | None, Tensor]:
        """The first layer that the last good weights give a non-finite output, and the batch's rows."""
        model = deepcopy(task.model).eval()  # not compiled, as hooks must be run
        model.load_state_dict(self._good)
        seen: list[tuple[str, Tensor]] = []

        def look(name: str, output: Tensor) -> None:
            bad = ~torch.isfinite(output).flatten(1).all(1)
            if not seen and bad.any():
                seen.append((name, bad.nonzero().flatten()))

        with torch.no_grad(), trainer.precision_plugin.forward_context(), _watched(model, look):
            model(feed(model, batch.inputs, task.code_table, task.features))
        return seen[0] if seen else (None, torch.empty(0, dtype=torch.int64))

    def _named(self, rows: list[int]) -> str:
        more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
        return ", ".join(str(self._ids[row]) for row in rows[:NAMED]) + more


def batch_at(trainer: L.Trainer, step: int) -> Batch | None:
    """A batch of the epoch that has just ended, cut again; None from other loaders than ours.

    The loader stands elsewhere afterwards: this is for a training that ends.

    Args:
        trainer: at the end of an epoch.
        step: counted from 0.
    """
    for batches in tree_leaves(trainer.train_dataloader):
        if isinstance(batches, ResidentBatches):
            batches.resume_at(step)
            return trainer.strategy.batch_to_device(next(iter(batches)))
    return None


def dead_units(model: torch.nn.Module, prepared: Prepared) -> dict[str, tuple[int, int]]:
    """Hidden ReLU units that are 0 for every training row, at most :data:`DEAD_ROWS` of them.

    Such a unit gets no gradient from these rows: it has left the network.

    Args:
        model: the network, on the CPU.
        prepared: the data that it was trained on.

    Returns:
        For each ReLU layer, by name, its dead units and all its units.
    """
    if not any(isinstance(module, RELU) for module in model.modules()):
        return {}
    rows = torch.from_numpy(prepared.split.train)
    if len(rows) > DEAD_ROWS:  # from all over the set, which may be in some order
        rows = rows[torch.linspace(0, len(rows) - 1, DEAD_ROWS).long()]
    alive: dict[str, Tensor] = {}

    def look(name: str, output: Tensor) -> None:
        active = (output != 0).flatten(0, -2).any(0)
        alive[name] = active | alive[name] if name in alive else active

    table, features = prepared.code_table, prepared.features
    size = evaluation_rows(prepared.encoder.input_shape)
    with torch.no_grad(), _watched(model, look, RELU):
        for some in rows.split(size):
            model(feed(model, prepared.inputs[some], table, features))
    return {name: (int((~units).sum()), units.numel()) for name, units in alive.items()}


def dead_layers(model: torch.nn.Module, prepared: Prepared) -> list[str]:
    """A sentence for each layer of which more than half the units are dead; see :func:`dead_units`."""
    return [
        f"{name}: {dead} of {units} ReLU units are 0 for every training row looked at; lower "
        "--learning-rate, or choose --activation gelu"
        for name, (dead, units) in dead_units(model, prepared).items()
        if dead > units / 2
    ]


@contextmanager
def _watched(
    model: torch.nn.Module, look: Any, kinds: tuple[type[torch.nn.Module], ...] | None = None
) -> Iterator[None]:
    """Show the output of each layer, by name, to a function for the block."""

    def hook_for(name: str) -> Any:
        return lambda module, inputs, output: look(name, output)

    hooks = [
        module.register_forward_hook(hook_for(name))
        for name, module in model.named_modules()
        if not any(module.children()) and (kinds is None or isinstance(module, kinds))
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _copied(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def _task(module: L.LightningModule) -> Task:
    assert isinstance(module, Task)
    return module
