"""FASTA files to records, whole or block by block: as fast as Biopython, and nothing lost in silence."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal, NoReturn

import pyarrow as pa

from bionn.errors import FormatError
from bionn.formats.hashes import all_different
from bionn.formats.text import (
    BLOCK,
    TABLE_SUFFIXES,
    Span,
    TextBlock,
    existing_file,
    plain_suffix,
    text_blocks,
)
from bionn.formats.texts import TEXT

IdRule = Literal["first", "full"]

FASTA_SUFFIXES = frozenset(
    {".fa", ".fasta", ".fna", ".ffn", ".fas", ".fsa", ".faa", ".frn", ".mpfa"}
)
BLOCK_RECORDS = 4096
BLOCK_SYMBOLS = 1 << 24
PIECE_SYMBOLS = 1 << 20

COMMENT = re.compile(r"\n;[^\n]*")
"""A comment, in the text of :func:`after_newlines`."""

_HEADER = re.compile(r"\n>")


def line_of_record(path: Path, record: int) -> int:
    """The line of a record's header (the file is scanned again: for messages)."""
    for text, line in after_newlines(path):
        count = text.count("\n>")
        if record < count:
            header = next(islice(_HEADER.finditer(text), record, None))
            return line + text.count("\n", 0, header.end())
        record -= count
    raise AssertionError("the file has fewer records")


@dataclass(frozen=True)
class FastaRecords:
    """Consecutive records of a file of sequences, in file order.

    Attributes:
        path: the file.
        ids: the first word of each header, or all of it.
        sequences: the sequences as written, line breaks and blanks taken out.
        repeated_ids: how many records had an id that stood before; 0 in a block.
        first: the number of the first of these records in the file, from 0.
        line_of: finds the line of a record's header in the file, by the record's number.
        continues: the first sequence goes on where the last of the block before stopped.
        unfinished: the last sequence goes on in the next block.
    """

    path: Path
    ids: list[str]
    sequences: list[str]
    repeated_ids: int = 0
    first: int = 0
    line_of: Callable[[Path, int], int] = line_of_record
    continues: bool = False
    unfinished: bool = False

    def where(self, record: int) -> str:
        """``file:line`` of a record's header (the file is scanned again: for messages)."""
        number = self.first + record
        if not self.path.is_file():  # a pipe cannot be read again
            return f"{self.path}, record {number + 1}"
        return f"{self.path}:{self.line_of(self.path, number)}"


def is_fasta(path: str | Path) -> bool:
    """Whether the name, or failing that the first character, says FASTA.

    A missing file counts by its name, so that the reader can complain about it.
    """
    suffix = plain_suffix(path)
    if suffix in FASTA_SUFFIXES | TABLE_SUFFIXES:
        return suffix in FASTA_SUFFIXES
    for text, _ in after_newlines(Path(path)):
        if text := COMMENT.sub("", text).lstrip():
            return text.startswith(">")
    return False


def unique_ids(ids: list[str]) -> tuple[list[str], int]:
    """Keep the first of equal ids; the others become ``id#2``, ``id#3``, ...

    Returns:
        The ids, all different, and how many were renamed.

    Example:
        >>> unique_ids(["a", "b", "a", "a#2"])
        (['a', 'b', 'a#3', 'a#2'], 1)
    """
    if all_different(pa.chunked_array([ids], type=TEXT)):
        return ids, 0
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
    """Read every record of a FASTA file; see :func:`read_blocks` and :func:`gather`."""
    return gather(read_blocks(path, id_rule=id_rule))


def gather(blocks: Iterator[FastaRecords]) -> FastaRecords:
    """All records of a file, repeated ids made unique by :func:`unique_ids`."""
    whole = next(blocks)
    for block in blocks:
        whole.ids.extend(block.ids)
        whole.sequences.extend(block.sequences)
    ids, renamed = unique_ids(whole.ids)
    return replace(whole, ids=ids, repeated_ids=renamed)


