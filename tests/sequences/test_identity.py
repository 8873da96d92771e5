"""Identity against Biopython's aligner, a table of dynamic programming, and what it must obey."""

from __future__ import annotations

import numpy as np
import pytest
from Bio.Align import PairwiseAligner
from Bio.Seq import reverse_complement
from hypothesis import given
from hypothesis import strategies as st

from bionn.sequences.alphabet import DNA, PROTEIN
from bionn.sequences.identity import CodedSequences, identities
from tests.support.mutants import mutant, random_sequence


def aligned(piece: str, whole: str) -> float:
    """Edits by Biopython: global alignment, the ends of the whole for nothing."""
    aligner = PairwiseAligner(
        mode="global", match_score=0, mismatch_score=-1, gap_score=-1, end_deletion_score=0
    )
    return -aligner.score(whole, piece)


def expected(one: str, two: str) -> float:
    short, long = sorted((one, two), key=len)
    edits = aligned(short, long)
    if len(short) == len(long):
        edits = min(edits, aligned(long, short))
    return 1 - edits / len(short)


def identity_of(pairs: list[tuple[str, str]], alphabet=DNA, **options) -> np.ndarray:
    coded = CodedSequences.encode([text for pair in pairs for text in pair], alphabet)
    rows = np.arange(len(pairs)) * 2
    return identities(coded, rows, rows + 1, **options)


@pytest.mark.parametrize("letters", ["ACGT", "ACDEFGHIKLMNPQRSTVWY"])
def test_identities_are_those_of_biopython(letters: str) -> None:
    rng = np.random.default_rng(0)
    pairs = []
    for length in [1, 2, 3, 63, 64, 65, 127, 128, 129, 250, *rng.integers(1, 200, 60)]:
        one = random_sequence(rng, int(length), letters)
        pairs.append((one, mutant(rng, one, int(rng.integers(length // 2 + 1)), letters=letters)))
        pairs.append((one, random_sequence(rng, int(rng.integers(1, 220)), letters)))
        cut = int(rng.integers(length))
        pairs.append((one[cut:] + random_sequence(rng, cut, letters), one))  # overlapping windows
    found = identity_of(pairs, DNA if letters == "ACGT" else PROTEIN)
    np.testing.assert_allclose(found, [expected(*pair) for pair in pairs], atol=1e-12)


@given(st.text("ACG", min_size=1, max_size=9), st.text("ACG", min_size=1, max_size=9))
def test_short_pairs_against_the_table(one: str, two: str) -> None:
    def edits(piece: str, whole: str) -> int:
        row = [0] * (len(whole) + 1)
        for place, symbol in enumerate(piece, start=1):
            above, row = row, [place]
            for column, other in enumerate(whole, start=1):
                row.append(
                    min(above[column] + 1, row[-1] + 1, above[column - 1] + (symbol != other))
                )
        return min(row)

    short, long = sorted((one, two), key=len)
    best = edits(short, long) if len(one) != len(two) else min(edits(one, two), edits(two, one))
    assert identity_of([(one, two)])[0] == pytest.approx(1 - best / len(short))
    assert identity_of([(two, one)])[0] == identity_of([(one, two)])[0]


def test_reversed_pairs_are_read_on_the_other_strand() -> None:
    rng = np.random.default_rng(1)
    pairs = []
    for _ in range(50):
        one = random_sequence(rng, int(rng.integers(5, 140)))
        pairs.append((one, mutant(rng, one, 4)))
    turned = [(reverse_complement(one), two) for one, two in pairs]
    found = identity_of(turned, reverse=np.ones(50, dtype=bool))
    np.testing.assert_array_equal(found, identity_of(pairs))
    half = np.arange(50) % 2 == 0
    mixed = [turned[row] if half[row] else pairs[row] for row in range(50)]
    np.testing.assert_array_equal(identity_of(mixed, reverse=half), found)


def test_case_and_uracil_do_not_matter_and_unknown_symbols_are_like_no_other() -> None:
    assert identity_of([("acgu", "ACGT"), ("ACNT", "ACNT"), ("ANNA", "ACGA")]).tolist() == [
        1,
        0.75,
        0.5,
    ]
    assert identity_of([("NN", "NN")]).tolist() == [0]


def test_a_piece_of_a_longer_sequence_is_identical() -> None:
    rng = np.random.default_rng(2)
    long = random_sequence(rng, 300)
    assert identity_of([(long[80:200], long), (long, long[:70])]).tolist() == [1, 1]


def test_many_pairs_of_all_lengths_are_as_each_alone() -> None:
    rng = np.random.default_rng(3)
    texts = [random_sequence(rng, int(n)) for n in rng.integers(1, 90, 300)]
    coded = CodedSequences.encode(texts, DNA)
    first, second = rng.integers(0, 300, (2, 6000))
    found = identities(coded, first, second)
    some = rng.integers(0, 6000, 100)
    alone = [identities(coded, first[[n]], second[[n]])[0] for n in some]
    np.testing.assert_array_equal(found[some], alone)
