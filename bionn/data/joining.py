"""Samples and a sample sheet, joined by id: each id exactly once, nothing lost in silence."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from bionn.data.columns import has_id_name, require_cells, some, target_columns
from bionn.data.samples import DataOptions, Samples
from bionn.errors import FormatError, InputError
from bionn.formats.table import Table


def join(samples: Samples, sheet: Table, options: DataOptions) -> Samples:
    """Bring the sheet's targets and split columns to the samples, each id exactly once."""
    ids = samples.ids
    if len(set(ids)) < len(ids):
        raise repeated(ids, samples.where)
    named = options.id_column in sheet.columns
    id_column = options.id_column if named else _most_shared(sheet, ids, options)
    assert id_column is not None
    row_of = _row_of_id(sheet, id_column, ids)
    problems = _without_partner(ids, list(row_of))
    if problems and not options.allow_missing:
        raise InputError(
            f"{sheet.path}: {' and '.join(problems)}; complete the files, choose another column of "
            f"ids than {id_column!r} with id-column, or leave these out with allow-missing"
        )
    notes = [f"{sheet.path}: ids are in column {id_column!r}"] * (not named)
    notes += [f"{sheet.path}: left out {problem}" for problem in problems]
    samples = samples.keep(np.array([name in row_of for name in ids]), *notes)
    rows = [row_of[name] for name in samples.ids]
    taken: set[str | None] = {id_column, *options.roles.values()}
    targets = target_columns(sheet, options, taken, with_sequences=True)
    if not options.targets:
        samples = replace(
            samples, notes=(*samples.notes, f"{sheet.path}: the target is column {targets[0]!r}")
        )
    brought = {}
    for role, column in options.roles.items():
        named_by_inputs = role in samples.table and any(samples.table[role])
        if column in sheet.columns or not named_by_inputs:
            cells = sheet.text(sheet.require(column))
            brought[role] = [cells[row] for row in rows]
    from_sheet = frozenset({"target", *brought})
    if "part" in brought and "part" in samples.table:
        own = samples.table["part"].tolist()
        brought["part"] = [a or b for a, b in zip(own, brought["part"], strict=True)]
    columns = {name: sheet.text(name) for name in targets}
    return replace(
        samples,
        table=samples.table.assign(**brought, sheet_row=rows),
        locate_in_sheet=sheet.where,
        from_sheet=from_sheet,
        targets=pd.DataFrame({n: [cells[row] for row in rows] for n, cells in columns.items()}),
    )


def _most_shared(sheet: Table, ids: list[str], options: DataOptions) -> str:
    """The column with most of the ids; of several, one with an id-like name, else the leftmost."""
    known = set(ids)
    columns = [column for column in sheet.columns if column not in options.targets] or sheet.columns
    shared = {column: len(known.intersection(sheet.text(column))) for column in columns}
    return max(columns, key=lambda column: (shared[column], has_id_name(column)))


def _row_of_id(sheet: Table, column: str, ids: list[str]) -> dict[str, int]:
    """The row of each id of the sheet: none stands twice, and some are the inputs' ids."""
    sheet_ids = sheet.text(column)
    if not set(ids).intersection(sheet_ids):
        raise InputError(
            f"{sheet.path}: no id of column {column!r} stands among the inputs' ids "
            f"(there: {ids[0]!r}; here: {sheet_ids[0]!r}); choose the column with id-column"
        )
    require_cells(sheet, column, "an id")
    if len(set(sheet_ids)) < len(sheet_ids):
        raise repeated(sheet_ids, sheet.where, f", or another column than {column!r} (id-column)")
    return {name: row for row, name in enumerate(sheet_ids)}


def _without_partner(ids: list[str], sheet_ids: list[str]) -> list[str]:
    """What has to be left out on either side, a clause each."""
    known, labelled = set(ids), set(sheet_ids)
    lone = [name for name in ids if name not in labelled]
    unused = [name for name in sheet_ids if name not in known]
    problems = [f"{len(lone)} records without a label ({some(lone)})"] * bool(lone)
    return problems + [f"{len(unused)} labels without a record ({some(unused)})"] * bool(unused)


def repeated(ids: list[str], where: Callable[[int], str], remedy: str = "") -> FormatError:
    """The error for the first id that stands twice; FASTA's ``id#2`` counts as its ``id``."""
    first: dict[str, int] = {}
    renamed = len(set(ids)) == len(ids)
    for row, name in enumerate(ids):
        plain = re.sub(r"#\d+$", "", name) if renamed else name
        if plain in first:
            line = where(first[plain]).rpartition(":")[2]
            return FormatError(
                f"{where(row)}: id {plain!r} stands twice (first on line {line}) and ids are "
                f"used to join; keep one of each id{remedy}"
            )
        first[name] = row
    raise AssertionError("no id stands twice")