def read_blocks(
    path: str | Path,
    *,
    id_rule: IdRule = "first",
    records: int = BLOCK_RECORDS,
    span: Span | None = None,
    first: int = 0,
) -> Iterator[FastaRecords]:
    """The records of a FASTA file in blocks, so that a file of any size needs little memory.

    Lines that begin with ``;`` are comments. Blank lines are passed over. Ids are as written: they
    may repeat.

    Args:
        path: the file, plain or compressed by gzip or bgzip.
        id_rule: ``first``: the id is the header's first word; ``full``: all of it.
        records: how many a block holds; fewer where they are long (together they have at most
            :data:`BLOCK_SYMBOLS` symbols, or there is but one).
        span: whole records of a plain file, to read these alone.
        first: how many records stand before them.

    Raises:
        InputError: no such file.
        FormatError: text before the first ``>``, an empty file, a header without an id, a record
            without a sequence, a symbol that is not ASCII. Blocks before the fault have been
            yielded by then.
    """
    path = existing_file(path)
    for titles, sequences in regroup(_parse(path, span), records):
        block = FastaRecords(path, record_ids(titles, id_rule), sequences, first=first)
        check_records(block)
        yield block
        first += len(titles)


def read_pieces(
    path: str | Path,
    *,
    id_rule: IdRule = "first",
    symbols: int = PIECE_SYMBOLS,
    span: Span | None = None,
    first: int = 0,
) -> Iterator[FastaRecords]:
    """The records of a FASTA file in blocks of about so many symbols, long records in pieces.

    So a chromosome of any length needs little memory. A symbol that is not ASCII is left for the
    alphabet to refuse. ``span`` and ``first`` are as in :func:`read_blocks`.

    Raises:
        InputError: no such file.
        FormatError: as in :func:`read_blocks`.
    """
    path = existing_file(path)
    titles: list[str] = []
    bodies: list[str] = []
    continues = filled = False

    def block(*, unfinished: bool) -> FastaRecords:
        ids, sequences = record_ids(titles, id_rule), _joined(bodies)
        records = FastaRecords(
            path, ids, sequences, 0, first, line_of_record, continues, unfinished
        )
        # What the first began with, and what the last goes on with, is not in this block.
        found = ["." if sequence else "" for sequence in sequences]
        found[0] = found[0] or "." * filled
        whole = len(ids) - (unfinished and not found[-1])
        check_records(replace(records, ids=ids[:whole], sequences=found[:whole]))
        return records

    for text, line in after_newlines(path, span=span):
        rest, *starts = (COMMENT.sub("", text) if ";" in text else text).split("\n>")
        if titles:
            bodies[-1] += rest
        elif rest.strip():
            refuse_start(path, text, line)
        for start in starts:
            title, _, body = start.partition("\n")
            titles.append(title)
            bodies.append(body)
        if sum(map(len, bodies)) >= symbols:
            records = block(unfinished=True)
            yield records
            first += len(titles) - 1
            filled = bool(records.sequences[-1]) or (filled and len(titles) == 1)
            titles, bodies, continues = titles[-1:], [""], True
    if not titles:
        raise FormatError(f"{path}:1: FASTA needed, only comments found; add records")
    yield block(unfinished=False)


def record_ids(titles: list[str], id_rule: IdRule) -> list[str]:
    """The first word of each header, or all of it; ``""`` where there is none."""
    if id_rule == "full":
        return [title.strip() for title in titles]
    together = "".join(titles)
    if all(titles) and together.split(None, 1) == [together]:
        return titles  # no blank in any: one search instead of one a header
    return [(title.split(None, 1) or [""])[0] for title in titles]


