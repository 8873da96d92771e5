"""Known files out of an archive of unknown origin: tar, zip or gzip, and nothing else out of it."""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple, cast

from bionn.errors import FormatError

MOST_UNPACKED = 1 << 28
"""Bytes that are unpacked in search of the files, 256 MiB: an archive can be a thousandth of it."""

MOST_MEMBERS = 100_000

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
"""How the names of archives end that :func:`extract` reads."""

_OPENERS: dict[str, Callable[..., Any]] = {
    ".gz": gzip.open,
    ".tgz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}

_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,  # an encrypted member
    NotImplementedError,  # an unknown compression
    ValueError,
)


class _Member(NamedTuple):
    """An entry of an archive; ``regular``: a file or a folder."""

    name: str
    size: int
    regular: bool
    open: Callable[[], IO[bytes]] | None


def extract(archive: Path, wanted: Mapping[str, int], folder: Path) -> set[str]:
    """Write the wanted files of an archive into a folder; no other name is ever made.

    A member is taken if it is a file, its name ends in one wanted, whatever folders stand before, and
    its size is the one expected. Links and devices are never followed or made.

    Args:
        archive: a file whose name ends in one of :data:`SUFFIXES`.
        wanted: names, without folders, and their sizes in bytes.
        folder: where to; an existing folder that only the caller writes to.

    Returns:
        The names that were found.

    Raises:
        FormatError: damaged; a member whose name leads out of a folder; a link or a device by a
            name that is wanted; more than :data:`MOST_UNPACKED` bytes or :data:`MOST_MEMBERS` entries.
    """
    found: set[str] = set()
    try:
        with _members(archive) as members:
            for number, member in enumerate(members):
                if number == MOST_MEMBERS:
                    raise _Refused(f"more than {MOST_MEMBERS} members")
                name = _inside(member.name)
                if name not in wanted or name in found:
                    continue
                if not member.regular:
                    raise _Refused(f"{member.name!r} as a link or a device")
                if member.size != wanted[name] or member.open is None:
                    continue
                with member.open() as content, (folder / name).open("xb") as file:
                    _copy(content, file, member.size)
                found.add(name)
    except _Refused as error:
        raise FormatError(
            f"{archive}: files inside folders needed, {error} found; do not use this archive"
        ) from None
    except _DAMAGE as error:
        raise FormatError(f"{archive}: damaged archive ({error}); fetch it again") from None
    return found


def unpack_gzip(archive: Path, file: IO[bytes], size: int) -> None:
    """Write what a gzip file holds, at most one byte more than expected.

    Raises:
        FormatError: damaged.
    """
    try:
        with gzip.open(archive) as content:
            _copy(cast(IO[bytes], content), file, size + 1)
    except _DAMAGE as error:
        raise FormatError(f"{archive}: damaged gzip file ({error}); fetch it again") from None


class _Refused(Exception):
    """What no honest archive holds."""


def _inside(name: str) -> str:
    """The last part of a member's name.

    Raises:
        _Refused: the name is absolute, climbs, or holds what is no part of a name.
    """
    path = PurePosixPath(name)
    climbs = path.is_absolute() or ".." in path.parts
    if climbs or "\\" in name or "\0" in name or ":" in (path.parts or ("",))[0]:
        raise _Refused(f"the name {name!r}")
    return path.name


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[_Member]]:
    """The entries of an archive, to be read one after the other."""
    name = archive.name.lower()
    if name.endswith(".zip"):
        with zipfile.ZipFile(archive) as opened:
            yield _zip_members(opened)
        return
    with _OPENERS.get(archive.suffix.lower(), open)(archive, "rb") as plain:
        limited = _Limited(cast(IO[bytes], plain))
        with tarfile.open(fileobj=cast(IO[bytes], limited), mode="r|") as opened:
            yield _tar_members(opened)


def _zip_members(opened: zipfile.ZipFile) -> Iterator[_Member]:
    for info in opened.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where no Unix wrote it
        regular = kind in (0, stat.S_IFREG, stat.S_IFDIR)
        unpack = partial(opened.open, info) if regular and not info.is_dir() else None
        yield _Member(info.filename, info.file_size, regular, unpack)


def _tar_members(opened: tarfile.TarFile) -> Iterator[_Member]:
    for info in opened:
        unpack = cast(Callable[[], IO[bytes]], partial(opened.extractfile, info))
        regular = info.isreg() or info.isdir()
        yield _Member(info.name, info.size, regular, unpack if info.isreg() else None)


class _Limited:
    """A stream that ends in a refusal where a bomb goes off."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._left = MOST_UNPACKED

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes."""
        raw = self._stream.read(size)
        self._left -= len(raw)
        if self._left < 0:
            raise _Refused(f"more than {MOST_UNPACKED} bytes unpacked")
        return raw


def _copy(source: IO[bytes], file: IO[bytes], size: int) -> None:
    """At most so many bytes."""
    while size > 0 and (raw := source.read(min(size, 1 << 20))):
        file.write(raw)
        size -= len(raw)
