"""Composition against counting symbol by symbol."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from Bio.SeqUtils import gc_fraction
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from bionn.data.composition import sequence_facts
from bionn.data.targets import Targets
from bionn.sequences.alphabet import DNA, PROTEIN, Alphabet
from bionn.sequences.packed import PackedSequences


def facts_of(texts: list[str], alphabet: Alphabet, targets: Targets) -> dict[str, Any]:
    return sequence_facts(PackedSequences.pack(texts), alphabet, targets)


def regression(rows: int) -> Targets:
    return Targets("regression", np.arange(rows, dtype=float)[:, None], (), ("y",))


@given(st.lists(st.text("ACGTUacgtuNnRY*", max_size=12), min_size=1, max_size=20))
def test_symbols_are_counted_one_by_one(texts: list[str]) -> None:
    facts = facts_of(texts, DNA, regression(len(texts)))
    joined = "".join(texts)
    upper = joined.upper().replace("U", "T")
    counts = Counter(upper)
    letters = sum(counts[letter] for letter in "ACGT")
    assert facts["symbols"] == len(joined)
    for letter in "ACGT":
        assert facts["composition"][letter] == pytest.approx(counts[letter] / max(letters, 1))
    assert facts["ambiguous"] == {s: counts[s] for s in "NRY" if counts[s]}
    assert facts["foreign"] == {s: counts[s] for s in "*" if counts[s]}
    assert facts["lower_case"] == sum(symbol.islower() and symbol.isascii() for symbol in joined)
    assert facts["sequences_with_ambiguous"] == sum(
        not set(t.upper()) <= set("ACGTU") for t in texts
    )
    lengths = [len(text) for text in texts]
    assert (facts["shortest"], facts["longest"]) == (min(lengths), max(lengths))
    assert facts["median_length"] == np.median(lengths)


def test_gc_is_that_of_biopython() -> None:
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("ACGTNacgt"), rng.integers(5, 40))) for _ in range(50)]
    shares = [gc_fraction(text, "remove") for text in texts]
    facts = facts_of(texts, DNA, regression(50))
    assert facts["gc"]["mean"] == pytest.approx(np.mean(shares))
    assert facts["gc"]["std"] == pytest.approx(np.std(shares))


def test_numbers_that_tell_the_classes_alone() -> None:
    rng = np.random.default_rng(1)
    classes = rng.integers(0, 2, 80)
    lengths = rng.integers(20, 30, 80) + classes * 15
    texts = ["".join(rng.choice(list("ACGT"), length)) for length in lengths]
    facts = facts_of(texts, DNA, Targets("binary", classes, ("a", "b"), ("y",)))
    assert facts["auroc_alone"]["length"] == roc_auc_score(classes, lengths) == 1
    shares = [gc_fraction(text) for text in texts]
    assert facts["auroc_alone"]["gc"] == pytest.approx(roc_auc_score(classes, shares))
    assert facts["auroc_alone"]["unknown_symbols"] == 0.5


def test_strands_are_alike_only_where_they_are_so_in_every_class() -> None:
    classes = np.array([0, 1] * 20)
    even = ["ACGT" * 10] * 40
    assert facts_of(even, DNA, Targets("binary", classes, ("a", "b"), ("y",)))["strands_alike"]
    mirrored = ["AACC" * 10, "GGTT" * 10] * 20  # alike on the whole, not within a class
    facts = facts_of(mirrored, DNA, Targets("binary", classes, ("a", "b"), ("y",)))
    assert not facts["strands_alike"]
    assert facts["composition"]["A"] == facts["composition"]["T"]
    assert "gc" not in facts_of(["ACDE"], PROTEIN, regression(1))
