"""The six digits of a block of numbers are those that Python's own formatting writes."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from bionn.formats.digits import BLANK, six_digits


def texts(values: np.ndarray) -> list[str]:
    """Each row without its blanks."""
    return [row[row != BLANK].tobytes().decode() for row in six_digits(values)]


@given(st.lists(st.floats()))
@example([0.0, -0.0, float("nan"), float("inf"), -float("inf"), 5e-324, 1.8e308])
@example([1e-4, 9.999995e-5, 9.99999499e-5, 999999.5, 999999.49, 99999.95, 1e6, 0.9999995])
def test_any_number(values: list[float]) -> None:
    assert texts(np.array(values)) == [f"{value:.6g}" for value in values]


@given(st.lists(st.floats(0, 1, width=32)))
def test_probabilities(values: list[float]) -> None:
    assert texts(np.array(values, dtype=np.float32)) == [f"{value:.6g}" for value in values]


@given(st.lists(st.tuples(st.integers(-(10**7), 10**7), st.integers(-12, 3))))
def test_numbers_that_end_at_or_behind_the_sixth_digit(parts: list[tuple[int, int]]) -> None:
    values = [float(f"{digits}e{exponent}") for digits, exponent in parts]
    assert texts(np.array(values)) == [f"{value:.6g}" for value in values]


def test_many_numbers_of_every_size_and_their_ties() -> None:
    rng = np.random.default_rng(0)
    sizes = 10 ** rng.uniform(-7, 9, 50_000) * rng.choice([-1, 1], 50_000)
    eighths = np.arange(-800_000, 800_001, 37) / 8  # exact halves of the sixth digit among them
    for values in (sizes, eighths, eighths * 2.0**-10):
        assert texts(values) == [f"{value:.6g}" for value in values.tolist()]
