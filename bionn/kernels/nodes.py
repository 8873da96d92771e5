"""Kernels with nodes of their own in autograd's graph: the ops that `source/nodes.cpp` gives torch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from bionn.kernels.cpu import undisturbed
from bionn.kernels.library import library

_TYPES = (Tensor, torch.nn.Parameter, type(None))
_CHAINS: dict[str, Callable[..., Tensor]] = {}


def define_chain(name: str, chain: Callable[..., Any]) -> None:
    """Say how an op's gradient is written in torch arithmetic, to be differentiated or mapped.

    Args:
        name: of the op; of one with several gradients, the op's and the argument's (``linear_input``).
        chain: ``chain(u, *kept, *constants)`` for the upstream gradient u, what the op keeps and
            the constants that it was called with; of an op that asks for several gradients at
            once, a list.
    """
    _CHAINS[name] = chain


def reachable() -> bool:
    """Whether `apply` may be called: nothing is traced or transformed, nobody asks for forward mode."""
    return undisturbed() and forward_ad._current_level < 0


def apply(name: str, tensors: tuple[Tensor | None, ...], *options: Any) -> Tensor | None:
    """The output of an op, or None where there are no kernels or the tensors are none for them."""
    for tensor in tensors:
        if type(tensor) not in _TYPES:  # what a subclass stands for, its own code knows
            return None
    found = operation(name)
    return None if found is None else found(*tensors, *options)


def apply_lists(
    name: str, tensors: tuple[Tensor | None, ...], lists: tuple[list[Tensor], ...], *options: Any
) -> Tensor | None:
    """The output of an op that takes lists of tensors behind others, or None as in `apply`."""
    for each in lists:
        for tensor in each:
            if type(tensor) not in _TYPES:
                return None
    return apply(name, tensors, *lists, *options)


@functools.cache
def operation(name: str) -> Callable[..., Any] | None:
    """An op of the library by its name; None without kernels."""
    if library() is None:
        return None
    _answer()
    return getattr(torch.ops.bionn, name).default


@functools.cache
def _answer() -> torch.library.Library:
    """Give the library's nodes the chains in Python, for as long as the answer is kept."""
    given = torch.library.Library("bionn", "IMPL")
    # what torch does for many upstream gradients at once, it does by rules of the arithmetic within
    for key in ("CompositeImplicitAutograd", "FuncTorchBatched", "Batched"):
        given.impl("chain", _chain, key)
        given.impl("chains", _chain, key)
    return given


def _chain(name: str, u: Tensor, kept: list[Tensor], constants: list[float]) -> Any:
    return _CHAINS[name](u, *kept, *constants)
