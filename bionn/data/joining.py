"""Samples and a sample sheet, joined by id: each id exactly once, nothing lost in silence."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from bionn.data.columns import has_id_name, require_cells, some, target_columns
from bionn.data.samples import DataOptions, Samples, with_columns
from bionn.errors import FormatError, InputError
from bionn.formats.hashes import all_different, rows_of
from bionn.formats.table import Table
from bionn.formats.texts import arrow_texts, text_array, text_lists

_NAMED = 6
"""Ids handed to a message: one more than it names."""

_UNSEEN = re.compile("[\\s\u200b-\u200d\u2060\ufeff]+")
"""White space, and characters of no width: what two ids may differ in without anyone seeing it."""


def join(samples: Samples, sheet: Table, options: DataOptions) -> Samples:
    """Bring the sheet's targets and split columns to the samples, each id exactly once."""
    ids = arrow_texts(samples.table["id"])
    if not all_different(ids) and len(set(samples.ids)) < len(samples):
        raise repeated(list(samples.ids), samples.where)
    named = options.id_column in sheet.columns
    columns = [str(options.id_column)] if named else _other_columns(sheet, options)
    id_column, row_of = _partners(ids, sheet, columns)
    sheet_ids = sheet.texts(id_column)
    if not (options.allow_missing and (row_of >= 0).any()):
        _refuse_unseen_difference(samples, sheet, id_column, row_of)
    _check_ids(sheet, id_column, sheet_ids, ids, row_of)
    known = row_of >= 0
    rows = row_of[known]
    problems = _without_partner(ids, sheet_ids, row_of)
    if problems and not options.allow_missing:
        raise InputError(
            f"{sheet.path}: the ids of the inputs needed, no more and no fewer, "
            f"{' and '.join(problems)} found{_first_place(samples, sheet, row_of)}; complete the "
            f"files, choose another column of ids than {id_column!r} with id-column, or leave these out "
            "with allow-missing"
        )
    notes = [f"{sheet.path}: ids are in column {id_column!r}"] * (not named)
    notes += [f"{sheet.path}: left out {problem}" for problem in problems]
    samples = samples.keep(known, *notes)
    taken: set[str | None] = {id_column, *options.roles.values()}
    targets = target_columns(sheet, options, taken, with_sequences=True)
    if not options.targets:
        samples = replace(
            samples, notes=(*samples.notes, f"{sheet.path}: the target is column {targets[0]!r}")
        )
    brought: dict[str, Any] = {}
    for role, column in options.roles.items():
        named_by_inputs = role in samples.table and any(samples.table[role])
        if column in sheet.columns or not named_by_inputs:
            brought[role] = text_array(sheet.texts(sheet.require(column)).take(pa.array(rows)))
    from_sheet = frozenset({"target", *brought})
    if "part" in brought and "part" in samples.table:
        own = samples.table["part"].tolist()
        brought["part"] = [a or b for a, b in zip(own, brought["part"], strict=True)]
    cells = {name: text_array(sheet.texts(name).take(pa.array(rows))) for name in targets}
    return replace(
        samples,
        table=with_columns(samples.table, **brought, sheet_row=rows),
        locate_in_sheet=sheet.places,
        from_sheet=from_sheet,
        targets=pd.DataFrame(cells),
    )


def _partners(ids: pa.ChunkedArray, sheet: Table, columns: Sequence[str]) -> tuple[str, np.ndarray]:
    """The column with most of the ids, of several one with an id-like name, else the leftmost.

    With it the row of each id; see :func:`bionn.formats.hashes.rows_of`.
    """
    best: tuple[str, np.ndarray] | None = None
    most = (-1, False)
    for column in columns:
        row_of = rows_of(ids, sheet.texts(column))
        known = int((row_of >= 0).sum()), has_id_name(column)
        if known > most:
            best, most = (column, row_of), known
    assert best is not None
    return best


def _other_columns(sheet: Table, options: DataOptions) -> list[str]:
    """The columns that may hold ids: all but the targets, if there are others."""
    return [column for column in sheet.columns if column not in options.targets] or sheet.columns


def _check_ids(
    sheet: Table, column: str, sheet_ids: pa.ChunkedArray, ids: pa.ChunkedArray, row_of: np.ndarray
) -> None:
    """Refuse ids of the sheet of which one is empty or stands twice, or none is the inputs'."""
    if (row_of < 0).all():
        raise InputError(
            f"{sheet.path}: no id of column {column!r} stands among the inputs' ids "
            f"(there: {ids[0].as_py()!r}; here: {sheet_ids[0].as_py()!r}); choose the column with "
            "id-column"
        )
    require_cells(sheet, column, "an id")
    if not all_different(sheet_ids) and len(sheet_ids.unique()) < len(sheet_ids):
        raise repeated(
            sheet_ids.to_pylist(), sheet.where, f", or another column than {column!r} (id-column)"
        )


def _refuse_unseen_difference(
    samples: Samples, sheet: Table, column: str, row_of: np.ndarray
) -> None:
    """Refuse an id of the sheet that would be one of the inputs', were it not for white space."""
    lone = np.flatnonzero(row_of < 0)
    if not len(lone):
        return
    ids = arrow_texts(samples.table["id"]).take(pa.array(lone)).to_pylist()
    alike = {_UNSEEN.sub("", name): place for place, name in enumerate(ids)}
    known = set(row_of.tolist())
    for row, name in enumerate(chain.from_iterable(text_lists(sheet.texts(column)))):
        place = alike.get(_UNSEEN.sub("", name)) if row not in known else None
        if place is not None:
            raise FormatError(
                f"{sheet.where(row)}: column {column!r}: an id as in the inputs needed, {name!r} found, "
                f"which differs in white space only from {ids[place]!r} "
                f"({samples.where(int(lone[place]))}); write both alike"
            )


def _first_place(samples: Samples, sheet: Table, row_of: np.ndarray) -> str:
    """Where the first record without a label is, or else the first label without a record."""
    if (row_of < 0).any():
        return f", the first at {samples.where(int(np.argmax(row_of < 0)))}"
    used = np.zeros(len(sheet), dtype=bool)
    used[row_of] = True
    return f", the first at {sheet.where(int(np.argmin(used)))}"


def _without_partner(
    ids: pa.ChunkedArray, sheet_ids: pa.ChunkedArray, row_of: np.ndarray
) -> list[str]:
    """What has to be left out on either side, a clause each."""
    lone = ids.filter(pa.array(row_of < 0))
    used = np.zeros(len(sheet_ids), dtype=bool)
    used[row_of[row_of >= 0]] = True
    unused = sheet_ids.filter(pa.array(~used))
    return [
        f"{len(names)} {one}{'s' * (len(names) > 1)} without a {other} "
        f"({some(names[:_NAMED].to_pylist())})"
        for names, one, other in ((lone, "record", "label"), (unused, "label", "record"))
        if len(names)
    ]


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
