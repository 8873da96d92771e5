"""Hidden units that are dead: the layers of a network are watched while it is shown training rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from bionn.data.batches import evaluation_rows
from bionn.data.prepared import Prepared
from bionn.models.layers import feed
from bionn.nn.activation import ReLU
from bionn.training.remedies import OF_RUN, Remedies

DEAD_ROWS = 4096
"""Training rows that are looked at for dead units."""

RELU = (ReLU, torch.nn.ReLU)
"""Activations of which a unit can be dead."""


def dead_units(model: torch.nn.Module, prepared: Prepared) -> dict[str, tuple[int, int]]:
    """Hidden ReLU units that are 0 for every training row, at most :data:`DEAD_ROWS` of them.

    Such a unit gets no gradient from these rows: it has left the network.

    Args:
        model: the network, in evaluation mode.
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
    device = next(model.parameters()).device
    size = evaluation_rows(prepared.encoder.input_shape)
    with torch.no_grad(), watched(model, look, RELU):
        for some in rows.split(size):
            inputs = feed(model, prepared.inputs[some], table, features)
            model(inputs.to(device))
    return {name: (int((~units).sum()), units.numel()) for name, units in alive.items()}


def dead_layers(
    model: torch.nn.Module, prepared: Prepared, remedies: Remedies = OF_RUN
) -> list[str]:
    """A sentence for each layer of which more than half the units are dead; see :func:`dead_units`."""
    return [
        f"{name}: {dead} of {units} ReLU units are 0 for every training row looked at; "
        f"{remedies.of_dead_units}"
        for name, (dead, units) in dead_units(model, prepared).items()
        if dead > units / 2
    ]


@contextmanager
def watched(
    model: torch.nn.Module,
    look: Callable[[str, Tensor], None],
    kinds: tuple[type[torch.nn.Module], ...] | None = None,
) -> Iterator[None]:
    """Show the output of each layer, by name, to a function for the block."""

    def hook_for(name: str) -> Callable[..., None]:
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
