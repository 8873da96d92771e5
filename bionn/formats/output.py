"""Writing tables and JSON whole or not at all: a temporary file beside the target, then a rename."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from bionn.errors import InputError


@contextlib.contextmanager
def replacing(path: str | Path, *, binary: bool = False) -> Iterator[IO[Any]]:
    """Open a file that takes its name only when the block ends without an error.

    Args:
        path: the file; its folder is made if it is not there.
        binary: for bytes instead of UTF-8 text.

    Raises:
        InputError: the folder cannot be written to.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); choose another folder"
        ) from None
    try:
        with os.fdopen(handle, "wb") as raw:
            yield (
                raw
                if binary
                else TextIOWrapper(raw, encoding="utf-8", newline="", write_through=True)
            )
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def write_table(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a TSV without the index, numbers with 6 significant digits."""
    with replacing(path) as file:
        frame.to_csv(file, sep="\t", index=False, float_format="%.6g", lineterminator="\n")


def write_json(value: Any, path: str | Path) -> None:
    """Write strict JSON; NaN and infinities, which JSON does not have, become null."""
    with replacing(path) as file:
        json.dump(_plain(value), file, indent=2, ensure_ascii=False, allow_nan=False)
        file.write("\n")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    return value
