"""FASTQ files as sequences: the quality of each record is checked for its length and left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from bionn.errors import FormatError
from bionn.formats.fasta import (
    BLOCK_RECORDS,
    FASTA_SUFFIXES,
    FastaRecords,
    IdRule,
    check_records,
    record_ids,
    regroup,
)
from bionn.formats.text import TABLE_SUFFIXES, existing_file, plain_suffix, text_blocks, text_lines

FASTQ_SUFFIXES = frozenset({".fastq", ".fq"})

_FIRST_RECORD = re.compile(r"\s*@[^\n]*\n[^\n@+]*\n\+")
_BATCH = 256


def is_fastq(path: str | Path) -> bool:
    """Whether the name, or failing that the first record, says FASTQ."""
    suffix = plain_suffix(path)
    if suffix in FASTQ_SUFFIXES | FASTA_SUFFIXES | TABLE_SUFFIXES or not Path(path).exists():
        return suffix in FASTQ_SUFFIXES
    return _FIRST_RECORD.match(next(text_blocks(path)).text) is not None


def read_blocks(
    path: str | Path, *, id_rule: IdRule = "first", records: int = BLOCK_RECORDS
) -> Iterator[FastaRecords]:
    """The records of a FASTQ file in blocks; see :func:`bionn.formats.fasta.read_blocks`.

    Sequence and quality may each stand on several lines.

    Raises:
        InputError: no such file.
        FormatError: a record that does not begin with ``@``, has no ``+`` line or a quality of
            another length than its sequence; and what is refused in FASTA.
    """
    path, first = existing_file(path), 0
    for titles, sequences in regroup(_parse(path), records):
        ids = record_ids(titles, id_rule)
        block = FastaRecords(path, ids, sequences, first=first, line_of=line_of_record)
        check_records(block)
        yield block
        first += len(titles)


def line_of_record(path: Path, record: int) -> int:
    """The line of a record's header (the file is scanned again: for messages)."""
    lines = (line for _, _, line in _records(path))
    return next(line for number, line in enumerate(lines) if number == record)


def _parse(path: Path) -> Iterator[tuple[list[str], list[str]]]:
    titles: list[str] = []
    sequences: list[str] = []
    for title, sequence, _ in _records(path):
        titles.append(title)
        sequences.append(sequence)
        if len(titles) == _BATCH:
            yield titles, sequences
            titles, sequences = [], []
    yield titles, sequences


def _records(path: Path) -> Iterator[tuple[str, str, int]]:
    """Each header without ``@``, its sequence, and its line."""
    lines = enumerate(text_lines(path), 1)
    for start, header in lines:
        if header.isspace():
            continue
        if header[0] != "@":
            raise FormatError(
                f"{path}:{start}: FASTQ needed ('@' before each record), {header[:30].strip()!r} "
                "found; begin each record with a line '@id'"
            )
        sequence, line = _until_plus(path, lines, start)
        left = len(sequence)
        while left > 0:
            line, quality = next(lines, (line, ""))
            left -= len(quality.rstrip("\n"))
            if left < 0 or not quality:
                raise FormatError(
                    f"{path}:{line}: a quality of {len(sequence)} characters needed, as many as the "
                    f"sequence has, {len(sequence) - left} found; complete or remove the record"
                )
        yield header[1:].rstrip("\n"), sequence, start


def _until_plus(path: Path, lines: Iterator[tuple[int, str]], line: int) -> tuple[str, int]:
    """The sequence up to the line that begins with ``+``, and the number of that line."""
    pieces: list[str] = []
    for line, text in lines:
        if text[0] == "+":
            return "".join(pieces), line
        if text[0] == "@":
            break
        pieces.append("".join(text.split()))
    raise FormatError(
        f"{path}:{line}: a line '+' needed between sequence and quality, none found; complete or "
        "remove the record"
    )
