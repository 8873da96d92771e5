"""FASTA files to records: Biopython's fast parser beside a scan that loses nothing in silence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Literal

from Bio.SeqIO.FastaIO import SimpleFastaParser

from bionn.errors import FormatError
from bionn.formats.text import existing_file, read_text

IdRule = Literal["first", "full"]

FASTA_SUFFIXES = frozenset(
    {".fa", ".fasta", ".fna", ".ffn", ".fas", ".fsa", ".faa", ".frn", ".mpfa"}
)
_COMMENT = re.compile(r"^;.*\n?", re.MULTILINE)
_FIRST = re.compile(r"^(?!;)[^\S\n]*\S", re.MULTILINE)
"""Up to the first character that is neither blank nor in a comment."""


@dataclass(frozen=True)
class FastaRecords:
    """The records of one FASTA file, in file order.

    Attributes:
        path: the file.
        ids: the first word of each header, or all of it; unique, see :func:`unique_ids`.
        sequences: the sequences as written, line breaks and blanks taken out.
        repeated_ids: how many records had an id that stood before.
    """

    path: Path
    ids: list[str]
    sequences: list[str]
    repeated_ids: int

    def where(self, record: int) -> str:
        """``file:line`` of a record's header (the file is scanned again: for messages)."""
        starts = (
            n for n, line in enumerate(read_text(self.path).split("\n"), 1) if line[:1] == ">"
        )
        return f"{self.path}:{next(n for i, n in enumerate(starts) if i == record)}"


def is_fasta(path: str | Path) -> bool:
    """Whether the name, or failing that the first character, says FASTA.

    A missing file counts by its name, so that the reader can complain about it.
    """
    path = Path(path)
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in {".gz", ".bgz"}]
    if suffixes and suffixes[-1] in FASTA_SUFFIXES:
        return True
    if suffixes and suffixes[-1] in {".csv", ".tsv", ".parquet"}:
        return False
    first = _FIRST.search(read_text(path))
    return first is not None and first.group().endswith(">")


def unique_ids(ids: list[str]) -> tuple[list[str], int]:
    """Keep the first of equal ids; the others become ``id#2``, ``id#3``, ...

    Returns:
        The ids, all different, and how many were renamed.

    Example:
        >>> unique_ids(["a", "b", "a", "a#2"])
        (['a', 'b', 'a#3', 'a#2'], 1)
    """
    taken, seen, unique, renamed = set(ids), {}, [], 0
    for name in ids:
        count = seen.get(name, 0) + 1
        if count > 1:
            renamed += 1
            while f"{name}#{count}" in taken:
                count += 1
            unique.append(f"{name}#{count}")
        else:
            unique.append(name)
        seen[name] = count
    return unique, renamed


def read_fasta(path: str | Path, *, id_rule: IdRule = "first") -> FastaRecords:
    """Read every record of a FASTA file, plain or gzip, wrapped or not.

    Lines that begin with ``;`` are comments. Blank lines are passed over.

    Args:
        path: the file.
        id_rule: ``first``: the id is the header's first word; ``full``: all of it.

    Raises:
        InputError: no such file.
        FormatError: text before the first ``>``, an empty file, a header without an id, a record
            without a sequence.
    """
    path = existing_file(path)
    text = read_text(path)
    first = _FIRST.search(text)
    if first is None:
        raise FormatError(f"{path}:1: FASTA needed, only comments found; add records")
    if first.group() != ">":
        line = text.count("\n", 0, first.start()) + 1
        shown = text[first.start() : first.start() + 30].split("\n")[0]
        raise FormatError(
            f"{path}:{line}: FASTA needed ('>' before the first record), {shown!r} found; begin "
            "each record with a line '>id'"
        )
    if ";" in text:
        text = _COMMENT.sub("", text)

    titles, sequences = [], []
    for title, sequence in SimpleFastaParser(StringIO(text)):
        titles.append(title)
        sequences.append(sequence.replace("\t", ""))
    ids = [title.strip() for title in titles]
    if id_rule == "first":
        ids = [title.split(None, 1)[0] if title else "" for title in ids]
    unique, renamed = unique_ids(ids)
    records = FastaRecords(path, unique, sequences, renamed)
    for record, (name, sequence) in enumerate(zip(ids, sequences, strict=True)):
        if not name:
            raise FormatError(
                f"{records.where(record)}: an id needed after '>', none found; name it"
            )
        if not sequence:
            raise FormatError(
                f"{records.where(record)}: record {name!r} has no sequence; complete or remove it"
            )
    return records
