"""FASTA files, tables and sample sheets to samples: columns found, ids joined, nothing lost."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from bionn.data.samples import DataOptions, Samples, Source, concatenate
from bionn.errors import FormatError, InputError, did_you_mean
from bionn.formats.fasta import FastaRecords, is_fasta, read_fasta, unique_ids
from bionn.formats.table import Table, read_table
from bionn.formats.text import existing_file
from bionn.sequences.alphabet import Alphabet, alphabet_named

_ID_NAME = re.compile(r"(^|.*[ _.-])(id|ids|name|index|sample|accession)|.*[a-z]ID|", re.ASCII)
_TARGET_NAMES = ("label", "labels", "class", "target", "targets", "y", "phenotype")
_PARTS = {"train": "train", "training": "train", "test": "test", "drop": "drop"} | dict.fromkeys(
    ("val", "valid", "validation", "dev"), "val"
)
_SHOWN = 5


def read_samples(inputs: Source | Sequence[Source], options: DataOptions) -> Samples:
    """Every labelled sample of the inputs and of the ``val`` and ``test`` files.

    Args:
        inputs: one FASTA file or table, or several; two or more FASTA files without ``labels``
            are a class each.
        options: how to read them.

    Raises:
        InputError: a file or column is missing, ids do not match, or no target can be found.
        FormatError: a file cannot be read; says file and line.
    """
    sources = [(source, "") for source in as_list(inputs)]
    sources += [
        (s, part) for s, part in ((options.val, "val"), (options.test, "test")) if s is not None
    ]
    if not sources:
        raise InputError("inputs: a FASTA file or a table needed, none given; name one")
    for source, _ in sources:
        if not isinstance(source, pd.DataFrame):
            existing_file(source)
    fasta = [not isinstance(source, pd.DataFrame) and is_fasta(source) for source, _ in sources]
    sheet = None if options.labels is None else as_table(options.labels)
    by_file = all(fasta) and sheet is None
    order = _file_classes(sources, options) if by_file else ()
    if sheet is not None and all(fasta) and options.id_column is not None:
        sheet.require(options.id_column)
    pieces = []
    for (source, part), from_fasta in zip(sources, fasta, strict=True):
        if from_fasta and not isinstance(source, pd.DataFrame):
            records = read_fasta(source, id_rule=options.id_rule)
            piece = _from_fasta(records, label=class_name(source) if by_file else None)
            if sheet is not None and records.repeated_ids:
                raise _repeated(records.ids, records.where)
        else:
            piece = _from_table(as_table(source, options.columns), options, sheet)
        pieces.append(piece if not part else replace(piece, table=piece.table.assign(part=part)))
    samples = concatenate(pieces, [_shown(source) for source, _ in sources])
    if sheet is not None:
        samples = _join(samples, sheet, options)
    if by_file:
        samples = replace(samples, class_order=order[::-1] if len(order) == 2 else order)
    _check_groups(samples)
    if options.group_pattern is not None:
        samples = replace(samples, table=samples.table.assign(group=_id_groups(samples, options)))
    samples = _with_unique_ids(samples)
    return _without_missing_targets(_with_known_parts(samples), options.allow_missing)


def as_list(inputs: Source | Sequence[Source]) -> list[Source]:
    """One source or several, as a list."""
    return [inputs] if isinstance(inputs, (str, Path, pd.DataFrame)) else list(inputs)


def as_table(source: Source, columns: Sequence[str] | None = None) -> Table:
    """A table from a file, or around a DataFrame."""
    if isinstance(source, pd.DataFrame):
        return Table.from_frame(source)
    return read_table(source, names=columns)


def class_name(source: Source) -> str:
    """The class that a FASTA file's name stands for: its stem.

    Example:
        >>> class_name("data/enhancers.fa.gz")
        'enhancers'
    """
    return Path(re.sub(r"\.b?gz$", "", str(source), flags=re.IGNORECASE)).stem


def find_id_column(table: Table, named: str | None, *, default: str | None = None) -> str | None:
    """The column of ids: the one named, else the first with an id-like name, else the default."""
    if named is not None:
        return table.require(named)
    return next((c for c in table.columns if _ID_NAME.fullmatch(_id_case(c))), default)


def find_sequence_column(table: Table, named: str | None, alphabet: Alphabet) -> str | None:
    """The column of sequences: the one named, else the only one that reads like the alphabet.

    Raises:
        InputError: several columns do and none of them is called a sequence.
    """
    if named is not None:
        return table.require(named)
    symbols = re.compile(f"[{alphabet.symbols.replace('-', '')}XU]{{8,}}", re.IGNORECASE)
    found, top = [], Table(table.frame.head(50), table.path)
    for column in top.columns:
        head = [cell for cell in top.text(column) if cell]
        if head and sum(bool(symbols.fullmatch(cell)) for cell in head) > len(head) / 2:
            found.append(column)
    if len(found) > 1:
        found = [column for column in found if re.search("seq", column, re.IGNORECASE)] or found
    if len(found) > 1:
        raise InputError(
            f"{table.path}: columns {', '.join(map(repr, found))} all hold sequences; "
            "choose one with sequence-column"
        )
    return found[0] if found else None


def _file_classes(sources: Sequence[tuple[Source, str]], options: DataOptions) -> tuple[str, ...]:
    """The classes that FASTA files without a table stand for, in the order given."""
    given = [source for source, part in sources if not part]
    if len(given) == 1:
        raise InputError(
            f"{given[0]}: a target needed for each record; give a table of labels (labels), or one "
            "FASTA file for each class"
        )
    for column in (*options.targets, *options.roles.values()):
        raise InputError(
            f"{given[0]}: no column {column!r} in FASTA files; give a table that has it (labels)"
        )
    order = tuple(dict.fromkeys(class_name(source) for source in given))
    for source, part in sources:
        if class_name(source) not in order:
            raise InputError(
                f"{source}: a {part} file of one class needed, named as one of the inputs "
                f"({', '.join(order)}), {class_name(source)!r} found; give a table of labels "
                "(labels) instead"
            )
    return order


def _id_case(column: str) -> str:
    return column if re.search("[a-z]ID$", column) else column.lower()


def _shown(source: Source) -> str:
    return "<table>" if isinstance(source, pd.DataFrame) else str(source)


def _from_fasta(records: FastaRecords, *, label: str | None) -> Samples:
    rows = range(len(records.ids))
    table = pd.DataFrame(
        {"id": records.ids, "sequence": records.sequences, "source": 0, "row": rows}
    )
    targets = pd.DataFrame({} if label is None else {"class": label}, index=table.index)
    notes = (f"{records.path}: {records.repeated_ids} repeated ids kept as id#2, id#3, ...",)
    return Samples(
        table, None, targets, (records.where,), notes=notes if records.repeated_ids else ()
    )


def _from_table(table: Table, options: DataOptions, sheet: Table | None) -> Samples:
    """The samples of a table; without targets where a sample sheet brings them."""
    notes, labelled = [], sheet is None
    alphabet = alphabet_named(options.alphabet)
    sequence = None
    if options.features is not None and options.sequence_column is not None:
        raise InputError("features: not together with sequence-column; name one of them")
    if options.features is None:
        sequence = find_sequence_column(table, options.sequence_column, alphabet)
    default = None if labelled else table.columns[0]
    named = options.id_column
    if sheet is not None and named in sheet.columns and named not in table.columns:
        named = None
    id_column = find_id_column(table, named, default=default)
    taken = {sequence, id_column, *options.roles.values()}
    targets = _target_columns(table, options, taken, bool(sequence)) if labelled else []
    meta = pd.DataFrame(index=range(len(table)))
    if id_column is None:
        meta["id"] = [f"row{row}" for row in range(1, len(table) + 1)]
        notes.append(f"{table.path}: no id column; rows are called row1, row2, ...")
    else:
        meta["id"] = table.text(id_column)
        _require_cells(table, id_column, "an id")
    meta = meta.assign(source=0, row=range(len(table)), **_roles(table, options, labelled))
    features = None
    if sequence is not None:
        meta["sequence"] = table.text(sequence)
        _require_cells(table, sequence, "a sequence")
    else:
        names, skipped = _feature_columns(
            table, options.features, taken | set(options.targets or targets)
        )
        features = pd.DataFrame({name: table.numeric(name) for name in names})
        if skipped:
            notes.append(
                f"{table.path}: columns left out because they are not numbers: {_some(skipped)}"
            )
    if sequence is not None and options.sequence_column is None:
        notes.append(f"{table.path}: sequences are in column {sequence!r}")
    if targets and not options.targets:
        notes.append(f"{table.path}: the target is column {targets[0]!r}")
    target_frame = pd.DataFrame({t: table.text(t) for t in targets}, index=meta.index)
    return Samples(meta, features, target_frame, (table.where,), notes=tuple(notes))


def _require_cells(table: Table, column: str, what: str) -> None:
    for row, cell in enumerate(table.text(column)):
        if not cell:
            raise FormatError(
                f"{table.where(row)}: column {column!r}: {what} needed, an empty cell found; "
                "complete or remove the row"
            )


def _roles(table: Table, options: DataOptions, required: bool) -> dict[str, list[str]]:
    """The columns that the split asks for, by the names that samples give them."""
    return {
        role: table.text(column)
        for role, column in options.roles.items()
        if required or column in table.columns
    }


def _target_columns(
    table: Table, options: DataOptions, taken: set[str | None], with_sequences: bool
) -> list[str]:
    if options.targets:
        return [table.require(column) for column in options.targets]
    free = [column for column in table.columns if column not in taken]
    named = [column for column in free if column.lower() in _TARGET_NAMES]
    if len(named) == 1:
        return named
    if with_sequences and len(free) == 1:
        return free
    raise InputError(
        f"{table.path}: which column is to be predicted? name it with target; "
        f"the columns are: {_some(free, 12)}"
    )


def _feature_columns(
    table: Table, named: Sequence[str] | None, taken: set[str | None]
) -> tuple[list[str], list[str]]:
    """The numeric columns, and those left out as text.

    A column in which most cells are numbers is numeric: its other cells are errors.
    """
    for column in named or ():
        if column in taken:
            raise InputError(
                f"features: {column!r} is the id, the target or a column of the split as well; "
                "leave it out"
            )
    if named is not None:
        return [table.require(column) for column in named], []
    numeric, text = [], []
    for column in table.columns:
        if column in taken:
            continue
        (numeric if table.mostly_numeric(column) else text).append(column)
    if not numeric:
        raise InputError(
            f"{table.path}: a column of sequences or numeric columns needed, none found; "
            "check the file, or name them with sequence-column or features"
        )
    return numeric, text


def _join(samples: Samples, sheet: Table, options: DataOptions) -> Samples:
    """Bring the sheet's targets and split columns to the samples, each id exactly once."""
    known = options.id_column if options.id_column in sheet.columns else None
    id_column = find_id_column(sheet, known, default=sheet.columns[0])
    assert id_column is not None
    sheet_ids = sheet.text(id_column)
    _require_cells(sheet, id_column, "an id")
    if len(set(sheet_ids)) < len(sheet_ids):
        raise _repeated(sheet_ids, sheet.where)
    ids = samples.ids
    if len(set(ids)) < len(ids):
        raise _repeated(ids, samples.where)
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
        problems.append(f"{len(unlabelled)} records without a label ({_some(unlabelled)})")
    if unused_in_order:
        problems.append(
            f"{len(unused_in_order)} labels without a record ({_some(unused_in_order)})"
        )
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
    targets = _target_columns(sheet, options, taken, with_sequences=True)
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


