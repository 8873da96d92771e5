"""Sequences: logos of attributions and motifs, and maps of what every substitution would do."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from markupsafe import Markup
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextPath

from bionn.report.figures.svg import coordinate, drawing, element, group, line, rectangle, text

CELL, LOGO, MAP_CELL, GAP = 10.0, 54.0, 13.0, 30.0
MARGIN = 30.0
COLUMNS = 80
"""The most positions of a row; longer sequences go on in the next."""

MOTIF = 16
"""Positions that a motif's drawing has room for at least, so that letters of all are as wide."""

SHADES = 8
"""Degrees of a map's colour, in either direction."""

DNA_STYLES = {"A": "base-a", "C": "base-c", "G": "base-g", "T": "base-t", "U": "base-t"}


@lru_cache(maxsize=256)
def glyph(letter: str) -> str:
    """The outline of a letter as the ``d`` of a path, stretched into the square from 0 to 100.

    From the font that comes with matplotlib, so that logos look alike on every machine.
    """
    outline = TextPath(
        (0, 0), letter, size=100, prop=FontProperties(family="DejaVu Sans", weight="bold")
    )
    points, codes = np.asarray(outline.vertices), outline.codes
    if codes is None or not len(points):
        return "M0 0H100V100H0Z"
    used = points[codes != Outline.CLOSEPOLY]
    low, size = used.min(axis=0), np.maximum(np.ptp(used, axis=0), 1e-9)
    scaled = (points - low) / size
    names = {Outline.MOVETO: "M", Outline.LINETO: "L", Outline.CURVE3: "Q", Outline.CURVE4: "C"}
    pieces, pending = [], 0
    for (x, y), kind in zip(scaled, codes, strict=True):
        if kind == Outline.CLOSEPOLY:
            pieces.append("Z")
            continue
        place = f"{coordinate(100 * x)} {coordinate(100 - 100 * y)}"
        if pending:
            pieces.append(f" {place}")
            pending -= 1
        else:
            pieces.append(names[kind] + place)
            pending = {Outline.CURVE3: 1, Outline.CURVE4: 2}.get(kind, 0)
    return "".join(pieces)


def glyph_definitions(letters: Iterable[str]) -> Markup:
    """The outlines of letters, to stand once in a page; every logo in it refers to them."""
    paths = [element("path", id=f"glyph-{ord(letter):x}", d=glyph(letter)) for letter in letters]
    return element("svg", element("defs", *paths), class_="definitions", aria_hidden="true")


def letter_style(letter: str, letters: Sequence[str]) -> str:
    """The class of a letter's colour: the usual ones for DNA, else one in turn."""
    if letter in DNA_STYLES and len(letters) <= 5:
        return DNA_STYLES[letter]
    return f"p{list(letters).index(letter) % 8}" if letter in letters else "other"


def stacked(
    heights: Sequence[tuple[str, float]],
    x: float,
    base: float,
    scale: float,
    letters: Sequence[str],
) -> list[Markup]:
    """The letters of one position: positive ones piled up from the base line, negative ones below.

    Args:
        heights: letters and their heights, of either sign.
        x: the left edge.
        base: the base line.
        scale: units of the drawing a unit of height.
        letters: the alphabet, for the colours.
    """
    pieces, above, below = [], base, base
    for letter, value in sorted(heights, key=lambda pair: abs(pair[1])):
        tall = abs(value) * scale
        if tall < 0.3 or not letter.strip():
            continue
        if value > 0:
            above -= tall
            top, stretch = above, tall / 100
        else:  # upside down
            below += tall
            top, stretch = below, -tall / 100
        place = f"matrix(.09 0 0 {stretch:.3f} {coordinate(x)} {coordinate(top)})"
        style = letter_style(letter, letters)
        pieces.append(element("use", href=f"#glyph-{ord(letter):x}", transform=place, class_=style))
    return pieces


def motif_logo(matrix: np.ndarray, letters: Sequence[str], label: str) -> Markup:
    """A motif in bits: tall where one letter is sure.

    Args:
        matrix: weights of the letters, ``(W, A)``, not negative; each row is made to sum to 1.
        letters: the alphabet.
        label: what the picture shows, in a sentence.
    """
    chances = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1e-12)
    full = math.log2(len(letters))
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = full + np.nansum(np.where(chances > 0, chances * np.log2(chances), 0.0), axis=1)
    scale, tall = 60.0 / full, 60.0
    parts = [line(MARGIN - 4, 6, MARGIN - 4, 6 + tall, "axis")]
    for value in (0.0, full / 2, full):
        y = 6 + tall - value * scale
        parts.append(text(MARGIN - 8, y + 4, f"{value:g}"[:3], text_anchor="end"))
    for position, (row, height) in enumerate(zip(chances, bits, strict=True)):
        pairs = [(letter, float(p * height)) for letter, p in zip(letters, row, strict=True)]
        parts += stacked(pairs, MARGIN + CELL * position, 6 + tall, scale, letters)
    columns = max(len(matrix), MOTIF)
    return drawing(MARGIN + CELL * columns + 6, tall + 14, label, *parts)


