"""Encodings with k-mers: options read, features of codes, the scale, sparse and dense alike."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from bionn.errors import InputError
from bionn.preprocess import encoding as module
from bionn.preprocess.encoding import Encoding, SequenceFeatures
from bionn.preprocess.sequences import LengthError, SequenceEncoder
from bionn.sequences.alphabet import DNA, PROTEIN, RNA
from bionn.sequences.kmers import KmerSpectrum
from bionn.sequences.onehot import one_hot
from tests.small_sets import sequences
from tests.support.refusals import refused

TEXTS = sequences()["sequence"].tolist()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("onehot", Encoding(True)),
        ("kmer:6", Encoding(False, (6,))),
        ("kmer:6,count", Encoding(False, (6,))),
        ("kmer:3-5,frequency", Encoding(False, (3, 4, 5), frequency=True)),
        ("onehot+kmer:4,frequency,canonical", Encoding(True, (4,), True, True)),
    ],
)
def test_the_option_says_what_it_looks_like(text: str, parts: Encoding) -> None:
    assert Encoding.parse(text) == parts


MEANINGLESS = (
    *("one-hot", "kmer", "kmer:", "kmer:x", "kmer:-3", "kmer:6+onehot", "onehot+", "kmers:6", ""),
    *(
        "kmer:6,sorted",
        "kmer:6,",
        "kmer:3-",
        "kmer:3-4-5",
        "onehot+kmer:6+kmer:5",
        "kmer:6;canonical",
    ),
)


@pytest.mark.parametrize("text", MEANINGLESS)
def test_what_says_nothing_is_refused(text: str) -> None:
    with refused("encoding", "onehot+kmer:K", repr(text)):
        Encoding.parse(text)


def test_numbers_and_words_that_contradict_are_refused() -> None:
    for text in ("kmer:0", "kmer:5-3"):
        with refused("encoding: K from 1 on", repr(text)):
            Encoding.parse(text)
    with refused("count or frequency", "has both"):
        Encoding.parse("kmer:3,count,frequency")


def test_there_is_a_most_of_kmers_and_only_dna_and_rna_have_canonical_ones() -> None:
    for alphabet, text in ((DNA, "kmer:9"), (DNA, "kmer:40"), (PROTEIN, "kmer:4")):
        with refused("encoding: at most 131072 k-mers", "smaller K"):
            Encoding.parse(text).spectrum(alphabet)
    with refused("dna or rna", "protein found"):
        Encoding.parse("kmer:2,canonical").spectrum(PROTEIN)
    assert Encoding.parse("onehot").spectrum(PROTEIN) is None
    for alphabet in (DNA, RNA):
        spectrum = Encoding.parse("kmer:2,canonical").spectrum(alphabet)
        assert spectrum is not None
        assert spectrum.num_columns == 10


@pytest.mark.parametrize("text", ["kmer:2-3,canonical", "onehot+kmer:3", "onehot+kmer:2,frequency"])
def test_features_are_one_hot_columns_then_scaled_kmers(text: str) -> None:
    encoder = SequenceEncoder.fit(TEXTS, encoding=text, unknown="uniform")
    codes = torch.from_numpy(encoder.encode(TEXTS))
    encoder = encoder.scaled(codes[:60])
    features = encoder.features()
    assert features is not None
    dense = features(codes)
    assert dense.shape == (len(TEXTS), encoder.input_shape)
    table = torch.from_numpy(encoder.code_table)
    spectrum = Encoding.parse(text).spectrum(DNA)
    assert spectrum is not None
    expected = [one_hot(codes, table).flatten(1)] * text.startswith("onehot")
    torch.testing.assert_close(dense, torch.cat([*expected, spectrum(codes) * encoder.scale], 1))


def test_kmer_columns_vary_as_one_hot_columns_of_the_training_rows() -> None:
    encoder = SequenceEncoder.fit(TEXTS, encoding="kmer:2")
    codes = torch.from_numpy(encoder.encode(TEXTS))
    fitted = encoder.scaled(codes[:60])
    features = fitted.features()
    assert features is not None
    variance = features(codes[:60]).double().var(dim=0, correction=0).mean()
    assert float(variance) == pytest.approx(3 / 16, rel=1e-5)
    assert fitted.scaled(codes[:60]).scale == pytest.approx(fitted.scale)
    assert encoder.scaled(codes[:30]).scale != fitted.scale
    assert encoder.scaled(codes[:1]).scale == 1  # nothing varies
    assert encoder.scaled(codes[:0]).scale == 1
    assert SequenceEncoder.fit(TEXTS).scaled(codes).scale == 1


def test_kmers_longer_than_the_sequences_are_refused() -> None:
    with pytest.raises(InputError, match=r"at least K = 5 positions needed, 4 found"):
        SequenceFeatures(KmerSpectrum((3, 5), "ACGT")).fit_scale(
            torch.zeros(2, 4, dtype=torch.uint8)
        )


@pytest.mark.parametrize("text", ["kmer:3", "onehot+kmer:3,frequency"])
def test_sparse_and_dense_are_the_same_whatever_the_blocks(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = SequenceEncoder.fit(TEXTS, encoding=text)
    codes = torch.from_numpy(encoder.encode(TEXTS))
    scale = encoder.scaled(codes).scale
    monkeypatch.setattr(module, "BLOCK", 500)
    assert encoder.scaled(codes).scale == pytest.approx(scale)
    features = encoder.features()
    assert features is not None
    sparse = features.sparse(codes)
    np.testing.assert_array_equal(sparse.toarray(), features(codes))
    assert sparse.nnz == np.count_nonzero(features(codes))
    assert sparse.dtype == np.float32


def test_kmers_alone_take_sequences_of_any_length() -> None:
    encoder = SequenceEncoder.fit(["ACGT", "AC"], encoding="kmer:2")
    features = encoder.features()
    assert features is not None
    longer = torch.from_numpy(encoder.encode(["ACGTACGTT", "AC"]))
    spectrum = KmerSpectrum([2], "ACGT")
    for row, text in enumerate(("ACGTACGTT", "AC")):
        assert torch.equal(features(longer)[row], spectrum(torch.from_numpy(DNA.encode([text])))[0])
    with pytest.raises(LengthError):
        SequenceEncoder.fit(["ACGT", "AC"], encoding="onehot+kmer:2")
    beside = SequenceEncoder.fit(["ACGT", "AC"], encoding="onehot+kmer:2", align="right")
    with pytest.raises(LengthError):
        beside.encode(["ACGTA"])
    cut = SequenceEncoder.fit(["ACGT"], encoding="kmer:2", length=3, align="right")
    assert DNA.decode(cut.encode(["TTACG"])) == ["ACG"]


def test_a_manifest_gives_an_equal_encoder() -> None:
    encoder = SequenceEncoder.fit(TEXTS, encoding="onehot+kmer:3,canonical", both_strands=True)
    encoder = encoder.scaled(torch.from_numpy(encoder.encode(TEXTS)))
    manifest = json.loads(json.dumps(encoder.to_manifest()))
    assert SequenceEncoder.from_manifest(manifest) == encoder
