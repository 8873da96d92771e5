"""Disjoint train, validation and test rows: random, stratified, by group, by a given column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bionn.data.samples import DataOptions, Samples
from bionn.data.targets import Targets
from bionn.errors import FormatError, InputError, did_you_mean

SPLITS = ("random", "stratified", "group")


@dataclass(frozen=True)
class Split:
    """Row numbers of the three parts; no row is in two of them.

    Attributes:
        train, val, test: ``int64`` row numbers, ascending.
        name: how the split was made, in words.
    """

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    name: str

    def parts(self, rows: int) -> list[str]:
        """``train``, ``val``, ``test`` or ``drop`` for each of so many rows."""
        parts = np.full(rows, "drop", dtype=object)
        for name in ("train", "val", "test"):
            parts[getattr(self, name)] = name
        return parts.tolist()


def random_parts(rows: int, fractions: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """A part number for each row, in the shares asked for.

    Example:
        >>> np.bincount(random_parts(10, (.8, .1, .1), np.random.default_rng(0))).tolist()
        [8, 1, 1]
    """
    bounds = np.round(np.cumsum(fractions) / sum(fractions) * rows).astype(int)
    parts = np.searchsorted(bounds, np.arange(rows), side="right")
    return parts[np.argsort(rng.permutation(rows))]


def stratified_parts(
    classes: np.ndarray, fractions: Sequence[float], rng: np.random.Generator
) -> np.ndarray:
    """A part number for each row, every class in the shares asked for.

    A class with as many rows as parts or more has a row in every part.
    """
    parts = np.empty(len(classes), dtype=np.int64)
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
    groups: Sequence[str], fractions: Sequence[float], rng: np.random.Generator
) -> np.ndarray:
    """A part number for each row, equal for rows of one group, shares as near as groups allow.

    Large groups are dealt out first, each to the part that lacks most rows; the last ones to parts
    that have none yet.

    Raises:
        InputError: fewer groups than parts.
    """
    names, member, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    if len(names) < len(fractions):
        raise InputError(
            f"split: at least {len(fractions)} groups needed, {len(names)} found; "
            "choose another group-column or group-pattern"
        )
    want = np.asarray(fractions, dtype=float) / sum(fractions) * len(member)
    shuffled = rng.permutation(len(names))
    part_of = np.empty(len(names), dtype=np.int64)
    empty = np.ones(len(fractions), dtype=bool)
    for dealt, group in enumerate(shuffled[np.argsort(-sizes[shuffled], kind="stable")]):
        must_fill = len(names) - dealt <= empty.sum()
        part = int(np.argmax(np.where(empty, want, -np.inf) if must_fill else want))
        part_of[group], empty[part] = part, False
        want[part] -= sizes[group]
    return part_of[member]


def make_splits(samples: Samples, targets: Targets, options: DataOptions) -> list[Split]:
    """The split that the options ask for, or the K of a cross-validation.

    Raises:
        InputError: an unknown kind of split, too few groups, a part or fold left without rows.
    """
    if not 0 <= options.seed < 2**32:
        raise InputError(f"seed: a number from 0 to {2**32 - 1} needed, {options.seed} found")
    if len(options.fractions) != 3 or min(options.fractions) <= 0:
        raise InputError(
            "fractions: 3 shares above 0 (train, val, test) needed, "
            f"{tuple(options.fractions)} found; give three"
        )
    given_parts, folds = samples.column("part"), samples.column("fold")
    if options.folds is not None and given_parts is not None and any(given_parts):
        raise InputError("folds: not together with split-column, val or test; leave one out")
    if folds is not None:
        splits = _given_folds(samples, folds)
    elif given_parts is not None and any(given_parts):
        splits = [_given_parts(np.asarray(given_parts), samples, targets, options)]
    elif options.folds is not None:
        splits = _new_folds(samples, targets, options)
    else:
        rows = np.arange(len(samples))
        parts, name = _divide(rows, options.fractions, samples, targets, options)
        train, val, test = (np.flatnonzero(parts == part) for part in range(3))
        splits = [Split(train, val, test, name)]
    for split in splits:
        _check(split, targets)
    return splits


def _divide(
    rows: np.ndarray,
    shares: Sequence[float],
    samples: Samples,
    targets: Targets,
    options: DataOptions,
) -> tuple[np.ndarray, str]:
    """Part numbers for the chosen rows, by the kind of split asked for, and its name."""
    groups = samples.column("group")
    kind = options.split or "stratified"
    if kind not in SPLITS:
        raise InputError(
            f"split: one of {', '.join(SPLITS)} needed, {kind!r} found{did_you_mean(kind, SPLITS)}; "
            "choose one"
        )
    rng = np.random.default_rng([options.seed, 0x5B117])
    if kind == "group" or groups is not None:  # rows of one group stay together, whatever the kind
        if groups is None:
            raise InputError("split: group needs group-column or group-pattern; name one")
        return group_parts([groups[row] for row in rows], shares, rng), "group"
    if kind == "stratified" and targets.task != "regression":
        return stratified_parts(targets.values[rows], shares, rng), "stratified by class"
    return random_parts(len(rows), shares, rng), "random"


def _given_parts(
    parts: np.ndarray, samples: Samples, targets: Targets, options: DataOptions
) -> Split:
    """The parts of a column or of separate files; rows without one are training rows."""
    parts = np.where(parts == "", "train", parts)
    train, val, test = (np.flatnonzero(parts == name) for name in ("train", "val", "test"))
    name = "as given"
    if not len(test):
        raise InputError(
            "split: rows marked test needed, none found; mark some, or give a test file"
        )
    if not len(val):
        own, how = _divide(train, options.fractions[:2], samples, targets, options)
        train, val, name = train[own == 0], train[own == 1], f"as given, validation cut {how}"
    return Split(train, val, test, name)


def _given_folds(samples: Samples, folds: Sequence[str]) -> list[Split]:
    for row, fold in enumerate(folds):
        if not fold.isdecimal() and fold.lower() != "drop":
            raise FormatError(
                f"{samples.where(row, 'fold')}: fold-column: a number from 0 or drop needed, {fold!r} "
                "found; correct it"
            )
    parts = np.array([int(fold) if fold.isdecimal() else -1 for fold in folds])
    numbers = np.unique(parts[parts >= 0]).tolist()
    if numbers != list(range(len(numbers))) or len(numbers) < 3:
        raise InputError(
            "fold-column: numbers 0..K-1 with K at least 3 needed, "
            f"{', '.join(map(str, numbers)) or 'none'} found; number them without gaps"
        )
    return _rotate(parts, "folds as given")


def _new_folds(samples: Samples, targets: Targets, options: DataOptions) -> list[Split]:
    count = options.folds or 0
    if count < 3:
        raise InputError(f"folds: at least 3 needed, {count} found; choose more")
    rows = np.arange(len(samples))
    parts, name = _divide(rows, [1.0] * count, samples, targets, options)
    return _rotate(parts, f"{count} folds, {name}")


def _rotate(folds: np.ndarray, name: str) -> list[Split]:
    """Test on fold k, choose on fold (k + 1) mod K, train on the others."""
    count = int(folds.max()) + 1
    return [
        Split(
            np.flatnonzero((folds >= 0) & (folds != k) & (folds != (k + 1) % count)),
            np.flatnonzero(folds == (k + 1) % count),
            np.flatnonzero(folds == k),
            name,
        )
        for k in range(count)
    ]


def _check(split: Split, targets: Targets) -> None:
    for part in ("train", "val", "test"):
        if not len(getattr(split, part)):
            raise InputError(
                f"split: the {part} part has no rows; give more data or other fractions"
            )
    if targets.task != "regression":
        absent = set(range(len(targets.classes))) - set(targets.values[split.train].tolist())
        if absent:
            raise InputError(
                f"split: class {targets.classes[min(absent)]!r} has no training row; "
                "choose another split, or keep other classes only (classes)"
            )
