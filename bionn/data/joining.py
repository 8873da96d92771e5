"""Samples and a sample sheet, joined by id: each id exactly once, nothing lost in silence."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd

from bionn.data.columns import find_id_column, require_cells, some, target_columns
from bionn.data.samples import DataOptions, Samples
from bionn.errors import FormatError, InputError
from bionn.formats.table import Table


def join(samples: Samples, sheet: Table, options: DataOptions) -> Samples:
    """Bring the sheet's targets and split columns to the samples, each id exactly once."""
    known = options.id_column if options.id_column in sheet.columns else None
    id_column = find_id_column(sheet, known, default=sheet.columns[0])
    assert id_column is not None
    sheet_ids = sheet.text(id_column)
    require_cells(sheet, id_column, "an id")
    if len(set(sheet_ids)) < len(sheet_ids):
        raise repeated(sheet_ids, sheet.where)
    ids = samples.ids
    if len(set(ids)) < len(ids):
        raise repeated(ids, samples.where)
    row_of = {name: row for row, name in enumerate(sheet_ids)}
    unlabelled = [name for name in ids if name not in row_of]
    unused = set(sheet_ids).difference(ids)
    unused_in_order = [name for name in sheet_ids if name in unused]
    if not (len(ids) - len(unlabelled)):
        raise InputError(
            f"{sheet.path}: no id of column {id_column!r} stands among the inputs' ids "
            f"(there: {ids[0]!r}; here: {sheet_ids[0]!r}); choose the column with id-column"
        )
    problems = []
    if unlabelled:
        problems.append(f"{len(unlabelled)} records without a label ({some(unlabelled)})")
    if unused_in_order:
        problems.append(f"{len(unused_in_order)} labels without a record ({some(unused_in_order)})")
    if problems and not options.allow_missing:
        raise InputError(
            f"{sheet.path}: {' and '.join(problems)}; complete the files, or leave these out with "
            "allow-missing"
        )
    notes = [f"{sheet.path}: left out {problem}" for problem in problems]
    has_label = np.array([name in row_of for name in ids])
    samples = samples.keep(has_label, *notes)
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


def repeated(ids: list[str], where) -> FormatError:
    """The error for the first id that stands twice; FASTA's ``id#2`` counts as its ``id``."""
    first: dict[str, int] = {}
    renamed = len(set(ids)) == len(ids)
    for row, name in enumerate(ids):
        plain = re.sub(r"#\d+$", "", name) if renamed else name
        if plain in first:
            line = where(first[plain]).rpartition(":")[2]
            return FormatError(
                f"{where(row)}: id {plain!r} stands twice (first on line {line}) and ids are "
                "used to join; keep one of each id"
            )
        first[name] = row
    raise AssertionError("no id stands twice")
