"""The playground's server: this machine alone may ask, and an answer is all that it gives."""

from __future__ import annotations

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from bionn.errors import InputError
from bionn.playground import page
from bionn.playground.asked import Asked

LOOPBACK = "127.0.0.1"
LONGEST = 4000
"""The most characters of an address."""

PARTS: dict[str, Callable[[Asked], str]] = {
    "/": page.page,
    "/network": page.network,
    "/descent": page.descent,
}


class Handler(BaseHTTPRequestHandler):
    """Answers GET; what was asked stands in the address, and nothing is kept."""

    server_version = "bionn"
    sys_version = ""

    def do_GET(self) -> None:
        """The page, or a part of it."""
        if not self._is_ours():
            self._answer(403, "This page is for this machine alone.\n", "text/plain")
            return
        address = urlsplit(self.path)
        make = PARTS.get(address.path)
        if make is None or len(self.path) > LONGEST:
            self._answer(404, "No such page.\n", "text/plain")
            return
        query = dict(parse_qsl(address.query, keep_blank_values=True))
        try:
            self._answer(200, make(query), "text/html")
        except InputError as error:
            self._answer(400, str(error), "text/plain")

    def _is_ours(self) -> bool:
        """Whether a browser was sent here by this machine's own address.

        A name that some other site let point to 127.0.0.1 stands in Host, and a page of another
        site that asks in Origin.
        """
        _, port = self.request.getsockname()
        hosts = {f"{name}:{port}" for name in (LOOPBACK, "localhost")}
        origin = self.headers.get("Origin")
        return self.headers.get("Host") in hosts and (
            origin is None or origin in {f"http://{host}" for host in hosts}
        )

    def _answer(self, status: int, text: str, kind: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Frame-Options", "DENY")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a student's terminal is not a log."""


class Server(ThreadingHTTPServer):
    """Listens on this machine's loopback address.

    Args:
        port: 0 for any that is free.

    Raises:
        InputError: the port is taken, or not allowed.
    """

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        try:
            super().__init__((LOOPBACK, port), Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(
                f"port {port}: cannot be listened on ({reason}); choose another with --port"
            ) from None

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://{LOOPBACK}:{self.server_address[1]}/"
