"""Text files of unknown origin: compression, encodings, line ends, and what is no text."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bionn.errors import FormatError, InputError
from bionn.formats.text import (
    existing_file,
    plain_suffix,
    read_text,
    text_blocks,
    text_lines,
    whole_lines,
)
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
    with refused(f"{path}:1: ", "a whole gzip file needed", kind=FormatError):
        read_text(path)


def test_damaged_gzip_is_refused(write: Write) -> None:
    whole = bytearray(gzip.compress(b"ACGT" * 100))
    whole[-6] ^= 0xFF  # the checksum
    path = write("file.gz", bytes(whole))
    with refused(f"{path}:1: ", "damage found", kind=FormatError):
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


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Bytes rich in line ends, characters of several bytes, NUL and broken UTF-8."""
    pieces = [b"\n", b"\r\n", b"\r", b"a", b"  ", "\u00df\u4e2d\U0001f9ec".encode(), b"x" * 9]
    bad = [b"\0", b"\xff", b"\xe4", b"\xef\xbb\xbf"]
    names = st.sampled_from(pieces * 3 + bad) if draw(st.booleans()) else st.sampled_from(pieces)
    start = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    return start + b"".join(draw(st.lists(names, max_size=30)))


def parsed(raw: bytes) -> str | int:
    """The text, or the line with the first fault, told with the whole file at hand."""
    raw = raw.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for number, line in enumerate(raw.split(b"\n"), 1):
        try:
            assert b"\0" not in line
            line.decode()
        except (AssertionError, UnicodeDecodeError):
            return number
    return raw.decode()


@given(files(), st.integers(4, 20), st.booleans())
def test_blocks_of_any_size_give_the_text_and_its_lines_or_the_line_of_the_first_fault(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes, size: int, packed: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_bytes(gzip.compress(raw, 1) if packed else raw)
    truth = parsed(raw)
    if isinstance(truth, int) or not truth.strip():
        with refused(f"{path}:{truth}: " if isinstance(truth, int) else "empty", kind=FormatError):
            list(text_blocks(path, size=size))
        return
    text = ""
    for block in text_blocks(path, size=size):
        assert block.line == text.count("\n") + 1
        text += block.text
        assert text.endswith("\n") or "\n" not in block.text or text == truth
    assert text == truth
    lines = list(whole_lines(text_blocks(path, size=size)))
    assert "".join(block.text for block in lines) == text
    assert all(block.text.endswith("\n") for block in lines[:-1])
    starts = [1 + sum(b.text.count("\n") for b in lines[:n]) for n in range(len(lines))]
    assert [block.line for block in lines] == starts
    assert list(text_lines(path)) == text.splitlines(keepends=True)


def test_a_fault_far_into_the_file_is_found_after_what_stands_before_it(write: Write) -> None:
    raw = b"".join(b"line %d\n" % n for n in range(1, 100_001))
    path = write("long.txt.gz", gzip.compress(raw + b"\xff\n", 1)[:-20])
    blocks = text_blocks(path)
    first = next(blocks)
    assert first.text.startswith("line 1\n")
    lines = first.text.count("\n")
    with refused(path, "damage found", kind=FormatError) as error:
        for block in blocks:
            lines += block.text.count("\n")
    assert str(error.value).startswith(f"{path}:{lines + 1}: ")
    assert 90_000 < lines < 100_001
    path = write("long.txt", raw + b"\xff\n")
    with refused(f"{path}:100001: ", "0xff", kind=FormatError):
        list(text_blocks(path))


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.fa", ".fa"), ("a.b.FA.GZ", ".fa"), ("a.csv.bgz", ".csv"), ("noname", ""), ("a.gz", "")],
)
def test_the_suffix_of_compression_is_set_aside(name: str, suffix: str) -> None:
    assert plain_suffix(name) == suffix
