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
        if not (done.all() and piece.symbols.isascii() and _all_named(piece.ids)):
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
    breaks = stops[values[stops] == ord("\n")]
    bounds = np.concatenate([[0], breaks, [len(raw)]])
    is_header = np.zeros(len(bounds) - 1, dtype=bool)
    is_header[1:] = values[np.minimum(breaks + 1, len(raw) - 1)] == ord(">")
    bodies = _texts(raw, bounds).filter(pa.array(~is_header))
    symbols = bodies.buffers()[2].to_pybytes().replace(b"\n", b"")
    widths = np.diff(bounds) - 1  # without the break
    widths[0] += 1
    if b" " in symbols or b"\t" in symbols:
        symbols = symbols.translate(None, _BLANKS)
        filled = np.concatenate([[0], np.cumsum(~np.isin(values, list(_BLANKS)))])
        widths = np.diff(filled[bounds])
    widths[is_header] = 0
    headers = np.flatnonzero(is_header)
    ids = _ids(raw, bounds[headers] + 2, bounds[headers + 1], stops, id_rule)
    return RecordColumns(ids, symbols, np.add.reduceat(widths, np.concatenate([[0], headers])))


def _ids(
    raw: bytes, starts: np.ndarray, ends: np.ndarray, stops: np.ndarray, id_rule: IdRule
) -> pa.Array:
    """The ids in titles; see :func:`bionn.formats.fasta.record_ids`.

    Args:
        raw: the text.
        starts: where each title begins in it.
        ends: where its line ends.
        stops: where any blank, line break or control character stands.
        id_rule: which part is the id.
    """
    values = np.frombuffer(raw, dtype=np.uint8)
    first, last = values[starts[starts < ends]], values[(ends - 1)[starts < ends]]
    kinds = values[stops]
    plain = raw.isascii() and ((kinds == 32) | (kinds == 10) | (kinds == 9)).all()
    if not plain or (first <= ord(" ")).any() or (last <= ord(" ")).any():
        titles = [raw[start:end].decode() for start, end in zip(starts, ends, strict=True)]
        return pa.array(record_ids(titles, id_rule), type=pa.large_string())
    if id_rule == "first":
        ends = np.append(stops, len(raw))[np.searchsorted(stops, starts)]
    between = np.column_stack([starts, ends]).ravel()
    return _texts(raw, between).filter(pa.array(np.arange(max(len(between) - 1, 0)) % 2 == 0))


def _texts(raw: bytes, bounds: np.ndarray) -> pa.Array:
    """The texts between neighbouring bounds."""
    return pa.LargeStringArray.from_buffers(
        max(len(bounds) - 1, 0), pa.py_buffer(bounds), pa.py_buffer(raw)
    )
