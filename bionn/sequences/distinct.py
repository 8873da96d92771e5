"""Which of many texts are equal: each numbered as it first appears, in some bytes a text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import islice

import numpy as np

_BLOCK = 256
"""Texts that are in memory at a time."""

_ROWS = 1 << 16
"""Rows looked up at a time."""


def number_distinct_texts(texts: Iterable[str]) -> np.ndarray:
    """Distinct texts numbered in order of appearance: a number a text, ``int32 (N,)``.

    Texts are told apart by digests of 128 bits, so that no more than these is in memory.

    Example:
        >>> number_distinct_texts(["b", "a", "b"]).tolist()
        [0, 1, 0]
    """
    heads, tails, left = bytearray(), bytearray(), iter(texts)
    while block := list(islice(left, _BLOCK)):
        joined = b"".join(
            [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in block]
        )
        halves = np.frombuffer(joined, dtype=np.uint64).reshape(-1, 2)
        heads += halves[:, 0].tobytes()
        tails += halves[:, 1].tobytes()
    first, second = np.frombuffer(heads, np.uint64), np.frombuffer(tails, np.uint64)
    stand_in = np.arange(len(first), dtype=np.int32)  # the first of the texts that are equal
    if rows := _rows_of_repeated(first):
        rows = np.concatenate(rows)
        order = np.lexsort((second[rows], first[rows]))  # stable: equal ones stay in order
        rows = rows[order]
        new = np.ones(len(rows), dtype=bool)
        new[1:] = (first[rows[1:]] != first[rows[:-1]]) | (second[rows[1:]] != second[rows[:-1]])
        stand_in[rows] = rows[new][np.cumsum(new) - 1]
    return _numbered(stand_in)


def _rows_of_repeated(values: np.ndarray) -> list[np.ndarray]:
    """The rows, in pieces, whose value stands in another row too."""
    ordered = np.sort(values)
    repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    del ordered
    found = []
    for start in range(0, len(values) if len(repeated) else 0, _ROWS):
        some = values[start : start + _ROWS]
        place = np.minimum(np.searchsorted(repeated, some), len(repeated) - 1)
        found.append(start + np.flatnonzero(repeated[place] == some))
    return found


def in_order(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers that say which rows are alike, as the numbers in order of appearance.

    Args:
        numbers: ``(N,)``, from 0 on, of which some may be missing.

    Returns:
        The first row of each number, ascending, and the number of each row, ``int32 (N,)``.

    Example:
        >>> firsts, again = in_order(np.array([7, 2, 7, 5]))
        >>> firsts.tolist(), again.tolist()
        ([0, 1, 3], [0, 1, 0, 2])
    """
    first_of = np.zeros(int(numbers.max(initial=-1)) + 1, dtype=np.int32)
    rows = np.arange(len(numbers), dtype=np.int32)
    first_of[numbers[::-1]] = rows[::-1]  # of several the last written, the first row, stays
    stand_in = first_of[numbers]
    return np.flatnonzero(stand_in == rows), _numbered(stand_in)


def _numbered(stand_in: np.ndarray) -> np.ndarray:
    """Numbers in order of appearance of rows for which the first row equal to them is known."""
    new = stand_in == np.arange(len(stand_in), dtype=np.int32)
    numbers = np.cumsum(new, dtype=np.int32)
    numbers -= 1
    return numbers[stand_in]


def stand_again(numbers: np.ndarray) -> np.ndarray:
    """Whether each number stands in another row too, ``bool (N,)``.

    Args:
        numbers: ``(N,)``, in order of appearance.

    Example:
        >>> stand_again(np.array([0, 1, 0, 2])).tolist()
        [True, False, True, False]
    """
    most = np.maximum.accumulate(numbers)
    several = np.zeros(int(numbers.max(initial=-1)) + 1, dtype=bool)
    several[numbers[1:][numbers[1:] <= most[:-1]]] = True
    return several[numbers]
