"""Ids kept apart in a stream: of equal ids the first stays, the others become ``id#2``, ``id#3``, ..."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SPILLED = 1 << 20
"""From how many ids on a sorted run of hashes lies in a temporary file and not in memory."""

_FAN = 16
"""How many runs of one size are merged into one."""

_BITS = 1 << 27
"""Of the filter (16 MB) that spares nearly every new id the search in the runs."""


class UniqueIds:
    """Renames repeated ids, a block at a time.

    What went before is remembered as 64-bit hashes in sorted runs, 8 bytes an id; large runs lie in
    an unnamed temporary file, so that memory stays constant. A Bloom filter stands before them.
    Two different ids of one hash, the second of which is renamed for nothing, are a matter of
    chance from some 10**9 ids on.

    Args:
        folder: where the temporary file is made, if need be; the system's own when None.

    Attributes:
        renamed: how many ids were renamed so far.

    Example:
        >>> unique = UniqueIds()
        >>> unique(["a", "b", "a"]), unique(["c", "a", "b"])
        (['a', 'b', 'a#2'], ['c', 'a#3', 'b#2'])
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.renamed = 0
        self._runs: list[np.ndarray] = []
        self._filter = np.zeros(_BITS // 8, dtype=np.uint8)  # takes memory only where it is used

    def __call__(self, ids: list[str]) -> list[str]:
        """The ids of the next block, all different from each other and from those before."""
        ordered = np.sort(_hashes(ids))
        known = self._holds(ordered)
        if known.any() or (ordered[1:] == ordered[:-1]).any():
            ids = self._renamed(ids, set(ordered[known].tolist()))
            ordered = np.sort(_hashes(ids))
        if ids:
            self._add(ordered)
        return ids

    def _renamed(self, ids: list[str], known: set[int]) -> list[str]:
        """The ids with those renamed that stand before in the block, or are known by their hash."""
        counted = Counter(ids)
        often = [name for name, count in counted.items() if count > 1 or hash(name) in known]
        before = self._counts(often)
        blocked: set[str] = set()  # new names that stand in the runs; hardly ever one
        while True:
            result, taken, counts = [], set(), dict(before)
            for name in ids:
                count = counts.get(name, 0) + 1
                new = name if count == 1 else f"{name}#{count}"
                while new in taken or new in blocked:
                    count += 1
                    new = f"{name}#{count}"
                counts[name] = count
                taken.add(new)
                result.append(new)
            made = [new for name, new in zip(ids, result, strict=True) if new is not name]
            hashes = np.sort(_hashes(made))
            held = set(hashes[self._holds(hashes)].tolist())
            if not held:
                self.renamed += len(made)
                return result
            blocked.update(new for new in made if hash(new) in held)

    def _counts(self, names: list[str]) -> dict[str, int]:
        """How often each name occurred: n such that ``name#n`` is taken and ``name#(n+1)`` is not.

        The n are sought by doubling and then halving, for all names at once.
        """
        low = np.zeros(len(names), dtype=np.int64)
        step = np.ones(len(names), dtype=np.int64)
        growing = np.ones(len(names), dtype=bool)
        while step.any():
            tried = low + step
            held = self._named(names, tried) & (step > 0)
            low = np.where(held, tried, low)
            growing &= held
            step = np.where(growing, 2 * step, step // 2)
        return dict(zip(names, low.tolist(), strict=True))

    def _named(self, names: list[str], numbers: np.ndarray) -> np.ndarray:
        """Whether each name with its number is taken."""
        numbered = zip(names, numbers.tolist(), strict=True)
        hashes = _hashes([name if n == 1 else f"{name}#{n}" for name, n in numbered])
        order = np.argsort(hashes)
        found = np.empty(len(names), dtype=bool)
        found[order] = self._holds(hashes[order])
        return found

    def _holds(self, ordered: np.ndarray) -> np.ndarray:
        """Which of some sorted hashes stand in the runs."""
        found = np.ones(len(ordered), dtype=bool)
        for byte, bit in _bits(ordered):
            found &= self._filter[byte] & bit != 0
        rows = np.flatnonzero(found)
        wanted, here = ordered[rows], np.zeros(len(rows), dtype=bool)
        for run in self._runs if rows.size else ():
            places = np.searchsorted(run, wanted)
            here |= run[np.minimum(places, len(run) - 1)] == wanted
        found[rows] = here
        return found

    def _add(self, ordered: np.ndarray) -> None:
        """Take sorted hashes in; merge runs of about one size when there are many."""
        for byte, bit in _bits(ordered):
            np.bitwise_or.at(self._filter, byte, bit)
        self._runs.append(self._kept(ordered))
        while len(peers := self._runs[-_FAN:]) == _FAN and len(peers[0]) < 2 * len(peers[-1]):
            if len(peers[-1]) >= SPILLED:
                return
            self._runs[-_FAN:] = [self._kept(np.sort(np.concatenate(peers)))]

    def _kept(self, run: np.ndarray) -> np.ndarray:
        """A run in memory, or in a file where it is long."""
        if len(run) < SPILLED:
            return run
        with tempfile.TemporaryFile(dir=self.folder) as file:
            stored = np.memmap(file, dtype=run.dtype, shape=run.shape)
        stored[:] = run
        return stored


def _bits(hashes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Two places of the filter for each hash: the byte, and the bit in it."""
    for shift in (0, 32):
        place = hashes >> shift & _BITS - 1
        yield place >> 3, np.uint8(1) << (place & 7).astype(np.uint8)


def _hashes(ids: list[str]) -> np.ndarray:
    return np.fromiter(map(hash, ids), dtype=np.int64, count=len(ids))
