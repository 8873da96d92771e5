"""Ids kept apart in a stream: of equal ids the first stays, the others become ``id#2``, ``id#3``, ..."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

from bionn.formats.hashes import text_hashes
from bionn.formats.texts import TEXT

SPILLED = 1 << 20
"""From how many ids on a sorted run of hashes lies in a temporary file and not in memory."""

_FAN = 16
"""How many runs of one size are merged into one."""

_WORDS = 1 << 21
"""Of 64 bits each, in the filter (16 MB) that spares nearly every new id the search in the runs."""


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
        self._filter = np.zeros(_WORDS, dtype=np.uint64)  # takes memory only where it is used

    def __call__(self, ids: list[str]) -> list[str]:
        """The ids of the next block, all different from each other and from those before."""
        return self.renaming(pa.array(ids, type=TEXT)).to_pylist() if ids else ids

    def renaming(self, ids: pa.LargeStringArray) -> pa.LargeStringArray:
        """The same with ids that Arrow holds, none of which becomes Python's unless some repeat."""
        hashes = text_hashes(ids)
        ordered = np.sort(hashes)
        places = _places(ordered)
        known = self._holds(ordered, places)
        if known.any() or (ordered[1:] == ordered[:-1]).any():
            renamed = self._renamed(ids.to_pylist(), hashes, set(ordered[known].tolist()))
            ids = pa.array(renamed, type=TEXT)
            ordered = np.sort(text_hashes(ids))
            places = _places(ordered)
        if len(ids):
            self._add(ordered, places)
        return ids

    def _renamed(self, ids: list[str], hashes: np.ndarray, known: set[int]) -> list[str]:
        """The ids with those renamed that stand before in the block, or are known by their hash."""
        counted, hash_of = Counter(ids), dict(zip(ids, hashes.tolist(), strict=True))
        often = [name for name, count in counted.items() if count > 1 or hash_of[name] in known]
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
            held = self._stand(made)
            if not held.any():
                self.renamed += len(made)
                return result
            blocked.update(new for new, stands in zip(made, held.tolist(), strict=True) if stands)

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
        return self._stand([name if n == 1 else f"{name}#{n}" for name, n in numbered])

    def _stand(self, names: list[str]) -> np.ndarray:
        """Which of some names stand in the runs."""
        hashes = text_hashes(pa.array(names, type=TEXT))
        order = np.argsort(hashes)
        found = np.empty(len(names), dtype=bool)
        ordered = hashes[order]
        found[order] = self._holds(ordered, _places(ordered))
        return found

    def _holds(self, ordered: np.ndarray, places: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """Which of some sorted hashes stand in the runs; their places in the filter are known."""
        words, bits = places
        found = self._filter[words] & bits == bits
        rows = np.flatnonzero(found)
        wanted, here = ordered[rows], np.zeros(len(rows), dtype=bool)
        for run in self._runs if rows.size else ():
            nearest = np.minimum(np.searchsorted(run, wanted), len(run) - 1)
            here |= run[nearest] == wanted
        found[rows] = here
        return found

    def _add(self, ordered: np.ndarray, places: tuple[np.ndarray, np.ndarray]) -> None:
        """Take sorted hashes in; merge runs of about one size when there are many."""
        words, bits = places
        firsts = np.append(0, np.flatnonzero(words[1:] != words[:-1]) + 1)  # equals are neighbours
        self._filter[words[firsts]] |= np.bitwise_or.reduceat(bits, firsts)
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


def _places(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The word of the filter for each of some sorted hashes, in ascending order, and bits in it."""
    words = (ordered >> np.uint64(64 - _WORDS.bit_length() + 1)).astype(np.int64)
    one, last = np.uint64(1), np.uint64(63)
    bits = one << (ordered & last)
    for shift in (6, 12):
        bits |= one << (ordered >> np.uint64(shift) & last)
    return words, bits
