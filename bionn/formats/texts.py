"""Columns of text as Arrow holds them: at the cost of their letters, not of a Python object each."""

# pyright: reportAttributeAccessIssue=false
# (the functions of pyarrow.compute are made when it is imported)

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, cast, overload

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
    whole = found if isinstance(found, pa.ChunkedArray) else pa.chunked_array([found])
    return whole if whole.type == TEXT else whole.cast(TEXT)


class Texts(Sequence[str]):
    """Texts that stay Arrow's and behave like a list: each becomes Python's when it is asked for.

    Args:
        held: N of them.

    Example:
        >>> texts = Texts(pa.chunked_array([["a", "b"], ["c"]]))
        >>> texts[1], texts[-1], list(texts), texts == ["a", "b", "c"]
        ('b', 'c', ['a', 'b', 'c'], True)
    """

    def __init__(self, held: pa.ChunkedArray) -> None:
        self.held = held

    def __len__(self) -> int:
        return len(self.held)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Texts: ...
    def __getitem__(self, index: int | slice) -> str | Texts:
        found = self.held[index]
        return Texts(found) if isinstance(found, pa.ChunkedArray) else found.as_py()

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self.lists())

    def lists(self) -> Iterator[list[str]]:
        """The texts some thousand at a time."""
        return text_lists(self.held)

    def beside(self, column: np.ndarray) -> Iterator[tuple[list[str], list[Any]]]:
        """The same, with the entries of a column ``(N,)`` that stand in their rows.

        Example:
            >>> list(Texts(pa.chunked_array([["a"], ["b", "c"]])).beside(np.arange(3)))
            [(['a'], [0]), (['b', 'c'], [1, 2])]
        """
        done = 0
        for texts in self.lists():
            yield texts, column[done : done + len(texts)].tolist()
            done += len(texts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Texts({len(self)}: {', '.join(map(repr, self[:3]))}{', ...' * (len(self) > 3)})"


def text_lists(texts: pa.ChunkedArray) -> Iterator[list[str]]:
    """The texts as Python's, some thousand at a time.

    Example:
        >>> list(text_lists(pa.chunked_array([["a", "b"], ["c"]])))
        [['a', 'b'], ['c']]
    """
    for chunk in texts.chunks:
        for start in range(0, len(chunk), _BLOCK):
            yield chunk[start : start + _BLOCK].to_pylist()


def one_chunk(texts: pa.ChunkedArray) -> pa.Array:
    """The texts in one piece: what Arrow takes from many it puts together first, each time anew.

    Example:
        >>> one_chunk(pa.chunked_array([["a"], ["b"]])).to_pylist()
        ['a', 'b']
    """
    return texts.chunk(0) if texts.num_chunks == 1 else texts.combine_chunks()


def packed_texts(blocks: Iterable[Sequence[str]]) -> pa.LargeStringArray:
    """Texts that come in blocks as one array, which needs their letters and 8 bytes a text.

    Letters and bounds grow in buffers that need no second one to be put together.

    Example:
        >>> packed_texts([["a", "bc"], ["d"]]).to_pylist()
        ['a', 'bc', 'd']
    """
    letters, bounds = bytearray(), bytearray(8)
    for block in blocks:
        written = [text.encode() for text in block]
        sizes = np.fromiter(map(len, written), np.int64, count=len(written))
        bounds += (len(letters) + np.cumsum(sizes)).tobytes()
        letters += b"".join(written)
    count = len(bounds) // 8 - 1
    return pa.LargeStringArray.from_buffers(count, pa.py_buffer(bounds), pa.py_buffer(letters))


def letters_of(texts: pa.LargeStringArray) -> memoryview:
    """The UTF-8 letters of all texts, one after the other, where they lie.

    Example:
        >>> bytes(letters_of(pa.array(["ab", "c", "d"], pa.large_string())[1:]))
        b'cd'
    """
    _, bounds, letters = texts.buffers()
    ends = np.frombuffer(bounds, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    return memoryview(letters or b"")[ends[0] : ends[-1]]


def sorted_lists(texts: pa.LargeStringArray) -> Iterator[list[str]]:
    """The texts as Python sorts them, some thousand at a time.

    Example:
        >>> list(sorted_lists(pa.array(["b", "ä", "a"], pa.large_string())))
        [['a', 'b', 'ä']]
    """
    order = pc.array_sort_indices(texts)  # by bytes of UTF-8, whose order is that of the letters
    for start in range(0, len(order), _BLOCK):
        yield texts.take(order[start : start + _BLOCK]).to_pylist()


def hash_lines(digest: Any, blocks: Iterable[Sequence[str]]) -> None:
    """Feed lines to a hash of :mod:`hashlib`, as if they were joined by line breaks and encoded.

    Example:
        >>> import hashlib
        >>> one, two = hashlib.sha256(), hashlib.sha256(b"a\\nb")
        >>> hash_lines(one, [["a"], ["b"]])
        >>> one.digest() == two.digest()
        True
    """
    for number, block in enumerate(blocks):
        digest.update(("\n" * (number > 0) + "\n".join(block)).encode())
