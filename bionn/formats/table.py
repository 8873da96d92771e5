"""CSV, TSV and Parquet tables to typed columns, with the file and line of whatever is wrong."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from bionn.errors import FormatError, InputError, did_you_mean
from bionn.formats.numbers import Numbers, has_decimal_comma, is_missing, no_number, numbers_of
from bionn.formats.text import existing_file, read_text

_HEADERLESS = "the first line holds numbers: add a header line, or name the columns with columns"

_SEPARATOR_LINE = re.compile(r'\A"?sep=([^\w\s"]|\t)"?[ \t]*(?=\n)', re.IGNORECASE)
"""What Excel may write above the header, to say which delimiter follows."""

_END = "\0"
"""Given to the csv module after the last line: it ends up inside a cell whose quote is open."""


@dataclass(frozen=True)
class Table:
    """A table of text cells that converts a column when it is asked for.

    Attributes:
        frame: the cells as stripped strings, or the typed columns of a Parquet file or DataFrame.
        path: the file, for messages (``<table>`` for a DataFrame).
    """

    frame: pd.DataFrame
    path: Path

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Table:
        """Wrap a DataFrame; its index is not looked at."""
        return _typed(frame.reset_index(drop=True), Path("<table>"))

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def columns(self) -> list[str]:
        """The column names in file order."""
        return list(self.frame.columns)

    def where(self, row: int) -> str:
        """``file:line`` of a row (the file is scanned again: for messages)."""
        if not self._has_lines:
            return f"{self.path}, row {row + 1}"
        lines = _rows(self.path, read_text(self.path)).lines
        return f"{self.path}:{lines[len(lines) - len(self) + row]}"

    def require(self, column: str) -> str:
        """The column's name, if the table has it.

        Raises:
            InputError: it does not; the nearest names are offered.
        """
        if column not in self.frame.columns:
            shown = ", ".join(self.columns[:12]) + (", ..." if len(self.columns) > 12 else "")
            hint = self.header_hint
            if column in self.text(self.columns[0]):
                hint = (
                    f"; a cell of column {self.columns[0]!r} is called so: if the table is genes x "
                    "samples, transpose it"
                )
            raise InputError(
                f"{self.path}: no column {column!r}{did_you_mean(column, self.columns)}; "
                f"its columns are: {shown}{hint}"
            )
        return column

    @property
    def header_hint(self) -> str:
        """A clause for a message about a missing column, if the header may be a row of data."""
        numbers = sum(map(_is_number, self.columns))
        if not self._has_lines or 2 * numbers <= len(self.columns):
            return ""
        return f"; {_HEADERLESS}"

    def text(self, column: str) -> list[str]:
        """A column as text; missing cells are ``""``."""
        values = self.frame[self.require(column)]
        if values.dtype == object:
            return ["" if is_missing(value) else str(value).strip() for value in values]
        return ["" if missing else str(v) for v, missing in zip(values, values.isna(), strict=True)]

    def mostly_numeric(self, column: str) -> bool:
        """Whether more than half of the cells that are not missing are numbers.

        Numbers with a decimal comma count, so that :meth:`numeric` can complain about them.
        """
        return bool(self._mostly_numeric([column], self.numbers([column]))[0])

    def numeric(self, column: str) -> np.ndarray:
        """A column as ``float64 (rows,)``, NaN where a cell is missing.

        Raises:
            FormatError: a cell is neither a number nor missing; says its line.
        """
        return self._finite([column], self.numbers([column]))[column].to_numpy()

    def numeric_frame(self, columns: Sequence[str]) -> pd.DataFrame:
        """Columns as :meth:`numeric` gives them; a thousand cost little more than one."""
        return self._finite(columns, self.numbers(columns))

    def all_numeric(self, columns: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
        """The :meth:`mostly_numeric` ones of some columns, read, and the names of the others."""
        found = self.numbers(columns)
        mostly = self._mostly_numeric(columns, found)
        names, others = (list(np.array(columns, dtype=object)[of]) for of in (mostly, ~mostly))
        return self._finite(names, Numbers(found.values[:, mostly], found.words[:, mostly])), others

    def numbers(self, columns: Sequence[str]) -> Numbers:
        """The cells of some columns as numbers, and which are words."""
        for column in columns:
            self.require(column)
        return numbers_of(self.frame.loc[:, list(columns)])

    def _mostly_numeric(self, columns: Sequence[str], found: Numbers) -> np.ndarray:
        """Which columns are, ``bool (columns,)``."""
        numbers, words = np.isfinite(found.values).sum(axis=0), found.words.sum(axis=0)
        for place in np.flatnonzero(words).tolist():
            cells = self.frame[columns[place]].to_numpy(dtype=object)[found.words[:, place]]
            commas = sum(map(has_decimal_comma, cells))
            numbers[place], words[place] = numbers[place] + commas, words[place] - commas
        return numbers > words

    def _finite(self, columns: Sequence[str], found: Numbers) -> pd.DataFrame:
        """The values; refuses the first cell that is a word or infinite."""
        wrong = found.words | np.isinf(found.values)
        if wrong.any():
            place = int(np.argmax(wrong.any(axis=0)))
            row, column = int(np.argmax(wrong[:, place])), columns[place]
            need = "a number" if found.words[row, place] else "a finite number"
            raise FormatError(
                f"{self.where(row)}: column {column!r}: "
                f"{no_number(self.frame[column].iloc[row], need)}"
            )
        return pd.DataFrame(found.values, columns=pd.Index(columns))

    @property
    def _has_lines(self) -> bool:
        return self.path.is_file() and self.path.suffix != ".parquet"


def read_table(path: str | Path, *, names: Sequence[str] | None = None) -> Table:
    """Read a table: CSV, TSV, or another delimiter found from the first line; gzip; Parquet.

    Blank lines and Excel's ``sep=;`` are passed over; blanks around a cell are taken off.

    Args:
        path: the file.
        names: the columns of a file without a header line, left to right.

    Raises:
        InputError: no such file, or a wrong number of names.
        FormatError: an empty file, a row with too many or too few cells, a column twice, a quote
            that is not closed, a VCF or BED file.
    """
    path = existing_file(path)
    if path.suffix == ".parquet":
        return _read_parquet(path)
    text = read_text(path)
    _refuse_other_formats(path, _first_line(text), named=names is not None)
    cells, lines = _rows(path, text)
    if names is not None and len(names) != len(cells[0]):
        raise InputError(
            f"{path}:{lines[0]}: {len(cells[0])} columns found, {len(names)} names given with "
            f"columns ({', '.join(names)}); name every column"
        )
    columns = [name.strip() for name in (names or cells[0])]
    _check_names(path, columns, lines[0])
    data, width = (cells if names else cells[1:]), len(columns)
    if not data:
        raise FormatError(f"{path}:{lines[0]}: rows needed, only a header found; add data")
    for row, line in zip(cells, lines, strict=True):
        if len(row) != width:
            remedy = "check delimiters and quotes"
            if all(len(other) == width + 1 for other in data):
                remedy = "the header lacks a name, perhaps that of the first column; add it"
            raise FormatError(f"{path}:{line}: {width} cells needed, {len(row)} found; {remedy}")
    # By way of one array: a DataFrame made of lists has columns that are joined again, each apart.
    return Table(pd.DataFrame(np.array(data, dtype=object), columns=pd.Index(columns)), path)


def _read_parquet(path: Path) -> Table:
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise FormatError(
            f"{path}: a Parquet file needed, not readable as one ({reason}); write it again"
        ) from None
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    return _typed(frame, path)


def _typed(frame: pd.DataFrame, path: Path) -> Table:
    """A table of typed columns; text and categories become plain objects."""
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    _check_names(path, list(frame.columns))
    if frame.empty:
        raise FormatError(f"{path}: rows and columns needed, none found; add data")
    texts = frame.select_dtypes(["string", "category"]).columns
    return Table(frame.astype(dict.fromkeys(texts, object)), path)


class _Rows(NamedTuple):
    """The rows of a delimited file that are not blank, and the line on which each begins."""

    cells: list[list[str]]
    lines: list[int]


def _rows(path: Path, text: str) -> _Rows:
    delimiter = _delimiter(path, text)
    text = _SEPARATOR_LINE.sub("", text)  # a blank line stays: line numbers do not move
    limit = csv.field_size_limit(len(text) + 1)  # the module's own limit is 128 KiB a cell
    lines = chain(StringIO(text, newline=""), [_END])
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    rows, line = _Rows([], []), 1
    try:
        for row in reader:
            if row and row[-1].endswith(_END):
                break
            blank = len(row) == 1 and not row[0] and (not rows.cells or len(rows.cells[0]) > 1)
            if row and not blank:
                rows.cells.append(list(map(str.strip, row)))
                rows.lines.append(line)
            line = reader.line_num + 1
    finally:
        csv.field_size_limit(limit)
    if row != [_END]:
        raise FormatError(
            f"{path}:{line}: a closing quote needed, the end of the file found; close each quote, "
            "and write a quote within quotes twice"
        )
    return rows


def _delimiter(path: Path, text: str) -> str:
    """As said by ``sep=``, by the file's name, else the commonest of tab, comma, semicolon."""
    if said := _SEPARATOR_LINE.match(text):
        return said[1]
    suffixes = [suffix.lower() for suffix in path.suffixes]
    first = _first_line(text)
    if ".tsv" in suffixes:
        return "\t"
    if ".csv" in suffixes and "," in first:
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
        remedy += ", or name the columns of this one with columns"
    raise FormatError(f"{path}:1: a table with a header line needed, {looks}; {remedy}")


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text) is not None


def _check_names(path: Path, columns: list[str], line: int | None = None) -> None:
    seen: dict[str, int] = {}
    for position, name in enumerate(columns, 1):
        if name in seen:
            where = path if line is None else f"{path}:{line}"
            remedy = f"; {_HEADERLESS}" if line is not None and _is_number(name) else "; rename one"
            raise FormatError(
                f"{where}: column {name!r} stands twice ({seen[name]} and {position}){remedy}"
            )
        seen[name] = position
