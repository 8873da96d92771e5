"""FASTA or FASTQ, whichever a file of sequences is, to records: whole or block by block."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bionn.formats import fasta, fastq
from bionn.formats.fasta import BLOCK_RECORDS, FastaRecords, IdRule, gather


def holds_sequences(path: str | Path) -> bool:
    """Whether a file is FASTA or FASTQ by its name or, failing that, its first characters."""
    return fastq.is_fastq(path) or fasta.is_fasta(path)


def sequence_blocks(
    path: str | Path, *, id_rule: IdRule = "first", records: int = BLOCK_RECORDS
) -> Iterator[FastaRecords]:
    """The records of a FASTA or FASTQ file in blocks; see :func:`bionn.formats.fasta.read_blocks`."""
    read = fastq.read_blocks if fastq.is_fastq(path) else fasta.read_blocks
    return read(path, id_rule=id_rule, records=records)


def read_sequences(path: str | Path, *, id_rule: IdRule = "first") -> FastaRecords:
    """Every record of a FASTA or FASTQ file, with unique ids.

    Raises:
        InputError: no such file.
        FormatError: the file is damaged or something else; see the two block readers.
    """
    return gather(sequence_blocks(path, id_rule=id_rule))