def regroup(
    batches: Iterator[tuple[list[str], list[str]]], records: int
) -> Iterator[tuple[list[str], list[str]]]:
    """Titles and sequences in blocks of so many, or of :data:`BLOCK_SYMBOLS` symbols."""
    titles: list[str] = []
    sequences: list[str] = []
    symbols = 0
    for more_titles, more_sequences in batches:
        titles += more_titles
        sequences += more_sequences
        symbols += sum(map(len, more_sequences))
        while len(titles) >= records:
            yield titles[:records], sequences[:records]
            del titles[:records], sequences[:records]
            symbols = sum(map(len, sequences))
        if symbols >= BLOCK_SYMBOLS:
            yield titles, sequences
            titles, sequences, symbols = [], [], 0
    if titles:
        yield titles, sequences


def check_records(block: FastaRecords) -> None:
    """Refuse a record without an id or a sequence, or with a symbol that is not ASCII.

    Raises:
        FormatError: there is one; says its line.
    """
    if all(block.ids) and all(block.sequences) and all(map(str.isascii, block.sequences)):
        return
    for record, (name, sequence) in enumerate(zip(block.ids, block.sequences, strict=True)):
        if not name:
            raise FormatError(
                f"{block.where(record)}: an id needed in the header, none found; name it"
            )
        if not sequence:
            raise FormatError(
                f"{block.where(record)}: record {name!r} has no sequence; complete or remove it"
            )
        if not sequence.isascii():
            position = next(i for i, symbol in enumerate(sequence) if not symbol.isascii())
            raise FormatError(
                f"{block.where(record)}: record {name!r}: ASCII letters needed in a sequence, "
                f"{sequence[position]!r} found at position {position + 1}; correct it"
            )


def _parse(path: Path, span: Span | None = None) -> Iterator[tuple[list[str], list[str]]]:
    """Headers without ``>`` and sequences, as many as a block of text completes at a time."""
    title, body = None, []
    for text, line in after_newlines(path, span=span):
        rest, *starts = (COMMENT.sub("", text) if ";" in text else text).split("\n>")
        if title is None and rest.strip():
            refuse_start(path, text, line)
        # by itself: it begins with a line break, which the others seldom hold
        body += _joined([rest])
        if not starts:
            continue
        titles, _, bodies = map(
            list, zip(*[start.partition("\n") for start in starts], strict=True)
        )
        if title is not None:
            titles.insert(0, title)
            bodies.insert(0, "".join(body))
        title, body = titles.pop(), [bodies.pop()]
        yield titles, _joined(bodies)
    if title is None:
        raise FormatError(f"{path}:1: FASTA needed, only comments found; add records")
    yield [title], _joined(["".join(body)])


def refuse_start(path: Path, text: str, line: int) -> NoReturn:
    """Say which line before the first header is neither blank nor a comment."""
    lines = enumerate(text.split("\n"), line)
    wrong = ((n, t) for n, t in lines if t.strip() and not t.startswith(";"))
    line, found = next(wrong, (line, text.strip()))  # a block may begin within a line
    raise FormatError(
        f"{path}:{line}: FASTA needed ('>' before the first record), {found[:30]!r} found; begin "
        "each record with a line '>id'"
    )


def _joined(bodies: list[str]) -> list[str]:
    """Sequences without the line breaks and blanks inside them."""
    together = "".join(bodies)  # one search instead of one a record
    for blank in "\n \t":
        if blank in together:
            bodies = [body.replace(blank, "") for body in bodies]
    return bodies


def after_newlines(
    path: Path, *, size: int = BLOCK, span: Span | None = None
) -> Iterator[TextBlock]:
    r"""The file's text, each line after a ``\n`` instead of before it; ``line`` is one less.

    So the beginning of a line can be searched for as ``\n>`` where a block begins, too. A line of
    a sequence may be in pieces; headers and comments are whole.
    """
    held: list[str] = []
    whole, first = True, 1
    for text, line in text_blocks(path, size=size, span=span):
        first = first if held else line
        held.append(text)
        ends = text.endswith("\n")
        if not ends and whole and held[0][0] in ">;":
            continue
        yield TextBlock("\n" * whole + "".join(held).removesuffix("\n"), first - whole)
        held, whole = [], ends
    if held:
        yield TextBlock("\n" + "".join(held), first - 1)
