"""Disjoint train, validation and test rows: random, stratified, by group, by a given column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

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
    if len(options.fractions) != 3 or not all(0 < share < np.inf for share in options.fractions):
        raise InputError(
            "fractions: 3 shares above 0 needed (train, val, test), "
            f"{', '.join(f'{share:g}' for share in options.fractions)} found; write .8,.1,.1 for "
            "8 of 10 rows to train on"
        )
    kind = options.split or "stratified"
    if kind not in SPLITS:
        raise InputError(
            f"split: one of {', '.join(SPLITS)} needed, {kind!r} found{did_you_mean(kind, SPLITS)}; "
            "choose one"
        )
    if kind == "group" and samples.column("group") is None:
        raise InputError("split: group needs group-column or group-pattern; name one")
    given_parts, folds = samples.column("part"), samples.column("fold")
    parts_given = given_parts is not None and any(given_parts)
    if options.folds is not None and parts_given:
        raise InputError("folds: not together with split-column, val or test; leave one out")
    if folds is not None and (parts_given or options.folds is not None):
        raise InputError(
            "fold-column: not together with split-column, val, test or folds; leave one out"
        )
    if folds is not None:
        splits = _given_folds(samples, folds)
        _check_groups(samples, [f if f.lower() == "drop" else f"fold {int(f)}" for f in folds])
    elif given_parts is not None and any(given_parts):
        _check_groups(samples, [part or "train" for part in given_parts])
        splits = [_given_parts(np.asarray(given_parts), samples, targets, options)]
    elif options.folds is not None:
        splits = _new_folds(samples, targets, options)
    else:
        rows = np.arange(len(samples))
        parts, name = _divide(rows, options.fractions, samples, targets, options)
        train, val, test = (np.flatnonzero(parts == part) for part in range(3))
        splits = [Split(train, val, test, name)]
    for split in splits:
        _check(split, samples, targets)
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
    rng = np.random.default_rng([options.seed, 0x5B117])
    if groups is not None:  # rows of one group stay together, whatever the kind of split
        return group_parts([groups[row] for row in rows], shares, rng), "group"
    # Equal sequences stay together as well: a test row that was trained on tests nothing.
    inputs = samples.contents() if samples.features is None else np.arange(len(samples))
    distinct = pd.factorize(inputs[rows])[0]
    firsts = np.unique(distinct, return_index=True)[1]
    together = ", equal sequences together" if len(firsts) < len(rows) else ""
    if options.split != "random" and targets.task != "regression":
        parts = stratified_parts(targets.values[rows[firsts]], shares, rng)
        return parts[distinct], f"stratified by class{together}"
    return random_parts(len(firsts), shares, rng)[distinct], f"random{together}"


def _check_groups(samples: Samples, parts: Sequence[str]) -> None:
    """Refuse a group that stands in two of the parts or folds that a column or file gives."""
    first: dict[str, int] = {}
    for row, group in enumerate(samples.column("group") or ()):
        if parts[row].lower() == "drop":
            continue
        before = first.setdefault(group, row)
        if parts[before] != parts[row]:
            raise InputError(
                f"{samples.where(row, 'group')}: group {group!r} stands in {parts[row]} here and in "
                f"{parts[before]} ({samples.where(before, 'group')}); keep a group in one, or leave "
                "out the groups or the given split"
            )


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
    rows, groups = np.arange(len(samples)), samples.column("group")
    if groups is not None and len(set(groups)) < count:
        raise InputError(
            f"folds: a group for each of {count} folds needed, {len(set(groups))} groups found; "
            "choose fewer folds"
        )
    parts, name = _divide(rows, [1.0] * count, samples, targets, options)
    empty = sorted(set(range(count)) - set(parts.tolist()))
    if empty:
        raise InputError(
            f"folds: a row for each of {count} folds needed, none left for fold {empty[0]} "
            f"({len(rows)} rows, {name}); choose fewer folds"
        )
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


def _check(split: Split, samples: Samples, targets: Targets) -> None:
    sizes = {part: len(getattr(split, part)) for part in ("train", "val", "test")}
    for part, size in sizes.items():
        if not size:
            raise InputError(
                f"split: at least 1 row needed in each part, the {part} part has no rows "
                f"({len(samples)} rows in all: {', '.join(f'{p} {n}' for p, n in sizes.items())}; "
                f"{split.name}); give more data, or other fractions"
            )
    if targets.task != "regression":
        absent = set(range(len(targets.classes))) - set(targets.values[split.train].tolist())
        if absent:
            raise InputError(
                f"split: class {targets.classes[min(absent)]!r} has no training row; "
                "choose another split, or keep other classes only (classes)"
            )
