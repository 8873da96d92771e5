"""Logos as pictures: what each letter of a sequence contributes, how sure each letter of a motif is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

COLUMNS = 100
"""Positions of a row; longer sequences go on below."""


def draw_logo(values: np.ndarray, letters: str, path: Path, *, title: str, axis: str) -> None:
    """Draw letters as tall as their values, those below 0 upside down.

    Args:
        values: ``(L, A)``; 0 for what is not drawn.
        letters: the alphabet.
        path: ``.png`` or ``.svg``; its folder is made.
        title: above it.
        axis: what the height is.
    """
    from logomaker import Logo  # slow to import

    rows = max(1, -(-len(values) // COLUMNS))
    width = min(len(values), COLUMNS)
    figure = Figure(figsize=(max(4.0, 0.13 * width + 1.2), 1.6 * rows + 0.6), layout="constrained")
    low, high = min(float(values.min(initial=0)), 0.0), max(float(values.max(initial=0)), 1e-9)
    for row in range(rows):
        part = values[row * COLUMNS : (row + 1) * COLUMNS]
        axes = figure.add_subplot(rows, 1, row + 1)
        first = row * COLUMNS + 1
        index = pd.RangeIndex(first, first + len(part))
        frame = pd.DataFrame(part, index=index, columns=pd.Index(list(letters)))
        scheme = "classic" if len(letters) == 4 else "chemistry" if len(letters) == 20 else "grays"
        Logo(frame, ax=axes, color_scheme=scheme, flip_below=True)
        axes.set_xlim(first - 1, first + width)
        axes.set_ylim(1.05 * low, 1.05 * high)
        axes.set_ylabel(axis)
        axes.spines[["top", "right"]].set_visible(False)
        if not row:
            axes.set_title(title, loc="left", parse_math=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def information(matrix: np.ndarray) -> np.ndarray:
    """The heights of a motif's letters in bits, ``(W, A)``: shares times what the position tells.

    Example:
        >>> information(np.array([[1.0, 0, 0, 0], [0.25, 0.25, 0.25, 0.25]]))[:, 0].round(2).tolist()
        [2.0, 0.0]
    """
    shares = np.clip(matrix, 1e-12, None)
    bits = np.log2(matrix.shape[1]) + (shares * np.log2(shares)).sum(1, keepdims=True)
    return matrix * np.clip(bits, 0, None)
