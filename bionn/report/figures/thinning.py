"""Fewer points for the same picture: curves within a hair's breadth, clouds of dots to a number."""

from __future__ import annotations

import numpy as np

TOLERANCE = 0.1
"""How far a thinned curve may lie from the whole one, in units of the drawing."""

DOTS = 2500
"""The most dots of a cloud; more would only be black on black."""


def thin_curve(x: np.ndarray, y: np.ndarray, tolerance: float = TOLERANCE) -> np.ndarray:
    """Which points of a curve to keep so that no dropped one lies farther off than the tolerance.

    Douglas and Peucker's algorithm: keep the point farthest from the chord, and look on both sides.

    Args:
        x: ``(N,)`` in units of the drawing.
        y: ``(N,)``.
        tolerance: in the same units.

    Returns:
        Ascending indices, the first and the last point among them.

    Example:
        >>> x = np.linspace(0, 100, 1001)
        >>> thin_curve(x, np.abs(x - 30)).tolist()
        [0, 300, 1000]
    """
    keep = np.zeros(len(x), dtype=bool)
    if len(x):
        keep[[0, -1]] = True
    spans = [(0, len(x) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        run, rise = x[last] - x[first], y[last] - y[first]
        dx, dy = x[first + 1 : last] - x[first], y[first + 1 : last] - y[first]
        along = np.clip((run * dx + rise * dy) / max(run * run + rise * rise, 1e-12), 0, 1)
        away = np.hypot(dx - along * run, dy - along * rise)
        worst = int(np.argmax(away))
        if away[worst] > tolerance:
            middle = first + 1 + worst
            keep[middle] = True
            spans += [(first, middle), (middle, last)]
    return np.flatnonzero(keep)


def thin_dots(x: np.ndarray, y: np.ndarray, most: int = DOTS, *, seed: int = 0) -> np.ndarray:
    """Which dots of a cloud to draw: of those on the same half unit one, and at most so many, drawn
    at random, with the outermost ones among them.

    Args:
        x: ``(N,)`` in units of the drawing.
        y: ``(N,)``.
        most: how many.
        seed: of the draw.

    Returns:
        Ascending indices.
    """
    cells = np.round(2 * x).astype(np.int64) * 100_003 + np.round(2 * y).astype(np.int64)
    _, first = np.unique(cells, return_index=True)
    if len(first) <= most:
        return np.sort(first)
    edges = {int(pick(values)) for values in (x, y) for pick in (np.argmin, np.argmax)}
    drawn = np.random.default_rng(seed).choice(first, most - len(edges), replace=False)
    return np.array(sorted(edges | set(drawn.tolist())))
