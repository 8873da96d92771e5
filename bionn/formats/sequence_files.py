"""FASTA or FASTQ, whichever a file of sequences is, to records: whole or block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from bionn.formats import fasta, fastq
from bionn.formats.fasta import BLOCK_RECORDS, FastaRecords, IdRule, gather
from bionn.formats.fasta_columns import RecordColumns, read_columns


def holds_sequences(path: str | Path) -> bool:
    """Whether a file is FASTA or FASTQ by its name or, failing that, its first characters."""
    return fastq.is_fastq(path) or fasta.is_fasta(path)


def sequence_blocks(
    path: str | Path, *, id_rule: IdRule = "first", records: int = BLOCK_RECORDS
) -> Iterator[FastaRecords]:
    """The records of a FASTA or FASTQ file in blocks; see :func:`bionn.formats.fasta.read_blocks`."""
    read = fastq.read_blocks if fastq.is_fastq(path) else fasta.read_blocks
    return read(path, id_rule=id_rule, records=records)


def sequence_columns(path: str | Path, *, id_rule: IdRule = "first") -> Iterator[RecordColumns]:
    """The same records as columns; see :func:`bionn.formats.fasta_columns.read_columns`."""
    if not fastq.is_fastq(path):
        yield from read_columns(path, id_rule=id_rule)
        return
    for block in fastq.read_blocks(path, id_rule=id_rule):
        lengths = np.fromiter(map(len, ["", *block.sequences]), dtype=np.int64)
        symbols = "".join(block.sequences).encode("ascii")
        yield RecordColumns(pa.array(block.ids, type=pa.large_string()), symbols, lengths)


def record_finder(path: str | Path) -> Callable[[int], str]:
    """The function from the number of a record to its ``file:line``; it reads the file again."""
    found = fastq.line_of_record if fastq.is_fastq(path) else fasta.line_of_record
    return FastaRecords(Path(path), [], [], line_of=found).where


def read_sequences(path: str | Path, *, id_rule: IdRule = "first") -> FastaRecords:
    """Every record of a FASTA or FASTQ file, with unique ids.

    Raises:
        InputError: no such file.
        FormatError: the file is damaged or something else; see the two block readers.
    """
    return gather(sequence_blocks(path, id_rule=id_rule))
