"""CSV, TSV and Parquet tables to typed columns, with the file and line of whatever is wrong."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from bionn.errors import FormatError, InputError, did_you_mean
from bionn.formats.text import existing_file, read_text

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "?"})
"""Cells that mean "no value", in lower case."""


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
        renamed = frame.reset_index(drop=True).rename(columns=str)
        return cls(renamed, Path("<table>"))

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def columns(self) -> list[str]:
        """The column names in file order."""
        return list(self.frame.columns)

    def where(self, row: int) -> str:
        """``file:line`` of a row (the file is scanned again: for messages)."""
        if not self.path.is_file() or self.path.suffix == ".parquet":
            return f"{self.path}, row {row + 1}"
        text = read_text(self.path)
        reader = csv.reader(StringIO(text), delimiter=_delimiter(self.path, text))
        names = [name.strip() for name in next(reader)]
        has_header = names == self.columns
        before, target = 1, row + has_header
        reader = csv.reader(StringIO(text), delimiter=reader.dialect.delimiter)
        for index, _ in enumerate(cells for cells in reader if cells):
            if index == target:
                break
            before = reader.line_num + 1
        return f"{self.path}:{before}"

    def require(self, column: str) -> str:
        """The column's name, if the table has it.

        Raises:
            InputError: it does not; the nearest names are offered.
        """
        if column not in self.frame.columns:
            shown = ", ".join(self.columns[:12]) + (", ..." if len(self.columns) > 12 else "")
            raise InputError(
                f"{self.path}: no column {column!r}{did_you_mean(column, self.columns)}; "
                f"its columns are: {shown}"
            )
        return column

    def text(self, column: str) -> list[str]:
        """A column as text; missing cells are ``""``."""
        values = self.frame[self.require(column)]
        if values.dtype == object:
            return ["" if is_missing(value) else str(value) for value in values]
        return ["" if missing else str(v) for v, missing in zip(values, values.isna(), strict=True)]

    def mostly_numeric(self, column: str) -> bool:
        """Whether more than half of the cells that are not missing are numbers."""
        present = ~self._missing(column)
        return bool((self._numbers(column).notna() & present).sum() > present.sum() / 2)

    def numeric(self, column: str) -> np.ndarray:
        """A column as ``float64 (rows,)``, NaN where a cell is missing.

        Raises:
            FormatError: a cell is neither a number nor missing; says its line.
        """
        values = self._numbers(column)
        bad = np.flatnonzero((values.isna() & ~self._missing(column)).to_numpy())
        if bad.size:
            found = self.frame[column].iloc[bad[0]]
            comma = isinstance(found, str) and re.fullmatch(r"[+-]?\d+,\d+", found)
            raise FormatError(
                f"{self.where(int(bad[0]))}: column {column!r}: a number needed, {found!r} found"
                + (
                    "; write the decimal point as '.'"
                    if comma
                    else "; correct it or leave it empty"
                )
            )
        infinite = np.flatnonzero(np.isinf(values.to_numpy()))
        if infinite.size:
            raise FormatError(
                f"{self.where(int(infinite[0]))}: column {column!r}: a finite number needed, "
                f"{self.frame[column].iloc[infinite[0]]!r} found; correct it or leave it empty"
            )
        return values.to_numpy(dtype=np.float64)

    def _numbers(self, column: str) -> pd.Series:
        values = self.frame[self.require(column)]
        if pd.api.types.is_bool_dtype(values):
            return pd.Series(np.nan, index=values.index)
        return pd.Series(pd.to_numeric(values, errors="coerce"), dtype=np.float64)

    def _missing(self, column: str) -> pd.Series:
        values = self.frame[column]
        return pd.Series(values.map(is_missing) if values.dtype == object else values.isna())


def is_missing(cell: object) -> bool:
    """Whether a cell means "no value" (empty, NA, nan, -, ?)."""
    if isinstance(cell, str):
        return cell.strip().lower() in MISSING
    return bool(pd.isna(cell))


def read_table(path: str | Path, *, names: Sequence[str] | None = None) -> Table:
    """Read a table: CSV, TSV, or another delimiter found from the first line; gzip; Parquet.

    Args:
        path: the file.
        names: the columns of a file without a header line, left to right.

    Raises:
        InputError: no such file.
        FormatError: an empty file, a row with too many or too few cells, a column twice.
    """
    path = existing_file(path)
    if path.suffix == ".parquet":
        return _read_parquet(path)
    text = read_text(path)
    delimiter = _delimiter(path, text)
    reader = csv.reader(StringIO(text), delimiter=delimiter)
    first = next(cells for cells in reader if cells)
    if names is not None and len(names) != len(first):
        raise InputError(
            f"{path}:1: {len(first)} columns found, {len(names)} names given with --columns "
            f"({', '.join(names)}); name every column"
        )
    columns = [name.strip() for name in (names or first)]
    _check_names(path, columns)
    _check_width(path, text, delimiter, len(columns))
    frame = pd.read_csv(
        StringIO(text),
        sep=delimiter,
        header=None,
        names=columns,
        skiprows=0 if names else reader.line_num,
        dtype=str,
        keep_default_na=False,
        index_col=False,
    )
    if frame.empty:
        raise FormatError(f"{path}: a header and no rows; add data")
    if " " in text:
        frame = pd.DataFrame({name: frame[name].str.strip() for name in columns})
    return Table(frame, path)


def _read_parquet(path: Path) -> Table:
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise FormatError(f"{path}: not a readable Parquet file ({reason})") from None
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    frame.columns = [str(column) for column in frame.columns]
    _check_names(path, list(frame.columns))
    return Table(frame, path)


def _delimiter(path: Path, text: str) -> str:
    """By the file's name, else the most frequent of tab, comma, semicolon in its first line."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    first = text[: text.find("\n")] if "\n" in text else text
    if ".tsv" in suffixes:
        return "\t"
    if ".csv" in suffixes and "," in first:
        return ","
    return max("\t,;", key=first.count)


def _check_names(path: Path, columns: list[str]) -> None:
    for position, name in enumerate(columns):
        if name in columns[:position]:
            raise FormatError(
                f"{path}:1: column {name!r} stands twice ({columns.index(name) + 1} and "
                f"{position + 1}); rename one"
            )


def _check_width(path: Path, text: str, delimiter: str, width: int) -> None:
    """Every row must have as many cells as there are columns."""
    if '"' not in text and all(
        line.count(delimiter) == width - 1 for line in text.split("\n") if line
    ):
        return
    reader = csv.reader(StringIO(text), delimiter=delimiter)
    for cells in reader:
        if cells and len(cells) != width:
            raise FormatError(
                f"{path}:{reader.line_num}: {width} cells needed, {len(cells)} found; "
                "check delimiters and quotes"
            )
