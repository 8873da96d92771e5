"""Which rows a split must not part: groups, chromosomes, families of alike or equal sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from bionn.data.samples import DataOptions, Samples
from bionn.errors import FormatError, InputError, did_you_mean
from bionn.preprocess.targets import natural_key
from bionn.sequences.alphabet import alphabet_named
from bionn.sequences.duplicates import number_distinct
from bionn.sequences.families import components, find_families

SPLITS = ("stratified", "random", "group", "chromosome", "homology", "leave-one-group-out")


@dataclass(frozen=True)
class Together:
    """Rows that must stay together.

    Attributes:
        labels: whole numbers ``(N,)``, equal for rows that stay together.
        name: what they are, in words; empty where no two rows have to.
        grouped: whether they are groups of meaning, not merely equal inputs.
        names: the groups' names by label, where they have any.
        facts: how they were found, as plain data.
    """

    labels: np.ndarray
    name: str
    grouped: bool
    names: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def kind_of_split(options: DataOptions) -> str:
    """The kind of split asked for, ``stratified`` when none is.

    Raises:
        InputError: there is no such kind, or chromosomes are named for another.
    """
    named = bool(options.val_chromosomes or options.test_chromosomes)
    kind = options.split or ("chromosome" if named else "stratified")
    if kind not in SPLITS:
        raise InputError(
            f"split: one of {', '.join(SPLITS)} needed, {kind!r} found{did_you_mean(kind, SPLITS)}; "
            "choose one"
        )
    if named and kind != "chromosome":
        raise InputError(
            f"split: chromosome needed where chromosomes are named, {kind!r} found; leave one out"
        )
    return kind


def distinct_inputs(samples: Samples, options: DataOptions) -> np.ndarray:
    """The distinct inputs numbered in order, ``(N,)``; case and DNA strand do not matter."""
    if samples.features is not None:
        return samples.contents()
    return number_distinct(samples.sequences, alphabet_named(options.alphabet))


def keep_together(
    samples: Samples, options: DataOptions, *, distinct: np.ndarray | None = None
) -> Together:
    """What the kind of split keeps together; groups that were named, whatever the kind.

    Args:
        samples: as they are used.
        options: how they are to be split.
        distinct: :func:`distinct_inputs`, where known already.

    Raises:
        InputError: the kind of split needs a column, or sequences, that the samples do not have.
        FormatError: a sample has no chromosome; says file and line.
    """
    kind, groups = kind_of_split(options), samples.column("group")
    if kind == "homology":
        return _families(samples, options, groups)
    if kind == "chromosome":
        return _named(_chromosomes(samples), "chromosome")
    if kind == "leave-one-group-out" and groups is None and "chromosome" in samples.table:
        return _named(_chromosomes(samples), "chromosome")
    if groups is not None:
        return _named(groups, "group")
    if kind in ("group", "leave-one-group-out"):
        raise InputError(f"split: {kind} needs group-column or group-pattern; name one")
    if samples.features is not None:
        return Together(np.arange(len(samples)), "", grouped=False)
    # A test row that was trained on tests nothing.
    labels = distinct_inputs(samples, options) if distinct is None else distinct
    repeated = len(labels) > int(labels.max(initial=-1)) + 1
    return Together(labels, "equal sequences together" if repeated else "", grouped=False)


def _named(groups: Sequence[str], name: str) -> Together:
    names = sorted(set(groups), key=natural_key)
    number = {group: label for label, group in enumerate(names)}
    return Together(np.array([number[g] for g in groups]), name, grouped=True, names=tuple(names))


def _chromosomes(samples: Samples) -> list[str]:
    """The chromosome of each sample: of its own column, else of the group column."""
    column = "chromosome" if "chromosome" in samples.table else "group"
    chromosomes = samples.column(column)
    if chromosomes is None:
        raise InputError(
            "split: chromosome needs ids as chr1:100-200, BED regions, or a column of chromosomes; "
            "name that with group-column"
        )
    for row, chromosome in enumerate(chromosomes):
        if not chromosome:
            raise FormatError(
                f"{samples.where(row)}: id {samples.ids[row]!r}: a chromosome needed, none found; "
                "complete it, or name a column of chromosomes with group-column"
            )
    return chromosomes


def _families(samples: Samples, options: DataOptions, groups: Sequence[str] | None) -> Together:
    """Families of alike sequences; families that share a group are one."""
    if samples.features is not None:
        raise InputError(
            "split: homology needs sequences, numeric features found; choose group or stratified"
        )
    found = find_families(
        samples.sequences, alphabet_named(options.alphabet), identity=options.identity
    )
    labels, name = found.labels, "homology"
    if groups is not None:
        labels, name = joined(labels, pd.factorize(np.asarray(groups))[0]), "homology and group"
    if (number := len(np.unique(labels))) < 3:
        raise InputError(
            f"split: {name} at identity {options.identity:g}: 3 families or more needed, {number} "
            "found; raise identity, or choose another split"
        )
    return Together(labels, name, grouped=True, facts=found.facts)


def joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Labels ``(N,)`` that are equal where rows are linked by equal labels of either kind.

    Example:
        >>> joined(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2])).tolist()
        [0, 0, 0, 1]
    """
    offset = int(first.max(initial=-1)) + 1
    nodes = offset + int(second.max(initial=-1)) + 1
    return components(first, second + offset, nodes)[first]
