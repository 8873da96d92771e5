"""A file over HTTP or HTTPS: of a known size, in bounded time, and from nowhere else."""

from __future__ import annotations

import time
from http.client import HTTPException
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from bionn.errors import InputError

TIMEOUT = 30.0
"""Seconds without a sign of the server."""

SLOWEST = 1000.0
"""Bytes a second, on average beyond the first :data:`TIMEOUT` seconds."""


def download(url: str, file: IO[bytes], *, size: int, timeout: float = TIMEOUT) -> None:
    """Write the body of a URL to a file.

    Args:
        url: begins with ``https://`` or ``http://``. A redirection may lead to HTTPS, or from HTTP to
            HTTP, and nowhere else: not to a file, and not from HTTPS to HTTP.
        file: open for writing.
        size: how many bytes the body has; not one more is read.
        timeout: seconds without an answer after which to give up.

    Raises:
        InputError: not to be had, too slow, or of another size.
    """
    try:
        _check(url, url)
        request = Request(url, headers={"Accept-Encoding": "identity", "User-Agent": "bionn"})
        with _opener().open(request, timeout=timeout) as response:
            told = response.headers.get("Content-Length")
            if told is not None and told != str(size):
                raise InputError(_other_size(url, size, told))
            received = _receive(url, response, file, size, timeout)
            if received != size:
                raise InputError(_other_size(url, size, str(received)))
    except HTTPError as error:
        error.close()
        raise InputError(
            f"{url}: an answer with the file needed, HTTP status {error.code} found; try later, or "
            "take the file from a mirror with --from"
        ) from None
    except (URLError, HTTPException, OSError, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise InputError(
            f"{url}: cannot be fetched ({reason or type(error).__name__}); check the network, or take "
            "the file from a mirror with --from"
        ) from None


class _Redirects(HTTPRedirectHandler):
    """Follows a few redirections, if they lead to a place as safe as where they come from."""

    max_redirections = 5

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        """The next request."""
        try:
            _check(req.full_url, newurl)
        except InputError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check(origin: str, url: str) -> None:
    allowed = ("https",) if urlsplit(origin).scheme == "https" else ("https", "http")
    if urlsplit(url).scheme not in allowed:
        raise InputError(
            f"{origin}: an address that begins with {' or '.join(allowed)} needed, "
            f"{url[:200]!r} found; take the file from elsewhere with --from"
        )


def _opener() -> OpenerDirector:
    """Of all that urllib can open, HTTP and HTTPS alone."""
    opener = OpenerDirector()
    for handler in (
        ProxyHandler,
        UnknownHandler,
        HTTPHandler,
        HTTPSHandler,
        HTTPDefaultErrorHandler,
        _Redirects,
        HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _receive(url: str, response: Any, file: IO[bytes], size: int, timeout: float) -> int:
    """Write at most ``size`` bytes; how many came, one more where there are more."""
    received, begin = 0, time.monotonic()
    while raw := response.read1(min(size + 1 - received, 1 << 16)):
        received += len(raw)
        if received > size:
            break
        file.write(raw)
        if time.monotonic() - begin > timeout + received / SLOWEST:
            raise InputError(
                f"{url}: at least {SLOWEST:g} bytes a second needed, fewer found; try later, or take "
                "the file from a mirror with --from"
            )
    return received


def _other_size(url: str, size: int, found: str) -> str:
    return (
        f"{url}: {size} bytes needed, {found} found; the file there is another one or did not come "
        "whole, try again or take it from a mirror with --from"
    )
