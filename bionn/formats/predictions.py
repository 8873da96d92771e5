"""Predictions to a file, block by block: TSV, CSV, Parquet, and those of windows to BED, bedGraph."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bionn.errors import InputError, did_you_mean
from bionn.formats.output import replacing
from bionn.formats.rows import header_text, rows_text

Write = Callable[[pd.DataFrame], Any]

_FORMATS = {
    "": "tsv",
    ".tsv": "tsv",
    ".txt": "tsv",
    ".csv": "csv",
    ".parquet": "parquet",
    ".bed": "bed",
    ".bedgraph": "bedgraph",
    ".bdg": "bedgraph",
    ".bg": "bedgraph",
}


STANDARD_OUTPUT = "-"
"""The name of a file that is none: TSV goes to standard output as it is made."""


def format_of(path: str | Path) -> str:
    """``tsv``, ``csv``, ``parquet``, ``bed`` or ``bedgraph`` by the file's name; without a suffix TSV.

    Raises:
        InputError: a suffix that names none of them.
    """
    suffix = Path(path).suffix
    if suffix.lower() not in _FORMATS:
        known = [name for name in _FORMATS if name]
        raise InputError(
            f"{path}: a name that ends in {', '.join(known)} needed, {suffix} found"
            f"{did_you_mean(suffix, known)}; choose another"
        )
    return _FORMATS[suffix.lower()]


def files_for(path: str | Path, columns: Sequence[str]) -> list[Path]:
    """The files that :func:`writing` makes: one, but for bedGraph one for each column.

    Example:
        >>> [str(file) for file in files_for("a.bedgraph", ["prob_EI", "prob_IE"])]
        ['a.prob_EI.bedgraph', 'a.prob_IE.bedgraph']
    """
    path = Path(path)
    if format_of(path) != "bedgraph" or len(columns) == 1:
        return [path]
    names = [column.replace("/", "_") for column in columns]
    return [path.with_name(f"{path.stem}.{name}{path.suffix}") for name in names]


@contextmanager
def writing(path: str | Path, columns: Sequence[str]) -> Iterator[Write]:
    """Open the files for predictions; they take their names when all is written without an error.

    TSV, CSV and Parquet hold the rows as they are. BED has a row a window: the predicted class as
    its name (``.`` for numbers), as its score 1000 times the probability (the largest, where there
    are several columns; 0 for numbers), the strand of a region and none of a window, then the columns
    themselves. In bedGraph, which
    allows no overlaps, each position carries the value of the window whose centre is nearest, of
    those windows that cover it.

    Args:
        path: the file; its name says the format. ``-`` is standard output, where blocks that went
            before an error stay.
        columns: the columns of numbers that the frames have.

    Returns:
        What writes a block: a frame of ``id``, of windows or regions where they are, and predictions.
    """
    format, files = format_of(path), files_for(path, columns)
    with ExitStack() as stack:
        if str(path) == STANDARD_OUTPUT:
            opened: list[IO[Any]] = [sys.stdout]
        else:
            opened = [stack.enter_context(replacing(f, binary=format == "parquet")) for f in files]
        if format == "parquet":
            yield stack.enter_context(_parquet(opened[0]))
        elif format == "bedgraph":
            cells = Cells()
            yield lambda frame: _tracks(opened, columns, cells(frame))
            _tracks(opened, columns, cells.rest())
        elif format == "bed":
            yield lambda frame: opened[0].write(rows_text(bed_rows(frame, columns)))
        else:
            yield _Delimited(opened[0], "," if format == "csv" else "\t")


def _tracks(files: Sequence[IO[str]], columns: Sequence[str], frame: pd.DataFrame) -> None:
    if not frame.empty:
        for file, column in zip(files, columns, strict=True):
            file.write(rows_text(frame.loc[:, ["id", "start", "end", column]]))


class _Delimited:
    """Writes a header line, then rows."""

    def __init__(self, file: IO[str], separator: str) -> None:
        self.file = file
        self.separator = separator
        self._begun = False

    def __call__(self, frame: pd.DataFrame) -> None:
        if not self._begun:
            self.file.write(header_text(list(frame.columns), separator=self.separator))
        self._begun = True
        self.file.write(rows_text(frame, separator=self.separator))


@contextmanager
def _parquet(file: IO[bytes]) -> Iterator[Write]:
    writers: list[Any] = []

    def write(frame: pd.DataFrame) -> None:
        types = {"O": pa.string(), "i": pa.int64(), "f": pa.float64()}
        schema = pa.schema([(name, types[dtype.kind]) for name, dtype in frame.dtypes.items()])
        if not writers:
            writers.append(pq.ParquetWriter(file, schema))
        writers[0].write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False))

    try:
        yield write
    finally:
        for writer in writers:
            writer.close()


def bed_rows(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Predictions of windows, or of regions of a genome, as rows of BED; see :func:`writing`."""
    labels = frame["prediction"] if "prediction" not in columns and "prediction" in frame else "."
    chances = all(column.startswith("prob_") for column in columns)
    score = 1000 * frame[list(columns)].max(axis=1) if chances else np.zeros(len(frame))
    place = "chromosome" if "chromosome" in frame else "id"
    head = frame[[place, "start", "end"]].assign(name=labels, score=np.rint(score).astype(int))
    strand = frame.get("strand", ".")
    return pd.concat([head.assign(strand=strand), frame[list(columns)]], axis=1)


class Cells:
    """Windows to intervals without overlaps: each position goes to the window of the nearest centre.

    The last window of a block waits for the next one, which may take a part of it.

    Example:
        >>> cells = Cells()
        >>> rows = pd.DataFrame({"id": "chr1", "start": [0, 2, 4], "end": [4, 6, 8], "x": [1, 2, 3]})
        >>> pd.concat([cells(rows), cells.rest()]).to_numpy().tolist()
        [['chr1', 0, 3, 1], ['chr1', 3, 5, 2], ['chr1', 5, 8, 3]]
    """

    def __init__(self) -> None:
        self._waiting: pd.DataFrame | None = None
        self._begin = 0  # where the interval of the window that waits begins

    def __call__(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The interval of the window that waited, and those of a block's windows but for the last."""
        if self._waiting is not None:
            frame = pd.concat([self._waiting, frame], ignore_index=True)
        if frame.empty:
            return frame
        ids, start, end = (frame[name].to_numpy() for name in ("id", "start", "end"))
        begin, stop = start.copy(), end.copy()
        if self._waiting is not None:
            begin[0] = self._begin
        same = ids[1:] == ids[:-1]
        middle = (start[:-1] + end[1:]) // 2  # between the centres of two windows of one size
        begin[1:] = np.where(same, np.maximum(start[1:], middle), start[1:])
        stop[:-1] = np.where(same, np.minimum(end[:-1], middle), end[:-1])
        self._waiting, self._begin = frame.iloc[-1:], int(begin[-1])
        return frame.assign(start=begin, end=stop).iloc[:-1]

    def rest(self) -> pd.DataFrame:
        """The interval of the window that still waits."""
        return pd.DataFrame() if self._waiting is None else self._waiting.assign(start=self._begin)
