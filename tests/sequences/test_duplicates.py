"""Duplicates against Biopython's reverse complement."""

from __future__ import annotations

import numpy as np
from Bio.Seq import reverse_complement
from hypothesis import given
from hypothesis import strategies as st

from bionn.sequences.alphabet import DNA, PROTEIN, RNA
from bionn.sequences.duplicates import canonical, number_distinct

dna = st.text("ACGTacgtNRYSWKMBDHVX", max_size=6)


@given(dna)
def test_both_strands_have_one_text_that_is_one_of_them(sequence: str) -> None:
    text = canonical(sequence, DNA)
    other = reverse_complement(sequence.upper())
    assert text == canonical(other, DNA) == canonical(sequence.swapcase(), DNA)
    assert text in (sequence.upper(), other)


@given(st.lists(dna, max_size=30))
def test_numbers_are_equal_exactly_for_equal_molecules(sequences: list[str]) -> None:
    numbers = number_distinct(sequences, DNA)
    for one, text in enumerate(sequences):
        for two, other in enumerate(sequences):
            same = other.upper() in (text.upper(), reverse_complement(text.upper()))
            assert (numbers[one] == numbers[two]) == same
    firsts = [numbers.tolist().index(n) for n in range(int(numbers.max(initial=-1)) + 1)]
    assert firsts == sorted(firsts)


def test_only_dna_has_two_strands() -> None:
    assert number_distinct(["AAAC", "GUUU", "GTTT"], RNA).tolist() == [0, 1, 1]
    assert number_distinct(["ACDK", "acdk", "KDCA"], PROTEIN).tolist() == [0, 0, 1]
    assert number_distinct(["AAAC", "GUUU"], DNA).dtype == np.int32
