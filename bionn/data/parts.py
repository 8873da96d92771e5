"""Rows dealt out to parts in the shares asked for: at random, by stratum, by whole groups."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from bionn.data.targets import Targets
from bionn.errors import InputError

QUANTILES = 10
"""The most strata that a regression target is cut into."""

QUANTILE_ROWS = 30
"""A stratum of a regression target holds at least so many rows."""


def strata(targets: Targets) -> np.ndarray:
    """What a stratified split keeps even: the class, or the quantile of the target, of each row.

    Several regression targets are standardised and averaged; a missing value counts as the mean.

    Returns:
        ``int64 (N,)``; all zero where there are too few rows for two quantiles.
    """
    if targets.task != "regression":
        return targets.values
    known = np.isfinite(targets.values)
    filled = np.where(known, targets.values, np.nanmean(targets.values, axis=0))
    spread = filled.std(axis=0)
    level = ((filled - filled.mean(axis=0)) / np.where(spread > 0, spread, 1)).mean(axis=1)
    count = int(np.clip(len(level) // QUANTILE_ROWS, 1, QUANTILES))
    bounds = np.quantile(level, np.arange(1, count) / count)
    return np.searchsorted(bounds, level, side="right")


def random_parts(rows: int, fractions: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """A part number for each row, in the shares asked for.

    Example:
        >>> np.bincount(random_parts(10, (.8, .1, .1), np.random.default_rng(0))).tolist()
        [8, 1, 1]
    """
    bounds = np.round(np.cumsum(fractions) / sum(fractions) * rows).astype(int)
    parts = np.empty(rows, dtype=np.int32)
    order = rng.permutation(rows)
    for part, (start, end) in enumerate(pairwise([0, *bounds.tolist()])):
        parts[order[start:end]] = part
    return parts


def stratified_parts(
    classes: np.ndarray, fractions: Sequence[float], rng: np.random.Generator
) -> np.ndarray:
    """A part number for each row, every class in the shares asked for.

    A class with as many rows as parts or more has a row in every part.
    """
    parts = np.empty(len(classes), dtype=np.int32)
    for name in np.unique(classes):
        rows = np.flatnonzero(classes == name)
        own = random_parts(len(rows), fractions, rng)
        absent = [part for part in range(len(fractions)) if not (own == part).any()]
        if len(rows) >= len(fractions):
            for part in absent:
                largest = int(np.argmax(np.bincount(own, minlength=len(fractions))))
                own[int(np.argmax(own == largest))] = part
        parts[rows] = own
    return parts


def group_parts(
    groups: Sequence[str] | np.ndarray,
    fractions: Sequence[float],
    rng: np.random.Generator,
    classes: np.ndarray | None = None,
) -> np.ndarray:
    """A part number for each row, equal for rows of one group, shares as near as groups allow.

    Large groups are dealt out first. Each is drawn into a part with odds as that part still lacks
    rows of the group's classes, so that large and small groups come into every part; a group that
    fits nowhere goes where most rows are lacking, and the last groups to parts that have none.
    Groups of one row each are dealt out like rows.

    Args:
        groups: the group of each row.
        fractions: the share of each part.
        rng: draws the parts.
        classes: ``int64 (N,)``, kept even over the parts as far as groups allow.

    Raises:
        InputError: fewer groups than parts.
    """
    names, member, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    shares = np.asarray(fractions, dtype=float) / sum(fractions)
    if len(names) < len(shares):
        raise InputError(
            f"split: at least {len(shares)} groups needed, {len(names)} found; "
            "choose another group-column or group-pattern"
        )
    number = (
        np.zeros_like(member) if classes is None else np.unique(classes, return_inverse=True)[1]
    )
    held = np.zeros((len(names), int(number.max(initial=0)) + 1))
    np.add.at(held, (member, number), 1)
    lacking = shares[:, None] * held.sum(axis=0)  # (parts, classes)
    part_of = np.full(len(names), -1)
    order = rng.permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]
    larger = int((sizes > 1).sum())
    for dealt, (group, draw) in enumerate(zip(order[:larger], rng.random(larger), strict=True)):
        total = lacking.sum(axis=1)
        empty = np.bincount(part_of[order[:dealt]], minlength=len(shares)) == 0
        allowed = empty if len(names) - dealt <= empty.sum() else np.ones_like(empty)
        fits = allowed & (total > sizes[group] - 1)  # shares of rows are not whole numbers
        odds = np.where(fits, np.maximum(lacking, 0) @ held[group], 0).cumsum()
        if odds[-1] > 0:
            part = int(np.searchsorted(odds, draw * odds[-1], side="right"))
        else:
            part = int(np.argmax(np.where(allowed, total, -np.inf)))
        part_of[group] = part
        lacking[part] -= held[group]
    _deal_single_rows(part_of, order[larger:], held, lacking, rng)
    return part_of[member]


def _deal_single_rows(
    part_of: np.ndarray,
    single: np.ndarray,
    held: np.ndarray,
    lacking: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Write the parts of the groups of one row, class by class, as each part lacks rows."""
    classes = held[single].argmax(axis=1)
    for number in np.unique(classes):
        own = single[classes == number]
        want = np.maximum(lacking[:, number], 0)
        part_of[own] = random_parts(len(own), (want if want.any() else want + 1).tolist(), rng)
    for part in range(len(lacking)):
        if not (part_of == part).any():  # there are as many single rows as empty parts, or more
            groups = np.bincount(part_of, minlength=len(lacking))
            donors = single[groups[part_of[single]] == groups[part_of[single]].max()]
            part_of[donors[0]] = part
