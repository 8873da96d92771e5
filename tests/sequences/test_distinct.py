"""Equal texts numbered, against pandas and against plain Python."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bionn.sequences import distinct
from bionn.sequences.distinct import in_order, number_distinct_texts, stand_again


@given(st.lists(st.text(max_size=3), max_size=30))
def test_texts_are_numbered_as_pandas_numbers_them(texts: list[str]) -> None:
    expected = pd.factorize(np.array(texts, dtype=object))[0]
    np.testing.assert_array_equal(number_distinct_texts(texts), expected)


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_so_are_many_in_blocks_of_any_size(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distinct, "_BLOCK", block)
    monkeypatch.setattr(distinct, "_ROWS", block)
    drawn = np.random.default_rng(block).integers(0, 300, 500)
    texts = [f"text {number}" for number in drawn]
    np.testing.assert_array_equal(number_distinct_texts(iter(texts)), pd.factorize(drawn)[0])


@given(st.lists(st.integers(0, 20), max_size=40))
def test_numbers_are_put_in_order_as_pandas_puts_them(numbers: list[int]) -> None:
    firsts, again = in_order(np.array(numbers, dtype=np.int64))
    np.testing.assert_array_equal(again, pd.factorize(np.array(numbers, dtype=np.int64))[0])
    assert firsts.tolist() == sorted(numbers.index(number) for number in set(numbers))
    counts = Counter(numbers)
    assert stand_again(again).tolist() == [counts[number] > 1 for number in numbers]
