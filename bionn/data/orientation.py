"""Whether the rows of a table are samples or genes: told, or found from names, and said aloud."""

from __future__ import annotations

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
    if options.orient not in ORIENTATIONS:
        raise InputError(
            f"orient: one of {', '.join(ORIENTATIONS)} needed, {options.orient!r} found"
            f"{did_you_mean(options.orient, ORIENTATIONS)}; choose one"
        )
    if table.ids is not None:
        if options.orient == "genes":
            raise InputError(
                f"orient: {table.path} says by itself what its samples are (obs); leave orient out, "
                "or transpose the file"
            )
        return table, ""
    reason = "as told"
    if options.orient == "auto":
        reason = _why_genes(table, sheet, options)
    if options.orient == "samples" or not reason or len(table.columns) < 2:
        return table, ""
    own = sheet is None or options.id_column not in sheet.columns
    id_name = options.id_column if own and options.id_column is not None else "sample"
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
