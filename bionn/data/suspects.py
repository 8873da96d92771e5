"""Feature columns that look like an id, like the target, or tell it all alone."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, inf
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from bionn.data.targets import Targets

AT_ONCE = 1 << 16
"""Rows compared at a time."""

NEAR_PERFECT = 0.99
"""An area under the ROC curve, or a rank correlation, that one honest feature hardly reaches."""


class Suspect(NamedTuple):
    """A column, what is wrong with it (``id``, ``target`` or ``predictor``), and why we think so."""

    column: str
    kind: str
    why: str


def find_suspects(features: pd.DataFrame, targets: Targets) -> list[Suspect]:
    """Columns that count the rows, copy a target, or alone put the classes in order.

    Where rows are so few that chance could order them, predictors are not looked for.

    Args:
        features: ``float64 (N, F)``, NaN where missing.
        targets: of the same N rows.
    """
    found = [
        Suspect(str(name), "id", "whole numbers, all different, in the order of the rows")
        for name, column in features.items()
        if counts_rows(column.to_numpy())
    ]
    names = [str(name) for name in features]
    values = features.to_numpy()
    if targets.task == "regression":
        for target, column in zip(targets.names, targets.values.T, strict=True):
            found += _copies(values, names, target, column)
    else:
        found += _tellers(values, names, targets)
    return found


def counts_rows(values: np.ndarray) -> bool:
    """Whether numbers rise or fall by whole steps from row to row, as an index does.

    Example:
        >>> counts_rows(np.array([1., 2, 3, 5, 9])), counts_rows(np.array([1., 2, 2, 3, 4]))
        (True, False)
    """
    if len(values) < 5 or not np.isfinite(values).all() or (values != np.round(values)).any():
        return False
    steps = np.diff(values)
    return bool((steps > 0).all() or (steps < 0).all())


def areas(values: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """The area under the ROC curve of each column for a class, ``(F,)``; ties count half.

    Missing values are taken for the column's median.

    Args:
        values: ``(N, F)``.
        positive: ``bool (N,)``.
    """
    return np.array([area(column, positive) for column in _filled(values).T])


def area(values: np.ndarray, positive: np.ndarray) -> float:
    """The area under the ROC curve of one column ``(N,)`` without gaps, as :func:`areas` gives it.

    Example:
        >>> area(np.array([3, 1, 2, 2]), np.array([True, False, True, False]))
        0.875
    """
    yes, no = np.sort(values[positive]), np.sort(values[~positive])
    below = above = 0  # pairs in which the positive one is larger, or not smaller
    for start in range(0, len(yes), AT_ONCE):
        some = yes[start : start + AT_ONCE]
        below += int(np.searchsorted(no, some, side="left").sum())
        above += int(np.searchsorted(no, some, side="right").sum())
    return (below + above) / 2 / (len(yes) * len(no))


def _filled(values: np.ndarray) -> np.ndarray:
    empty = np.isnan(values).all(axis=0)
    median = np.zeros(values.shape[1])
    median[~empty] = np.nanmedian(values[:, ~empty], axis=0)
    return np.where(np.isnan(values), median, values)


def _copies(
    values: np.ndarray, names: Sequence[str], target: str, column: np.ndarray
) -> list[Suspect]:
    known = np.isfinite(column)
    if comb(int(known.sum()), min(5, int(known.sum()))) < 200 * len(names):
        return []  # fewer than about ten rows
    ranks = rankdata(_filled(values[known]), axis=0)
    wanted = rankdata(column[known])
    ranks -= ranks.mean(axis=0)
    wanted -= wanted.mean()
    scale = np.sqrt((ranks**2).sum(axis=0) * (wanted**2).sum())
    rho = np.divide(wanted @ ranks, scale, out=np.zeros_like(scale), where=scale > 0)
    return [
        Suspect(
            names[place],
            "target",
            f"its order is that of target {target!r} (rank correlation {rho[place]:.3f})",
        )
        for place in np.flatnonzero(np.abs(rho) >= NEAR_PERFECT).tolist()
    ]


def _tellers(values: np.ndarray, names: Sequence[str], targets: Targets) -> list[Suspect]:
    found: dict[int, Suspect] = {}
    binary = len(targets.classes) == 2
    for index, name in enumerate(targets.classes):
        positive = targets.values == index
        yes, count = int(positive.sum()), len(positive)
        ways = comb(count, yes) if count < 200 else inf
        if (binary and index == 0) or yes in (0, count) or ways < 200 * len(names):
            continue  # so few rows that one of so many columns may order them by chance
        area = areas(values, positive)
        for place in np.flatnonzero(np.maximum(area, 1 - area) >= NEAR_PERFECT).tolist():
            best = max(area[place], 1 - area[place])
            why = f"alone it tells class {name!r} from the others (AUROC {best:.3f})"
            found.setdefault(place, Suspect(names[place], "predictor", why))
    return [found[place] for place in sorted(found)]
