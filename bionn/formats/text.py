"""Opening a text file of unknown origin: gzip, encoding, byte-order mark, line ends."""

from __future__ import annotations

import codecs
import gzip
import re
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
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); check its permissions"
        ) from None
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise FormatError(f"{path}:1: UTF-8 text needed, UTF-16 found; save the file as UTF-8")
    if b"\0" in raw:
        line = _line_of(raw, raw.index(b"\0"))
        raise FormatError(
            f"{path}:{line}: text needed, a NUL byte found; a binary file? export it as text"
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = _line_of(raw, error.start)
        raise FormatError(
            f"{path}:{line}: UTF-8 text needed, byte 0x{raw[error.start]:02x} found; "
            "save the file as UTF-8"
        ) from None
    if not text.strip():
        raise FormatError(f"{path}: text needed, the file is empty; fetch or export it again")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _line_of(raw: bytes, position: int) -> int:
    """The line that a byte is on, whichever of the three line ends the file has."""
    return len(re.findall(rb"\r\n|\r|\n", raw[:position])) + 1
