"""Sequences of files and tables in one buffer, with ids and places, as samples hold them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import pandas as pd
from pandas.api.extensions import ExtensionArray

from bionn.errors import FormatError
from bionn.formats.fasta import IdRule, unique_ids
from bionn.formats.sequence_files import sequence_blocks
from bionn.sequences.packed import PackedSequences, Packer


@dataclass(frozen=True)
class PackedRecords:
    """The records of one file, in file order.

    Attributes:
        path: the file.
        ids: all different (see :func:`bionn.formats.fasta.unique_ids`), as Arrow holds strings.
        sequences: theirs.
        repeated_ids: how many records had an id that stood before.
        where: ``file:line`` of a record by its number.
    """

    path: Path
    ids: ExtensionArray
    sequences: PackedSequences
    repeated_ids: int
    where: Callable[[int], str]


def read_records(
    path: str | Path, *, id_rule: IdRule = "first", packer: Packer | None = None
) -> PackedRecords:
    """Every record of a FASTA or FASTQ file.

    Args:
        path: the file.
        id_rule: which part of a header is the id.
        packer: what packs the sequences, if with those of other files.

    Raises:
        InputError: no such file.
        FormatError: a file that cannot be read; says file and line.
    """
    packer, ids = packer or Packer(), []
    blocks = sequence_blocks(path, id_rule=id_rule)
    first = next(blocks)
    where = replace(first, ids=[], sequences=[]).where
    for block in chain([first], blocks):
        packer.add(block.sequences)
        ids += block.ids
    ids, renamed = unique_ids(ids)
    return PackedRecords(first.path, id_array(ids), packer.packed(), renamed, where)


def id_array(ids: Sequence[str]) -> ExtensionArray:
    """Ids at the cost of their letters: a Python object each would cost 50 bytes more."""
    return pd.array(ids, dtype="string[pyarrow]")


def pack_cells(cells: Sequence[str], where: Callable[[int], str]) -> PackedSequences:
    """Sequences that stand in a table or a list.

    Raises:
        FormatError: a symbol is not ASCII; says its place.
    """
    try:
        return PackedSequences.pack(cells)
    except UnicodeEncodeError:
        row = next(row for row, cell in enumerate(cells) if not cell.isascii())
        symbol = next(symbol for symbol in cells[row] if not symbol.isascii())
        raise FormatError(
            f"{where(row)}: ASCII letters needed in a sequence, {symbol!r} found; correct it"
        ) from None
