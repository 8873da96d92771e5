"""The most alike sequence outside a set, against the comparison of all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from Bio.Seq import reverse_complement

from bionn.sequences import nearest
from bionn.sequences.alphabet import DNA
from bionn.sequences.duplicates import number_distinct
from bionn.sequences.identity import CodedSequences, identities
from bionn.sequences.nearest import nearest_outside
from tests.support.mutants import families, random_sequence


def test_the_nearest_is_that_of_all_pairs() -> None:
    rng = np.random.default_rng(0)
    texts, _ = families(rng, 40, 3, 100, 12)
    texts += texts[:5]
    labels = rng.integers(-1, 3, len(texts))
    asking = (rng.random(len(texts)) < 0.6) & (labels >= 0)
    coded = CodedSequences.encode(texts, DNA)
    found = nearest_outside(texts, labels, asking, DNA)
    assert np.isnan(found.identity[~asking]).all()
    assert (found.other[~asking] == -1).all()
    looked = 0
    for row in np.flatnonzero(asking):
        others = np.flatnonzero((labels >= 0) & (labels != labels[row]))
        own = np.full(len(others), row)
        both = [identities(coded, own, others, np.full(len(others), t)) for t in (False, True)]
        best = np.maximum(*both)
        if best.max() < 0.6:  # unrelated: what is nearest by chance shares few seeds
            continue
        looked += 1
        assert found.identity[row] == best.max()
        assert best[others == found.other[row]] == best.max()
    assert looked > 20


def test_equal_ones_are_found_whatever_the_case_and_the_strand() -> None:
    rng = np.random.default_rng(1)
    texts = [random_sequence(rng, 12) for _ in range(20)]
    copies = [text.lower() if n % 2 else reverse_complement(text) for n, text in enumerate(texts)]
    labels = np.repeat([0, 1], 20)
    found = nearest_outside(texts + copies, labels, labels == 1, DNA)
    assert (found.identity[20:] == 1).all()
    assert found.other[20:].tolist() == list(range(20))


def test_none_is_found_where_there_is_none() -> None:
    rng = np.random.default_rng(2)
    texts = [random_sequence(rng, 60) for _ in range(30)]
    found = nearest_outside(texts, np.zeros(30, dtype=int), np.ones(30, dtype=bool), DNA)
    assert (found.other == -1).all()
    assert np.isnan(found.identity).all()
    nothing = nearest_outside([], np.zeros(0, dtype=int), np.zeros(0, dtype=bool), DNA)
    assert len(nothing.other) == 0


def test_in_large_sets_equal_ones_are_found_as_in_small_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(3)
    texts = [random_sequence(rng, 5) for _ in range(400)]
    labels = rng.integers(-1, 3, len(texts))
    asking = (rng.random(len(texts)) < 0.5) & (labels >= 0)
    small = nearest_outside(texts, labels, asking, DNA)
    monkeypatch.setattr(nearest, "SYMBOLS", 0)
    large = nearest_outside(texts, labels, asking, DNA)
    assert not large.facts["alike"]
    assert (small.identity == 1).sum() > 20
    np.testing.assert_array_equal(large.identity == 1, small.identity == 1)
    np.testing.assert_array_equal(
        large.other[large.identity == 1], small.other[small.identity == 1]
    )
    assert (large.other[large.identity != 1] == -1).all()
    again = nearest_outside(texts, labels, asking, DNA, distinct=number_distinct(texts, DNA))
    np.testing.assert_array_equal(again.other, large.other)
