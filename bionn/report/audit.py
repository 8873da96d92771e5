"""An audit on the terminal: one table of what was found, then warnings and advice."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bionn.data.certificate import certificate_note
from bionn.data.columns import some


def print_audit(console: Console, found: dict[str, Any]) -> None:
    """The whole audit."""
    table = Table(title="audit", title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in chain(audit_rows(found), _split_rows(found)):
        table.add_row(escape(name), escape(text))
    console.print(table)
    print_remarks(console, found)
    if not found["warnings"]:
        console.print("no warnings")


def print_remarks(console: Console, found: dict[str, Any]) -> None:
    """A yellow sentence for each warning, then the advice."""
    for warning in found["warnings"]:
        console.print(f"warning: {escape(warning['message'])}", style="yellow")
    for sentence in found["advice"]:
        console.print(f"advice: {escape(sentence)}")


def audit_rows(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What was counted in the data, a name and a text each."""
    yield "samples", str(found["samples"])
    if "task" in found:
        yield "task", found["task"]
    if "sequences" in found:
        yield from _sequence_rows(found["sequences"])
    if "features" in found:
        facts = found["features"]
        yield "features", f"{facts['count']}, {len(facts['constant'])} of them constant"
        columns = len(facts["with_missing_values"])
        yield "missing", f"{facts['missing_values']} values, in {columns} columns"
    for name, count in found.get("classes", {}).items():
        yield f"class {name}", f"{count} ({count / found['samples']:.1%})"
    for name, spread in found.get("targets", {}).items():
        yield (
            f"target {name}",
            f"{spread['mean']:.4g} ± {spread['std']:.4g}, {spread['lowest']:.4g} to "
            f"{spread['highest']:.4g}" + f", {spread['missing']} missing" * bool(spread["missing"]),
        )
    duplicates = found["duplicates"]
    strand = duplicates["on_the_other_strand"]
    yield (
        "duplicates",
        f"{duplicates['rows']}" + f", {strand} of them on the other strand" * bool(strand),
    )
    if "conflicting" in duplicates:
        conflicting = duplicates["conflicting"]
        yield "conflicts", f"{conflicting['inputs']} inputs, in {conflicting['rows']} rows"
    groups = found.get("groups")
    if groups is not None:
        origin = groups.get("pattern", "as named")
        yield (
            "groups",
            f"{groups['number']} ({origin}), largest {groups['largest']}, "
            f"{groups['in_several_parts']} in several parts",
        )


def _split_rows(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    split = found.get("split")
    if split is None:
        return
    parts = ", ".join(f"{part} {facts['rows']}" for part, facts in split["parts"].items())
    yield "split", f"{split['split']}: {parts}" + " (fold 0)" * ("folds" in split)
    yield "", certificate_note(split)


def _sequence_rows(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield (
        "lengths",
        f"{facts['shortest']} to {facts['longest']}, median {facts['median_length']:g}, "
        f"{facts['symbols']} symbols",
    )
    if len(facts["composition"]) <= 6:
        letters = ", ".join(f"{name} {share:.1%}" for name, share in facts["composition"].items())
        yield "composition", letters
    ambiguous = ", ".join(f"{name} {count}" for name, count in facts["ambiguous"].items())
    yield (
        "ambiguous",
        f"{ambiguous}, in {facts['sequences_with_ambiguous']} sequences" if ambiguous else "none",
    )
    if facts["foreign"]:
        yield "foreign", some([f"{symbol} {n}" for symbol, n in facts["foreign"].items()], 12)
