"""Texts that stay Arrow's, against plain Python's lists, sorting and hashing."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bionn.formats import texts as module
from bionn.formats.texts import Texts, hash_lines, packed_texts, sorted_lists, text_array

words = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), max_size=30)


@given(words, words)
def test_they_behave_like_a_list(first: list[str], second: list[str]) -> None:
    plain = first + second
    texts = Texts(pa.chunked_array([first, second], type=pa.large_string()))
    assert texts == plain
    assert list(texts) == plain
    assert len(texts) == len(plain)
    assert [texts[row] for row in range(-len(plain), len(plain))] == plain * 2
    assert texts[1:3] == plain[1:3]
    assert texts != [*plain, "more"]


@pytest.mark.parametrize("block", [1, 3, 100])
def test_rows_come_beside_their_texts(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", block)
    texts = Texts(pa.chunked_array([["a", "b", "c", "d"], [], ["e"]], type=pa.large_string()))
    pairs = [
        pair
        for names, numbers in texts.beside(np.arange(5))
        for pair in zip(names, numbers, strict=True)
    ]
    assert pairs == list(zip("abcde", range(5), strict=True))


@given(words, st.integers(1, 7))
def test_blocks_are_packed_sorted_and_hashed_as_python_does_it(plain: list[str], size: int) -> None:
    blocks = [plain[at : at + size] for at in range(0, len(plain), size)]
    packed = packed_texts(blocks)
    assert packed.to_pylist() == plain
    assert [text for some in sorted_lists(packed) for text in some] == sorted(plain)
    digest = hashlib.sha256()
    hash_lines(digest, blocks)
    assert digest.digest() == hashlib.sha256("\n".join(plain).encode()).digest()


def test_a_column_of_a_frame_is_not_copied() -> None:
    column = text_array(["a", "b"])
    assert Texts(module.arrow_texts(column)) == ["a", "b"]
