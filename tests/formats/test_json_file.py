"""JSON of unknown origin is read whole, or refused for what it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bionn.errors import FormatError
from bionn.formats.json_file import read_json
from tests.support.refusals import refused

Write = Callable[[str, str | bytes], Path]


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None, "ä\x1b"]}, [], 3, "x", [[{}]]])
def test_what_was_written_is_read(write: Write, value) -> None:
    assert read_json(write("a.json", json.dumps(value)), most_bytes=100, deepest=3) == value


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_depth_is_limited_to_the_level(write: Write, depth, opening, closing) -> None:
    path = write("a.json", opening * depth + "0" + closing * depth)
    read_json(path, most_bytes=100, deepest=depth)
    with refused(path, f"at most {depth - 1} levels", kind=FormatError):
        read_json(path, most_bytes=100, deepest=depth - 1)


def test_size_is_limited_to_the_byte(write: Write) -> None:
    path = write("a.json", "[1, 2]")
    assert read_json(path, most_bytes=6, deepest=1) == [1, 2]
    with refused(path, "at most 5 bytes", "6 found", kind=FormatError):
        read_json(path, most_bytes=5, deepest=1)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[" * 90_000,
        b'{"a":' * 19_000,
        b"9" * 90_000,
        b"NaN",
        b"[Infinity, -Infinity]",
        b'{"a": 1, "b": 2, "a": 3}',
        b'"\xff"',
        b"\xef\xbb\xbf1",
        b"1 2",
        "[1]".encode("utf-16"),
    ],
)
def test_what_is_no_strict_json_is_refused(write: Write, text: bytes) -> None:
    path = write("a.json", text)
    with refused(path, "not readable as JSON", kind=FormatError):
        read_json(path, most_bytes=100_000, deepest=9)
