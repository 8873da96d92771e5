"""Writing tables and JSON whole or not at all: a temporary file beside the target, then a rename.

The file is on the disk before it takes its name, so that a power cut leaves the old one or the new.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from io import TextIOWrapper
from itertools import groupby
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from bionn.errors import StorageError
from bionn.formats.digits import BLANK, six_digits

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a write that found no room on its disk, in its quota or below its limit fails with."""

AT_ONCE = 2**14
"""Rows of a table whose text is in memory at once."""


@contextlib.contextmanager
def replacing(path: str | Path, *, binary: bool = False) -> Iterator[IO[Any]]:
    """Open a file that takes its name only when the block ends without an error.

    Args:
        path: the file; its folder is made if it is not there.
        binary: for bytes instead of UTF-8 text.

    Raises:
        StorageError: the folder cannot be written to, or has no room.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be written ({error.strerror}); choose another folder"
        ) from None
    try:
        with os.fdopen(handle, "wb") as raw:
            yield (
                raw
                if binary
                else TextIOWrapper(raw, encoding="utf-8", newline="", write_through=True)
            )
        sync(temporary)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
        with contextlib.suppress(OSError):  # some file systems cannot do that with folders
            sync(path.parent)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise StorageError(
                f"{path}: cannot be written ({error.strerror}); make room, or choose another folder"
            ) from None
        raise


def sync(path: str | Path) -> None:
    """Have a file's content, or a folder's names, on the disk before going on."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_table(frames: pd.DataFrame | Iterable[pd.DataFrame], path: str | Path) -> None:
    """Write a TSV without the index, numbers with 6 significant digits.

    Args:
        frames: the table, or parts of it one below the other, at least one.
        path: the file.
    """
    with replacing(path) as file:
        for number, frame in enumerate([frames] if isinstance(frames, pd.DataFrame) else frames):
            if number == 0:
                file.write(header_text(list(frame.columns)))
            for start in range(0, len(frame), AT_ONCE):
                file.write(rows_text(frame.iloc[start : start + AT_ONCE]))


def header_text(names: Sequence[str], *, separator: str = "\t") -> str:
    """The first line of a delimited file."""
    return separator.join(_quoted(list(names), separator)) + "\n"


def rows_text(frame: pd.DataFrame, *, separator: str = "\t") -> str:
    """The rows of a frame as delimited text, numbers with 6 significant digits.

    A missing value is an empty cell; a cell that holds the separator, a quote or a line end is
    quoted, as the csv module does it.

    Args:
        frame: columns of numbers, text, bools; its index is not looked at.
        separator: one ASCII character.

    Example:
        >>> rows_text(pd.DataFrame({"id": ["a", "b c"], "n": [1, 2], "x": [0.5, 1 / 3]}))
        'a\\t1\\t0.5\\nb c\\t2\\t0.333333\\n'
    """
    if frame.empty:
        return ""
    columns: list[list[str]] = []
    for is_float, run in groupby(frame.items(), lambda item: item[1].dtype.kind == "f"):
        if is_float:
            columns.append(_float_cells([column.to_numpy() for _, column in run], separator))
        else:
            columns += (_cells(column, separator) for _, column in run)
    return "\n".join(map(separator.join, zip(*columns, strict=True))) + "\n"


def _float_cells(columns: list[np.ndarray], separator: str) -> list[str]:
    """Neighbouring columns of floats, a text a row."""
    between = np.full((len(columns[0]), 1), ord(separator), dtype=np.uint8)
    pieces: list[np.ndarray] = []
    for values in columns:
        rows = six_digits(values)
        rows[np.isnan(values)] = BLANK
        pieces += [rows, between]
    pieces[-1] = np.zeros_like(between)
    text = np.hstack(pieces).tobytes().translate(None, bytes([BLANK])).decode("ascii")
    return text.split("\0")[:-1]


def _cells(column: pd.Series, separator: str) -> list[str]:
    """A column of anything else, a text a row."""
    cells = column.tolist()
    if set(map(type, cells)) != {str}:
        cells = ["" if pd.isna(cell) else str(cell) for cell in cells]
    return _quoted(cells, separator)


def _quoted(cells: list[str], separator: str) -> list[str]:
    """The cells, those in quotes that would not be read back as one cell."""
    marks = (separator, '"', "\n", "\r")
    text = "".join(cells)
    if not any(mark in text for mark in marks):
        return cells
    return [
        '"' + cell.replace('"', '""') + '"' if any(mark in cell for mark in marks) else cell
        for cell in cells
    ]


def write_json(value: Any, path: str | Path, *, indent: int | None = 2) -> None:
    """Write strict JSON; NaN and infinities, which JSON does not have, become null."""
    with replacing(path) as file:
        file.write(json_text(value, indent=indent) + "\n")


def json_text(value: Any, *, indent: int | None = 2) -> str:
    """Strict JSON, indented, or in one line without; NaN and infinities become null.

    Example:
        >>> print(json_text({"best": float("nan")}))
        {
          "best": null
        }
    """
    return json.dumps(plain_data(value), indent=indent, ensure_ascii=False, allow_nan=False)


def plain_data(value: Any) -> Any:
    """What JSON has: numpy's arrays and numbers as Python's, NaN and infinities as None."""
    if isinstance(value, dict):
        return {str(key): plain_data(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_data(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain_data(value.tolist())
    if isinstance(value, np.generic):
        return plain_data(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    return value
