"""Tables to typed columns, whole or in blocks, with the file and line of whatever is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bionn.errors import FormatError, InputError, did_you_mean
from bionn.formats.delimited import (
    BLOCK_ROWS,
    HEADERLESS,
    check_names,
    delimited_blocks,
    is_number,
)
from bionn.formats.h5ad import cell_blocks, is_h5ad
from bionn.formats.numbers import (
    Numbers,
    has_decimal_comma,
    is_missing,
    no_number,
    numbers_of,
    without_missing,
)
from bionn.formats.text import existing_file
from bionn.formats.texts import TEXT, arrow_texts, one_chunk, text_array

_TEXT = "string[pyarrow]"

_FEW = 64
"""A column of Arrow's costs more than it saves where there are many and they are short."""


@dataclass(frozen=True)
class Places:
    """Where the rows of a table stand: ``file:line`` of a row, or its name, or the column it was.

    Attributes:
        path, lines, samples: those of the table.
        names: the names of the rows, if the kind of file has any (AnnData).
    """

    path: Path
    lines: np.ndarray | range | None
    samples: tuple[str, ...] | None
    names: Any

    def __call__(self, row: int) -> str:
        """The place of a row, for messages."""
        if self.names is not None:
            return f"{self.path}: cell {self.names.iloc[row]!r}"
        if self.samples is not None:
            return f"{self.path}, column {self.samples[row]!r}"
        return (
            f"{self.path}, row {row + 1}"
            if self.lines is None
            else f"{self.path}:{self.lines[row]}"
        )


@dataclass(frozen=True)
class Table:
    """A table of text cells that converts a column when it is asked for.

    Attributes:
        frame: the cells as stripped strings (Arrow's, in a whole table of few columns), or the typed
            columns of a Parquet file or DataFrame.
        path: the file, for messages (``<table>`` for a DataFrame).
        lines: the line on which each row begins, ``(rows,)``; None for Parquet or a DataFrame.
        samples: the column of the file that each row was, if the file is genes x samples.
        ids: the column of the names of the rows, if the kind of file has one (AnnData).
        measured: the columns that were measured, if the kind of file says so (AnnData).
    """

    frame: pd.DataFrame
    path: Path
    lines: np.ndarray | range | None = None
    samples: tuple[str, ...] | None = None
    ids: str | None = None
    measured: list[str] | None = None

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

    @property
    def places(self) -> Places:
        """Where each row stands, without the cells."""
        names = None if self.ids is None else self.frame[self.ids]
        return Places(self.path, self.lines, self.samples, names)

    def where(self, row: int) -> str:
        """``file:line`` of a row, or its name, or the column that it was."""
        return self.places(row)

    def transposed(self, id_name: str) -> Table:
        """A table genes x samples as samples x genes: the first column names the new columns.

        Args:
            id_name: what the column of the sample names is called.

        Raises:
            FormatError: a gene without a name, or a name that stands twice; says its line.
        """
        genes, samples = self.text(self.columns[0]), self.columns[1:]
        seen: dict[str, int] = {id_name: -1}
        for row, gene in enumerate(genes):
            if not gene or gene in seen:
                need = f"another name than {gene!r} (the second of it)" if gene else "a name"
                raise FormatError(
                    f"{self.where(row)}: column {self.columns[0]!r}: {need} needed for the gene; "
                    "rename or remove one"
                )
            seen[gene] = row
        frame = (
            self.frame.iloc[:, 1:].astype(object).T.set_axis(genes, axis=1).reset_index(drop=True)
        )
        frame.insert(0, id_name, pd.Series(samples, dtype=object))
        return Table(frame, self.path, samples=tuple(samples))

    def without_first_row(self) -> Table:
        """The rows behind the first."""
        lines = None if self.lines is None else self.lines[1:]
        return replace(self, frame=self.frame.iloc[1:].reset_index(drop=True), lines=lines)

    def require(self, column: str) -> str:
        """The column's name, if the table has it.

        Raises:
            InputError: it does not; the nearest names are offered.
        """
        if column not in self.frame.columns:
            shown = ", ".join(self.columns[:12]) + (", ..." if len(self.columns) > 12 else "")
            hint = self.header_hint
            if self.samples is not None:
                hint = "; it was read as genes x samples; if rows are samples: orient samples"
            elif self.ids is None and column in self.text(self.columns[0]):
                hint = (
                    f"; a cell of column {self.columns[0]!r} is called so: if the table is genes x "
                    "samples, transpose it, or say so with orient genes"
                )
            raise InputError(
                f"{self.path}: no column {column!r}{did_you_mean(column, self.columns)}; "
                f"its columns are: {shown}{hint}"
            )
        return column

    @property
    def header_hint(self) -> str:
        """A clause for a message about a missing column, if the header may be a row of data."""
        numbers = sum(map(is_number, self.columns))
        if self.lines is None or 2 * numbers <= len(self.columns):
            return ""
        return f"; {HEADERLESS}"

    def texts(self, column: str) -> pa.ChunkedArray:
        """A column as text that Arrow holds; missing cells are ``""``."""
        values = self.frame[self.require(column)]
        if values.dtype == _TEXT:
            return without_missing(arrow_texts(values))
        return pa.chunked_array([self.text(column)], type=TEXT)

    def text(self, column: str) -> list[str]:
        """A column as text; missing cells are ``""``."""
        values = self.frame[self.require(column)]
        if values.dtype == _TEXT:
            return self.texts(column).to_pylist()
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
        if mostly.all():
            return self._finite(columns, found), []
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


