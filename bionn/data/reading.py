"""FASTA files, tables and sample sheets to samples: columns found, ids joined, nothing lost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from bionn.data.applicable import (
    refuse_contradictions,
    refuse_for_fasta,
    refuse_for_features,
    refuse_for_sequences,
    refuse_for_tables,
)
from bionn.data.checked import checked
from bionn.data.columns import (
    feature_columns,
    find_id_column,
    find_sequence_column,
    require_cells,
    some,
    target_columns,
)
from bionn.data.joining import join, repeated
from bionn.data.opening import joined_name, open_inputs, open_sheet
from bionn.data.orientation import oriented
from bionn.data.records import PackedRecords, pack_cells
from bionn.data.samples import DataOptions, Samples, Source, concatenate
from bionn.errors import InputError
from bionn.formats.table import Table
from bionn.formats.text import existing_file, is_pipe
from bionn.formats.texts import text_array
from bionn.memory import give_back
from bionn.sequences.alphabet import alphabet_named


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
    samples = checked(_read(inputs, options), options)
    give_back()  # what the files needed on the way, a table of labels above all
    return samples


def _read(inputs: Source | Sequence[Source], options: DataOptions) -> Samples:
    refuse_contradictions(options)
    sources = _sources(inputs, options)
    files = open_inputs([source for source, _ in sources], options)
    tables = [file for file in files if isinstance(file, Table)]
    sheet = None
    if options.labels is not None:
        give_back()
        sheet = open_sheet(options.labels, options, beside_fasta=not tables)
        give_back()
    turned = [oriented(file, sheet, options) for file in tables]
    tables, said = [table for table, _ in turned], [note for _, note in turned if note]
    left = iter(tables)
    files = [next(left) if isinstance(file, Table) else file for file in files]
    order: tuple[str, ...] = ()
    if not tables:
        refuse_for_fasta(options)
        own = options.label_pattern is not None or (options.genome is not None and options.targets)
        order = () if sheet is not None or own else _file_classes(sources, options)
    elif len(tables) == len(files):
        refuse_for_tables(tables[0], options)
    pieces = []
    for (source, part), file in zip(sources, files, strict=True):
        if isinstance(file, Table):
            piece = _from_table(file, _find_columns(file, options, sheet, tables), options, part)
        else:
            piece = _from_records(
                file, options, class_name(source) if order else None, order, labelled=sheet is None
            )
            if sheet is not None and file.repeated_ids:
                raise repeated(file.ids.tolist(), file.where)
        pieces.append(piece if not part else replace(piece, table=piece.table.assign(part=part)))
    samples = concatenate(pieces, [_shown(source) for source, _ in sources])
    del pieces, piece  # the columns were copied
    samples = replace(samples, notes=(*said, *samples.notes))
    if samples.features is None:
        refuse_for_sequences(options)
    else:
        refuse_for_features(tables[0], options)
    if sheet is not None:
        samples = join(samples, sheet, options)
    if order:
        samples = replace(samples, class_order=order[::-1] if len(order) == 2 else order)
    return samples


def as_list(inputs: Source | Sequence[Source]) -> list[Source]:
    """One source or several, as a list.

    Raises:
        InputError: there is none.
    """
    sources = [inputs] if isinstance(inputs, (str, Path, pd.DataFrame)) else list(inputs)
    if not sources:
        raise InputError("inputs: a FASTA file or a table needed, none given; name one")
    return sources


def class_name(source: Source) -> str:
    """The class that a FASTA file's name stands for: its stem.

    Example:
        >>> class_name("data/enhancers.fa.gz")
        'enhancers'
    """
    return Path(re.sub(r"\.b?gz$", "", str(source), flags=re.IGNORECASE)).stem


def _sources(inputs: Source | Sequence[Source], options: DataOptions) -> list[tuple[Source, str]]:
    """Every source with the part that its samples are for, or ""; files are there."""
    sources = [(source, "") for source in as_list(inputs)]
    sources += [
        (s, part) for s, part in ((options.val, "val"), (options.test, "test")) if s is not None
    ]
    for source in (*(source for source, _ in sources), options.labels, options.genome):
        if isinstance(source, (str, Path)):
            if str(source) == "-" or is_pipe(source):
                raise InputError(
                    f"{source}: a file needed, to be read more than once and named in config.yaml, a "
                    "pipe found; write it to a file first"
                )
            existing_file(source)
    return sources


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


def _shown(source: Source) -> str:
    return "<table>" if isinstance(source, pd.DataFrame) else str(source)


def _from_records(
    records: PackedRecords,
    options: DataOptions,
    label: str | None,
    classes: Sequence[str],
    *,
    labelled: bool,
) -> Samples:
    """The samples of a file of sequences.

    Args:
        records: of the file.
        options: may name a target and the split's columns among the records' own.
        label: the class that the file stands for, if it does.
        classes: those that the files stand for.
        labelled: whether no sample sheet brings the targets.
    """
    rows = np.arange(len(records.ids), dtype=np.int32)
    columns = {"id": records.ids, "source": np.zeros_like(rows), "row": rows}
    table = pd.DataFrame(columns, copy=False)
    own = records.table
    if "chromosome" in own.columns:
        table["chromosome"] = own.text("chromosome")
    targets = pd.DataFrame(index=table.index)
    if label is not None:
        number = np.full(len(rows), classes.index(label), dtype=np.int16)
        targets["class"] = pd.Categorical.from_codes(number, list(classes))
    notes = [f"{records.path}: {records.repeated_ids} repeated ids kept as id#2, id#3, ..."]
    notes *= bool(records.repeated_ids)
    notes += records.notes
    if label is None and labelled and set(own.columns) - {"chromosome"}:
        names = target_columns(own, options, {"chromosome", *options.roles.values()}, True)
        targets = pd.DataFrame({name: text_array(own.texts(name)) for name in names})
        if not options.targets:
            notes.append(f"{records.path}: the target is {names[0]!r} of the headers")
    if label is None:
        table = table.assign(**_roles(own, options, labelled))
    return Samples(
        table,
        None,
        targets,
        (records.where,),
        notes=tuple(notes),
        texts=records.sequences,
    )


class _Columns(NamedTuple):
    """What is what in a table; no targets where a sample sheet brings them."""

    id: str | None
    sequence: str | None
    targets: list[str]
    labelled: bool


def _find_columns(
    table: Table, options: DataOptions, sheet: Table | None, tables: Sequence[Table]
) -> _Columns:
    """The columns named, or found by names and contents; alike in all the tables."""
    alphabet, sequence = alphabet_named(options.alphabet), None
    if options.features is not None and options.sequence_column is not None:
        raise InputError("features: not together with sequence-column; name one of them")
    if options.features is None:
        names = options.sequence_columns
        sequence = find_sequence_column(table, joined_name(names) if names else None, alphabet)
    named = options.id_column
    if sheet is not None and named in sheet.columns and named not in table.columns:
        named = None
    default = None if sheet is None else table.columns[0]
    id_column = find_id_column(table, named, default=default, beside=tables)
    taken = {sequence, id_column, *options.roles.values(), *options.sequence_columns}
    targets = target_columns(table, options, taken, bool(sequence)) if sheet is None else []
    return _Columns(id_column, sequence, targets, labelled=sheet is None)


def _from_table(table: Table, columns: _Columns, options: DataOptions, part: str) -> Samples:
    """The samples of a table.

    Columns are found in the same way in a file of its own for a part: that is said once.
    """
    meta = pd.DataFrame(index=range(len(table)))
    if columns.id is None:
        prefix = f"{part}_" if part else ""
        meta["id"] = [f"{prefix}row{row}" for row in range(1, len(table) + 1)]
    else:
        meta["id"] = text_array(table.texts(columns.id))
        require_cells(table, columns.id, "an id")
    rows = np.arange(len(table), dtype=np.int32)
    meta = meta.assign(
        source=np.zeros_like(rows), row=rows, **_roles(table, options, columns.labelled)
    )
    features, texts, skipped = None, None, []
    if columns.sequence is not None:
        require_cells(table, columns.sequence, "a sequence")
        texts = pack_cells(table.texts(columns.sequence), table.where)
    else:
        taken = {columns.id, *options.roles.values(), *columns.targets, *options.targets}
        features, skipped = feature_columns(table, options.features, taken)
    targets = pd.DataFrame(
        {name: text_array(table.texts(name)) for name in columns.targets}, index=meta.index
    )
    notes = () if part else tuple(_found(table, columns, options, skipped))
    return Samples(meta, features, targets, (table.places,), notes=notes, texts=texts)


def _found(
    table: Table, columns: _Columns, options: DataOptions, skipped: list[str]
) -> Iterator[str]:
    """A sentence for each choice that was not made by name."""
    if columns.id is None:
        yield f"{table.path}: no id column; rows are called row1, row2, ..."
    elif columns.id != options.id_column:
        yield f"{table.path}: ids are in column {columns.id!r}"
    if table.measured is not None and options.features is None:
        yield (
            f"{table.path}: features are the {len(table.measured)} variables of X; a column of obs is "
            "one only where features names it"
        )
    if skipped:
        yield f"{table.path}: columns left out because they are not numbers: {some(skipped)}"
    if columns.sequence is not None and options.sequence_column is None:
        yield f"{table.path}: sequences are in column {columns.sequence!r}"
    if columns.targets and not options.targets:
        yield f"{table.path}: the target is column {columns.targets[0]!r}"


def _roles(table: Table, options: DataOptions, required: bool) -> dict[str, ExtensionArray]:
    """The columns that the split asks for, by the names that samples give them."""
    return {
        role: text_array(table.texts(column))
        for role, column in options.roles.items()
        if required or column in table.columns
    }
