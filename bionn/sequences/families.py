"""Families of alike sequences: single linkage over pairs whose identity reaches a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from bionn.errors import InputError
from bionn.sequences.alphabet import Alphabet
from bionn.sequences.duplicates import number_distinct
from bionn.sequences.identity import CodedSequences, identities
from bionn.sequences.packed import as_packed
from bionn.sequences.seeds import CROWD, PARTNERS, SHARED, Candidates, SeedPlan, candidates

LONGEST = 5000
"""The work of an alignment grows with the square of the length: longer sequences are not aligned."""

MEASURE = (
    "identity: 1 - (fewest substitutions, insertions and deletions that make the shorter sequence "
    "a piece of the longer one) / (length of the shorter one)"
)

_PAIRS_AT_ONCE = 1 << 15


@dataclass(frozen=True)
class Families:
    """Which sequences belong together.

    Attributes:
        labels: ``int64 (N,)``, equal within a family, numbered from 0.
        facts: how they were found and what may have been missed, as plain data.
    """

    labels: np.ndarray
    facts: dict[str, Any]


def find_families(sequences: Sequence[str], alphabet: Alphabet, *, identity: float) -> Families:
    """Group sequences so that no pair of two families is known to reach the identity.

    Equal sequences (whatever the case and, for DNA, the strand) come first; then pairs that share
    seeds are aligned, those that share most first, unless others have linked them already.

    Args:
        sequences: N texts.
        alphabet: theirs.
        identity: the least identity that links two, in (0, 1].

    Raises:
        InputError: an identity outside (0, 1].
    """
    if not 0 < identity <= 1:
        raise InputError(f"identity: a share from above 0 to 1 needed, {identity:g} found; try 0.8")
    distinct = number_distinct(sequences, alphabet)
    firsts = np.unique(distinct, return_index=True)[1]
    coded = CodedSequences.encode(as_packed(sequences)[firsts], alphabet)
    plan = SeedPlan.choose(coded, identity)
    family, aligned, linked, search = np.arange(len(coded)), 0, 0, {}
    if identity < 1:
        pairs, search = find_pairs(coded, plan, identity)
        family, aligned, linked = _link(coded, pairs, identity)
    sizes = np.bincount(np.bincount(family[distinct]))[1:]
    facts = {
        "measure": MEASURE,
        "identity": identity,
        "strands": "both" if coded.strands else "as given",
        "sequences": len(sequences),
        "distinct_sequences": len(coded),
        "families": int(family.max(initial=-1)) + 1,
        "largest_family": len(sizes),
        "families_by_size": {str(size): int(n) for size, n in enumerate(sizes, start=1) if n},
        "pairs_aligned": aligned,
        "pairs_linked": linked,
        **search,
    }
    return Families(family[distinct], facts)


def find_pairs(
    coded: CodedSequences, plan: SeedPlan, identity: float, **which: np.ndarray
) -> tuple[Candidates, dict[str, Any]]:
    """Candidate pairs that can be aligned; how they were searched for and what that may miss.

    Args:
        coded: the sequences.
        plan: the seeds.
        identity: that of the pairs that are looked for.
        **which: ``labels`` and ``asking`` of :func:`bionn.sequences.seeds.candidates`.
    """
    pairs = candidates(coded, plan, **which)
    long = coded.lengths > LONGEST
    length = int(np.median(coded.lengths)) if len(coded) else 0
    facts = {
        "seeds": list(plan.patterns),
        "share_of_seeds": round(plan.share, 4),
        "shared_seeds_needed": SHARED,
        "chance_to_find_a_pair": round(plan.sensitivity(length, identity), 3),
        "of_length_and_identity": [length, identity],
        "compared_per_seed": PARTNERS,
        "may_be_missed": {
            f"sequences of over {LONGEST} symbols, not aligned": int(long.sum()),
            "sequences without a seed, too short or ambiguous": pairs.seedless,
            f"sequences with only such seeds as over {CROWD} have": pairs.crowded,
        },
    }
    return pairs.keep(~(long[pairs.first] | long[pairs.second])), {"search": facts}


def _link(coded: CodedSequences, pairs: Candidates, identity: float) -> tuple[np.ndarray, int, int]:
    """Families of the sequences, how many pairs were aligned, and how many of these linked."""
    family = np.arange(len(coded))
    left = np.argsort(-pairs.shared, kind="stable")
    aligned, links = 0, np.empty(0, dtype=np.int64)
    while len(left):
        some, left = left[:_PAIRS_AT_ONCE], left[_PAIRS_AT_ONCE:]
        found = identities(coded, pairs.first[some], pairs.second[some], pairs.reverse[some])
        aligned += len(some)
        links = np.append(links, some[found >= identity - 1e-9])
        family = components(pairs.first[links], pairs.second[links], len(coded))
        left = left[family[pairs.first[left]] != family[pairs.second[left]]]
    return family, aligned, len(links)


def components(first: np.ndarray, second: np.ndarray, number: int) -> np.ndarray:
    """Labels ``(number,)`` that are equal for nodes linked by edges, directly or not.

    Example:
        >>> components(np.array([0, 3]), np.array([2, 2]), 5).tolist()
        [0, 1, 0, 0, 2]
    """
    edges = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), (number, number))
    return connected_components(edges, directed=False)[1].astype(np.int64)