def read_table(path: str | Path, *, names: Sequence[str] | None = None) -> Table:
    """Read a whole table; see :func:`read_blocks`."""
    if is_h5ad(path):  # in one piece: two copies of thousands of cells are too many
        (whole,) = _h5ad_blocks(existing_file(path), None)
        return whole
    return joined([_packed(block) for block in read_blocks(path, names=names)])


def joined(blocks: Sequence[Table]) -> Table:
    """The rows of several tables of the same columns as one."""
    if len(blocks) == 1:
        return blocks[0]
    lines = [block.lines for block in blocks if block.lines is not None]
    frame = pd.concat([block.frame for block in blocks], ignore_index=True)
    if all(dtype == _TEXT for dtype in frame.dtypes):
        whole = {name: one_chunk(arrow_texts(column)) for name, column in frame.items()}
        frame = pd.DataFrame({n: text_array(pa.chunked_array([t])) for n, t in whole.items()})
    return replace(blocks[0], frame=frame, lines=_lines(lines) if lines else None)


def _lines(pieces: Sequence[np.ndarray | range]) -> np.ndarray | range:
    """All lines; of rows of a line each a range, which needs no memory."""
    lines = np.concatenate(pieces).astype(np.int32)
    first, stop = int(lines[0]), int(lines[-1]) + 1
    return range(first, stop) if stop - first == len(lines) else lines


def read_blocks(
    path: str | Path, *, names: Sequence[str] | None = None, rows: int = BLOCK_ROWS
) -> Iterator[Table]:
    """A table in blocks of rows: CSV, TSV, another delimiter found from the first line; Parquet; .h5ad.

    Text may be compressed by gzip. Blank lines and Excel's ``sep=;`` are passed over; blanks around
    a cell are taken off. A file of any length needs little memory.

    Args:
        path: the file.
        names: the columns of a file without a header line, left to right.
        rows: how many a block holds; fewer where the table is wide.

    Raises:
        InputError: no such file, or a wrong number of names.
        FormatError: an empty file, a row with too many or too few cells, a column twice, a quote
            that is not closed, a VCF or BED file. Blocks before the fault have been yielded by then.
    """
    path = existing_file(path)
    if path.suffix == ".parquet":
        yield from _parquet_blocks(path, rows)
        return
    if is_h5ad(path):
        yield from _h5ad_blocks(path, rows)
        return
    for columns, cells, lines in delimited_blocks(path, names=names, rows=rows):
        # By way of one array: a DataFrame made of lists has columns joined again, each apart.
        frame = pd.DataFrame(np.array(cells, dtype=object), columns=pd.Index(columns))
        yield Table(frame, path, np.asarray(lines))


def _packed(block: Table) -> Table:
    """A block of text of few columns, of which there may be millions of rows, as Arrow holds it."""
    if block.lines is None or len(block.columns) > _FEW:
        return block
    return replace(block, frame=block.frame.astype(_TEXT))


def _parquet_blocks(path: Path, rows: int) -> Iterator[Table]:
    try:
        with pq.ParquetFile(path) as file:
            found = False
            for batch in file.iter_batches(batch_size=rows):
                frame = batch.to_pandas()
                if not isinstance(frame.index, pd.RangeIndex):
                    frame = frame.reset_index()
                found = True
                yield _typed(frame, path)
            if not found:
                yield _typed(file.schema_arrow.empty_table().to_pandas(), path)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise FormatError(
            f"{path}: a Parquet file needed, not readable as one ({reason}); write it again"
        ) from None


def _h5ad_blocks(path: Path, rows: int | None) -> Iterator[Table]:
    """Names, columns of ``obs``, and genes, in this order."""
    for obs, genes, values in cell_blocks(path, rows=rows):
        known = _typed(obs.reset_index(drop=True), path).frame
        numbers = pd.DataFrame(values, columns=pd.Index(genes), copy=False)
        frame = pd.concat([known, numbers], axis=1, copy=False)
        yield Table(frame, path, ids=str(known.columns[0]), measured=genes)


def _typed(frame: pd.DataFrame, path: Path) -> Table:
    """A table of typed columns; text and categories become plain objects."""
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    check_names(path, list(frame.columns))
    if frame.empty:
        raise FormatError(f"{path}: rows and columns needed, none found; add data")
    texts = frame.select_dtypes(["string", "category"]).columns
    return Table(frame.astype(dict.fromkeys(texts, object)), path)
