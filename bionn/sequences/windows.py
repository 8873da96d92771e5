"""Sliding windows over sequences of any length, which may come in pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bionn.errors import InputError


@dataclass(frozen=True)
class Windows:
    """Windows of one size, each so many positions behind the one before.

    The windows of a sequence begin at 0, ``stride``, 2 ``stride``, ... as long as they fit. Where the
    last of them does not end with the sequence, one more does. A sequence shorter than a window has
    a single one, of its own length.

    Attributes:
        size: positions a window.
        stride: positions from the start of a window to that of the next.

    Raises:
        InputError: a size or stride below 1.
    """

    size: int
    stride: int

    def __post_init__(self) -> None:
        for name, value in (("window", self.size), ("stride", self.stride)):
            if value < 1:
                raise InputError(f"{name}: a number from 1 needed, {value} found; choose more")


class Cut(NamedTuple):
    """W windows in the order of the sequences and of their starts.

    Attributes:
        codes: the codes that the windows are in, one sequence after another, ``uint8``.
        offsets: where each window begins in ``codes``, ``int64 (W,)``.
        lengths: how long each is: the size, but for sequences that are shorter, ``int64 (W,)``.
        sequences: the number of each window's sequence in the block, ``int64 (W,)``.
        starts: where each begins in its sequence, from 0, ``int64 (W,)``.
    """

    codes: np.ndarray
    offsets: np.ndarray
    lengths: np.ndarray
    sequences: np.ndarray
    starts: np.ndarray

    def flat_codes(self) -> np.ndarray:
        """The windows' codes, one window after another, ``uint8 (sum of lengths,)``."""
        if not len(self.lengths):
            return self.codes[:0]
        size = int(self.lengths[0])
        if (self.lengths == size).all():
            return np.lib.stride_tricks.sliding_window_view(self.codes, size)[self.offsets].ravel()
        place = np.arange(int(self.lengths.sum())) - np.repeat(
            np.cumsum(self.lengths) - self.lengths - self.offsets, self.lengths
        )
        return self.codes[place]


class WindowCutter:
    """Finds the windows of sequences, block by block; remembers the end of an unfinished sequence.

    Example:
        >>> cutter = WindowCutter(Windows(size=4, stride=3))
        >>> cutter.cut(np.zeros(12, np.uint8), [12], unfinished=True).starts
        array([0, 3, 6])
        >>> cutter.cut(np.zeros(2, np.uint8), [2], continues=True).starts
        array([ 9, 10])
    """

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self._rest = np.empty(0, dtype=np.uint8)
        self._origin = 0  # where in its sequence the rest begins
        self._next = 0  # where its next window begins

    def cut(
        self,
        codes: np.ndarray,
        lengths: np.ndarray | list[int],
        *,
        continues: bool = False,
        unfinished: bool = False,
    ) -> Cut:
        """The windows that these sequences, or pieces of sequences, complete.

        Args:
            codes: their codes one after another, ``uint8``.
            lengths: the length of each.
            continues: whether the first goes on where the last of the block before stopped.
            unfinished: whether the last goes on in the next block.
        """
        size, stride = self.windows.size, self.windows.stride
        lengths = np.array(lengths, dtype=np.int64)
        origin, begin = np.zeros_like(lengths), np.zeros_like(lengths)
        if continues:
            codes = np.concatenate([self._rest, codes])
            lengths[0] += len(self._rest)
            origin[0], begin[0] = self._origin, self._next
        ends = origin + lengths  # where in its sequence what is here ends
        counts = np.maximum((ends - size - begin) // stride + 1, 0)
        finished = np.ones(len(lengths), dtype=bool)
        finished[-1] = not unfinished
        # The last window's end is one stride before that of the window that would be next.
        covered = begin + (counts - 1) * stride + size
        extra = finished & ((ends != covered) | (counts + begin == 0)) & (lengths > 0)

        sequences = np.repeat(np.arange(len(lengths)), counts + extra)
        first = np.cumsum(counts + extra) - (counts + extra)
        starts = begin[sequences] + (np.arange(len(sequences)) - first[sequences]) * stride
        last = (first + counts)[extra]
        starts[last] = np.maximum(ends - size, 0)[extra]
        within = starts - origin[sequences]
        offsets = (np.cumsum(lengths) - lengths)[sequences] + within
        sizes = np.minimum(ends[sequences] - starts, size)
        if unfinished:
            self._next = int(begin[-1] + counts[-1] * stride)
            kept = int(min(self._next, max(ends[-1] - size, 0)))
            self._rest = codes[len(codes) - int(ends[-1] - max(kept, origin[-1])) :].copy()
            self._origin = int(ends[-1]) - len(self._rest)
        return Cut(codes, offsets, sizes, sequences, starts)
