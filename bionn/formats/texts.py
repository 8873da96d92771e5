"""Columns of text as Arrow holds them: at the cost of their letters, not of a Python object each."""

# pyright: reportAttributeAccessIssue=false
# (the functions of pyarrow.compute are made when it is imported)

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas.api.extensions import ExtensionArray

TEXT = pa.large_string()

_BLOCK = 4096
"""Texts made of Arrow's at a time."""


def text_array(texts: Sequence[str] | pa.ChunkedArray) -> ExtensionArray:
    """Texts as a column of a DataFrame; a Python object each would cost 50 bytes more."""
    return pd.array(cast(Any, texts), dtype="string[pyarrow]")


def arrow_texts(column: Any) -> pa.ChunkedArray:
    """A column (a Series) of texts as Arrow's: not copied where Arrow holds it already."""
    found = pa.array(column, type=None if column.dtype == "string" else TEXT)
    return found if isinstance(found, pa.ChunkedArray) else pa.chunked_array([found], type=TEXT)


def text_lists(texts: pa.ChunkedArray) -> Iterator[list[str]]:
    """The texts as Python's, some thousand at a time.

    Example:
        >>> list(text_lists(pa.chunked_array([["a", "b"], ["c"]])))
        [['a', 'b'], ['c']]
    """
    for chunk in texts.chunks:
        for start in range(0, len(chunk), _BLOCK):
            yield chunk[start : start + _BLOCK].to_pylist()


def rows_of(texts: pa.ChunkedArray, among: pa.ChunkedArray) -> np.ndarray:
    """The row of each text in other texts: ``int64 (N,)``, -1 where it is none; of equal ones, any.

    By hashes of 64 bits, sorted: a table of hashes would need five times the memory. That two texts
    of one hash are equal is checked; others are not looked at, however long they are.

    Example:
        >>> rows_of(pa.chunked_array([["b", "x"]]), pa.chunked_array([["a", "b"]])).tolist()
        [1, -1]
    """
    hashes = hashes_of(text_lists(among))
    order = np.argsort(hashes, kind="stable")
    hashes, whole = hashes[order], among.combine_chunks()
    found = []
    for block in text_lists(texts):
        wanted = hashes_of([block])
        places = np.minimum(np.searchsorted(hashes, wanted), len(hashes) - 1)
        alike = np.flatnonzero(hashes[places] == wanted)
        rows, texts_alike = order[places[alike]], pa.array(block, type=whole.type).take(alike)
        equal = pc.equal(whole.take(pa.array(rows)), texts_alike).to_numpy(zero_copy_only=False)
        found.append(np.full(len(block), -1))
        found[-1][alike] = np.where(equal, rows, -1)
    return np.concatenate(found)


def hashes_of(texts: Iterable[Collection[str]]) -> np.ndarray:
    """A hash of 64 bits for each text, which come in blocks: ``int64 (N,)``, by Python's ``hash``."""
    blocks = [np.fromiter(map(hash, block), np.int64, count=len(block)) for block in texts]
    return np.concatenate([np.empty(0, np.int64), *blocks])


def all_different(texts: Iterable[Collection[str]]) -> bool:
    """Whether no text stands twice (False also if two hashes of 64 bits happen to be equal).

    Eight bytes a text are needed, a tenth of what a set needs.

    Args:
        texts: in blocks of any size.

    Example:
        >>> all_different([["a"], ["b"]]), all_different([["a", "b"], ["a"]])
        (True, False)
    """
    ordered = np.sort(hashes_of(texts))
    return not (ordered[1:] == ordered[:-1]).any()
