"""Sequences of files and tables in one buffer, with ids and places, as samples hold them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, takewhile
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pandas.api.extensions import ExtensionArray

from bionn.errors import FormatError
from bionn.formats.fasta import IdRule, record_ids, unique_ids
from bionn.formats.hashes import all_different
from bionn.formats.intervals import chromosome_of
from bionn.formats.sequence_files import record_finder, sequence_columns
from bionn.formats.table import Table
from bionn.formats.texts import one_chunk, text_array, text_lists
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
        notes: what was done to some of them, a sentence each.
    """

    path: Path
    ids: ExtensionArray
    sequences: PackedSequences
    repeated_ids: int
    where: Callable[[int], str]
    columns: pd.DataFrame
    notes: tuple[str, ...] = ()

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
    where = record_finder(path)
    packer, ids, records = packer or Packer(), [], 0
    found: dict[str, list[str]] = {name: [] for name in (pattern.groupindex if pattern else ())}
    for piece in sequence_columns(path, id_rule=id_rule if pattern is None else "full"):
        packer.add_symbols(piece.symbols, piece.lengths)
        own = piece.ids
        if pattern is not None:
            headers = own.to_pylist()
            _add_groups(found, pattern, headers, lambda row, first=records: where(first + row))
            own = pa.array(record_ids(headers, id_rule), type=pa.large_string())
        ids.append(own)
        records += len(own)
    whole = pa.chunked_array(ids)
    if chromosome_of(whole[0].as_py()):
        chromosomes = list(
            takewhile(bool, map(chromosome_of, chain.from_iterable(text_lists(whole))))
        )
        if len(chromosomes) == records:
            found.setdefault("chromosome", chromosomes)
    whole = pa.chunked_array([one_chunk(whole)])
    unique, renamed = whole, 0
    if not all_different(whole):
        unique, renamed = unique_ids(whole.to_pylist())
    columns = pd.DataFrame(found, index=range(records))
    return PackedRecords(Path(path), text_array(unique), packer.packed(), renamed, where, columns)


def _add_groups(
    found: dict[str, list[str]],
    pattern: re.Pattern[str],
    headers: Sequence[str],
    where: Callable[[int], str],
) -> None:
    """The named groups in some headers, ``""`` for one that takes no part."""
    for record, header in enumerate(headers):
        match = pattern.search(header)
        if match is None:
            raise FormatError(
                f"{where(record)}: label-pattern {pattern.pattern!r} needed in the header, "
                f"{header[:60]!r} found; widen it, or correct the header"
            )
        for name, text in match.groupdict("").items():
            found[name].append(text)


def pack_cells(cells: pa.ChunkedArray, where: Callable[[int], str]) -> PackedSequences:
    """Sequences that stand in a column of a table.

    Raises:
        FormatError: a symbol is not ASCII; says its place.
    """
    packer, first = Packer(), 0
    for block in text_lists(cells):
        try:
            packer.add(block)
        except UnicodeEncodeError:
            row = next(row for row, cell in enumerate(block) if not cell.isascii())
            symbol = next(symbol for symbol in block[row] if not symbol.isascii())
            raise FormatError(
                f"{where(first + row)}: ASCII letters needed in a sequence, {symbol!r} found; correct it"
            ) from None
        first += len(block)
    return packer.packed()
