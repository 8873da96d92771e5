"""Writing tables and JSON whole or not at all: a temporary file beside the target, then a rename.

The file is on the disk before it takes its name, so that a power cut leaves the old one or the new.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from bionn.errors import StorageError
from bionn.formats.rows import header_text, rows_text

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a write that found no room on its disk, in its quota or below its limit fails with."""

AT_ONCE = 2**14
"""Rows of a table whose text is in memory at once."""


_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}")
"""Names that `replacing` gives to files until they are whole."""


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


def remove_half_written(folder: Path) -> None:
    """Remove what `replacing` had not ended anywhere in a folder when its process was killed."""
    for path in folder.rglob(".*"):
        if _TEMPORARY.fullmatch(path.name) and path.is_file():
            path.unlink()


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
