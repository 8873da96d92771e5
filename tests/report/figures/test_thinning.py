"""Thinned curves lie where the whole ones do; thinned clouds keep their reach."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bionn.report.figures.thinning import thin_curve, thin_dots


def distance_to_path(x: float, y: float, xs: np.ndarray, ys: np.ndarray) -> float:
    """The shortest way from a point to a polyline, segment by segment."""
    best = np.inf
    for k in range(len(xs) - 1):
        start, run = np.array([xs[k], ys[k]]), np.array([xs[k + 1] - xs[k], ys[k + 1] - ys[k]])
        length = run @ run
        share = 0.0 if length == 0 else np.clip((np.array([x, y]) - start) @ run / length, 0, 1)
        best = min(best, float(np.linalg.norm(np.array([x, y]) - start - share * run)))
    return best


@given(st.lists(st.floats(0, 300), min_size=2, max_size=40), st.sampled_from([0.1, 5.0]))
def test_every_point_is_within_the_tolerance_of_what_is_drawn(heights, tolerance) -> None:
    x, y = np.arange(len(heights), dtype=float), np.array(heights)
    kept = thin_curve(x, y, tolerance)
    assert kept[0] == 0
    assert kept[-1] == len(x) - 1
    for a, b in zip(x, y, strict=True):
        assert distance_to_path(a, b, x[kept], y[kept]) <= tolerance + 1e-9


def test_a_curve_of_many_steps_becomes_short() -> None:
    x = np.linspace(0, 300, 30_000)
    assert len(thin_curve(x, 200 - np.sqrt(x))) < 200


def test_dots_are_no_more_than_asked_for_and_reach_as_far() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 30_000)) * 100
    shown = thin_dots(x, y, 2000)
    assert len(shown) == len(set(shown.tolist())) <= 2000
    for values in (x, y):
        assert (values[shown].min(), values[shown].max()) == (values.min(), values.max())


def test_few_dots_are_all_drawn_but_for_those_on_the_same_place() -> None:
    x, y = np.array([0.0, 10, 10.01, 20]), np.array([0.0, 5, 5.01, 9])
    assert thin_dots(x, y).tolist() == [0, 1, 3]
