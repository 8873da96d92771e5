"""``bionn data``: which data sets are known by name, and getting one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bionn.cli.parser import Parser
from bionn.errors import InputError, did_you_mean
from bionn.formats.escape import printable

_DOES = {
    "list": "the data sets that are known by name, and which are here",
    "get": "fetch data sets, checked against their sha256",
}


def make_parser() -> Parser:
    """The parser of ``bionn data``."""
    parser = Parser(
        prog="bionn data",
        description="Data sets that are known by name: two small simulated ones, which come with the "
        "source, and public ones, which are fetched from where they were published.",
        epilog="They lie in $BIONN_DATA, a folder each; else in ~/.local/share/bionn.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="does", metavar="list|get", parser_class=Parser)
    listing = verbs.add_parser("list", help=_DOES["list"], description=_DOES["list"])
    listing.add_argument("--json", action="store_true", help="print JSON instead of a table")
    getting = verbs.add_parser("get", help=_DOES["get"], description=_DOES["get"])
    getting.add_argument("names", nargs="+", metavar="NAME", help="as bionn data list shows it")
    getting.add_argument(
        "--from",
        dest="mirror",
        metavar="DIR",
        help="a folder, or the address of one, that holds NAME/FILE, or NAME.zip, NAME.tar.gz",
    )
    getting.add_argument(
        "--overwrite", action="store_true", help="replace files that are there and are others"
    )
    return parser


def data(arguments: Sequence[str]) -> int:
    """Parse, list or get."""
    if arguments and not arguments[0].startswith("-") and arguments[0] not in _DOES:
        near = did_you_mean(arguments[0], _DOES)
        raise InputError(f"data: list or get needed, {arguments[0]!r} found{near}; choose one")
    given = make_parser().parse(arguments)
    if given.does is None:
        raise InputError("data: list or get needed; see bionn data --help")
    return _list(given.json) if given.does == "list" else _get(given)


def _list(as_json: bool) -> int:
    from bionn.data.registry import data_folder, registry
    from bionn.formats.output import json_text

    folder = data_folder()
    rows = [
        {
            "name": entry.name,
            "title": entry.title,
            "kind": entry.kind,
            "task": list(entry.task),
            "bytes": entry.size,
            "licence": entry.licence,
            "licence_note": entry.licence_note,
            "source": entry.repository,
            "files": [file.name for file in entry.files],
            "folder": next(
                (str(p) for p in (folder / entry.name, entry.shipped) if p and entry.is_in(p)), None
            ),
        }
        for entry in registry().values()
    ]
    if as_json:
        print(json_text(rows))
        return 0
    for row in rows:
        here = f"here: {row['folder']}" if row["folder"] else f"bionn data get {row['name']}"
        print(
            f"{row['name']}  ({row['kind']}, {', '.join(row['task'])}, {row['bytes'] / 1e6:.1f} MB)"
        )
        print(f"    {row['title']}")
        print(f"    licence: {row['licence'] or row['licence_note']}")
        print(printable(f"    {here}"))
    return 0


def _get(given: argparse.Namespace) -> int:
    from bionn.data.obtain import obtain
    from bionn.data.registry import data_folder, data_set

    folder: Path = data_folder()
    for entry in [data_set(name) for name in given.names]:
        done = obtain(entry, folder, mirror=given.mirror, overwrite=given.overwrite)
        what = f"{len(done.new)} files, checked" if done.new else "all files were there already"
        print(printable(f"{done.folder}: {what}"))
        print(f"  licence: {entry.licence or entry.licence_note}")
    return 0
