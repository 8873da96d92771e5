"""Records of a file as new samples in blocks, of which no sequence becomes a Python object."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from bionn.data.new_samples import Block
from bionn.formats.fasta import IdRule
from bionn.formats.sequence_files import record_finder, sequence_columns
from bionn.formats.texts import TEXT, Texts
from bionn.sequences.packed import PackedSequences, SymbolBuffer

Renaming = Callable[[pa.LargeStringArray], pa.LargeStringArray]
"""Told the ids of some records, gives those that they are to have."""


def packed_blocks(path: Path, id_rule: IdRule, rows: int, renaming: Renaming) -> Iterator[Block]:
    """The records of a FASTA or FASTQ file, at most so many at a time, each whole.

    Args:
        path: the file; it is read again for a message, so no pipe.
        id_rule: which part of a header is the id.
        rows: how many records a block holds at most.
        renaming: of ids.

    Raises:
        InputError: no such file.
        FormatError: as in :func:`bionn.formats.fasta.read_blocks`.
    """
    where, done = record_finder(path), 0
    ids: pa.LargeStringArray = pa.array([], type=TEXT)
    symbols = bytearray()  # of the record that goes on, if any, like the others
    lengths = np.zeros(0, dtype=np.int64)

    def blocks(count: int) -> Iterator[Block]:
        ends = np.cumsum(lengths)
        packed = PackedSequences(SymbolBuffer(symbols), ends - lengths, lengths)
        names = Texts(pa.chunked_array([renaming(ids[:count])]))
        for start in range(0, count, rows):
            some = slice(start, min(start + rows, count))
            find = partial(_where, where, done + start)
            yield Block(names[some], find, packed[some])

    for piece in sequence_columns(path, id_rule=id_rule):
        symbols += piece.symbols
        if len(ids):
            lengths[-1] += piece.lengths[0]
        ids = pa.concat_arrays([ids, piece.ids])
        lengths = np.concatenate([lengths, piece.lengths[1:]])
        whole = len(ids) - 1  # the last may go on
        if whole > 0:
            yield from blocks(whole)
            symbols = symbols[len(symbols) - int(lengths[-1]) :]
            ids, lengths, done = ids[-1:], lengths[-1:], done + whole
    yield from blocks(len(ids))


def _where(where: Callable[[int], str], first: int, row: int) -> str:
    """The place of a row of a block that begins with a record of this number."""
    return where(first + row)
