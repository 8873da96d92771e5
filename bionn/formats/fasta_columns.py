"""FASTA files as columns of ids, symbols and lengths: fast, for no record becomes a Python object."""

# pyright: reportAttributeAccessIssue=false
# (the functions of pyarrow.compute are made when it is imported)

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bionn.formats.fasta import (
    COMMENT,
    IdRule,
    after_newlines,
    read_blocks,
    record_ids,
    refuse_start,
)
from bionn.formats.text import existing_file
from bionn.formats.texts import TEXT, letters_of

_BLANKS = b"\n \t"

_BLOCK = 1 << 19
"""Bytes handled at a time: calls cost little beside them, and they stay in a processor's cache."""


@dataclass(frozen=True)
class RecordColumns:
    """The records that begin in a piece of a file, and the rest of the one that began before it.

    Attributes:
        ids: of the N records that begin, a string array ``(N,)``; they may repeat.
        symbols: the ASCII symbols of the rest and of all N, one after the other, nothing between.
        lengths: how many of them are the rest's, then how many are each record's: ``int64 (N + 1,)``.
            The last record may go on in the next piece.
    """

    ids: pa.Array
    symbols: bytes
    lengths: np.ndarray


def read_columns(path: str | Path, *, id_rule: IdRule = "first") -> Iterator[RecordColumns]:
    """The records of a FASTA file piece by piece; what is read and refused is as in
    :func:`bionn.formats.fasta.read_blocks`, whose messages are raised at the end at the latest.

    Args:
        path: the file; it is read again for a message.
        id_rule: ``first``: the id is the header's first word; ``full``: all of it.

    Raises:
        InputError: no such file.
        FormatError: the file is damaged or no FASTA; says file and line.
    """
    path = existing_file(path)
    records, length = 0, 0  # so many have begun; so long is the last of them up to now
    for text, line in after_newlines(path, size=_BLOCK):
        piece = _columns(COMMENT.sub("", text) if ";" in text else text, id_rule)
        if not records and piece.lengths[0]:
            before = int(piece.lengths[0])
            if piece.symbols[:before].decode().strip():
                refuse_start(path, text, line)
            piece.lengths[0] = 0  # a form feed or the like
            piece = replace(piece, symbols=piece.symbols[before:])
        lengths = piece.lengths.copy()
        lengths[0] += length
        done, length = lengths[:-1] if records else lengths[1:-1], int(lengths[-1])
        records += len(piece.ids)
        ascii = text.isascii() or piece.symbols.isascii()
        if not (done.all() and ascii and _all_named(piece.ids)):
            _refuse(path, id_rule)
        yield piece
    if not length:
        _refuse(path, id_rule)


def _refuse(path: Path, id_rule: IdRule) -> None:
    """Read record by record, which tells what is wrong and where."""
    deque(read_blocks(path, id_rule=id_rule), maxlen=0)
    raise AssertionError(f"{path}: changed while it was read")


def _all_named(ids: pa.Array) -> bool:
    return not len(ids) or pc.min(pc.binary_length(ids)).as_py() > 0


def _columns(text: str, id_rule: IdRule) -> RecordColumns:
    """The records in a text in which each line comes after its break.

    Example:
        >>> piece = _columns("GG\\n>a x\\nAC\\nGT\\n>b\\nTT", "first")
        >>> piece.ids.to_pylist(), piece.symbols, piece.lengths.tolist()
        (['a', 'b'], b'GGACGTTT', [2, 4, 2])
    """
    raw = text.encode()
    values = np.frombuffer(raw, dtype=np.uint8)
    stops = np.flatnonzero(values <= ord(" "))
    kinds = values[stops]
    ends = np.flatnonzero(kinds == ord("\n"))  # numbers of stops
    breaks = stops[ends]
    headers = np.flatnonzero(values[np.minimum(breaks + 1, len(raw) - 1)] == ord(">"))
    starts, lines = breaks[headers] + 2, np.append(breaks, len(raw))[headers + 1]
    ids = _ids(text, raw, (starts, lines), (stops, kinds, ends[headers] + 1), id_rule)

    # what stands between two headers, from behind the break after the first on
    begins = np.append(0, lines + 1)
    closes = np.append(breaks[headers], len(raw))
    begins = np.minimum(begins, closes)
    symbols = bytes(letters_of(_between(raw, begins, closes)))
    widths = closes - begins
    if b" " in symbols or b"\t" in symbols:
        symbols = symbols.translate(None, _BLANKS)
        filled = np.append(0, np.cumsum(~np.isin(values, list(_BLANKS))))
        widths = filled[closes] - filled[begins]
    elif b"\n" in symbols:
        symbols = symbols.replace(b"\n", b"")
        inside = np.diff(headers, prepend=-2, append=len(breaks)) - 2  # breaks of wrapped sequences
        widths -= np.maximum(inside, 0)
    return RecordColumns(ids, symbols, widths)


def _ids(
    text: str,
    raw: bytes,
    titles: tuple[np.ndarray, np.ndarray],
    blanks: tuple[np.ndarray, np.ndarray, np.ndarray],
    id_rule: IdRule,
) -> pa.LargeStringArray:
    """The ids in titles; see :func:`bionn.formats.fasta.record_ids`.

    Args:
        text: the text.
        raw: its bytes.
        titles: where each title begins in them, and where its line ends.
        blanks: where any blank, line break or control character stands; what it is; and the number of
            the first of them that each title does not begin behind.
        id_rule: which part is the id.
    """
    (starts, ends), (stops, kinds, first_stops) = titles, blanks
    values = np.frombuffer(raw, dtype=np.uint8)
    filled = starts < ends
    first, last = values[starts[filled]], values[ends[filled] - 1]
    plain = text.isascii() and ((kinds == 10) | (kinds == 32) | (kinds == 9)).all()
    if not plain or (first <= ord(" ")).any() or (last <= ord(" ")).any():
        found = [raw[start:end].decode() for start, end in zip(starts, ends, strict=True)]
        return pa.array(record_ids(found, id_rule), type=TEXT)
    if id_rule == "first":
        ends = np.append(stops, len(raw))[first_stops]
    return _between(raw, starts, ends)


def _between(raw: bytes, starts: np.ndarray, ends: np.ndarray) -> pa.LargeStringArray:
    """The texts from each start to the end that belongs to it, in ascending order."""
    bounds = np.empty(2 * len(starts), dtype=np.int64)
    bounds[::2], bounds[1::2] = starts, ends
    count = max(len(bounds) - 1, 0)
    pieces = pa.LargeStringArray.from_buffers(count, pa.py_buffer(bounds), pa.py_buffer(raw))
    wanted = np.zeros(count, dtype=bool)
    wanted[::2] = True
    return pieces.filter(pa.array(wanted))
