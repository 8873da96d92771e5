"""SVG by small functions: every text and attribute is escaped, so that no name can be markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from markupsafe import Markup, escape

from bionn.report.wording import visible


class Key(NamedTuple):
    """An entry of a legend: the series' class in the style sheet (``s0``, ``s1``, ...), its name."""

    style: str
    name: str


@dataclass(frozen=True)
class Figure:
    """A picture with its words.

    Attributes:
        drawing: the SVG.
        title: what it shows, as a short heading.
        caption: how to read it.
        keys: its legend.
        wide: whether it needs the whole width; it scrolls where that is not enough.
        columns: how many columns it has, where that is to keep it from shrinking too far.
    """

    drawing: Markup
    title: str
    caption: str = ""
    keys: Sequence[Key] = ()
    wide: bool = False
    columns: int = 0


def element(name: str, *children: object, **attributes: object) -> Markup:
    """An element; attributes that are None are left out, ``_`` in their names stands for ``-``.

    Example:
        >>> str(element("text", "a < b", x=1.5, text_anchor="end", class_=None))
        '<text x="1.5" text-anchor="end">a &lt; b</text>'
    """
    texts = [
        f' {key.rstrip("_").replace("_", "-")}="{escape(plain(value))}"'
        for key, value in attributes.items()
        if value is not None
    ]
    inner = "".join(escape(plain(child)) for child in children if child is not None)
    return Markup(f"<{name}{''.join(texts)}>{inner}</{name}>")


def plain(value: object) -> object:
    """What is to be escaped: markup as it is, numbers to hundredths, texts with nothing hidden."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, (float, np.floating)):
        return f"{value:.2f}".rstrip("0").rstrip(".").replace("-0", "-0") if value else "0"
    return visible(str(value))


def drawing(width: float, height: float, label: str, *children: object) -> Markup:
    """An ``<svg>`` that scales with its container and says in words what it shows."""
    return element(
        "svg",
        *children,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_label=label,
        class_="drawing",
    )


def group(*children: object, **attributes: object) -> Markup:
    """A ``<g>``."""
    return element("g", *children, **attributes)


def text(x: float, y: float, words: object, **attributes: object) -> Markup:
    """A ``<text>``; the class sheet's size and colour."""
    return element("text", words, x=x, y=y, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element(
        "path",
        d=f"M{coordinate(x1)} {coordinate(y1)}L{coordinate(x2)} {coordinate(y2)}",
        class_=class_,
    )


def rectangle(x: float, y: float, width: float, height: float, **attributes: object) -> Markup:
    """A ``<rect>``."""
    return element("rect", x=x, y=y, width=max(width, 0.0), height=max(height, 0.0), **attributes)


def coordinate(value: float) -> str:
    """A tenth of a unit is as fine as a screen shows."""
    return f"{value:.1f}".removesuffix(".0")


def polyline(x: Iterable[float], y: Iterable[float]) -> str:
    """The ``d`` of a path through points."""
    pairs = (f"{coordinate(a)} {coordinate(b)}" for a, b in zip(x, y, strict=True))
    return "M" + "L".join(pairs)


def dots(x: Iterable[float], y: Iterable[float]) -> str:
    """The ``d`` of a path whose round ends are one dot a point."""
    return "".join(f"M{coordinate(a)} {coordinate(b)}h0" for a, b in zip(x, y, strict=True))
