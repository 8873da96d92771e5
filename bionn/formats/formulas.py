"""Formulas among many cells counted, few of which become Python objects."""

# pyright: reportAttributeAccessIssue=false
# (the functions of pyarrow.compute are made when it is imported)

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from bionn.formats.escape import is_formula

_FIRST = pa.array([b"=", b"@", b"\t", b"\r", b"+", b"-"], pa.large_binary())
"""What formulas begin with; not all that begins so is one."""


def count_formulas(cells: pa.ChunkedArray) -> int:
    """How many cells are what :func:`bionn.formats.escape.is_formula` takes for a formula.

    Example:
        >>> count_formulas(pa.chunked_array([["=1+1", "a"], ["+", "-2+3"]], pa.large_string()))
        2
    """
    first = pc.binary_slice(cells.cast(_FIRST.type), 0, 1)
    return sum(map(is_formula, cells.filter(pc.is_in(first, _FIRST)).to_pylist()))
