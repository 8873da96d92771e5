"""Whether the rows of a table are samples or genes: told, or found from names, and said aloud."""

from __future__ import annotations

from collections.abc import Collection

from bionn.data.samples import DataOptions
from bionn.errors import InputError, did_you_mean
from bionn.formats.table import Table

ORIENTATIONS = ("auto", "samples", "genes")


def oriented(table: Table, sheet: Table | None, options: DataOptions) -> tuple[Table, str]:
    """The table as samples x genes, and a sentence on what was found or done; ``""`` for nothing.

    With ``auto`` rows are genes only if the names leave no doubt: the target, or the ids of the
    sample sheet, stand where they do in a table genes x samples, and nowhere else.

    Raises:
        InputError: an unknown orientation, or genes for a file that says which they are.
        FormatError: a gene without a name, or with that of another.
    """
    _check(table, options.orient)
    if table.ids is not None:
        return table, ""
    reason = "as told"
    if options.orient == "auto":
        reason = _why_genes(table, sheet, options)
    if options.orient == "samples" or not reason or len(table.columns) < 2:
        return table, ""
    own = sheet is None or options.id_column not in sheet.columns
    id_name = options.id_column if own and options.id_column is not None else "sample"
    return _turned(table, id_name, reason)


def may_be_genes(table: Table, features: Collection[str], orient: str) -> bool:
    """Whether the first rows of a table of new samples leave it open that its rows are genes.

    Args:
        table: the first rows.
        features: the columns that a model takes.
        orient: ``samples``, ``genes`` or ``auto``.

    Raises:
        InputError: as :func:`oriented`.
    """
    _check(table, orient)
    if table.ids is not None or orient == "samples":
        return False
    return orient == "genes" or (bool(features) and not set(features) & set(table.columns))


def as_samples(table: Table, features: Collection[str], orient: str) -> tuple[Table, str]:
    """A whole table of new samples as samples x genes, and a sentence on what was done; ``""``.

    With ``auto`` rows are genes if a model's features stand in the first column, and none of them
    in the header.

    Args:
        table: the table.
        features: the columns that the model takes.
        orient: as for :func:`may_be_genes`, which says that rows may be genes.
    """
    reason = "as told"
    if orient == "auto":
        known = len(set(features).intersection(table.text(table.columns[0])))
        if not known or len(table.columns) < 2:
            return table, ""
        reason = f"{known} features of the model stand in column {table.columns[0]!r}"
    return _turned(table, "sample", reason)


def _check(table: Table, orient: str) -> None:
    if orient not in ORIENTATIONS:
        raise InputError(
            f"orient: one of {', '.join(ORIENTATIONS)} needed, {orient!r} found"
            f"{did_you_mean(orient, ORIENTATIONS)}; choose one"
        )
    if table.ids is not None and orient == "genes":
        raise InputError(
            f"orient: {table.path} says by itself what its samples are (obs); leave orient out, "
            "or transpose the file"
        )


def _turned(table: Table, id_name: str, reason: str) -> tuple[Table, str]:
    return table.transposed(id_name), (
        f"{table.path}: genes x samples ({reason}), read as {len(table.columns) - 1} samples x "
        f"{len(table)} genes"
    )


def _why_genes(table: Table, sheet: Table | None, options: DataOptions) -> str:
    """What tells that rows are genes; ``""`` if nothing does."""
    columns = set(table.columns)
    if sheet is None:
        if not options.targets or columns.intersection(options.targets):
            return ""
        if set(options.targets) <= set(table.text(table.columns[0])):
            return f"target {options.targets[0]!r} stands in column {table.columns[0]!r}"
        return ""
    names = [options.id_column] if options.id_column in sheet.columns else sheet.columns
    ids = {cell for name in names for cell in sheet.text(str(name))} - {""}
    shared = len(ids.intersection(table.columns[1:]))
    if not shared or any(ids.intersection(table.text(column)) for column in table.columns):
        return ""
    return f"{shared} ids of {sheet.path} are names of columns"
