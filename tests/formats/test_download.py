"""Downloads from a server of this machine: the file that was meant, or one line that says why not."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from bionn.formats import download as room
from bionn.formats.download import download
from tests.support.refusals import refused
from tests.support.server import Answer, body, redirect, serving

CONTENT = bytes(range(256)) * 1000


def fetched(answer: Answer, *, size: int = len(CONTENT), timeout: float = 10.0) -> bytes:
    file = io.BytesIO()
    with serving(answer) as address:
        download(f"{address}/a", file, size=size, timeout=timeout)
    return file.getvalue()


@pytest.mark.parametrize("told", [-1, None])
def test_the_body_comes_as_it_is(told: int | None) -> None:
    assert fetched(body(CONTENT, told=told)) == CONTENT


def test_a_body_in_chunks_comes_as_it_is() -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.protocol_version = "HTTP/1.1"
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        for start in range(0, len(CONTENT), 1000):
            piece = CONTENT[start : start + 1000]
            request.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        request.wfile.write(b"0\r\n\r\n")

    assert fetched(answer) == CONTENT


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (body(CONTENT[:-1]), len(CONTENT) - 1),
        (body(CONTENT + b"x"), len(CONTENT) + 1),
        (body(CONTENT[:-1], told=None), len(CONTENT) - 1),
        (body(CONTENT * 3, told=None), len(CONTENT) + 1),  # not one byte more is asked for
        (body(CONTENT[:1000], told=len(CONTENT)), 1000),
        (body(b"", told=None), 0),
    ],
)
def test_a_body_of_another_size_is_refused(answer: Answer, found: int) -> None:
    with refused(f"{len(CONTENT)} bytes needed, {found} found"):
        fetched(answer)


@pytest.mark.parametrize("code", [403, 404, 500])
def test_a_server_that_has_no_such_file_is_quoted(code: int) -> None:
    with refused("127.0.0.1", f"HTTP status {code} found", "--from"):
        fetched(body(b"sorry", code=code))


def test_a_redirection_over_http_is_followed() -> None:
    with serving(body(CONTENT)) as other:
        assert fetched(redirect(f"{other}/b")) == CONTENT


@pytest.mark.parametrize("scheme", ["file", "ftp", "data", "FILE", "javascript"])
def test_a_redirection_to_anything_else_is_not(scheme: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(CONTENT)
    with refused("127.0.0.1"):
        fetched(redirect(f"{scheme}://{secret}"))


def test_no_way_leads_from_https_to_http() -> None:
    with refused("https://a/b: an address that begins with https needed, 'http://c' found"):
        room._check("https://a/b", "http://c")


def test_redirections_in_a_circle_end() -> None:
    with refused("302"):
        fetched(redirect("/a"))


@pytest.mark.parametrize(
    "url",
    ["file:///etc/hostname", "/etc/hostname", "ftp://a/b", "http://", "http://[::1", "http://a b"],
)
def test_other_addresses_are_refused(url: str) -> None:
    with refused(url):
        download(url, io.BytesIO(), size=10)


@pytest.fixture
def silence() -> Iterator[Answer]:
    """A server that begins an answer and then says no more until the test is over."""
    over = threading.Event()

    def answer(request: BaseHTTPRequestHandler) -> None:
        body(CONTENT[:1000], told=len(CONTENT))(request)
        over.wait(60)

    yield answer
    over.set()


def test_a_server_that_falls_silent_is_left(silence: Answer) -> None:
    with refused("cannot be fetched (timed out)"):
        fetched(silence, timeout=0.2)


def test_a_server_that_trickles_is_left(monkeypatch) -> None:
    """A byte at a time keeps a connection open for ever."""
    clock = iter(range(0, 10**6, 5))
    monkeypatch.setattr(room.time, "monotonic", lambda: float(next(clock)))

    class Trickle:
        def read1(self, size: int) -> bytes:
            return b"x"

    with refused("at least 1000 bytes a second needed"):
        room._receive("http://a", Trickle(), io.BytesIO(), 10**6, 30.0)


def test_nobody_there_is_one_line() -> None:
    with serving(body(b"")) as address:
        pass
    with refused(address, "cannot be fetched"):
        download(address, io.BytesIO(), size=1, timeout=5)
