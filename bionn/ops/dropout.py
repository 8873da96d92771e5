"""Dropout: in training each element is 0 with probability p and else scaled by 1 / (1 - p)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

import torch
from torch import Tensor

from bionn.kernels import nodes
from bionn.kernels.cpu import dense

_PART: ContextVar[tuple[int, int]] = ContextVar("_PART", default=(0, 0))
"""The number of a part's first row in its batch, and how many rows the part has."""


@contextlib.contextmanager
def part_of_rows(first: int, rows: int) -> Iterator[None]:
    """Have the kernels draw for a part of a batch what its rows would get in the whole batch.

    Args:
        first: the number of the part's first row.
        rows: how many it has; for tensors of other lengths all is drawn as it would be outside.
    """
    before = _PART.set((first, rows))
    try:
        yield
    finally:
        _PART.reset(before)


def first_row(input: Tensor) -> int:
    """The number, among the rows that are drawn for, of a tensor's first."""
    first, rows = _PART.get()
    return first if input.dim() and len(input) == rows else 0


def mask(input: Tensor, p: float) -> Tensor | None:
    """What dropout multiplies by: 0 for each element with probability p, else ``1 / (1 - p)``.

    One number is drawn from torch's generator; an element's own is a function of that and of its
    place (Philox 4x32-10).

    Returns:
        The input's shape, float32; None where the compiled kernels are not for it.
    """
    if not nodes.reachable() or not dense(input, torch.float32):
        return None
    return nodes.apply("dropout_mask", (), input.shape, p, first_row(input), None)


def blanked(codes: Tensor, p: float, blank: int) -> Tensor:
    """Codes ``(N, *)`` of which each is replaced with probability p by one that stands for nothing."""
    if nodes.reachable():
        found = nodes.apply("dropout_codes", (codes,), p, blank, first_row(codes), None)
        if found is not None:
            return found
    return codes.masked_fill(torch.rand(codes.shape, device=codes.device) < p, blank)
