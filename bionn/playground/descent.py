"""Gradient descent, stochastic and mini-batch, on the loss surface of a model of two parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from bionn import functional as F

POINTS = 40
FAR = 1e6
"""Parameters beyond this are called diverged."""


@dataclass(frozen=True)
class Problem:
    """Points to learn from, and the loss of ``f(x) = w x + b`` on them.

    Attributes:
        name: ``line`` or ``neuron``.
        x: ``(n,)``.
        y: ``(n,)``, values or classes 0 and 1.
        loss: of predictions and truths, averaged over the last axis by its caller.
    """

    name: str
    x: Tensor
    y: Tensor
    loss: Callable[..., Tensor]

    def value(self, w: Tensor, b: Tensor, rows: Tensor | None = None) -> Tensor:
        """J(w, b) over some rows (all when None); ``w`` and ``b`` of any one shape."""
        x, y = (self.x, self.y) if rows is None else (self.x[rows], self.y[rows])
        outputs = w.unsqueeze(-1) * x + b.unsqueeze(-1)
        return self.loss(outputs, y.expand_as(outputs).contiguous(), reduction="none").mean(-1)

    def slope(self, place: Tensor, rows: Tensor | None = None) -> Tensor:
        """The gradient of J at ``(w, b)``."""
        place = place.detach().requires_grad_()
        return torch.autograd.grad(self.value(place[0], place[1], rows), place)[0]

    def lowest(self) -> tuple[float, float]:
        """Where J is lowest; both problems are convex."""

        def both(place: np.ndarray) -> tuple[float, np.ndarray]:
            at = torch.from_numpy(place)
            return self.value(at[0], at[1]).item(), self.slope(at).numpy()

        found = minimize(both, np.zeros(2), jac=True, method="BFGS", options={"gtol": 1e-10})
        return float(found.x[0]), float(found.x[1])


def make_problem(name: str, seed: int = 0) -> Problem:
    """Points around a line, or classes drawn with a neuron's probability; the same every time."""
    generator = torch.Generator().manual_seed(seed)
    noise_x, noise_y = torch.randn(2, POINTS, generator=generator, dtype=torch.float64)
    x = 0.6 + 0.9 * noise_x
    if name == "line":
        return Problem(name, x, 1.5 * x - 0.5 + 0.3 * noise_y, F.half_squared_error)
    chance = torch.rand(POINTS, generator=generator, dtype=torch.float64)
    classes = (chance < F.sigmoid(2 * x - 1)).double()
    return Problem(name, x, classes, F.binary_cross_entropy_with_logits)


class Walk(NamedTuple):
    """One method's way down.

    Attributes:
        path: ``(w, b)`` after each update, the start first, ``(updates + 1, 2)``.
        losses: J over all points, at the start and after each epoch.
        diverged: whether it left for infinity, where it was stopped.
    """

    path: np.ndarray
    losses: list[float]
    diverged: bool


def descend(
    problem: Problem,
    *,
    batch_size: int,
    learning_rate: float,
    start: Sequence[float],
    epochs: int,
    seed: int = 0,
) -> Walk:
    """Walk down with ``batch_size`` points to an update: n is gradient descent, 1 stochastic.

    Each epoch goes through all points in a new random order.

    Example:
        >>> line = make_problem("line")
        >>> walk = descend(line, batch_size=40, learning_rate=0.3, start=(-1, 0.3), epochs=100)
        >>> bool(np.allclose(walk.path[-1], line.lowest(), atol=1e-3))
        True
    """
    generator = torch.Generator().manual_seed(seed)
    place = torch.tensor(list(start), dtype=torch.float64)
    path, losses = [place.tolist()], [problem.value(place[0], place[1]).item()]
    for _ in range(epochs):
        for rows in torch.randperm(POINTS, generator=generator).split(batch_size):
            # theta <- theta - alpha grad J(theta)
            place = place - learning_rate * problem.slope(place, rows)
            path.append(place.tolist())
            if not all(abs(value) < FAR for value in path[-1]):
                return Walk(np.array(path[:-1]), losses, True)
        losses.append(problem.value(place[0], place[1]).item())
    return Walk(np.array(path), losses, False)


class Surface(NamedTuple):
    """J on a grid: ``w (W,)``, ``b (B,)``, ``loss (B, W)``, and the levels of its contours."""

    w: np.ndarray
    b: np.ndarray
    loss: np.ndarray
    levels: np.ndarray


def surface(problem: Problem, start: Sequence[float], size: int = 81) -> Surface:
    """The square of the parameters that holds the start and the lowest point with some room."""
    best = np.array(problem.lowest())
    first = np.array(start, dtype=float)
    half = np.abs(best - first).max() / 2 + 0.6
    w, b = (np.linspace(m - half, m + half, size) for m in (best + first) / 2)
    grid_w, grid_b = (torch.from_numpy(g) for g in np.meshgrid(w, b))
    loss = problem.value(grid_w, grid_b).numpy()
    lowest = problem.value(*torch.tensor(best)).item()
    # a square root spreads the levels evenly along a parabola
    levels = lowest + np.linspace(0.1, math.sqrt(loss.max() - lowest), 14) ** 2
    return Surface(w, b, loss, levels)
