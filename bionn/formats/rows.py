"""Rows of a table as delimited text: cells become columns of Arrow's, and those are put together."""

# pyright: reportAttributeAccessIssue=false
# (the functions of pyarrow.compute are made when it is imported)

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas.api.types import infer_dtype

from bionn.formats.digits import BLANK, WIDTH, six_digits
from bionn.formats.texts import TEXT, arrow_texts, letters_of

_CACHED = 8192
"""Rows whose numbers and characters stay in a processor's cache from step to step."""


def header_text(names: Sequence[str], *, separator: str = "\t") -> str:
    """The first line of a delimited file."""
    return separator.join(_quoted(list(names), separator)) + "\n"


def rows_text(frame: pd.DataFrame, *, separator: str = "\t") -> str:
    """The rows of a frame as delimited text, numbers with 6 significant digits.

    A missing value is an empty cell; a cell that holds the separator, a quote or a line end is
    quoted, as the csv module does it.

    Args:
        frame: columns of numbers, text, bools; its index is not looked at.
        separator: one ASCII character.

    Example:
        >>> rows_text(pd.DataFrame({"id": ["a", "b c"], "n": [1, 2], "x": [0.5, 1 / 3]}))
        'a\\t1\\t0.5\\nb c\\t2\\t0.333333\\n'
    """
    if frame.empty:
        return ""
    columns = [_column(column, separator) for _, column in frame.items()]
    parts = range(0, len(frame), _CACHED)
    return "".join([_joined([c[at : at + _CACHED] for c in columns], separator) for at in parts])


def _column(column: pd.Series, separator: str) -> np.ndarray | pa.LargeStringArray:
    """A column's numbers, if they are floats, or else its cells as they are written."""
    if column.dtype.kind == "f":
        return column.to_numpy()
    cells = _texts(column)
    letters = bytes(letters_of(cells))  # a search in bytes is one for the whole column
    if any(mark.encode() in letters for mark in _marks(separator)):
        return pa.array(_quoted(cells.to_pylist(), separator), type=TEXT)
    return cells


def _texts(column: pd.Series) -> pa.LargeStringArray:
    """The cells of a column of anything but floats, as text."""
    kind = infer_dtype(column, skipna=True)
    if kind == "string":
        return pc.fill_null(arrow_texts(column).combine_chunks(), "")
    if kind == "integer" and isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu":
        return pa.array(column.to_numpy()).cast(TEXT)
    cells = ["" if pd.isna(cell) else str(cell) for cell in column.tolist()]
    return pa.array(cells, type=TEXT)


def _joined(columns: Sequence[np.ndarray | pa.LargeStringArray], separator: str) -> str:
    """Rows as text, put together by Arrow; neighbouring columns of floats are one piece of them."""
    pieces: list[pa.LargeStringArray] = []
    numbers: pa.LargeStringArray | None = None  # before the next piece, or last
    done = 0
    for is_float, run in groupby(columns, lambda column: isinstance(column, np.ndarray)):
        some = list(run)
        done += len(some)
        if is_float:
            numbers = _number_texts(some, separator, separator if done < len(columns) else "\n")
        else:
            if numbers is not None:
                some[0] = _glued(numbers, some[0], "")
            numbers = None
            pieces += some
    pieces = [*pieces[:-1], _glued(pieces[-1], "\n", "")] if numbers is None else [*pieces, numbers]
    return str(letters_of(_glued(*pieces, separator)), "utf-8")


def _glued(*pieces: pa.LargeStringArray | str) -> pa.LargeStringArray:
    """Texts row by row; the last of the pieces goes between the others."""
    return pc.binary_join_element_wise(
        *[pa.scalar(piece, TEXT) if isinstance(piece, str) else piece for piece in pieces]
    )


def _number_texts(columns: list[np.ndarray], separator: str, end: str) -> pa.LargeStringArray:
    """Neighbouring columns of floats, a text a row, which ends in a character."""
    rows = np.empty((len(columns[0]), len(columns), WIDTH), dtype=np.uint8)
    for place, values in enumerate(columns):
        rows[:, place] = six_digits(values)
        missing = np.isnan(values)
        if missing.any():
            rows[missing, place] = BLANK
    rows[:, :, -1] = ord(separator)  # a blank in every row: the longest number has 13 characters
    rows[:, -1, -1] = ord(end)
    text = rows.tobytes().translate(None, bytes([BLANK]))
    stops = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == ord(end)) + 1
    if end == separator:
        stops = stops[len(columns) - 1 :: len(columns)]
    bounds = np.concatenate([[0], stops])
    return pa.LargeStringArray.from_buffers(len(rows), pa.py_buffer(bounds), pa.py_buffer(text))


def _marks(separator: str) -> tuple[str, ...]:
    """What a cell must be in quotes for, that it be read back as one cell."""
    return separator, '"', "\n", "\r"


def _quoted(cells: list[str], separator: str) -> list[str]:
    """The cells, those in quotes that would not be read back as one cell."""
    marks = _marks(separator)
    return [
        '"' + cell.replace('"', '""') + '"' if any(mark in cell for mark in marks) else cell
        for cell in cells
    ]
