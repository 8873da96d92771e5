"""Transforms of codes against Biopython, plain Python and enumeration of every path."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from Bio.Seq import reverse_complement as biopython
from Bio.Seq import reverse_complement_rna
from hypothesis import given
from hypothesis import strategies as st

from bionn.preprocess.sequences import ALIGNMENTS, Align, SequenceEncoder
from bionn.sequences.alphabet import DNA, PROTEIN, RNA, Alphabet, alphabet_named
from bionn.sequences.transforms import (
    crop,
    dinucleotide_shuffle,
    mask,
    reverse_complement,
    shift,
    shuffle,
)
from tests.support.refusals import refused

PADDING = DNA.padding_code
texts = st.lists(st.text(st.sampled_from("ACGTNRYSWKMBDHV"), max_size=9), min_size=1, max_size=6)
alignments = st.sampled_from(ALIGNMENTS)
seeds = st.integers(0, 2**31)


def encoded(sequences: list[str], align: Align, length: int = 9) -> torch.Tensor:
    encoder = SequenceEncoder.fit(sequences, length=length, align=align)
    return torch.from_numpy(encoder.encode(sequences))


def turned(codes: torch.Tensor, alphabet: Alphabet = DNA) -> torch.Tensor:
    table = torch.from_numpy(alphabet.complement)
    return reverse_complement(codes, table, padding=alphabet.padding_code)


@given(texts, alignments)
def test_the_reverse_complement_is_biopythons_in_the_same_place(
    sequences: list[str], align: Align
) -> None:
    codes = encoded(sequences, align)
    before = codes.clone()
    other = turned(codes)
    assert torch.equal(other, encoded([biopython(s) for s in sequences], align))
    assert (other.dtype, other.shape) == (codes.dtype, codes.shape)
    assert torch.equal(codes, before)


@given(texts, alignments)
def test_twice_is_the_identity(sequences: list[str], align: Align) -> None:
    codes = encoded(sequences, align)
    assert torch.equal(turned(turned(codes)), codes)


@pytest.mark.parametrize("align", ALIGNMENTS)
def test_cropped_sequences_give_the_other_strand_of_what_is_left(align: Align) -> None:
    codes = encoded(["AAACCCCGGT"], align, length=4)
    assert DNA.decode(turned(codes).numpy()) == [biopython(DNA.decode(codes.numpy())[0])]


def test_rna_pairs_a_with_u() -> None:
    text = "ACGURYSWKMBDHVN"
    codes = torch.from_numpy(RNA.encode([text]))
    assert RNA.decode(turned(codes, RNA).numpy()) == [reverse_complement_rna(text)]


def test_no_rows_and_no_positions() -> None:
    for shape in ((0, 5), (3, 0), (0, 0)):
        empty = torch.zeros(shape, dtype=torch.uint8)
        assert turned(empty).shape == shape


@pytest.mark.parametrize("alphabet", [PROTEIN, alphabet_named("custom:ACGTM")])
def test_other_alphabets_have_no_other_strand(alphabet: Alphabet) -> None:
    with refused("reverse complement", "dna or rna", f"{alphabet.name} found"):
        _ = alphabet.complement


@given(texts, alignments, st.integers(-10, 10))
def test_shift_is_that_of_text(sequences: list[str], align: Align, offset: int) -> None:
    codes = encoded(sequences, align)
    offsets = torch.full((len(codes),), offset)
    moved = DNA.decode(shift(codes, offsets, padding=PADDING).numpy())
    gap = "-" * min(abs(offset), 9)
    for text, result in zip(DNA.decode(codes.numpy()), moved, strict=True):
        assert result == ((gap + text)[:9] if offset >= 0 else (text + gap)[-9:])


def test_each_row_has_its_own_offset_and_window() -> None:
    codes = torch.arange(10).repeat(3, 1)
    moved = shift(codes, torch.tensor([0, 3, -2]), padding=99)
    assert moved[:, 4].tolist() == [4, 1, 6]
    assert crop(codes, torch.tensor([0, 6, 3]), 4)[:, 0].tolist() == [0, 6, 3]
    assert crop(codes, torch.tensor([0, 6, 3]), 4).shape == (3, 4)


@given(texts, alignments, seeds)
def test_masking_makes_symbols_unknown_and_leaves_padding(
    sequences: list[str], align: Align, seed: int
) -> None:
    codes = encoded(sequences, align)
    where = torch.rand(codes.shape, generator=torch.Generator().manual_seed(seed)) < 0.5
    masked = mask(codes, where, unknown=DNA.unknown_code, padding=PADDING)
    assert torch.equal(masked == PADDING, codes == PADDING)
    assert torch.equal(masked[~where], codes[~where])
    assert bool((masked[where & (codes != PADDING)] == DNA.unknown_code).all())


@given(texts, alignments, seeds)
def test_shuffles_keep_padding_composition_and_neighbours(
    sequences: list[str], align: Align, seed: int
) -> None:
    codes = encoded(sequences, align)
    for function, width in ((shuffle, 1), (dinucleotide_shuffle, 2)):
        result = function(codes, torch.Generator().manual_seed(seed), padding=PADDING)
        assert result.dtype == codes.dtype
        assert torch.equal(result == PADDING, codes == PADDING)
        again = function(codes, torch.Generator().manual_seed(seed), padding=PADDING)
        assert torch.equal(again, result)
        for before, after in zip(codes.tolist(), result.tolist(), strict=True):
            assert words(before, width) == words(after, width)


def words(row: list[int], width: int) -> Counter[tuple[int, ...]]:
    symbols = [code for code in row if code != PADDING]
    return Counter(zip(*(symbols[start:] for start in range(width)), strict=False))


@pytest.mark.parametrize(("function", "width"), [(shuffle, 1), (dinucleotide_shuffle, 2)])
def test_every_possible_order_is_equally_likely(function: object, width: int) -> None:
    sequence = [0, 1, 0, 2, 1, 0, 1, 2]
    orders = {
        order
        for order in set(itertools.permutations(sequence))
        if words(list(order), width) == words(sequence, width)
        and (width == 1 or (order[0], order[-1]) == (sequence[0], sequence[-1]))
    }
    draws = 100 * len(orders)
    rows = torch.tensor(sequence).repeat(draws, 1)
    result = function(rows, torch.Generator().manual_seed(0), padding=PADDING)  # pyright: ignore
    counts = Counter(map(tuple, result.tolist()))
    assert set(counts) == orders
    assert len(orders) >= 5
    # chi-square around its degrees of freedom, within 5 standard deviations
    expected = draws / len(orders)
    chi = sum((count - expected) ** 2 / expected for count in counts.values())
    freedom = len(orders) - 1
    assert abs(chi - freedom) < 5 * np.sqrt(2 * freedom)
