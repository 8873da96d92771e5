"""Inputs of any kind opened: FASTA, FASTQ and BED to records, tables to tables of samples x columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from bionn.data.columns import as_table
from bionn.data.records import PackedRecords, read_records
from bionn.data.regions import RegionCutter, needs_genome, read_regions
from bionn.data.samples import DataOptions, Source
from bionn.errors import InputError
from bionn.formats.genome import Genome
from bionn.formats.intervals import is_bed
from bionn.formats.sequence_files import holds_sequences
from bionn.formats.table import Table
from bionn.formats.text import existing_file
from bionn.sequences.alphabet import alphabet_named
from bionn.sequences.packed import Packer


def open_inputs(sources: Sequence[Source], options: DataOptions) -> list[PackedRecords | Table]:
    """Every file; the sequences of all in one buffer."""
    packer, pattern = Packer(), _label_pattern(options)
    genome = None if options.genome is None else Genome(options.genome)
    files: list[PackedRecords | Table] = []
    for source in sources:
        if isinstance(source, pd.DataFrame):
            files.append(_table(source, options))
        elif genome is not None:
            if not is_bed(source):
                raise InputError(
                    f"{source}: BED regions of the genome needed, another kind of file found; leave "
                    "genome out, or name the file .bed"
                )
            unknown = alphabet_named(options.alphabet).unknown_symbols[0]
            cutter = RegionCutter(genome, window=options.window, unknown=unknown)
            files.append(read_regions(source, cutter, id_column=options.id_column, packer=packer))
        elif is_bed(source):
            raise needs_genome(source)
        elif holds_sequences(source):
            files.append(
                read_records(source, id_rule=options.id_rule, packer=packer, pattern=pattern)
            )
        else:
            files.append(_table(source, options))
    return files


def _table(source: Source, options: DataOptions) -> Table:
    """A table in which a sequence that stands in several columns is put together in one."""
    table = as_table(source, options.columns)
    names = options.sequence_columns
    return table if len(names) < 2 else join_columns(table, names)


def join_columns(table: Table, names: Sequence[str]) -> Table:
    """The table and a column more: the cells of some columns, one after the other.

    Raises:
        InputError: a column is missing.
    """
    cells = ["".join(row) for row in zip(*map(table.text, names), strict=True)]
    return replace(table, frame=table.frame.assign(**{joined_name(names): cells}))


def joined_name(names: Sequence[str]) -> str:
    """What the column made of some others is called.

    Example:
        >>> joined_name(["left", "core", "right"])
        'left + core + right'
    """
    return " + ".join(names)


def _label_pattern(options: DataOptions) -> re.Pattern[str] | None:
    """The compiled pattern."""
    if options.window is not None and options.genome is None:
        raise InputError("window: for BED regions, which need their genome; name it with genome")
    if options.label_pattern is None:
        return None
    try:
        pattern = re.compile(options.label_pattern)
    except re.error as error:
        raise InputError(
            f"label-pattern: a regular expression needed, {options.label_pattern!r} found ({error}); "
            "write one as 'label=(?P<label>[^ ]+)'"
        ) from None
    if not pattern.groupindex:
        raise InputError(
            "label-pattern: a named group needed, none found; write it as 'label=(?P<label>[^ ]+)'"
        )
    if options.labels is not None and not set(pattern.groupindex) & set(options.roles.values()):
        raise InputError(
            "label-pattern: not together with labels, unless a group of it is the split-, fold- or "
            f"group-column ({', '.join(pattern.groupindex)} found); leave one of the two out"
        )
    return pattern


def open_sheet(labels: Source, options: DataOptions, *, beside_fasta: bool) -> Table:
    """The sample sheet; ``columns`` names its columns where the inputs have none."""
    if not isinstance(labels, pd.DataFrame) and holds_sequences(existing_file(labels)):
        raise InputError(
            f"{labels}: a table of labels with a row for each id needed, FASTA found; give FASTA "
            "files of a class each as inputs, without labels"
        )
    sheet = as_table(labels, options.columns if beside_fasta else None)
    if beside_fasta and options.id_column is not None:
        sheet.require(options.id_column)
    return sheet
