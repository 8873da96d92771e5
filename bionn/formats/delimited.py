"""Delimited text (CSV, TSV, ...) to rows of cells in blocks: delimiter, quotes, header and lines."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator, Sequence
from io import StringIO
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from bionn.errors import FormatError, InputError
from bionn.formats.text import TextBlock, plain_suffix, text_blocks, whole_lines

BLOCK_ROWS = 4096
BLOCK_CELLS = 1 << 18

HEADERLESS = "the first line holds numbers: add a header line, or name the columns with columns"

_SEPARATOR_LINE = re.compile(r'\A"?sep=([^\w\s"]|\t)"?[ \t]*(?=\n)', re.IGNORECASE)
"""What Excel may write above the header, to say which delimiter follows."""

_END = "\0"
"""Given to the csv module after the last line: it ends up inside a cell whose quote is open."""


class Rows(NamedTuple):
    """Consecutive rows of a delimited file, without blank ones.

    Attributes:
        columns: the names of the columns.
        cells: each row's cells, as many as there are columns, without blanks around them.
        lines: the line on which each row begins.
    """

    columns: list[str]
    cells: list[list[str]]
    lines: list[int]


class _Row(NamedTuple):
    cells: list[str]
    line: int


def delimited_blocks(
    path: Path, *, names: Sequence[str] | None = None, rows: int = BLOCK_ROWS
) -> Iterator[Rows]:
    """The rows of a delimited file; see :func:`bionn.formats.table.read_blocks`."""
    found = _rows(path, named=names is not None)
    head = _take(found, 1)
    if not head:
        raise FormatError(f"{path}: rows needed, none found; add a header line and data")
    first = head[0]
    if names is not None and len(names) != len(first.cells):
        raise InputError(
            f"{path}:{first.line}: {len(first.cells)} columns found, {len(names)} names given with "
            f"columns ({', '.join(names)}); name every column"
        )
    columns = [name.strip() for name in (names or first.cells)]
    check_names(path, columns, first.line)
    if names is not None:
        found = chain(head, found)
    size = max(1, min(rows, BLOCK_CELLS // len(columns)))
    empty = True
    while block := _take(found, size):
        _check_widths(path, block, len(columns))
        yield Rows(columns, [row.cells for row in block], [row.line for row in block])
        empty = False
    if empty:
        raise FormatError(f"{path}:{first.line}: rows needed, only a header found; add data")


def _take(rows: Iterator[_Row], count: int) -> list[_Row]:
    """The next rows; their cells may be of any length (the module's own limit is 128 KiB)."""
    limit = csv.field_size_limit(sys.maxsize)
    try:
        return list(islice(rows, count))
    finally:
        csv.field_size_limit(limit)


def _check_widths(path: Path, rows: list[_Row], width: int) -> None:
    for row, line in rows:
        if len(row) != width:
            remedy = "check delimiters and quotes"
            if all(len(other) == width + 1 for other, _ in rows):
                remedy = "the header lacks a name, perhaps that of the first column; add it"
            raise FormatError(f"{path}:{line}: {width} cells needed, {len(row)} found; {remedy}")


def _rows(path: Path, *, named: bool) -> Iterator[_Row]:
    """Every row that is not blank."""
    blocks = whole_lines(text_blocks(path))
    head = _first_rows(blocks)
    _refuse_other_formats(path, _first_line(head), named=named)
    delimiter = _delimiter(path, head)
    head = _SEPARATOR_LINE.sub("", head)  # a blank line stays: line numbers do not move
    texts = chain([head], (block.text for block in blocks))
    lines = chain(chain.from_iterable(map(StringIO, texts)), [_END])
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    width, line, row = 0, 1, []
    for row in reader:
        if row and row[-1].endswith(_END):
            break
        blank = len(row) == 1 and not row[0] and width != 1
        if row and not blank:
            width = width or len(row)
            yield _Row(list(map(str.strip, row)), line)
        line = reader.line_num + 1
    if row != [_END]:
        raise FormatError(
            f"{path}:{line}: a closing quote needed, the end of the file found; close each quote, "
            "and write a quote within quotes twice"
        )


def _first_rows(blocks: Iterator[TextBlock]) -> str:
    """The text up to the end of a block that is not blank."""
    pieces = []
    for block in blocks:
        pieces.append(block.text)
        if not block.text.isspace():
            break
    return "".join(pieces)


def _delimiter(path: Path, text: str) -> str:
    """As said by ``sep=``, by the file's name, else the commonest of tab, comma, semicolon."""
    if said := _SEPARATOR_LINE.match(text):
        return said[1]
    suffix, first = plain_suffix(path), _first_line(text)
    if suffix == ".tsv":
        return "\t"
    if suffix == ".csv" and "," in first:
        return ","
    return max("\t,;", key=first.count)


def _first_line(text: str) -> str:
    """The first line that is not blank."""
    match = re.search(r"[^\n]*\S[^\n]*", text)
    return match.group() if match else ""


def _refuse_other_formats(path: Path, first: str, *, named: bool) -> None:
    """Refuse VCF, GFF and BED by the first line: it is not the header of a table."""
    if first.startswith("##"):
        looks = "a line that begins with '##' found, as in VCF or GFF"
    elif re.match(r"(track|browser)\s", first):
        looks = f"the line {first[:30]!r} found, as in BED"
    elif named:
        return
    elif ".bed" in path.suffixes or re.match(r"chr\S*\t\d+\t\d+(\t|$)", first):
        looks = "tab-separated cells without a header line found, as in BED"
    else:
        return
    remedy = "give FASTA, or a CSV or TSV file"
    if "BED" in looks:
        remedy += ", name the genome of BED regions with genome, or the columns with columns"
    raise FormatError(f"{path}:1: a table with a header line needed, {looks}; {remedy}")


def is_number(text: str) -> bool:
    """Whether a text is a finite number with a decimal point."""
    return re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text) is not None


def check_names(path: Path, columns: list[str], line: int | None = None) -> None:
    """Refuse a column name that stands twice."""
    seen: dict[str, int] = {}
    for position, name in enumerate(columns, 1):
        if name in seen:
            where = path if line is None else f"{path}:{line}"
            remedy = f"; {HEADERLESS}" if line is not None and is_number(name) else "; rename one"
            raise FormatError(
                f"{where}: different names of columns needed, {name!r} stands twice "
                f"({seen[name]} and {position}){remedy}"
            )
        seen[name] = position
