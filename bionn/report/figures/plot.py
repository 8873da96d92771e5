"""A pair of axes to draw on: scales, ticks and marks in units of the drawing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import LogLocator, MaxNLocator

from bionn.report.figures.svg import (
    coordinate,
    dots,
    drawing,
    element,
    group,
    line,
    polyline,
    rectangle,
    text,
)
from bionn.report.figures.thinning import thin_curve
from bionn.report.wording import number

WIDTH, HEIGHT = 360.0, 260.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 12.0, 26.0, 42.0


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        label: what it measures, with its unit.
        low: its least value.
        high: its greatest value.
        log: whether equal steps are equal factors.
        ticks: values to mark, with their texts; chosen when None.
    """

    label: str
    low: float
    high: float
    log: bool = False
    ticks: Sequence[tuple[float, str]] | None = None

    def shares(self, values: np.ndarray | Sequence[float] | float) -> np.ndarray:
        """How far along the axis values lie, 0 to 1; beyond its ends they are held at them."""
        scaled, low, high = np.asarray(values, dtype=float), self.low, self.high
        if self.log:
            scaled = np.log(np.maximum(scaled, np.finfo(float).tiny))
            low, high = math.log(low), math.log(high)
        return np.clip((scaled - low) / (high - low), 0, 1)

    def marks(self) -> list[tuple[float, str]]:
        """The ticks: at round values, some five of them."""
        if self.ticks is not None:
            return list(self.ticks)
        if self.log:
            places = LogLocator(numticks=5).tick_values(self.low, self.high)
        else:
            places = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(self.low, self.high)
        margin = 1e-9 * (self.high - self.low)
        inside = [
            p for p in np.asarray(places).tolist() if self.low - margin <= p <= self.high + margin
        ]
        return list(zip(inside, tick_texts(inside, log=self.log), strict=True))


def tick_texts(values: Sequence[float], *, log: bool = False) -> list[str]:
    """Texts that tell evenly spaced values apart, with as many decimals as the finest one needs.

    Example:
        >>> tick_texts([0.0, 0.25, 0.5]), tick_texts([-2e6, 0.0, 2e6])
        (['0.00', '0.25', '0.50'], ['−2e+06', '0', '2e+06'])
    """
    slack = 0.01 * min(np.diff(values), default=0.0)
    texts = [f"{value:g}" for value in values]
    for digits in () if log else range(1, 18):
        texts = [f"{value:.{digits}g}" for value in values]
        if all(abs(float(t) - v) <= slack for t, v in zip(texts, values, strict=True)):
            break
    if not log and all(value == 0 or 1e-4 <= abs(value) < 1e5 for value in values):
        decimals = max((len(format_exactly(t).partition(".")[2]) for t in texts), default=0)
        texts = [f"{value:,.{decimals}f}" for value in values]
    return [text.replace("-", "−", 1) if text.startswith("-") else text for text in texts]


def format_exactly(text: str) -> str:
    """A number without its exponent: ``2e-05`` as ``0.00002``."""
    return f"{Decimal(text):f}"


def spanning(label: str, *values: np.ndarray, log: bool = False, margin: float = 0.04) -> Axis:
    """An axis with room for all the values; those that are not finite do not count."""
    known = np.concatenate([np.ravel(np.asarray(v, dtype=float)) for v in values])
    known = known[np.isfinite(known) & ((known > 0) | (not log))]
    low, high = (known.min(), known.max()) if len(known) else (0.0, 1.0)
    if log:
        low, high = (low, high) if high > 1.05 * low else (low / 1.5, high * 1.5)
        room = (high / low) ** margin
        return Axis(label, float(low / room), float(high * room), log=True)
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-300):
        low, high = low - 0.5, high + 0.5
    room = margin * (high - low)
    return Axis(label, float(low - room), float(high + room))


