"""The sequence encoder against a naive one: alignment, padding, cropping, and lengths refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bionn.preprocess.sequences import ALIGNMENTS, Align, LengthError, SequenceEncoder
from bionn.sequences.alphabet import DNA, SymbolError
from tests.support.refusals import refused

texts = st.lists(st.text(st.sampled_from("ACGTNRYacgt"), max_size=9), min_size=1, max_size=6)


def naive(sequence: str, length: int, align: Align) -> str:
    """Pad with ``-`` or cut, one sequence at a time; an odd centre leans to the right."""
    if align == "right":
        return naive(sequence[::-1], length, "left")[::-1]
    if align == "left":
        return sequence[:length].ljust(length, "-")
    surplus = len(sequence) - length
    if surplus >= 0:
        return sequence[surplus // 2 :][:length]
    before = (1 - surplus) // 2
    return ("-" * before + sequence).ljust(length, "-")


@given(texts, st.sampled_from(ALIGNMENTS), st.integers(1, 10))
def test_padding_and_cropping_equal_the_naive_way(
    sequences: list[str], align: Align, length: int
) -> None:
    encoder = SequenceEncoder.fit(sequences, length=length, align=align)
    codes = encoder.encode(sequences)
    assert codes.dtype == np.uint8
    assert codes.shape == (len(sequences), length)
    truth = [naive(sequence.upper(), length, align) for sequence in sequences]
    assert DNA.decode(codes) == truth


@given(texts, st.sampled_from(ALIGNMENTS))
def test_without_a_length_the_longest_sequence_gives_it_and_nothing_is_cut(
    sequences: list[str], align: Align
) -> None:
    encoder = SequenceEncoder.fit(sequences, align=align)
    assert encoder.length == max(map(len, sequences))
    decoded = DNA.decode(encoder.encode(sequences))
    assert [text.strip("-") for text in decoded] == [s.upper() for s in sequences]


def test_a_length_alone_aligns_left() -> None:
    encoder = SequenceEncoder.fit(["ACGT", "AC"], length=3)
    assert DNA.decode(encoder.encode(["ACGT", "AC"])) == ["ACG", "AC-"]


def test_unequal_lengths_need_an_alignment_or_a_length() -> None:
    need = "length 4 (that of the first record) needed, 2 found"
    with refused(need, "align", kind=LengthError) as caught:
        SequenceEncoder.fit(["ACGT", "AAAA", "AC"])
    assert caught.value.record == 2
    with refused("length", "at least 1", "0 found"):
        SequenceEncoder.fit(["ACGT"], length=0)


@pytest.mark.parametrize(
    ("align", "new", "need"),
    [(None, ["ACGT", "ACGTA"], "length 4"), (None, ["ACGT", "ACG"], "length 4")]
    + [(align, ["AC", "ACGTA"], "length at most 4") for align in ALIGNMENTS],
)
def test_new_sequences_that_do_not_fit_are_refused_with_their_record(
    align: Align | None, new: list[str], need: str
) -> None:
    encoder = SequenceEncoder.fit(["ACGT", "GGGG"], align=align)
    with refused(need, f"{len(new[1])} found", kind=LengthError) as caught:
        encoder.encode(new)
    assert caught.value.record == 1


def test_symbols_are_checked_even_where_they_would_be_cut() -> None:
    encoder = SequenceEncoder.fit(["ACGT"], length=2)
    with pytest.raises(SymbolError) as caught:
        encoder.encode(["AC", "ACG-"])
    assert (caught.value.record, caught.value.position) == (1, 3)


@pytest.mark.parametrize("alphabet", ["dna", "rna", "protein"])
def test_a_manifest_gives_an_equal_encoder(alphabet: str) -> None:
    sequences = ["ACGA", "GGN" if alphabet != "protein" else "MKX"]
    encoder = SequenceEncoder.fit(
        sequences, alphabet=alphabet, align="center", unknown="uniform", iupac="unknown"
    )
    manifest = json.loads(json.dumps(encoder.to_manifest()))
    again = SequenceEncoder.from_manifest(manifest)
    assert again == encoder
    np.testing.assert_array_equal(again.encode(sequences), encoder.encode(sequences))
    np.testing.assert_array_equal(np.float32(manifest["code_table"]), encoder.code_table)
    letters, length = encoder.input_shape
    assert (letters, length) == (len(manifest["letters"]), 4)


def test_no_sequences_give_no_rows() -> None:
    assert SequenceEncoder.fit(["ACGT"]).encode([]).shape == (0, 4)
