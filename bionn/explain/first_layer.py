"""Where a network begins with a linear layer on its sequence: that layer apart from all the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from bionn import nn
from bionn.models.at_once import hooked
from bionn.models.mlp import MLP
from bionn.models.single import LinearRegression, LogisticRegression, SoftmaxRegression

LINEAR = (nn.Linear, torch.nn.Linear)
"""The linear layers that are known."""


class FirstLayer(NamedTuple):
    """A linear layer on a sequence of A letters, and what follows it.

    Attributes:
        weight: ``(L, A, H)``, contiguous: what a letter at a position adds to each unit.
        bias: ``(H,)``, or None.
        rest: the modules behind it, in order.
    """

    weight: Tensor
    bias: Tensor | None
    rest: tuple[torch.nn.Module, ...]


def first_layer(model: torch.nn.Module, letters: int, length: int) -> FirstLayer | None:
    """The first layer of a network that is a chain of modules, if it is linear in the sequence.

    Chains are the models of :mod:`bionn.models` and ``torch.nn.Sequential``; their first module is to
    be a ``OneHotLinear``, or a ``Flatten`` of ``(N, A, L)`` before a ``Linear``.

    Returns:
        None for any other network.
    """
    modules = _chain(model)
    if modules and isinstance(modules[0], nn.OneHotLinear):
        layer, rest = modules[0], modules[1:]
        weight = layer.weight
    elif len(modules) > 1 and _flattens(modules[0]) and type(modules[1]) in LINEAR:
        layer, rest = modules[1], modules[2:]
        weight = layer.weight
        if not isinstance(weight, Tensor) or weight.shape[1] != letters * length:
            return None
        weight = weight.unflatten(1, (letters, length))
    else:
        return None
    if weight.shape[1:] != (letters, length) or hooked(layer):
        return None
    bias = layer.bias
    return FirstLayer(
        weight.detach().permute(2, 1, 0).contiguous(),
        bias.detach() if isinstance(bias, Tensor) else None,
        tuple(rest),
    )


def _chain(model: torch.nn.Module) -> Sequence[torch.nn.Module]:
    """The modules that are applied one after another; none where that is not known."""
    if hooked(model):
        return ()
    if type(model) is MLP:
        return list(model.layers)
    if type(model) in (LinearRegression, LogisticRegression, SoftmaxRegression):
        return list(model.children())
    return list(model) if type(model) is torch.nn.Sequential else ()


def _flattens(module: torch.nn.Module) -> bool:
    return type(module) is torch.nn.Flatten and (module.start_dim, module.end_dim) in (
        (1, -1),
        (1, 2),
    )
