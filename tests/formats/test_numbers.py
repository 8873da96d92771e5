"""A block of cells as numbers against Python's own ``float``, a cell at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bionn.formats.numbers import MISSING, is_missing, numbers_of

TEXTS = st.one_of(
    st.floats(allow_nan=False).map(repr),
    st.integers(-(10**30), 10**30).map(str),
    st.sampled_from(
        [
            *sorted(MISSING),
            "NA",
            "NaN",
            "+1.5",
            ".5",
            "2.",
            "1e-3",
            "-0",
            "1e99999999999",
            "1,5",
            "high",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=3).map(str.strip),
)


def as_python_reads(cell: str) -> float:
    """The number in a cell, NaN where there is none: digits are ASCII, and ``1_000`` is text."""
    if is_missing(cell) or "_" in cell or not cell.isascii():
        return math.nan
    try:
        return float(cell)
    except ValueError:
        return math.nan


@given(
    st.integers(1, 6).flatmap(
        lambda n: st.lists(st.lists(TEXTS, min_size=n, max_size=n), min_size=1)
    )
)
def test_each_cell_is_what_python_reads_in_it(cells: list[list[str]]) -> None:
    found = numbers_of(pd.DataFrame(cells, dtype=object))
    truth = np.array([[as_python_reads(cell) for cell in row] for row in cells])
    np.testing.assert_allclose(found.values, truth, rtol=1e-15, atol=1e-300)
    missing = np.array([[is_missing(cell) for cell in row] for row in cells])
    np.testing.assert_array_equal(found.words, np.isnan(truth) & ~missing)


@pytest.mark.parametrize("word", [0, 1, 2, 3, 4])
def test_one_column_of_words_does_not_touch_the_others(word: int) -> None:
    numbers = np.random.default_rng(0).normal(size=(7, 5))
    frame = pd.DataFrame(numbers).map(repr).astype(object)
    frame[word] = "well"
    found = numbers_of(frame)
    np.testing.assert_array_equal(np.delete(found.values, word, 1), np.delete(numbers, word, 1))
    assert found.words.sum(axis=0).tolist() == [7 * (column == word) for column in range(5)]


@pytest.mark.parametrize("odd", [True, None, 3, 2.5, pd.NaT, "x"])
def test_columns_of_mixed_objects_are_read_too(odd: Any) -> None:
    found = numbers_of(pd.DataFrame({"x": ["1", odd], "y": [2, "NA"]}, dtype=object))
    is_number = isinstance(odd, (int, float))
    np.testing.assert_array_equal(found.values, [[1, 2], [odd if is_number else np.nan, np.nan]])
    assert found.words.tolist() == [[False, False], [odd == "x", False]]
