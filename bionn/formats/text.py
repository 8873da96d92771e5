"""Opening a text file of unknown origin: gzip, encoding, byte-order mark, line ends; block by block."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from io import StringIO
from itertools import chain
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np

from bionn.errors import FormatError, InputError

BLOCK = 1 << 17
"""Bytes read at a time: few enough to stay in a processor's cache from step to step."""

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".parquet", ".h5ad"})
"""Names that say that a file is a table, whatever it begins with."""

GZIP_MAGIC = b"\x1f\x8b"
"""How a gzip-compressed file begins."""

_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error)
"""What reading a truncated or changed gzip file raises."""


class TextBlock(NamedTuple):
    r"""Some consecutive text of a file.

    Attributes:
        text: whole lines that end in ``\n`` (perhaps not the file's last), or a piece of a line
            that is longer than :data:`BLOCK`.
        line: the number of the first line, from 1.
    """

    text: str
    line: int


class Span(NamedTuple):
    """The bytes of a file from ``begin`` on and before ``end``: whole lines of a plain file."""

    begin: int
    end: int


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


def is_pipe(path: str | Path) -> bool:
    """Whether the path is that of something that can be read only once."""
    path = Path(path)
    return path.exists() and not path.is_file() and not path.is_dir()


def plain_suffix(path: str | Path) -> str:
    """The last suffix in lower case, that of compression set aside.

    Example:
        >>> plain_suffix("genes.v2.FASTA.gz")
        '.fasta'
    """
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    return next((suffix for suffix in reversed(suffixes) if suffix not in (".gz", ".bgz")), "")


def text_blocks(
    path: str | Path, *, size: int = BLOCK, span: Span | None = None
) -> Iterator[TextBlock]:
    r"""The text of a plain or gzip-compressed UTF-8 file in pieces, every line ending in ``\n``.

    A block is cut at the end of a line; a line longer than ``size`` bytes is cut anywhere. At most
    a few blocks are in memory, however large the file or its lines are. Of a span, lines are counted
    from its beginning.

    Raises:
        InputError: no such file.
        FormatError: the file is empty, truncated gzip, not UTF-8 text, or holds a NUL byte. What
            stands before the fault has been yielded by then.
    """
    path = existing_file(path)
    decoder = codecs.getincrementaldecoder("utf-8")()
    line, blank, begun = 1, True, False
    try:
        for raw in _line_ended(_bytes(path, size, span)):
            if not begun:
                if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                    raise FormatError(
                        f"{path}:1: UTF-8 text needed, UTF-16 found; save the file as UTF-8"
                    )
                raw, begun = raw.removeprefix(codecs.BOM_UTF8), True
            if b"\0" in raw:
                fault = line + raw.count(b"\n", 0, raw.index(b"\0"))
                raise FormatError(
                    f"{path}:{fault}: text needed, a NUL byte found; a binary file? export it as text"
                )
            try:
                text = decoder.decode(raw)
            except UnicodeDecodeError as error:
                _refuse_encoding(path, line, error)
            if text:
                blank = blank and text.isspace()
                yield TextBlock(text, line)
                line += int(np.count_nonzero(np.frombuffer(raw, dtype=np.uint8) == ord("\n")))
    except _DAMAGE as error:
        raise FormatError(
            f"{path}:{line}: a whole gzip file needed, damage found from here on ({error}); fetch or "
            "compress it again"
        ) from None
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        _refuse_encoding(path, line, error)
    if blank:
        raise FormatError(f"{path}:1: text needed, the file is empty; fetch or export it again")


def text_lines(path: str | Path) -> Iterator[str]:
    """The lines of a file, each whole and with its end; see :func:`text_blocks`."""
    return chain.from_iterable(StringIO(block.text) for block in whole_lines(text_blocks(path)))


def whole_lines(blocks: Iterator[TextBlock]) -> Iterator[TextBlock]:
    """The same text in blocks of whole lines, however long these are."""
    pieces: list[str] = []
    line = 1
    for block in blocks:
        pieces.append(block.text)
        line = block.line if len(pieces) == 1 else line
        if block.text.endswith("\n"):
            yield TextBlock("".join(pieces), line)
            pieces = []
    if pieces:
        yield TextBlock("".join(pieces), line)


def read_text(path: str | Path) -> str:
    r"""The whole text of a file, every line ending in ``\n``; see :func:`text_blocks`."""
    return "".join(block.text for block in text_blocks(path))


def _bytes(path: Path, size: int, span: Span | None = None) -> Iterator[bytes]:
    """The file's bytes, decompressed, some at a time."""
    try:
        with path.open("rb") as file:
            if span is not None:
                file.seek(span.begin)
                while raw := file.read(min(size, span.end - file.tell())):
                    yield raw
                return
            packed = file.peek(2)[:2] == GZIP_MAGIC
            source = gzip.GzipFile(fileobj=file) if packed else file
            while raw := source.read(size):
                yield raw
    except gzip.BadGzipFile:  # an OSError as well
        raise
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); check its permissions"
        ) from None


def _line_ended(blocks: Iterator[bytes]) -> Iterator[bytes]:
    r"""The same bytes with all line ends ``\n``, cut after one where a block holds any."""
    rest = b""
    for raw in blocks:
        raw = rest + raw
        held = b"\r" if raw.endswith(b"\r") else b""  # the first half of a line end, perhaps
        if b"\r" in raw:
            raw = raw.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        end = raw.rfind(b"\n") + 1 or len(raw)
        rest = raw[end:] + held
        if end:
            yield raw[:end]
    if rest:
        yield rest.replace(b"\r", b"\n")


def _refuse_encoding(path: Path, line: int, error: UnicodeDecodeError) -> NoReturn:
    fault = line + error.object.count(b"\n", 0, error.start)
    raise FormatError(
        f"{path}:{fault}: UTF-8 text needed, byte 0x{error.object[error.start]:02x} found; "
        "save the file as UTF-8"
    ) from None
