"""What the lecture's experiments share: options, settings, tables, files and the figures' look."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import yaml
from matplotlib.axes import Axes
from matplotlib.figure import Figure

S = TypeVar("S")

DPI = 150
# black, blue, vermilion of the colour-blind safe Okabe-Ito palette; the line style alone tells
# them apart where colours are lost
COLOURS = ("#000000", "#0072B2", "#D55E00")
LINES = ("-", "--", ":")


class Arguments(NamedTuple):
    """What the command line gave."""

    config: Path
    out: Path


def arguments(script: str, description: str) -> Arguments:
    """Read ``--config`` and ``--out`` and make the output folder.

    Args:
        script: ``__file__`` of the caller; its folder names the experiment and holds the default
            config.yaml.
        description: One line for ``--help``.
    """
    folder = Path(script).resolve().parent
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "--config", type=Path, default=folder / "config.yaml", help="settings to read"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs/lecture", folder.name), help="folder to write to"
    )
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    return Arguments(given.config, given.out)


def read_settings(kind: type[S], path: Path) -> S:
    """Read a YAML file whose keys are exactly the fields of the dataclass ``kind``."""
    return kind(**yaml.safe_load(path.read_text(encoding="utf-8")))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out texts in columns: the first to the left, the others to the right."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows below a header; floats in full, so that they read back as they were."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def panels(columns: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """Make a figure with a row of panels, sizes in inches, without pyplot's global state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False)
    return figure, list(axes[0])


def save(figure: Figure, path: Path) -> None:
    """Write the figure as an image."""
    figure.savefig(path, dpi=DPI)
