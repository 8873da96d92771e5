"""Sequences of files and tables in one buffer, with ids and places, as samples hold them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, takewhile
from pathlib import Path

import pandas as pd
from pandas.api.extensions import ExtensionArray

from bionn.errors import FormatError
from bionn.formats.fasta import FastaRecords, IdRule, record_ids, unique_ids
from bionn.formats.intervals import chromosome_of
from bionn.formats.sequence_files import sequence_blocks
from bionn.formats.table import Table
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
        columns: what else is known of each record, as text; a row a record.
    """

    path: Path
    ids: ExtensionArray
    sequences: PackedSequences
    repeated_ids: int
    where: Callable[[int], str]
    columns: pd.DataFrame

    @property
    def table(self) -> Table:
        """The columns as a table."""
        return Table(self.columns, self.path)


def read_records(
    path: str | Path,
    *,
    id_rule: IdRule = "first",
    packer: Packer | None = None,
    pattern: re.Pattern[str] | None = None,
) -> PackedRecords:
    """Every record of a FASTA or FASTQ file.

    Args:
        path: the file.
        id_rule: which part of a header is the id.
        packer: what packs the sequences, if with those of other files.
        pattern: its named groups, found in each whole header, are columns; so is ``chromosome`` if
            all ids are like ``chr1:100-200``.

    Raises:
        InputError: no such file.
        FormatError: a file that cannot be read, or a header without the pattern; says file and line.
    """
    packer, ids = packer or Packer(), []
    found: dict[str, list[str]] = {name: [] for name in (pattern.groupindex if pattern else ())}
    blocks = sequence_blocks(path, id_rule=id_rule if pattern is None else "full")
    first = next(blocks)
    where = replace(first, ids=[], sequences=[]).where
    for block in chain([first], blocks):
        packer.add(block.sequences)
        if pattern is not None:
            _add_groups(found, pattern, block)
        ids += block.ids if pattern is None else record_ids(block.ids, id_rule)
    chromosomes = list(takewhile(bool, map(chromosome_of, ids)))
    if len(chromosomes) == len(ids):
        found.setdefault("chromosome", chromosomes)
    ids, renamed = unique_ids(ids)
    columns = pd.DataFrame(found, index=range(len(ids)))
    return PackedRecords(first.path, id_array(ids), packer.packed(), renamed, where, columns)


def _add_groups(found: dict[str, list[str]], pattern: re.Pattern[str], block: FastaRecords) -> None:
    """The named groups in the headers of a block, ``""`` for one that takes no part."""
    for record, header in enumerate(block.ids):
        match = pattern.search(header)
        if match is None:
            raise FormatError(
                f"{block.where(record)}: label-pattern {pattern.pattern!r} needed in the header, "
                f"{header[:60]!r} found; widen it, or correct the header"
            )
        for name, text in match.groupdict("").items():
            found[name].append(text)


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
