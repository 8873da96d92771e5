"""Logos and substitution maps: letters as tall as they matter, cells where the script looks for them."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from bionn.report.figures.sequences import (
    CELL,
    MAP_CELL,
    attribution_map,
    glyph,
    glyph_definitions,
    motif_logo,
    rows_of,
)


def letters_of(drawing: str) -> list[tuple[str, float, float]]:
    """Each letter of a drawing with its height (negative upside down) and its left edge."""
    found = []
    for use in ElementTree.fromstring(drawing).iter("use"):
        numbers = [float(n) for n in use.attrib["transform"][7:-1].split()]
        letter = chr(int(use.attrib["href"].removeprefix("#glyph-"), 16))
        found.append((letter, 100 * numbers[3], numbers[4]))
    return found


@pytest.mark.parametrize("letter", "ACGTUWM")
def test_a_letter_fills_its_square(letter: str) -> None:
    numbers = np.array([float(n) for n in re.findall(r"-?[\d.]+", glyph(letter))]).reshape(-1, 2)
    assert numbers.min(axis=0) == pytest.approx(0, abs=0.1)
    assert numbers.max(axis=0) == pytest.approx(100, abs=0.1)


def test_every_letter_is_defined_once() -> None:
    tree = ElementTree.fromstring(glyph_definitions("ACGT"))
    assert [path.attrib["id"] for path in tree.iter("path")] == [
        f"glyph-{ord(c):x}" for c in "ACGT"
    ]


def test_letters_are_as_tall_as_their_attributions() -> None:
    scores = np.array([1.0, -0.5, 0.25, 0.0])
    drawn, _ = attribution_map("ACGT", scores, None, "ACGT", start=1, label="x")
    heights = {letter: height for letter, height, _ in letters_of(drawn)}
    assert heights["C"] == pytest.approx(-heights["A"] / 2, rel=0.02)
    assert heights["G"] == pytest.approx(heights["A"] / 4, rel=0.02)
    assert "T" not in heights


def test_a_motif_is_in_bits() -> None:
    sure, even, half = [1.0, 0, 0, 0], [1.0, 1, 1, 1], [1.0, 1, 0, 0]
    drawn = letters_of(motif_logo(np.array([sure, even, half]), "ACGT", "x"))
    totals = {}
    for _, height, x in drawn:
        totals[x] = totals.get(x, 0) + height
    two_bits, one_bit = (totals[x] for x in sorted(totals))
    assert two_bits == pytest.approx(2 * one_bit, rel=0.02)


def test_a_map_colours_what_changes_and_dots_what_is_there() -> None:
    effects = np.array([[0, 1.0, -1.0, 0.001], [0.5, 0, 0, -0.5]])
    drawn, place = attribution_map("AC", None, effects, "ACGT", start=1, label="x")
    paths = {p.attrib["class"]: p.attrib["d"] for p in ElementTree.fromstring(drawn).iter("path")}
    left, top = place["left"], place["top"]
    assert isinstance(left, float)
    assert isinstance(top, float)
    cell = "h10v13h-10z"
    assert (CELL, MAP_CELL) == (10, 13)
    assert paths["up d8"] == f"M{left:g} {top + 13:g}{cell}"  # A -> C
    assert paths["down d8"] == f"M{left:g} {top + 26:g}{cell}"  # A -> G
    assert paths["up d4"] == f"M{left + 10:g} {top:g}{cell}"  # C -> A
    assert paths["down d4"] == f"M{left + 10:g} {top + 39:g}{cell}"  # C -> T
    assert paths["present"].count("M") == 2
    assert len(paths) == 5


@pytest.mark.parametrize("length", [1, 79, 80, 81, 251, 320])
def test_rows_cover_a_sequence_evenly(length: int) -> None:
    rows = rows_of(length)
    assert [p for row in rows for p in row] == list(range(length))
    assert max(map(len, rows)) - min(map(len, rows)) <= 1