class Plot:
    """Axes with marks on them, gathered in the order they are drawn.

    Args:
        x: the horizontal axis.
        y: the vertical axis; its label stands above it, where it can be read.
        label: what the picture shows, in a sentence, for those who do not see it.
    """

    def __init__(
        self, x: Axis, y: Axis, label: str, *, width: float = WIDTH, height: float = HEIGHT
    ) -> None:
        self.x, self.y, self.label = x, y, label
        self.width, self.height = width, height
        self.top = TOP if y.label else TOP / 3
        self._marks: list[Markup] = []

    def at(self, x: object, y: object) -> tuple[np.ndarray, np.ndarray]:
        """Values to units of the drawing."""
        across = LEFT + self.x.shares(x) * (self.width - LEFT - RIGHT)  # pyright: ignore[reportArgumentType]
        down = self.top + (1 - self.y.shares(y)) * (self.height - self.top - BOTTOM)  # pyright: ignore[reportArgumentType]
        return across, down

    def curve(self, x: object, y: object, style: str) -> None:
        """A line through points, thinned as far as that cannot be seen; gaps where there is none."""
        xs, ys = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        known = np.isfinite(xs) & np.isfinite(ys)
        breaks = np.flatnonzero(~known)
        for piece in np.split(np.arange(len(xs)), breaks):
            rows = piece[known[piece]]
            if len(rows):
                across, down = self.at(xs[rows], ys[rows])
                keep = thin_curve(across, down)
                path = polyline(across[keep], down[keep])
                self._marks.append(element("path", d=path, class_=f"curve {style}"))

    def dots(self, x: object, y: object, style: str) -> None:
        """A dot a point."""
        across, down = self.at(x, y)
        if across.size:
            path = dots(np.atleast_1d(across), np.atleast_1d(down))
            self._marks.append(element("path", d=path, class_=f"dots {style}"))

    def segment(self, start: tuple[float, float], end: tuple[float, float], style: str) -> None:
        """A straight line between two points."""
        across, down = self.at([start[0], end[0]], [start[1], end[1]])
        self._marks.append(line(across[0], down[0], across[1], down[1], style))

    def bar(self, left: float, right: float, low: float, high: float, style: str) -> None:
        """A rectangle between values."""
        across, down = self.at([left, right], [high, low])
        width, height = across[1] - across[0], down[1] - down[0]
        shape = rectangle(across[0] + 0.5, down[0], width - 1, height, class_=style)
        self._marks.append(shape)

    def note(self, x: float, y: float, words: str, anchor: str = "start") -> None:
        """A few words at a point."""
        across, down = self.at(x, y)
        self._marks.append(text(float(across), float(down), words, text_anchor=anchor))

    def svg(self) -> Markup:
        """The finished drawing."""
        return drawing(self.width, self.height, self.label, self._frame(), *self._marks)

    def _frame(self) -> Markup:
        bottom, right = self.height - BOTTOM, self.width - RIGHT
        parts = []
        for value, words in self.y.marks():
            _, down = self.at(self.x.low, value)
            parts.append(line(LEFT, float(down), right, float(down), "grid"))
            parts.append(text(LEFT - 6, float(down) + 4, words, text_anchor="end"))
        for value, words in self.x.marks():
            across, _ = self.at(value, self.y.low)
            place = float(across)
            parts.append(line(place, bottom, place, bottom + 4, "axis"))
            parts.append(text(place, bottom + 17, words, text_anchor="middle"))
        parts.append(
            element(
                "path",
                d=f"M{coordinate(LEFT)} {coordinate(bottom)}H{coordinate(right)}",
                class_="axis",
            )
        )
        middle = (LEFT + right) / 2
        parts.append(
            text(middle, self.height - 6, self.x.label, text_anchor="middle", class_="label")
        )
        parts.append(text(2, 13, self.y.label, class_="label"))
        return group(*parts, class_="frame")


def bars(
    rows: Sequence[tuple[str, float, float | None]],
    label: str,
    *,
    width: float = WIDTH,
    spread: str = "±",
) -> Markup:
    """Horizontal bars from 0, a name at the left and the value at the right of each.

    Args:
        rows: name, value, and its standard deviation or None.
        label: what the picture shows, in a sentence.
        width: of the drawing.
        spread: what stands between a value and its standard deviation.
    """
    step, top, names, values = 22.0, 6.0, 0.32 * width, 0.28 * width
    room = width - names - values
    reach = [value + (std or 0.0) for _, value, std in rows]
    low, high = min(0.0, *(value for _, value, _ in rows)), max(0.0, *reach)
    scale = room / (high - low) if high > low else 0.0
    zero = names - low * scale
    parts = [line(zero, top - 2, zero, top + step * len(rows), "axis")]
    for place, (name, value, std) in enumerate(rows):
        y = top + step * place
        parts.append(text(names - 8, y + 14, name, text_anchor="end"))
        left = zero + min(value, 0.0) * scale
        parts.append(rectangle(left, y + 3, abs(value) * scale, step - 8, class_="bar"))
        if std:
            middle, end = zero + value * scale, std * scale
            parts.append(line(middle - end, y + 9, middle + end, y + 9, "whisker"))
        shown = number(value) + (f" {spread} {number(std)}" if std else "")
        parts.append(text(width, y + 14, shown, text_anchor="end", class_="value"))
    return drawing(width, top + step * len(rows) + 4, label, *parts)