def _repeated(ids: list[str], where) -> FormatError:
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


def _check_groups(samples: Samples) -> None:
    for row, group in enumerate(samples.column("group") or ()):
        if not group:
            raise FormatError(
                f"{samples.where(row, 'group')}: group-column: a group needed, an empty cell found; "
                "complete or remove the row"
            )


def _id_groups(samples: Samples, options: DataOptions) -> list[str]:
    try:
        pattern = re.compile(options.group_pattern or "")
    except re.error as error:
        raise InputError(
            f"group-pattern: a regular expression needed, {options.group_pattern!r} found ({error}); "
            "write one as '^(.*)_[0-9]+$'"
        ) from None
    if options.group_column is not None:
        raise InputError("group-pattern: not together with group-column; name one of them")
    if pattern.groups < 1:
        raise InputError(
            "group-pattern: a group in parentheses needed, none found; write one as '^(.*)_[0-9]+$'"
        )
    groups = []
    for row, name in enumerate(samples.ids):
        match = pattern.search(name)
        if match is None or match.group(1) is None:
            raise InputError(
                f"{samples.where(row)}: group-pattern {options.group_pattern!r} finds no group in "
                f"id {name!r}; widen it"
            )
        groups.append(match.group(1))
    return groups


def _with_unique_ids(samples: Samples) -> Samples:
    ids, renamed = unique_ids(samples.ids)
    if not renamed:
        return samples
    note = f"{renamed} repeated ids kept as id#2, id#3, ..."
    return replace(samples, table=samples.table.assign(id=ids), notes=(*samples.notes, note))


