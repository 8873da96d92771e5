"""64-bit hashes of texts that Arrow holds, for all at once, and what they find: repeats, partners."""

# pyright: reportAttributeAccessIssue=false
# (the functions of pyarrow.compute are made when it is imported)

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pandas.util import hash_array

from bionn.formats.texts import TEXT, letters_of, one_chunk

_ROWS = 1 << 14
"""Texts hashed or looked up at a time."""

_LONG = 256
"""Bytes from which on a text is hashed by itself."""

_KEPT = np.array([(1 << 8 * count) - 1 for count in range(9)], dtype=np.uint64)
"""What is left of a word of which so many bytes belong to a text."""

_SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""2**64 over the golden ratio: numbers that differ little become words that differ as no texts do."""


def text_hashes(texts: pa.LargeStringArray) -> np.ndarray:
    """A hash of each text, ``uint64 (N,)``: equal for equal texts within a process.

    Upon the length the text's words of 8 bytes are mixed in one by one, each time by the one-to-one
    function with which pandas hashes a number: texts of at most 8 bytes and one length never have
    the same hash, and others by chance alone.

    Args:
        texts: N of them, none missing.

    Example:
        >>> a, b, c = text_hashes(pa.array(["read10", "read11", "read10"], pa.large_string()))
        >>> bool(a == c), bool(a == b)
        (True, False)
    """
    if not len(texts):
        return np.empty(0, dtype=np.uint64)
    bounds = np.frombuffer(texts.buffers()[1], dtype=np.int64)
    bounds = bounds[texts.offset : texts.offset + len(texts) + 1]
    starts, lengths = bounds[:-1] - bounds[0], np.diff(bounds)
    letters = np.frombuffer(bytes(letters_of(texts)) + bytes(8), dtype=np.uint8)
    # a word begins at every byte
    words = np.ndarray(len(letters) - 7, "<u8", letters, strides=(1,))
    hashes = lengths.astype(np.uint64) * _SPREAD
    longest = int(lengths.max())
    for first in range(0, min(longest, _LONG), 8):
        left = lengths - first
        if left.min() > 0:
            word = words[starts + first] & _KEPT[np.minimum(left, 8)]
            hashes = _mixed(hashes ^ word)
        else:
            rows = np.flatnonzero(left > 0)
            word = words[starts[rows] + first] & _KEPT[np.minimum(left[rows], 8)]
            hashes[rows] = _mixed(hashes[rows] ^ word)
    if longest > _LONG:
        rows = np.flatnonzero(lengths > _LONG)
        found = map(hash, texts.take(pa.array(rows)).to_pylist())
        hashes[rows] = np.fromiter(found, dtype=np.int64, count=len(rows)).view(np.uint64)
    return hashes


def _mixed(words: np.ndarray) -> np.ndarray:
    """Each of some words of 64 bits as another one."""
    return cast(Any, hash_array)(words)


def hashes_of(texts: pa.ChunkedArray) -> np.ndarray:
    """The same of texts in chunks, some at a time: 8 bytes a text are all that is needed."""
    hashes = np.empty(len(texts), dtype=np.uint64)
    for first, some in _blocks(texts):
        hashes[first : first + len(some)] = text_hashes(some)
    return hashes


def all_different(texts: pa.ChunkedArray) -> bool:
    """Whether no text stands twice (False also if two hashes of 64 bits happen to be equal).

    Eight bytes a text are needed, a tenth of what a set needs.

    Example:
        >>> [all_different(pa.chunked_array([["a"], [name]], TEXT)) for name in "ba"]
        [True, False]
    """
    ordered = hashes_of(texts)
    ordered.sort()
    return not (ordered[1:] == ordered[:-1]).any()


def rows_of(texts: pa.ChunkedArray, among: pa.ChunkedArray) -> np.ndarray:
    """The row of each text in other texts: ``int32 (N,)``, -1 where it is none; of equal ones the first.

    The first bits of each text's hash and its row are one number of 64 bits, and these are sorted: a
    table of hashes would need five times the memory. That two texts of the same bits are equal is
    checked; others are not looked at, however long they are.

    Example:
        >>> one, other = (pa.chunked_array([names], TEXT) for names in (["b", "x"], ["a", "b"]))
        >>> rows_of(one, other).tolist()
        [1, -1]
    """
    found = np.full(len(texts), -1, dtype=np.int32)
    if not len(among):
        return found
    row_bits = np.uint64((1 << len(among).bit_length()) - 1)
    keys = hashes_of(among)
    keys &= ~row_bits
    for first in range(0, len(keys), _ROWS):
        some = keys[first : first + _ROWS]
        some |= np.arange(first, first + len(some), dtype=np.uint64)
    keys.sort()
    whole = one_chunk(among)
    for first, block in _blocks(texts):
        wanted = text_hashes(block) & ~row_bits
        places = np.searchsorted(keys, wanted)
        left = np.arange(len(block))  # those whose next candidate is to be looked at
        while len(left):
            candidates = keys[np.minimum(places[left], len(keys) - 1)]
            alike = (places[left] < len(keys)) & (candidates & ~row_bits == wanted[left])
            left, rows = left[alike], (candidates[alike] & row_bits).astype(np.int64)
            texts_alike = block.take(pa.array(left))
            equal = pc.equal(whole.take(pa.array(rows)), texts_alike).to_numpy(zero_copy_only=False)
            found[first + left[equal]] = rows[equal]
            left = left[~equal]
            places[left] += 1
    return found


def _blocks(texts: pa.ChunkedArray) -> Iterator[tuple[int, pa.LargeStringArray]]:
    """The texts some at a time, and the number of the first of them."""
    done = 0
    for chunk in texts.chunks:
        for start in range(0, len(chunk), _ROWS):
            some = chunk[start : start + _ROWS].cast(TEXT)
            yield done, some
            done += len(some)
