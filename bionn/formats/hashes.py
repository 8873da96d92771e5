"""64-bit hashes of texts that Arrow holds, for all at once: none becomes a Python object."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from pandas.util import hash_array

from bionn.formats.texts import letters_of

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
            hashes = hash_array(hashes ^ word)
        else:
            rows = np.flatnonzero(left > 0)
            word = words[starts[rows] + first] & _KEPT[np.minimum(left[rows], 8)]
            hashes[rows] = hash_array(hashes[rows] ^ word)
    if longest > _LONG:
        rows = np.flatnonzero(lengths > _LONG)
        found = map(hash, texts.take(pa.array(rows)).to_pylist())
        hashes[rows] = np.fromiter(found, dtype=np.int64, count=len(rows)).view(np.uint64)
    return hashes
