"""Seqlets: the stretches of sequences in which contributions are larger than chance would gather."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

FALSE_SHARE = 0.1
"""Of the windows above the threshold, how many chance would have put there."""


class Seqlets(NamedTuple):
    """S windows of one width, the strongest first.

    Attributes:
        rows: the sequence of each, ``int64 (S,)``.
        starts: its first position, ``int64 (S,)``.
        width: positions a window.
    """

    rows: Tensor
    starts: Tensor
    width: int


def find_seqlets(
    contributions: Tensor,
    *,
    width: int,
    generator: torch.Generator,
    there: Tensor | None = None,
    most: int = 2000,
) -> Seqlets:
    """Windows whose contributions sum to more than those of shuffled positions do.

    The threshold is the lowest above which contributions in random order have no more than
    :data:`FALSE_SHARE` times as many windows as those in their own. Of windows that
    overlap, the largest is taken.

    Args:
        contributions: ``(N, L)``; turn their sign to find what speaks against an output.
        width: positions a window, at most L.
        generator: the source of the random orders, on the CPU.
        there: bool ``(N, L)``, false at padding, which stays where it is in the random orders.
        most: seqlets to keep, the strongest.

    Example:
        >>> peak = torch.zeros(1, 30).index_fill(1, torch.arange(12, 16), 1.0)
        >>> noise = torch.randn(200, 30, generator=torch.Generator().manual_seed(0)) / 10
        >>> found = find_seqlets(noise + peak, width=4, generator=torch.Generator())
        >>> len(found.rows), found.starts.unique().tolist()
        (200, [12])
    """
    there = torch.ones_like(contributions, dtype=torch.bool) if there is None else there
    sums = _windows(contributions * there, width)
    shuffled = _windows(_in_random_order(contributions, there, generator), width)
    threshold = _threshold(sums.flatten(), shuffled.flatten())
    rows, starts, strengths = [], [], []
    left = sums.clone()
    for _ in range(sums.shape[1]):
        strength, start = left.max(1)
        found = (strength > threshold).nonzero().squeeze(1)
        if not len(found):
            break
        rows.append(found)
        starts.append(start[found])
        strengths.append(strength[found])
        distance = (torch.arange(sums.shape[1]) - start[found, None]).abs()
        left[found] = left[found].masked_fill(distance < width, -torch.inf)
    if not rows:
        none = torch.empty(0, dtype=torch.int64)
        return Seqlets(none, none, width)
    order = torch.cat(strengths).argsort(dim=0, descending=True, stable=True)[:most]
    return Seqlets(torch.cat(rows)[order], torch.cat(starts)[order], width)


def _windows(values: Tensor, width: int) -> Tensor:
    """The sum over every window, ``(N, L - width + 1)``."""
    return values.double().unfold(1, width, 1).sum(2)


def _in_random_order(values: Tensor, there: Tensor, generator: torch.Generator) -> Tensor:
    """Each row's values in another order; what is not there becomes 0 and stays."""
    keys = torch.rand(values.shape, generator=generator).masked_fill(~there, 2.0)
    order, places = keys.argsort(dim=1), (~there).to(torch.int8).argsort(dim=1, stable=True)
    return torch.zeros_like(values).scatter(1, places, (values * there).gather(1, order))


def _threshold(sums: Tensor, by_chance: Tensor) -> float:
    """The lowest value above 0 with few enough sums by chance above it."""
    values = sums[sums > 0].sort(descending=True).values
    chance = by_chance.sort().values
    above = len(chance) - torch.searchsorted(chance, values, right=True)
    enough = above <= FALSE_SHARE * torch.arange(1, len(values) + 1)
    return float(values[enough][-1]) - 1e-12 if bool(enough.any()) else float("inf")
