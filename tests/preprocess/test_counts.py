"""Counts per million and logarithms in closed form; what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.preprocessing import normalize

from bionn.preprocess.counts import CountsPerMillion, Log1p
from bionn.preprocess.steps import Features, RowError


def counts(rows: int = 20, genes: int = 6) -> Features:
    rng = np.random.default_rng(0)
    depth = rng.integers(10, 10_000, (rows, 1))
    values = rng.poisson(depth * rng.random(genes)).astype(float)
    return Features(values, tuple(f"g{n}" for n in range(genes)))


def test_counts_per_million_are_shares_of_the_rows_sum() -> None:
    data = counts()
    expected = normalize(data.numbers, norm="l1") * 1e6
    found = CountsPerMillion().transform(data).numbers
    np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(found.sum(axis=1), 1e6)


def test_the_depth_of_a_sample_does_not_matter() -> None:
    data = counts()
    deeper = data.with_numbers(data.numbers * np.arange(1, 21)[:, None])
    step = CountsPerMillion()
    np.testing.assert_allclose(step.transform(deeper).numbers, step.transform(data).numbers)


def test_a_missing_count_is_no_part_of_the_sum() -> None:
    found = CountsPerMillion().transform(Features(np.array([[1.0, np.nan, 3.0]]), ("a", "b", "c")))
    np.testing.assert_allclose(found.numbers, [[250_000, np.nan, 750_000]])


def test_log1p_is_the_natural_logarithm() -> None:
    data = Features(np.array([[0.0, np.e - 1, np.nan]]), ("a", "b", "c"))
    np.testing.assert_allclose(Log1p().transform(data).numbers, [[0, 1, np.nan]])


@pytest.mark.parametrize("step", [CountsPerMillion(), Log1p()])
def test_negative_values_are_refused_with_row_and_gene(step: CountsPerMillion | Log1p) -> None:
    data = counts()
    data.numbers[7, 2] = -0.5
    with pytest.raises(
        RowError, match=r"'g2'.* -0\.5 found; were logarithms taken already\?"
    ) as error:
        step.transform(data)
    assert error.value.row == 7


def test_a_row_without_counts_is_refused() -> None:
    data = counts()
    data.numbers[4] = 0
    with pytest.raises(RowError, match="the sum of this one is 0") as error:
        CountsPerMillion().transform(data)
    assert error.value.row == 4
