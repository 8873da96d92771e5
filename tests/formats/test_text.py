"""Text files of unknown origin: compression, encodings, line ends, and what is no text."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from bionn.errors import FormatError, InputError
from bionn.formats.text import existing_file, read_text
from tests.support.refusals import refused

Write = Callable[[str, str | bytes], Path]
TEXT = "one\ntwo β\n\nthree\n"
LINE_ENDS = [b"\n", b"\r\n", b"\r"]


@pytest.mark.parametrize("end", LINE_ENDS)
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_line_ends_byte_order_mark_and_compression_do_not_change_the_text(
    write: Write, end: bytes, bom: bytes, pack: Callable[[bytes], bytes]
) -> None:
    raw = bom + TEXT.encode().replace(b"\n", end)
    assert read_text(write("file.txt", pack(raw))) == TEXT


def test_gzip_members_one_after_another_are_one_text(write: Write) -> None:
    assert read_text(write("a.gz", gzip.compress(b"one\n") + gzip.compress(b"two\n"))) == (
        "one\ntwo\n"
    )


@pytest.mark.parametrize("end", LINE_ENDS)
@pytest.mark.parametrize(
    ("bad", "found"), [(b"\0", "NUL"), (b"\xe9", "0xe9")], ids=["NUL", "Latin-1"]
)
def test_a_byte_that_is_no_text_is_refused_with_its_line(
    write: Write, end: bytes, bad: bytes, found: str
) -> None:
    path = write("file.txt", end.join([b"one", b"two", b"thr" + bad + b"e", b"four"]))
    with refused(f"{path}:3: ", found, kind=FormatError):
        read_text(path)


def test_utf16_is_named(write: Write) -> None:
    path = write("file.txt", "a\tb\n".encode("utf-16"))
    with refused(f"{path}:1: ", "UTF-16 found", "save the file as UTF-8", kind=FormatError):
        read_text(path)


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
def test_truncated_gzip_is_refused(write: Write, keep: float) -> None:
    whole = gzip.compress(bytes(range(1, 128)) * 50)
    path = write("file.gz", whole[: int(len(whole) * keep)])
    with refused(path, "damaged gzip", kind=FormatError):
        read_text(path)


def test_damaged_gzip_is_refused(write: Write) -> None:
    whole = bytearray(gzip.compress(b"ACGT" * 100))
    whole[-6] ^= 0xFF  # the checksum
    path = write("file.gz", bytes(whole))
    with refused(path, "damaged gzip", kind=FormatError):
        read_text(path)


@pytest.mark.parametrize("content", [b"", b" \n\n\t\r\n", gzip.compress(b""), b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(write: Write, content: bytes) -> None:
    path = write("file.txt", content)
    with refused(path, "empty", kind=FormatError):
        read_text(path)


@pytest.mark.parametrize("reader", [existing_file, read_text])
def test_a_missing_file_and_a_folder_are_refused(
    tmp_path: Path, reader: Callable[[Path], object]
) -> None:
    with refused(tmp_path / "absent.fa", "no such file", kind=InputError):
        reader(tmp_path / "absent.fa")
    with refused(tmp_path, "folder", kind=InputError):
        reader(tmp_path)
