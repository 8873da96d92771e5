"""``bionn report``: the page of a run made again from its folder."""

from __future__ import annotations

from collections.abc import Sequence

from bionn.cli.parser import Parser


def make_parser() -> Parser:
    """The parser of ``bionn report``."""
    parser = Parser(
        prog="bionn report",
        description="Make report.html from the files in a run's folder: one page that needs no "
        "network and no other file. bionn run makes it at its end; this makes it again.",
    )
    parser.add_argument("run", metavar="RUN", help="the folder that bionn run wrote")
    return parser


def report(arguments: Sequence[str]) -> int:
    """Read the folder, write the page, say where."""
    given = make_parser().parse(arguments)

    from bionn.report.page import write_page

    print(write_page(given.run))
    return 0
