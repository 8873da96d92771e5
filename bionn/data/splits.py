"""Disjoint train, validation and test rows: by what strategy, or as a column or files give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bionn.data.columns import some
from bionn.data.parts import group_parts, random_parts, strata, stratified_parts
from bionn.data.samples import DataOptions, Samples
from bionn.data.targets import Targets
from bionn.data.together import Together, keep_together, kind_of_split
from bionn.errors import FormatError, InputError, did_you_mean
from bionn.sequences.distinct import in_order

PARTS = ("train", "val", "test", "drop")
"""What a row may be in; in ``drop``, it is in none."""


@dataclass(frozen=True)
class Split:
    """Row numbers of the three parts; no row is in two of them.

    Attributes:
        train, val, test: ``int64`` row numbers, ascending.
        name: how the split was made, in words.
        repeat: which repetition of a cross-validation it belongs to, from 0.
        facts: what the strategy found out on the way, as plain data for the certificate.
        units: the group or family of each of the N rows, ``(N,)``, where such are kept whole.
        unit: what the units are: ``row`` where there are none.
    """

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    name: str
    repeat: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)
    units: np.ndarray | None = None
    unit: str = "row"

    def parts(self, rows: int, some: np.ndarray | slice = slice(None)) -> list[str]:
        """``train``, ``val``, ``test`` or ``drop`` for each of so many rows, or for some of them."""
        return [PARTS[number] for number in self.numbers(rows)[some].tolist()]

    def numbers(self, rows: int) -> np.ndarray:
        """The number in :data:`PARTS` of the part of each of so many rows, ``uint8 (rows,)``."""
        numbers = np.full(rows, len(PARTS) - 1, dtype=np.uint8)
        for number, name in enumerate(PARTS[:-1]):
            numbers[getattr(self, name)] = number
        return numbers


def make_splits(
    samples: Samples,
    targets: Targets,
    options: DataOptions,
    *,
    distinct: np.ndarray | None = None,
) -> list[Split]:
    """The split that the options ask for, or those of a cross-validation: fold by fold, R times.

    ``distinct`` is :func:`bionn.data.together.distinct_inputs` of the samples, where known already.

    Raises:
        InputError: an unknown kind of split, too few groups, a part or fold left without rows.
    """
    if not 0 <= options.seed < 2**32:
        raise InputError(
            f"seed: a number from 0 to {2**32 - 1} needed, {options.seed} found; choose one"
        )
    if len(options.fractions) != 3 or not all(0 < share < np.inf for share in options.fractions):
        raise InputError(
            "fractions: 3 shares above 0 needed (train, val, test), "
            f"{', '.join(f'{share:g}' for share in options.fractions)} found; write .8,.1,.1 for "
            "8 of 10 rows to train on"
        )
    kind = kind_of_split(options)
    if kind == "group" and samples.column("group") is None:
        raise InputError("split: group needs group-column or group-pattern; name one")
    given, folds = samples.column("part"), samples.column("fold")
    parts_given, together = given is not None and any(given), None
    _check_combination(kind, options, parts_given=parts_given, folds_given=folds is not None)
    whole = folds is not None or (given is not None and parts_given and "val" in given)
    _refuse_idle(kind, options, given=whole)
    if folds is not None:
        splits = _given_folds(samples, folds)
        _check_groups(samples, [f if f.lower() == "drop" else f"fold {int(f)}" for f in folds])
    elif given is not None and any(given):
        _check_groups(samples, [part or "train" for part in given])
        splits = [_given_parts(np.asarray(given), samples, targets, options, distinct)]
    else:
        together = keep_together(samples, options, distinct=distinct)
        if kind == "leave-one-group-out":
            splits = _one_group_out(together)
        elif options.folds is not None:
            splits = _new_folds(samples, targets, options, together)
        elif options.val_chromosomes or options.test_chromosomes:
            splits = [_chromosome_parts(samples, targets, options, together)]
        else:
            rows = np.arange(len(samples))
            parts, name = _divide(rows, options.fractions, together, targets, options)
            train, val, test = (np.flatnonzero(parts == part) for part in range(3))
            splits = [Split(train, val, test, name, facts=together.facts)]
    units, unit = _units(samples, together)
    for split in splits:
        _check(split, samples, targets)
    return [replace(split, units=units, unit=unit) for split in splits]


def _units(samples: Samples, together: Together | None) -> tuple[np.ndarray | None, str]:
    """What was kept whole: the families or groups of the strategy, else groups that were named."""
    if together is not None and together.grouped:
        return together.labels, "family" if "homology" in together.name else together.name
    groups = samples.column("group")
    return (None, "row") if groups is None else (np.asarray(groups, dtype=object), "group")


def _check_combination(
    kind: str, options: DataOptions, *, parts_given: bool, folds_given: bool
) -> None:
    """Refuse options of which one would be passed over in silence."""
    chromosomes = bool(options.val_chromosomes or options.test_chromosomes)
    if options.folds is not None and parts_given:
        raise InputError("folds: not together with split-column, val or test; leave one out")
    if folds_given and (parts_given or options.folds is not None):
        raise InputError(
            "fold-column: not together with split-column, val, test or folds; leave one out"
        )
    if kind == "leave-one-group-out" and (parts_given or folds_given or options.folds is not None):
        raise InputError(
            "split: leave-one-group-out makes its own folds, not together with folds, fold-column, "
            "split-column, val or test; leave one out"
        )
    if chromosomes and (parts_given or folds_given or options.folds is not None):
        raise InputError(
            "test-chromosomes and val-chromosomes: not together with folds, fold-column, "
            "split-column, val or test; leave one out"
        )
    if options.identity != DataOptions.identity and kind != "homology":
        raise InputError(
            f"identity: for a homology split only, {kind} found; add split homology, or leave it out"
        )
    if options.repeats < 1 or (options.repeats > 1 and options.folds is None):
        raise InputError(
            f"repeats: 1, or more together with folds needed, {options.repeats} found; add folds"
        )


def _refuse_idle(kind: str, options: DataOptions, *, given: bool) -> None:
    """Refuse a way to split, and shares, where nothing is left to be split or shared out.

    Args:
        kind: of split.
        options: all of them.
        given: whether columns or files give every part.

    Raises:
        InputError: one of the two is given in vain.
    """
    if given and options.split not in (None, "stratified"):  # the modules' default
        raise InputError(
            f"split: parts to be made needed, those of columns or files found beside {kind!r}; leave "
            "one of the two out"
        )
    named = bool(options.val_chromosomes) and bool(options.test_chromosomes)
    folds = options.folds is not None or kind == "leave-one-group-out"
    if tuple(options.fractions) != DataOptions.fractions and (given or named or folds):
        what = "folds" if folds else "parts that are given"
        raise InputError(f"fractions: parts to be cut needed, {what} found; leave fractions out")


def _divide(
    rows: np.ndarray,
    shares: Sequence[float],
    together: Together,
    targets: Targets,
    options: DataOptions,
    repeat: int = 0,
) -> tuple[np.ndarray, str]:
    """Part numbers for the chosen rows, by the kind of split asked for, and its name."""
    rng = np.random.default_rng([options.seed, 0x5B117, *([repeat] if repeat else [])])
    wanted, name = None, "random"
    if options.split != "random":
        wanted = strata(targets)[rows].astype(np.int32)
        name = "stratified by " + ("class" if targets.task != "regression" else "target quantile")
        wanted = wanted if len(np.unique(wanted)) > 1 else None
    if together.grouped:
        parts = group_parts(together.labels[rows], shares, rng, wanted)
        return parts, f"by {together.name}" + (f", {name}" if wanted is not None else "")
    firsts, distinct = in_order(together.labels[rows])
    suffix = f", {together.name}" if len(firsts) < len(rows) else ""
    if wanted is not None:
        return stratified_parts(wanted[firsts], shares, rng)[distinct], name + suffix
    return random_parts(len(firsts), shares, rng)[distinct], f"random{suffix}"


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
    parts: np.ndarray,
    samples: Samples,
    targets: Targets,
    options: DataOptions,
    distinct: np.ndarray | None,
) -> Split:
    """The parts of a column or of separate files; rows without one are training rows."""
    parts = np.where(parts == "", "train", parts)
    train, val, test = (np.flatnonzero(parts == name) for name in ("train", "val", "test"))
    name = "as given"
    if not len(test):
        raise InputError(
            "split: rows marked test needed, none found; mark some, or give a test file"
        )
    facts: Mapping[str, Any] = {}
    if not len(val):
        together = keep_together(samples, options, distinct=distinct)
        own, how = _divide(train, options.fractions[:2], together, targets, options)
        train, val, name = train[own == 0], train[own == 1], f"as given, validation cut {how}"
        facts = together.facts
    return Split(train, val, test, name, facts=facts)


def _chromosome_parts(
    samples: Samples, targets: Targets, options: DataOptions, together: Together
) -> Split:
    """Whole chromosomes to the parts that name them; a part that names none is cut from the rest."""
    named = {"val": options.val_chromosomes or (), "test": options.test_chromosomes or ()}
    part_of = np.full(len(together.names), "rest", dtype=object)
    for part, chromosomes in named.items():
        for chromosome in chromosomes:
            if chromosome not in together.names:
                raise InputError(
                    f"{part}-chromosomes: no sample is on {chromosome!r}"
                    f"{did_you_mean(chromosome, together.names)}; there are "
                    f"{some(together.names, 30)}"
                )
            label = together.names.index(chromosome)
            if part_of[label] not in ("rest", part):
                raise InputError(
                    f"{part}-chromosomes: {chromosome!r} is in val-chromosomes too; leave it out there"
                )
            part_of[label] = part
    parts = part_of[together.labels]
    if not (parts == "rest").any():
        raise InputError(
            f"test-chromosomes: chromosomes to train on needed, all {len(together.names)} are named for "
            "val or test; leave some out"
        )
    absent = [part for part, chromosomes in named.items() if not chromosomes]
    if absent:
        rest = np.flatnonzero(parts == "rest")
        names = ["rest", *absent]
        places = [0, *(("val", "test").index(part) + 1 for part in absent)]
        shares = [options.fractions[place] for place in places]
        own, _ = _divide(rest, shares, together, targets, options)
        parts[rest] = np.array(names, dtype=object)[own]
    train, val, test = (np.flatnonzero(parts == part) for part in ("rest", "val", "test"))
    held = {
        part: [
            name
            for label, name in enumerate(together.names)
            if (together.labels[rows] == label).any()
        ]
        for part, rows in (("train", train), ("val", val), ("test", test))
    }
    return Split(train, val, test, "by chromosome, as named", facts={"chromosomes": held})


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


def _new_folds(
    samples: Samples, targets: Targets, options: DataOptions, together: Together
) -> list[Split]:
    count = options.folds or 0
    if count < 3:
        raise InputError(f"folds: at least 3 needed, {count} found; choose more")
    groups = len(np.unique(together.labels))
    if together.grouped and groups < count:
        raise InputError(
            f"folds: a group for each of {count} folds needed, {groups} groups found; "
            "choose fewer folds"
        )
    splits, rows = [], np.arange(len(samples))
    for repeat in range(options.repeats):
        parts, name = _divide(rows, [1.0] * count, together, targets, options, repeat)
        empty = sorted(set(range(count)) - set(parts.tolist()))
        if empty:
            raise InputError(
                f"folds: a row for each of {count} folds needed, none left for fold {empty[0]} "
                f"({len(rows)} rows, {name}); choose fewer folds"
            )
        times = f", {options.repeats} times" if options.repeats > 1 else ""
        splits += _rotate(parts, f"{count} folds{times}, {name}", repeat, together.facts)
    return splits


def _one_group_out(together: Together) -> list[Split]:
    """A fold a group, in the natural order of the groups' names."""
    if len(together.names) < 3:
        raise InputError(
            f"split: leave-one-group-out needs at least 3 groups, {len(together.names)} found; "
            "choose another group-column or group-pattern"
        )
    facts = {"folds": dict(enumerate(together.names))}
    return _rotate(together.labels, f"leave one {together.name} out", facts=facts)


def _rotate(
    folds: np.ndarray, name: str, repeat: int = 0, facts: Mapping[str, Any] | None = None
) -> list[Split]:
    """Test on fold k, choose on fold (k + 1) mod K, train on the others."""
    count = int(folds.max()) + 1
    return [
        Split(
            np.flatnonzero((folds >= 0) & (folds != k) & (folds != (k + 1) % count)),
            np.flatnonzero(folds == (k + 1) % count),
            np.flatnonzero(folds == k),
            name,
            repeat,
            facts or {},
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
        there = np.unique(targets.values[split.train])
        absent = set(range(len(targets.classes))) - set(there.tolist())
        if absent:
            raise InputError(
                f"split: class {targets.classes[min(absent)]!r} has no training row; "
                "choose another split, or keep other classes only (classes)"
            )
