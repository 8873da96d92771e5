"""Many sequences in one buffer, a byte a symbol: a million cost their letters, not a million objects."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import overload

import numpy as np

BLOCK = 1 << 18
"""Symbols handled at a time where a copy is made."""

_ITSELF = bytes(range(256))


@dataclass(eq=False)
class SymbolBuffer:
    """A growing buffer of symbols that views of it share.

    Attributes:
        symbols: the symbols, one sequence after the other, a byte each.
        stands_for: the ASCII symbol that each of the 256 byte values stands for; None: itself.
    """

    symbols: bytearray = field(default_factory=bytearray)
    stands_for: bytes | None = None

    def add(self, sequences: Sequence[str]) -> None:
        """Put some sequences behind the others (before anything was recoded)."""
        assert self.stands_for is None
        self.symbols += "".join(sequences).encode("ascii")

    def text(self, start: int, end: int) -> bytes:
        """The symbols in between, as ASCII."""
        piece = self.symbols[start:end]
        return bytes(piece if self.stands_for is None else piece.translate(self.stands_for))


class PackedSequences(Sequence[str]):
    """N sequences of ASCII symbols that behave like a list of texts and can be shared and cut.

    Slices, masks and row numbers give views of the same buffer.

    Args:
        buffer: where the symbols are.
        starts: where each sequence begins in it, ``(N,)`` of the integers that the buffer needs.
        lengths: how long each is, ``(N,)``, likewise.

    Example:
        >>> packed = PackedSequences.pack(["ACGT", "gg", "TTA"])
        >>> packed[1], list(packed[np.array([True, False, True])])
        ('gg', ['ACGT', 'TTA'])
    """

    def __init__(self, buffer: SymbolBuffer, starts: np.ndarray, lengths: np.ndarray) -> None:
        self.buffer = buffer
        self.starts = starts
        self.lengths = lengths

    @classmethod
    def pack(cls, sequences: Iterable[str]) -> PackedSequences:
        """Texts that are somewhere else, copied.

        Raises:
            UnicodeEncodeError: a symbol is not ASCII.
        """
        packer = Packer()
        packer.add(list(sequences))
        return packer.packed()

    @classmethod
    def concatenate(cls, pieces: Sequence[PackedSequences]) -> PackedSequences:
        """The sequences of all pieces; nothing is copied if these are views of one buffer."""
        buffer, lengths = pieces[0].buffer, np.concatenate([piece.lengths for piece in pieces])
        if all(piece.buffer is buffer for piece in pieces):
            return cls(buffer, np.concatenate([piece.starts for piece in pieces]), lengths)
        whole = SymbolBuffer()
        for block in (block for piece in pieces for block in piece.blocks()):
            whole.add(block)
        return cls(whole, *_placed(whole, lengths))

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice | np.ndarray) -> PackedSequences: ...
    def __getitem__(self, index: int | slice | np.ndarray) -> str | PackedSequences:
        if isinstance(index, (slice, np.ndarray)):
            return PackedSequences(self.buffer, self.starts[index], self.lengths[index])
        start = int(self.starts[index])
        return self.buffer.text(start, start + int(self.lengths[index])).decode("ascii")

    def __iter__(self) -> Iterator[str]:
        for block in self.blocks():
            text = _joined(block).translate(self.buffer.stands_for).decode("ascii")
            end = 0
            for length in block.lengths.tolist():
                start, end = end, end + length
                yield text[start:end]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"PackedSequences({len(self)} sequences, {int(self.lengths.sum())} symbols)"

    def blocks(self) -> Iterator[PackedSequences]:
        """Consecutive views of at most :data:`BLOCK` symbols, or of one sequence."""
        ends, start = np.cumsum(self.lengths), 0
        while start < len(self):
            before = int(ends[start - 1]) if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, before + BLOCK, side="right")))
            yield self[start:stop]
            start = stop

    def recode(self, codes: bytes, stands_for: bytes) -> None:
        """Store codes instead of symbols from now on, in the same bytes: in every view of the buffer.

        The texts stay the same as far as ``stands_for`` undoes ``codes``: an alphabet forgets case
        and synonyms.

        Args:
            codes: the code of each of the 256 byte values.
            stands_for: the ASCII symbol of each code.
        """
        symbols = self.buffer.symbols
        if self.buffer.stands_for == stands_for:
            return
        if self.buffer.stands_for is not None:
            codes = self.buffer.stands_for.translate(codes)
        for start in range(0, len(symbols), BLOCK):
            symbols[start : start + BLOCK] = symbols[start : start + BLOCK].translate(codes)
        self.buffer.stands_for = stands_for

    def translated(self, table: bytes) -> np.ndarray:
        """All symbols, one sequence after the other, each replaced by its entry in a table.

        Args:
            table: 256 bytes: what becomes of each ASCII symbol.

        Returns:
            ``uint8 (sum of lengths,)``: a view of the buffer where it holds just these bytes
            already, not to be written to.
        """
        if self.buffer.stands_for is not None:
            table = self.buffer.stands_for.translate(table)
        ends = self.starts + self.lengths
        together = bool(len(self)) and bool((self.starts[1:] == ends[:-1]).all())
        if together and (self.buffer.stands_for is not None or table == _ITSELF):
            stored = np.frombuffer(self.buffer.symbols, dtype=np.uint8)
            stored = stored[int(self.starts[0]) : int(ends[-1])]
            if all(table[value] == value for value in _values(stored)):
                return stored
        found = np.empty(int(self.lengths.sum()), dtype=np.uint8)
        filled = 0
        for piece in self._stretches() if together else map(_joined, self.blocks()):
            found[filled : filled + len(piece)] = np.frombuffer(piece.translate(table), np.uint8)
            filled += len(piece)
        return found

    def _stretches(self) -> Iterator[bytearray]:
        """The bytes stored, of sequences that stand one after the other, some at a time."""
        first, last = int(self.starts[0]), int(self.starts[-1] + self.lengths[-1])
        for start in range(first, last, BLOCK):
            yield self.buffer.symbols[start : min(start + BLOCK, last)]


class Packer:
    """Packs sequences as they come, those of several files into one buffer.

    Example:
        >>> packer = Packer()
        >>> packer.add(["ACGT"])
        >>> first = packer.packed()
        >>> packer.add(["GG", "T"])
        >>> list(first), list(packer.packed())
        (['ACGT'], ['GG', 'T'])
    """

    def __init__(self) -> None:
        self._buffer = SymbolBuffer()
        self._lengths = array(
            "q"
        )  # of one block: many small ones would keep memory from the system
        self._start = 0

    def add(self, sequences: Sequence[str]) -> None:
        """Put some sequences behind the others.

        Raises:
            UnicodeEncodeError: a symbol is not ASCII.
        """
        self._buffer.add(sequences)
        self._lengths.extend(map(len, sequences))

    def add_symbols(self, symbols: bytes, lengths: np.ndarray) -> None:
        """Put symbols behind the others: the rest of the last sequence, then N sequences.

        Args:
            symbols: ASCII, one sequence after the other.
            lengths: how many of them belong to the last sequence of what was added before, then to
                each of the N: ``int64 (N + 1,)``.
        """
        self._buffer.symbols += symbols
        if lengths[0]:
            self._lengths[-1] += int(lengths[0])
        self._lengths.frombytes(lengths[1:].astype(np.int64).tobytes())

    def packed(self) -> PackedSequences:
        """What has been added since this was last asked for."""
        lengths = np.frombuffer(self._lengths, dtype=np.int64)
        first, self._start, self._lengths = self._start, len(self._buffer.symbols), array("q")
        return PackedSequences(self._buffer, *_placed(self._buffer, lengths, first))


def _placed(
    buffer: SymbolBuffer, lengths: np.ndarray, first: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Starts and lengths of sequences that stand one after the other from some symbol on.

    Numbers of 32 bits are enough for most buffers, and a million of either then cost 4 MB.
    """
    kind = np.int32 if len(buffer.symbols) < 2**31 else np.int64
    lengths = lengths.astype(kind)
    starts = np.cumsum(lengths, dtype=kind)
    starts -= lengths
    starts += kind(first)
    return starts, lengths


def _joined(packed: PackedSequences) -> bytes:
    """The bytes stored, one sequence after the other."""
    symbols, ends = packed.buffer.symbols, packed.starts + packed.lengths
    pairs = zip(packed.starts.tolist(), ends.tolist(), strict=True)
    return b"".join([symbols[start:end] for start, end in pairs])


def _values(stored: np.ndarray) -> list[int]:
    """Which of the 256 byte values occur."""
    counts = np.zeros(256, dtype=np.int64)
    for start in range(0, len(stored), BLOCK):
        counts += np.bincount(stored[start : start + BLOCK], minlength=256)
    return np.flatnonzero(counts).tolist()


def lengths_of(sequences: Sequence[str]) -> np.ndarray:
    """How long each is, ``(N,)``."""
    if isinstance(sequences, PackedSequences):
        return sequences.lengths
    return np.fromiter(map(len, sequences), dtype=np.int64, count=len(sequences))


def as_packed(sequences: Sequence[str]) -> PackedSequences:
    """The sequences themselves where they are packed already, else a packed copy.

    Raises:
        UnicodeEncodeError: a symbol is not ASCII.
    """
    if isinstance(sequences, PackedSequences):
        return sequences
    return PackedSequences.pack(sequences)