def _with_known_parts(samples: Samples) -> Samples:
    parts = samples.column("part")
    if parts is None:
        return samples
    for row, part in enumerate(parts):
        if part and part.lower() not in _PARTS:
            raise FormatError(
                f"{samples.where(row, 'part')}: split-column: train, val, test or drop needed, {part!r} "
                f"found{did_you_mean(part, _PARTS)}; correct it"
            )
    known = [_PARTS[part.lower()] if part else "" for part in parts]
    return replace(samples, table=samples.table.assign(part=known))


def _without_missing_targets(samples: Samples, allow_missing: bool) -> Samples:
    if samples.targets.shape[1] == 0:
        raise InputError(
            "target: FASTA files beside tables need their labels in one table; name it with labels"
        )
    missing = (samples.targets == "").any(axis=1).to_numpy()
    if not missing.any():
        return samples
    row = int(np.argmax(missing))
    column = samples.targets.columns[int(np.argmax(samples.targets.iloc[row] == ""))]
    if not allow_missing:
        others = int(missing.sum()) - 1
        raise FormatError(
            f"{samples.where(row, 'target')}: id {samples.ids[row]!r} has no value in target {column!r}"
            + f", nor have {others} other rows" * (others > 0)
            + "; complete the file, or leave such rows out with allow-missing"
        )
    note = f"left out {int(missing.sum())} samples without a target value"
    return samples.keep(~missing, note)


def _some(names: Sequence[str], most: int = _SHOWN) -> str:
    return ", ".join(map(str, names[:most])) + (", ..." if len(names) > most else "")
