"""Axes put values where they belong, and mark round numbers."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bionn.report.figures.plot import Axis, Plot, bars, spanning


def test_marks_are_round_and_inside() -> None:
    assert [words for _, words in Axis("x", 0, 1).marks()] == [
        "0.0",
        "0.2",
        "0.4",
        "0.6",
        "0.8",
        "1.0",
    ]
    assert [words for _, words in Axis("x", 1, 1000, log=True).marks()] == [
        "1",
        "10",
        "100",
        "1000",
    ]


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_marks_tell_their_values(low: float, reach: float) -> None:
    marks = Axis("x", low, low + reach).marks()
    assert 2 <= len(marks) <= 8
    for value, words in marks:
        told = float(words.replace("−", "-").replace(",", ""))
        assert told == pytest.approx(value, abs=1e-2 * reach)
    assert len({words for _, words in marks}) == len(marks)


def test_an_axis_spans_its_values_and_a_constant() -> None:
    axis = spanning("x", np.array([1.0, np.nan, 3.0]), np.array([np.inf, 2.0]))
    assert axis.low < 1 < 3 < axis.high
    same = spanning("x", np.array([7.0, 7.0]))
    assert same.low < 7 < same.high
    assert spanning("x", np.array([])).high > spanning("x", np.array([])).low


def test_a_curve_is_drawn_at_its_values_and_broken_at_gaps() -> None:
    plot = Plot(Axis("x", 0, 10), Axis("y", 0, 10), "A line.", width=164, height=168)
    plot.curve([0, 10, np.nan, 10, 0], [0, 10, 5, 0, 0], "s0")
    tree = ElementTree.fromstring(plot.svg())
    paths = [p.attrib["d"] for p in tree.iter("path") if p.attrib.get("class") == "curve s0"]
    corners = [[float(n) for n in re.findall(r"-?[\d.]+", path)] for path in paths]
    left, right, top, bottom = 52, 152, 26, 126
    assert corners == [[left, bottom, right, top], [right, bottom, left, bottom]]


def test_a_logarithmic_axis_puts_the_geometric_mean_in_the_middle() -> None:
    assert Axis("x", 1, 100, log=True).shares(10) == pytest.approx(0.5)


def test_bars_are_as_long_as_their_values() -> None:
    tree = ElementTree.fromstring(
        bars([("a", 4.0, None), ("b", 1.0, 0.5), ("c", -2.0, None)], "B.")
    )
    widths = [float(r.attrib["width"]) for r in tree.iter("rect")]
    assert widths[0] == pytest.approx(4 * widths[1], rel=0.01)
    assert widths[2] == pytest.approx(2 * widths[1], rel=0.01)
    places = [float(r.attrib["x"]) for r in tree.iter("rect")]
    assert places[2] + widths[2] == pytest.approx(places[0], abs=0.05)
