"""Packed sequences are a list of texts in every way, whatever the buffer holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bionn.sequences import packed as module
from bionn.sequences.alphabet import DNA, PROTEIN, RNA, Alphabet, SymbolError, alphabet_named
from bionn.sequences.packed import PackedSequences, Packer, lengths_of

TEXTS = st.lists(st.text(st.characters(codec="ascii"), max_size=12), max_size=20)
DNA_TEXTS = st.lists(st.text(st.sampled_from("ACGTNRYacgtnxu"), max_size=9), max_size=20)


@given(TEXTS, st.data())
def test_texts_come_back_whole_or_in_part(texts: list[str], data: st.DataObject) -> None:
    packed = PackedSequences.pack(texts)
    assert (len(packed), list(packed), [packed[i] for i in range(len(texts))]) == (
        len(texts),
        texts,
        texts,
    )
    assert packed == texts
    assert lengths_of(packed).tolist() == lengths_of(texts).tolist() == [len(t) for t in texts]
    part = data.draw(st.slices(len(texts)))
    assert list(packed[part]) == texts[part]
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(texts), max_size=len(texts))))
    mask = mask.astype(bool)
    kept = [text for text, keep in zip(texts, mask, strict=True) if keep]
    assert list(packed[mask]) == kept
    both = PackedSequences.concatenate([packed[mask], PackedSequences.pack(["x"]), packed])
    assert list(both) == [*kept, "x", *texts]
    same = PackedSequences.concatenate([packed, packed[mask]])
    assert list(same) == texts + kept
    assert same.buffer is packed.buffer


@given(DNA_TEXTS, st.integers(1, 30), st.data())
def test_recoding_keeps_the_texts_but_for_case_and_synonyms(
    texts: list[str], block: int, data: st.DataObject
) -> None:
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(texts), max_size=len(texts))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        packed = PackedSequences.pack(texts)
        part = packed[mask.astype(bool)]
        kept = [text for text, keep in zip(texts, mask, strict=True) if keep]
        flat = DNA.encode_flat(texts)
        for _ in range(2):
            np.testing.assert_array_equal(DNA.encode_flat(packed), flat)
            np.testing.assert_array_equal(DNA.encode_flat(part), DNA.encode_flat(kept))
            packed.recode(*DNA.recoding())
        plain = [text.upper().replace("U", "T").replace("X", "N") for text in texts]
        assert list(packed) == plain
        np.testing.assert_array_equal(RNA.encode_flat(packed), RNA.encode_flat(texts))
        packed.recode(*RNA.recoding())
        assert list(packed) == [text.replace("T", "U") for text in plain]
        np.testing.assert_array_equal(DNA.encode_flat(packed), flat)


def test_recoded_sequences_of_one_length_are_encoded_without_a_copy() -> None:
    packed = PackedSequences.pack(["ACGT", "NNNN", "RYAC"])
    before = DNA.encode_flat(packed)
    assert not np.shares_memory(before, np.frombuffer(packed.buffer.symbols, np.uint8))
    packed.recode(*DNA.recoding())
    for rows in (slice(None), slice(1, 3)):
        codes = DNA.encode_flat(packed[rows])
        assert np.shares_memory(codes, np.frombuffer(packed.buffer.symbols, np.uint8))
        np.testing.assert_array_equal(codes, before.reshape(3, 4)[rows].ravel())
    other = DNA.encode_flat(packed, iupac="unknown")
    np.testing.assert_array_equal(other, DNA.encode_flat(list(packed), iupac="unknown"))
    assert list(packed) == ["ACGT", "NNNN", "RYAC"]


@pytest.mark.parametrize("alphabet", [DNA, RNA, PROTEIN, alphabet_named("custom:ACGTM")])
@given(texts=st.lists(st.text(st.characters(codec="ascii"), max_size=9), max_size=6))
def test_a_bad_symbol_is_told_alike_before_and_after_recoding(
    alphabet: Alphabet, texts: list[str]
) -> None:
    def told(sequences: list[str] | PackedSequences) -> object:
        try:
            return alphabet.encode_flat(sequences).tolist()
        except SymbolError as error:
            return (error.symbol, error.record, error.position)

    packed = PackedSequences.pack(texts)
    expected = told(texts)
    assert told(packed) == expected
    packed.recode(*alphabet.recoding())
    assert told(packed) == expected


def test_a_packer_joins_files_in_one_buffer() -> None:
    packer, pieces = Packer(), []
    for texts in (["AC", "G"], [], ["TTT"]):
        packer.add(texts)
        pieces.append(packer.packed())
        assert list(pieces[-1]) == texts
    assert len({id(piece.buffer) for piece in pieces}) == 1
    assert list(PackedSequences.concatenate(pieces)) == ["AC", "G", "TTT"]
    with pytest.raises(UnicodeEncodeError):
        packer.add(["\u00e4"])
