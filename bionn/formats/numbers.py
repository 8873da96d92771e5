"""Cells of a table to numbers, a block of columns at once: which are missing, which are words."""

# pyright: reportAttributeAccessIssue=false
# (the functions of pyarrow.compute are made when it is imported)

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "?"})
"""Cells that mean "no value", in lower case."""

_NO_VALUE = pa.array(sorted(MISSING), type=pa.large_string())

_AT_ONCE = 1 << 16
"""Cells looked at at a time where they stay as they are."""

_NUMBER = r"^[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|inf(inity)?)$"
"""What Arrow reads as a number."""

_DECIMAL_COMMA = re.compile(r"[+-]?\d+(\.\d{3})*,\d+([eE][+-]?\d+)?")


class Numbers(NamedTuple):
    """Columns of a table as numbers.

    Attributes:
        values: ``float64 (rows, columns)``, NaN where a cell is no number.
        words: ``bool (rows, columns)``: the cells that are neither a number nor missing.
    """

    values: np.ndarray
    words: np.ndarray


def numbers_of(frame: pd.DataFrame) -> Numbers:
    """Every column of a frame as numbers; columns of truth values, times and the like are words.

    Text goes through Arrow in one piece: a column at a time costs more in calls than in digits.

    Example:
        >>> found = numbers_of(pd.DataFrame({"x": ["1.5", "NA"], "y": ["-2e3", "high"]}))
        >>> found.values[:, 0], found.words[:, 1]
        (array([1.5, nan]), array([False,  True]))
    """
    if all(isinstance(dtype, np.dtype) and dtype.kind in "iuf" for dtype in frame.dtypes):
        values = frame.to_numpy(dtype=np.float64, copy=True)  # the one copy, of whole matrices too
        return Numbers(values, np.zeros(values.shape, dtype=bool))
    values = np.full(frame.shape, np.nan)
    words = np.zeros(frame.shape, dtype=bool)
    kinds = np.array(["n" if dtype.kind in "iuf" else dtype.kind for dtype in frame.dtypes])
    for kind in dict.fromkeys(kinds):
        columns = kinds == kind
        block = frame.loc[:, columns]
        if kind == "n":
            values[:, columns] = block.to_numpy(dtype=np.float64, na_value=np.nan)
        elif kind == "O":
            values[:, columns], words[:, columns] = _of_objects(block.to_numpy())
        else:
            words[:, columns] = block.notna().to_numpy()
    return Numbers(values, words)


def _of_objects(cells: np.ndarray) -> Numbers:
    """The same for cells ``(rows, columns)`` that are text, or whatever else an object can be."""
    rows, columns = cells.shape
    try:
        texts = pa.array(cells.T.ravel(), type=pa.large_string(), from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
        return _one_by_one(cells)
    no_value = pc.is_in(pc.utf8_lower(pc.utf8_trim_whitespace(texts)), _NO_VALUE)
    missing = pc.or_(texts.is_null(), pc.fill_null(no_value, False))
    present = pc.if_else(missing, pa.scalar(None, pa.large_string()), texts)
    values = _parse(present, rows).reshape(columns, rows).T
    absent = missing.to_numpy(zero_copy_only=False).reshape(columns, rows).T
    return Numbers(values, np.isnan(values) & ~absent)


def without_missing(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts, ``""`` in the place of those that mean "no value".

    Example:
        >>> without_missing(pa.chunked_array([["yes", "NA", "-"]], type=pa.large_string())).to_pylist()
        ['yes', '', '']
    """
    chunks = []
    for chunk in texts.chunks:
        some = [chunk[at : at + _AT_ONCE] for at in range(0, len(chunk), _AT_ONCE)]
        if any(pc.any(pc.is_in(pc.utf8_lower(cells), _NO_VALUE)).as_py() for cells in some):
            missing = pc.is_in(pc.utf8_lower(chunk), _NO_VALUE)
            chunk = pc.if_else(missing, pa.scalar("", texts.type), chunk)
        chunks.append(chunk)
    return pa.chunked_array(chunks, type=texts.type)


def _parse(texts: pa.Array, rows: int) -> np.ndarray:
    """Columns of text, one after the other; where Arrow meets a word, each half by itself."""
    try:
        return pc.cast(texts, pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        half = len(texts) // rows // 2 * rows
    if half:
        return np.concatenate([_parse(texts[:half], rows), _parse(texts[half:], rows)])
    is_number = pc.match_substring_regex(texts, _NUMBER, ignore_case=True)
    numbers = pc.if_else(is_number, texts, pa.scalar(None, pa.large_string()))
    return pc.cast(numbers, pa.float64()).to_numpy(zero_copy_only=False)


def _one_by_one(cells: np.ndarray) -> Numbers:
    """For columns of mixed types, as a DataFrame may hold them."""
    values = np.column_stack(
        [np.asarray(pd.to_numeric(c, errors="coerce"), dtype=np.float64) for c in cells.T]
    )
    words = np.isnan(values)
    words[words] = [not is_missing(cell) for cell in cells[words]]
    return Numbers(values, words)


def is_missing(cell: object) -> bool:
    """Whether a cell means "no value" (empty, NA, nan, -, ?)."""
    if isinstance(cell, str):
        return cell.strip().lower() in MISSING
    return bool(pd.isna(cell))


def has_decimal_comma(cell: object) -> bool:
    """Whether a cell is a number written as ``5,893`` or ``1.234,5``."""
    return isinstance(cell, str) and _DECIMAL_COMMA.fullmatch(cell) is not None


def no_number(cell: object, need: str) -> str:
    """What to say of a cell that is not the number needed.

    Example:
        >>> no_number("high", "a number")
        "a number needed, 'high' found; correct it or leave it empty"
    """
    if has_decimal_comma(cell):
        return (
            f"{need} needed, a decimal comma found in {cell!r}; write '.' as the decimal point, and no "
            "thousands mark"
        )
    cell = cell.item() if isinstance(cell, np.generic) else cell
    return f"{need} needed, {cell!r} found; correct it or leave it empty"
