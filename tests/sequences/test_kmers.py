"""K-mer counts against counting in plain text, scikit-learn, and the reverse complement."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from Bio.Seq import reverse_complement
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from bionn.preprocess.sequences import ALIGNMENTS, SequenceEncoder
from bionn.sequences.alphabet import DNA, PROTEIN
from bionn.sequences.kmers import KmerSpectrum, canonical_columns, kmer_names, kmer_numbers

COMPLEMENT = DNA.complement[:4].tolist()
texts = st.lists(st.text(st.sampled_from("ACGTNR"), max_size=9), min_size=1, max_size=6)
widths = st.integers(1, 4)


def codes_of(sequences: list[str], align: str = "left") -> torch.Tensor:
    encoder = SequenceEncoder.fit(sequences, length=9, align=align)  # pyright: ignore
    return torch.from_numpy(encoder.encode(sequences))


def counted(sequence: str, k: int) -> Counter[str]:
    windows = (sequence[start : start + k] for start in range(len(sequence) - k + 1))
    return Counter(window for window in windows if set(window) <= set("ACGT"))


@given(texts, widths, st.sampled_from(ALIGNMENTS))
def test_counts_are_those_of_the_text_wherever_it_stands(
    sequences: list[str], k: int, align: str
) -> None:
    spectrum = KmerSpectrum([k], "ACGT")
    counts = spectrum(codes_of(sequences, align))
    assert counts.shape == (len(sequences), spectrum.num_columns) == (len(sequences), 4**k)
    for row, sequence in zip(counts.tolist(), sequences, strict=True):
        found = {name: count for name, count in zip(spectrum.names, row, strict=True) if count}
        assert found == counted(sequence, k)


def test_counts_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    sequences = ["".join(rng.choice(list("ACGT"), 60)) for _ in range(20)]
    names = [name.lower() for name in kmer_names(4, "ACGT")]
    peer = CountVectorizer(analyzer="char", ngram_range=(4, 4), vocabulary=names)
    counts = KmerSpectrum([4], "ACGT")(torch.from_numpy(DNA.encode(sequences)))
    np.testing.assert_array_equal(counts, peer.transform(sequences).toarray())


@given(texts, widths)
def test_canonical_counts_add_both_strands_and_do_not_know_the_strand(
    sequences: list[str], k: int
) -> None:
    spectrum = KmerSpectrum([k], "ACGT", complement=COMPLEMENT)
    counts = spectrum(codes_of(sequences))
    other = spectrum(codes_of([reverse_complement(sequence) for sequence in sequences]))
    assert torch.equal(counts, other)
    for row, sequence in zip(counts.tolist(), sequences, strict=True):
        truth = Counter()
        for kmer, count in counted(sequence, k).items():
            truth[min(kmer, reverse_complement(kmer))] += count
        assert {n: c for n, c in zip(spectrum.names, row, strict=True) if c} == truth


@pytest.mark.parametrize("k", range(1, 8))
def test_there_are_half_as_many_canonical_columns_and_the_palindromes(k: int) -> None:
    palindromes = 4 ** (k // 2) if k % 2 == 0 else 0
    columns = canonical_columns(k, COMPLEMENT)
    assert sorted(columns.unique().tolist()) == list(range((4**k + palindromes) // 2))
    spectrum = KmerSpectrum([k], "ACGT", complement=COMPLEMENT)
    assert spectrum.num_columns == len(set(spectrum.names)) == (4**k + palindromes) // 2
    assert spectrum.names == sorted(spectrum.names)


@given(texts)
def test_frequencies_of_each_k_add_up_to_one(sequences: list[str]) -> None:
    codes = codes_of(sequences)
    counts = KmerSpectrum([1, 3], "ACGT")(codes)
    shares = KmerSpectrum([1, 3], "ACGT", frequency=True)(codes)
    for columns in (slice(0, 4), slice(4, None)):
        total = counts[:, columns].sum(dim=1)
        torch.testing.assert_close(shares[:, columns].sum(dim=1), (total > 0).float())
        torch.testing.assert_close(shares[:, columns] * total[:, None], counts[:, columns])


def test_several_k_stand_one_after_another() -> None:
    codes = codes_of(["ACGTACG", "TTNTT"])
    both = KmerSpectrum([2, 1], "ACGT")
    assert torch.equal(both(codes)[:, :16], KmerSpectrum([2], "ACGT")(codes))
    assert torch.equal(both(codes)[:, 16:], KmerSpectrum([1], "ACGT")(codes))
    assert both.names == kmer_names(2, "ACGT") + kmer_names(1, "ACGT")


def test_numbers_are_those_of_the_names() -> None:
    names = kmer_names(3, PROTEIN.letters)
    codes = torch.from_numpy(PROTEIN.encode(["MKWVTFX", "LLACDEF"]))
    numbers = kmer_numbers(codes, 3, 20)
    assert numbers[0].tolist() == [names.index(kmer) for kmer in ("MKW", "KWV", "WVT", "VTF")] + [
        -1
    ]
    assert [names[number] for number in numbers[1].tolist()] == ["LLA", "LAC", "ACD", "CDE", "DEF"]


def test_a_spectrum_has_no_parameters_and_no_state() -> None:
    spectrum = KmerSpectrum([3], "ACGT", complement=COMPLEMENT)
    assert not list(spectrum.parameters())
    assert not spectrum.state_dict()


def test_sequences_shorter_than_k_and_no_sequences() -> None:
    spectrum = KmerSpectrum([4], "ACGT", frequency=True)
    assert torch.equal(spectrum(torch.zeros(2, 3, dtype=torch.uint8)), torch.zeros(2, 256))
    assert spectrum(torch.zeros(0, 9, dtype=torch.uint8)).shape == (0, 256)
