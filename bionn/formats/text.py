"""Opening a text file of unknown origin: gzip, encoding, byte-order mark, line ends."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from bionn.errors import FormatError, InputError

_GZIP_MAGIC = b"\x1f\x8b"


def existing_file(path: str | Path) -> Path:
    """The path, if a readable file is there.

    Raises:
        InputError: there is none, or it is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: a file needed, this is a folder; name a file in it")
    if not path.exists():
        raise InputError(f"{path}: no such file; check the spelling and the folder")
    return path


def read_text(path: str | Path) -> str:
    r"""The whole text of a plain or gzip-compressed UTF-8 file, every line ending in ``\n``.

    Raises:
        InputError: no such file.
        FormatError: the file is empty, truncated gzip, not UTF-8 text, or holds a NUL byte.
    """
    path = existing_file(path)
    try:
        raw = path.read_bytes()
        if raw.startswith(_GZIP_MAGIC):
            raw = gzip.decompress(raw)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise FormatError(
            f"{path}: damaged gzip file ({error}); fetch or compress it again"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if b"\0" in raw:
        line = raw.count(b"\n", 0, raw.index(b"\0")) + 1
        raise FormatError(f"{path}:{line}: text needed, a NUL byte found; is this a binary file?")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise FormatError(
            f"{path}:{line}: UTF-8 text needed, byte 0x{raw[error.start]:02x} found; "
            "save the file as UTF-8"
        ) from None
    if not text.strip():
        raise FormatError(f"{path}: the file is empty")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
