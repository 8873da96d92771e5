"""Gradients that explode: told from a loss that is merely high, by the norms that each step kept."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

HIGH = 10.0
"""How many times the usual loss a step's is that may have exploded."""

GROWN = 100.0
"""How many times the usual norm its gradient's then is."""

STEPS, AMONG = 3, 8
"""How many steps, among how many in a row, show both."""


class Usual(NamedTuple):
    """What is usual in a training.

    Attributes:
        loss: before anything is learned: that of the first step, at least 1, which is about what
            guessing costs.
        norm: of the gradient, the median of the last epoch's steps whose losses were not high; None
            in the first epoch.
    """

    loss: float
    norm: float | None


class Explosion(NamedTuple):
    """Where gradients began to explode.

    Attributes:
        step: of the epoch, counted from 0.
        norm: of its gradient.
        usual: what it was before.
        parameter: the number of the one whose gradient is the longest.
    """

    step: int
    norm: float
    usual: float
    parameter: int


def find_explosion(losses: Tensor, norms: Tensor, usual: Usual) -> Explosion | None:
    """The first of several steps whose losses are high and whose gradients have grown, if there are any.

    A batch of unlucky rows has hardly a loss of ten times that of guessing, nor soon others of its
    kind; a loss that is high, but falls, has not the gradient.

    Args:
        losses: of the steps of an epoch, ``(S,)``.
        norms: of the gradients by each of P parameters, before they are clipped, ``(S, P)``.
        usual: what losses and norms were before.

    Example:
        >>> losses = torch.tensor([0.7, 30.0, 0.6, 12.0, 50.0, 80.0])
        >>> norms = torch.tensor([[1.0, 2.0]] * 3 + [[500.0, 9e3]] * 3)
        >>> find_explosion(losses, norms, Usual(1.0, None))[:1]
        (3,)
    """
    totals = torch.linalg.vector_norm(norms, dim=1)
    high = losses > HIGH * usual.loss
    norm = usual.norm
    if norm is None:
        before = totals[: int(high.int().argmax())] if high.any() else totals
        norm = float(before.median()) if len(before) else float("inf")
    both = high & (totals > GROWN * norm)
    windows = both.unfold(0, min(AMONG, len(both)), 1)
    begun = (windows.sum(1) >= STEPS).nonzero()
    if not len(begun):
        return None
    window = int(begun[0])
    step = window + int(windows[window].int().argmax())
    return Explosion(step, float(totals[step]), norm, int(norms[step].argmax()))


def usual_after(losses: Tensor, norms: Tensor, usual: Usual) -> Usual:
    """What is usual after an epoch; as before it, if all its losses were high."""
    totals = torch.linalg.vector_norm(norms, dim=1)[losses <= HIGH * usual.loss]
    return usual._replace(norm=float(totals.median())) if len(totals) else usual
