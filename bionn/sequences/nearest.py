"""For each sequence of one set, the most alike one outside it: what a split leaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bionn.sequences.alphabet import Alphabet
from bionn.sequences.distinct import stand_again
from bionn.sequences.duplicates import number_distinct
from bionn.sequences.families import find_pairs
from bionn.sequences.identity import CodedSequences, identities
from bionn.sequences.packed import as_packed
from bionn.sequences.seeds import SeedPlan

SYMBOLS = 10_000_000
"""Sets of more symbols than this are searched for equal sequences only: the search needs some 60
bytes a symbol."""

ALIGNED = 4
"""Each sequence is aligned with so many others: those that share most seeds with it."""


@dataclass(frozen=True)
class Nearest:
    """The most alike sequence that was found outside a sequence's own set.

    Attributes:
        other: its number, ``int32 (N,)``; -1 where none was found or looked for.
        identity: of the two, ``float64 (N,)``; NaN where none was found.
        facts: how it was looked for and what may have been missed, as plain data.
    """

    other: np.ndarray
    identity: np.ndarray
    facts: dict[str, Any]


def nearest_outside(
    sequences: Sequence[str],
    labels: np.ndarray,
    asking: np.ndarray,
    alphabet: Alphabet,
    *,
    identity: float = 0.8,
    distinct: np.ndarray | None = None,
) -> Nearest:
    """The most alike sequence of another label, for the sequences that ask.

    Equal sequences (whatever the case and, for DNA, the strand) are all found; alike ones as far as
    they share seeds.

    Args:
        sequences: N texts.
        labels: whole numbers ``(N,)``, the set of each; below 0: in none.
        asking: ``bool (N,)``.
        alphabet: of the texts.
        identity: the seeds are chosen to find pairs of this identity.
        distinct: :func:`bionn.sequences.duplicates.number_distinct` of the texts, if known already.
    """
    packed, sets = as_packed(sequences), int(labels.max(initial=0)) + 1
    distinct = number_distinct(sequences, alphabet) if distinct is None else distinct
    again = stand_again(distinct)
    known = np.flatnonzero((labels >= 0) & again)
    firsts, node_of = _nodes(distinct, labels, known, sets)
    symbols = packed.lengths[firsts].sum() + packed.lengths[(labels >= 0) & ~again].sum()
    facts: dict[str, Any] = {"alike": bool(symbols <= SYMBOLS)}
    if facts["alike"]:  # else a sequence that stands nowhere else has none that is looked for
        known = np.flatnonzero(labels >= 0)
        firsts, node_of = _nodes(distinct, labels, known, sets)
    asks = np.zeros(len(firsts), dtype=bool)
    asks[node_of[asking[known]]] = True
    other, best = _equal(distinct[firsts])
    if facts["alike"] and len(firsts):
        coded = CodedSequences.encode(packed[firsts], alphabet)
        plan = SeedPlan.choose(coded, identity)
        sought = asks & (other < 0)
        pairs, search = find_pairs(coded, plan, identity, labels=labels[firsts], asking=sought)
        facts |= search | {"aligned_with": ALIGNED}
        order = np.lexsort([-pairs.shared, pairs.first])
        pairs = pairs.keep(order)
        place = np.arange(len(order)) - np.searchsorted(pairs.first, pairs.first)
        pairs = pairs.keep(place < ALIGNED)
        found = identities(coded, pairs.first, pairs.second, pairs.reverse)
        order = np.argsort(found, kind="stable")  # of several the last written, the best, stays
        best[pairs.first[order]] = found[order]
        other[pairs.first[order]] = pairs.second[order]
    rows = np.full(len(sequences), -1, dtype=np.int32)
    values = np.full(len(sequences), np.nan)
    rows[known] = np.where(other >= 0, firsts[other], -1)[node_of]
    values[known] = best[node_of]
    rows[~asking], values[~asking] = -1, np.nan
    return Nearest(rows, values, facts)


def _nodes(
    distinct: np.ndarray, labels: np.ndarray, rows: np.ndarray, sets: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of rows equal within a set the first, which stands for all, and which of the firsts each has."""
    key = distinct[rows].astype(np.int64) * sets + labels[rows]
    _, firsts, node_of = np.unique(key, return_index=True, return_inverse=True)
    return rows[firsts], node_of


def _equal(distinct: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each number another place where it stands, or -1, and the identity 1 or NaN."""
    order = np.argsort(distinct, kind="stable")
    ordered = distinct[order]
    again = ordered[1:] == ordered[:-1]
    other = np.full(len(distinct), -1)
    other[order[1:][again]] = order[:-1][again]
    other[order[:-1][again]] = order[1:][again]
    return other, np.where(other >= 0, 1.0, np.nan)
