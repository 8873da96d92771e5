"""``bionn playground``: the lecture's worked example and gradient descent in the browser."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence

from bionn.cli.parser import Parser


def make_parser() -> Parser:
    """The parser of ``bionn playground``."""
    parser = Parser(
        prog="bionn playground",
        description="A page on this machine alone: change the worked example's inputs and weights and "
        "watch values go forward and derivatives back; let gradient descent, stochastic and "
        "mini-batch, walk down a loss surface. Ctrl-C ends it.",
    )
    parser.add_argument(
        "--port", type=int, default=0, metavar="N", help="listen there (default: any free one)"
    )
    parser.add_argument(
        "--no-browser", dest="browser", action="store_false", help="only print the address"
    )
    return parser


def playground(arguments: Sequence[str]) -> int:
    """Serve until Ctrl-C."""
    given = make_parser().parse(arguments)

    from bionn.playground.server import Server

    with Server(given.port) as server:
        try:
            print(f"{server.address} (Ctrl-C ends it)", flush=True)
            if given.browser:
                webbrowser.open(server.address)
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0
