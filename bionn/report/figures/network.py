"""The network drawn: a column a layer, its units and what it does to them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from markupsafe import Markup

from bionn.report.figures.svg import Figure, drawing, element, group, line, text

STEP, TOP, TALL = 88.0, 34.0, 150.0
UNITS = 7
"""The most units of a layer that are drawn one by one."""


class Layer(NamedTuple):
    """One column.

    Attributes:
        width: how many units.
        name: what it is, for its head.
        lines: what stands below it.
    """

    width: int
    name: str
    lines: Sequence[str]


def network(layers: Sequence[Layer], weights: int) -> Figure:
    """Layers from left to right, every unit connected with every one of the next."""
    width = STEP * len(layers)
    height = TOP + TALL + 16 + 15 * max(len(layer.lines) for layer in layers) + 8
    places = [_places(layer.width) for layer in layers]
    edges, units, words = [], [], []
    for column, (here, there) in enumerate(pairwise(places)):
        x1, x2 = STEP * (column + 0.5), STEP * (column + 1.5)
        edges += [line(x1, a, x2, b, "edge") for a in here for b in there]
    for column, (layer, heights) in enumerate(zip(layers, places, strict=True)):
        x = STEP * (column + 0.5)
        kind = "input" if column == 0 else "output" if column == len(layers) - 1 else "hidden"
        units += [element("circle", cx=x, cy=y, r=7, class_=f"unit {kind}") for y in heights]
        if layer.width > UNITS:
            units.append(text(x, _gap(heights), "⋮", text_anchor="middle", class_="dots-between"))
        words.append(text(x, 14, layer.name, text_anchor="middle", class_="label"))
        words += [
            text(
                x,
                TOP + TALL + 18 + 15 * k,
                words_,
                text_anchor="middle",
                class_="strong" if k == 0 else None,
            )
            for k, words_ in enumerate(layer.lines)
        ]
    told = "; then ".join(f"{layer.name}: {', '.join(layer.lines)}" for layer in layers)
    label = f"The network, layer by layer: {told}."
    shape: Markup = drawing(width, height, label, group(*edges), group(*units), group(*words))
    note = f"{weights:,} weights and biases in all." if weights else ""
    return Figure(shape, "", note, wide=True, columns=min(len(layers), 7))


def _places(width: int) -> list[float]:
    """The heights of the units drawn; of many the first and the last ones."""
    shown = min(width, UNITS)
    step = TALL / max(UNITS, 1)
    reach = step * (0.6 + 0.4 * math.log(max(width, 1), 2) / 10) if width > UNITS else step
    reach = min(reach, step)
    middle = TOP + TALL / 2
    places = [middle + (k - (shown - 1) / 2) * reach for k in range(shown)]
    if width > UNITS:
        del places[shown // 2]
    return places


def _gap(heights: Sequence[float]) -> float:
    half = len(heights) // 2
    return (heights[half - 1] + heights[half]) / 2 + 5
