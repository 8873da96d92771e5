"""Hashes of texts, and what is found by them, against Python's own comparison of texts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bionn.formats import hashes as module
from bionn.formats.hashes import all_different, rows_of, text_hashes
from bionn.formats.texts import TEXT

texts = st.lists(
    st.text("abä", max_size=20) | st.text("ab", min_size=250, max_size=270), max_size=12
)


def in_chunks(names: list[str], size: int) -> pa.ChunkedArray:
    chunks = [names[at : at + size] for at in range(0, len(names), size)]
    return pa.chunked_array(chunks, type=TEXT)


@given(texts)
def test_hashes_are_equal_where_texts_are(names: list[str]) -> None:
    found = text_hashes(pa.array(["before", *names], type=TEXT)[1:])
    assert len(set(found.tolist())) == len(set(names))
    alone = [text_hashes(pa.array([name], type=TEXT))[0] for name in names]
    assert found.tolist() == alone


@given(texts, st.integers(1, 5))
def test_repeats_are_found_across_chunks(names: list[str], size: int) -> None:
    assert all_different(in_chunks(names, size)) == (len(set(names)) == len(names))


@given(texts, texts, st.integers(1, 5), st.booleans())
def test_the_first_row_of_each_text_is_found(
    wanted: list[str], among: list[str], size: int, alike: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if alike:  # all texts of one hash
            patch.setattr(module, "text_hashes", lambda some: np.zeros(len(some), dtype=np.uint64))
        found = rows_of(in_chunks(wanted, size), in_chunks(among, size))
    assert found.tolist() == [among.index(name) if name in among else -1 for name in wanted]