def rows_of(length: int) -> list[range]:
    """The positions of each row of the drawing, as evenly many as can be."""
    count = max(1, math.ceil(length / COLUMNS))
    edges = [round(k * length / count) for k in range(count + 1)]
    return [range(a, b) for a, b in pairwise(edges)]


def attribution_map(
    sequence: str,
    attribution: np.ndarray | None,
    effects: np.ndarray | None,
    letters: Sequence[str],
    *,
    start: int,
    label: str,
) -> tuple[Markup, dict[str, float | list[int]]]:
    """A logo of attributions with, under each position, what the other letters would change.

    Args:
        sequence: L letters.
        attribution: ``(L,)``, how much each position speaks for the output.
        effects: ``(L, A)``, the change of the output by each substitution.
        letters: the alphabet.
        start: the number of the first position.
        label: what the picture shows, in a sentence.

    Returns:
        The drawing, and where its cells lie, for the script that reads them out.
    """
    rows = rows_of(len(sequence))
    columns = max(len(row) for row in rows)
    logo = LOGO if attribution is not None else 0.0
    map_height = MAP_CELL * len(letters) if effects is not None else 0.0
    row_height = logo + map_height + GAP
    parts: list[Markup] = []
    for number, row in enumerate(rows):
        top = number * row_height + 6
        if attribution is not None:
            parts += _logo_row(sequence, attribution, letters, row, top)
        if effects is not None:
            parts += _map_row(sequence, effects, letters, row, top + logo + 4)
        parts += _ruler(row, start, top + logo + map_height + 4)
    width, height = MARGIN + CELL * columns + 4, row_height * len(rows) + 4
    parts.append(rectangle(0, 0, CELL, MAP_CELL, class_="cursor", visibility="hidden"))
    geometry: dict[str, float | list[int]] = {
        "left": MARGIN,
        "top": 6 + logo + 4,
        "cell": CELL,
        "cellHeight": MAP_CELL,
        "rowHeight": row_height,
        "firsts": [row.start for row in rows],
    }
    return drawing(width, height, label, *parts), geometry


def _logo_row(
    sequence: str, attribution: np.ndarray, letters: Sequence[str], row: range, top: float
) -> list[Markup]:
    high = max(float(attribution.max(initial=0)), 0.0)
    low = max(float(-attribution.min(initial=0)), 0.0)
    scale = (LOGO - 4) / (high + low) if high + low > 0 else 0.0
    base = top + high * scale
    parts = [line(MARGIN, base, MARGIN + CELL * len(row), base, "grid")]
    for place, position in enumerate(row):
        pair = [(sequence[position].upper(), float(attribution[position]))]
        parts += stacked(pair, MARGIN + CELL * place + 0.5, base, scale, letters)
    return parts


def _map_row(
    sequence: str, effects: np.ndarray, letters: Sequence[str], row: range, top: float
) -> list[Markup]:
    most = float(np.abs(effects).max(initial=0)) or 1.0
    shades: dict[str, list[str]] = {}
    for place, position in enumerate(row):
        for k, letter in enumerate(letters):
            x, y = MARGIN + CELL * place, top + MAP_CELL * k
            if letter == sequence[position].upper():
                shades.setdefault("present", []).append(f"M{x + 5:g} {y + 6.5:g}h0")
                continue
            shade = round(float(effects[position, k]) / most * SHADES)
            if shade:
                name = f"{'up' if shade > 0 else 'down'} d{abs(shade)}"
                shades.setdefault(name, []).append(f"M{x:g} {y:g}h10v13h-10z")
    size = CELL * len(row), MAP_CELL * len(letters)
    parts = [rectangle(MARGIN, top, *size, class_="field")]
    parts += [element("path", d="".join(cells), class_=name) for name, cells in shades.items()]
    parts += [
        text(MARGIN - 6, top + MAP_CELL * k + 10.5, letter, text_anchor="end", class_="letter")
        for k, letter in enumerate(letters)
    ]
    return parts


def _ruler(row: range, start: int, top: float) -> list[Markup]:
    parts = []
    for place, position in enumerate(row):
        if (position + start) % 10 == 0 or place == 0:
            x = MARGIN + CELL * (place + 0.5)
            if place == 0 and any((position + start + k) % 10 == 0 for k in (1, 2)):
                continue
            parts.append(text(x, top + 13, str(position + start), text_anchor="middle"))
    return [group(*parts, class_="ruler")]
