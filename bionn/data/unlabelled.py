"""New samples for a trained model, in blocks: read like the training data, but without targets."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from bionn.data.columns import find_id_column, find_sequence_column, require_cells, some
from bionn.data.new_samples import Block, Columns
from bionn.data.opening import join_columns
from bionn.data.orientation import as_samples, may_be_genes
from bionn.data.packed_blocks import packed_blocks
from bionn.data.prepared import Encoder
from bionn.data.regions import RegionCutter, needs_genome
from bionn.data.samples import Source
from bionn.errors import InputError, did_you_mean
from bionn.formats.fasta import BLOCK_RECORDS, FastaRecords, IdRule, read_pieces
from bionn.formats.fasta import read_blocks as fasta_blocks
from bionn.formats.fastq import is_fastq
from bionn.formats.genome import Genome
from bionn.formats.ids import UniqueIds
from bionn.formats.intervals import bed_blocks, is_bed
from bionn.formats.sequence_files import holds_sequences, sequence_blocks
from bionn.formats.table import Table, joined, read_blocks
from bionn.formats.text import is_pipe
from bionn.preprocess.features import FeatureEncoder
from bionn.preprocess.sequences import SequenceEncoder


def read_unlabelled(
    inputs: Source | Sequence[str],
    encoder: Encoder,
    trained: Columns,
    given: Columns | None = None,
    *,
    rows: int = BLOCK_RECORDS,
    pieces: bool = False,
    notes: list[str] | None = None,
) -> Iterator[Block]:
    """Samples of the kind that a network was trained on, block by block.

    Args:
        inputs: a FASTA or FASTQ file, a table (path or DataFrame), a BED file if a genome is named,
            or a list of sequences. A pipe is FASTA for a network of sequences, else a table.
        encoder: what the network's inputs are made by.
        trained: how the training data were read: followed as far as the columns are there.
        given: how to read these; every column named must be there.
        rows: how many a block holds; fewer where they are long or wide.
        pieces: whether a long sequence of a FASTA file may come in pieces.
        notes: is given sentences about what was not as it should be, at the latest at the end.

    Raises:
        InputError: another kind of input, or a feature or sequence column is missing.
        FormatError: the file is damaged or not what it seems. Blocks before the fault have been
            yielded by then.
    """
    if given is not None:
        trained = replace(trained, **given.settings)
        given = (
            None if given == Columns(**given.settings) else replace(given, window=trained.window)
        )
    takes_sequences, unique = isinstance(encoder, SequenceEncoder), UniqueIds()
    reading, notes = given or trained, [] if notes is None else notes
    if takes_sequences and reading.orient != "auto":
        raise InputError("orient: for tables of features, a model of sequences found; leave it out")
    if reading.genome is not None or (isinstance(inputs, (str, Path)) and is_bed(inputs)):
        yield from _regions(inputs, encoder, reading, rows, unique, notes)
        _tell_repeated(unique, notes)
        return
    if isinstance(inputs, (str, Path)) and (
        takes_sequences if is_pipe(inputs) else holds_sequences(inputs)
    ):
        if not takes_sequences:
            raise _no_table(inputs, "FASTA found; name the table")
        id_rule, path = reading.id_rule or "first", Path(inputs)
        if pieces or is_pipe(path):
            yield from record_blocks(_records(path, id_rule, rows, pieces), unique)
        else:
            yield from packed_blocks(path, id_rule, rows, unique.renaming)
    elif isinstance(inputs, (str, Path, pd.DataFrame)):
        tables = _tables(inputs, encoder, reading, rows, notes, told=given is not None)
        yield from _table_rows(tables, encoder, trained, given, unique, notes)
    else:
        if not takes_sequences:
            raise _no_table("inputs", "a list found; give a DataFrame")
        wrong = next((item for item in inputs if not isinstance(item, str)), None)
        if wrong is not None:
            raise InputError(f"inputs: a list of sequences needed, {wrong!r} found in it")
        for first in range(0, len(inputs), rows):
            sequences = list(inputs[first : first + rows])
            ids = _row_ids(first, len(sequences))
            yield Block(ids, lambda row, first=first: f"sequence {first + row + 1}", sequences)
    _tell_repeated(unique, notes)


def _no_table(inputs: object, found: str) -> InputError:
    return InputError(f"{inputs}: a table needed (this model takes features), {found}")


def _tell_repeated(unique: UniqueIds, notes: list[str]) -> None:
    if unique.renamed:
        notes.append(repeated_ids(unique.renamed))


def repeated_ids(renamed: int) -> str:
    """A sentence about ids that stood before."""
    return f"repeated ids: {renamed}, told apart as id#2, id#3, ..."


def _regions(
    inputs: Source | Sequence[str],
    encoder: Encoder,
    reading: Columns,
    rows: int,
    unique: UniqueIds,
    notes: list[str],
) -> Iterator[Block]:
    """Regions of a BED file as they were cut for training, or as long as the network's sequences."""
    if reading.genome is None:
        raise needs_genome(inputs)
    if not isinstance(inputs, (str, Path)) or not (is_bed(inputs) or is_pipe(inputs)):
        shown = inputs if isinstance(inputs, (str, Path)) else "inputs"
        raise InputError(
            f"{shown}: BED regions of the genome needed, another kind of input found; leave genome "
            "out, or name the file .bed"
        )
    if not isinstance(encoder, SequenceEncoder):
        raise _no_table(inputs, "BED regions found; name the table")
    window = reading.window
    if window is None and not reading.regions and encoder.align is None:
        window = encoder.length
        notes.append(
            f"windows of {window} around the middles of the regions, as long as the model's sequences"
        )
    unknown = encoder.symbols.unknown_symbols[0]
    cutter = RegionCutter(Genome(reading.genome), window=window, unknown=unknown)
    id_column = reading.id_column if reading.regions or reading.id_column == "name" else None
    for block in bed_blocks(inputs, regions=rows):
        places = {
            "chromosome": np.array(block.chromosomes, dtype=object),
            "start": block.starts,
            "end": block.ends,
            "strand": np.array(block.strands, dtype=object),
        }
        yield Block(
            unique(block.named(id_column)),
            block.where,
            list(cutter.sequences(block)),
            places=places,
        )
    notes += cutter.notes()


def _records(path: Path, id_rule: IdRule, rows: int, pieces: bool) -> Iterator[FastaRecords]:
    if pieces and (is_pipe(path) or not is_fastq(path)):
        return read_pieces(path, id_rule=id_rule)
    read = fasta_blocks if is_pipe(path) else sequence_blocks
    return read(path, id_rule=id_rule, records=rows)


def record_blocks(
    records: Iterable[FastaRecords], renamed: Callable[[list[str]], list[str]]
) -> Iterator[Block]:
    """Records of a file as samples; one that comes in pieces has its id in each of them.

    Args:
        records: some at a time.
        renamed: told the ids of the records that begin among them, gives those that they are to have.
    """
    last = ""
    for some_records in records:
        begun = some_records.ids[some_records.continues :]
        ids = [last] * some_records.continues + renamed(begun)
        last = ids[-1]
        yield Block(
            ids,
            some_records.where,
            some_records.sequences,
            continues=some_records.continues,
            unfinished=some_records.unfinished,
        )


def _tables(
    inputs: Source,
    encoder: Encoder,
    reading: Columns,
    rows: int,
    notes: list[str],
    *,
    told: bool,
) -> Iterator[Table]:
    """The table in blocks of samples; one that is genes x samples in one block."""
    if isinstance(inputs, pd.DataFrame):
        blocks = iter([Table.from_frame(inputs)])
    else:
        blocks = _named_blocks(Path(inputs), reading.names, rows, told=told)
    features = encoder.columns if isinstance(encoder, FeatureEncoder) else ()
    first = next(blocks)
    if may_be_genes(first, features, reading.orient):
        table, note = as_samples(joined([first, *blocks]), features, reading.orient)
        notes += [note] * bool(note)
        yield table
        return
    yield first
    yield from blocks


def _named_blocks(
    path: Path, names: Sequence[str] | None, rows: int, *, told: bool
) -> Iterator[Table]:
    """A table in blocks, its columns called as those of the training data where it has no header.

    Args:
        path: the table.
        names: the columns of the training data, if they had no header, or those told.
        rows: of a block.
        told: whether the names are said to be those of this table.
    """
    if names is not None:
        blocks = read_blocks(path, names=names, rows=rows)
        try:
            first = next(blocks)
        except InputError:  # another number of columns: a file that names its own, perhaps
            if told or is_pipe(path):
                raise
            yield from read_blocks(path, rows=rows)
            return
        if first.frame.iloc[0].tolist() == list(names):
            first = first.without_first_row()
        yield first
        yield from blocks
    else:
        yield from read_blocks(path, rows=rows)


def _table_rows(
    tables: Iterator[Table],
    encoder: Encoder,
    trained: Columns,
    given: Columns | None,
    unique: UniqueIds,
    notes: list[str],
) -> Iterator[Block]:
    """Ids and sequences or features of each block, from the columns that the first one shows."""
    before = 0
    columns, id_column, sequence_column = given or trained, None, ""
    strange: list[pd.DataFrame] = []
    for table in tables:
        if set(trained.pieces) <= set(table.columns):
            table = join_columns(table, trained.pieces) if trained.pieces else table
        if not before:
            columns = given or trained.in_table(table)
            id_column = find_id_column(table, columns.id_column)
            if isinstance(encoder, SequenceEncoder):
                sequence_column = _sequence_column(table, encoder, columns.sequence_column)
            else:
                notes += _missing_features(table, encoder, columns.missing_features)
        ids = _row_ids(before, len(table))
        if id_column is not None:
            ids = unique(table.text(id_column))
        before += len(table)
        if isinstance(encoder, SequenceEncoder):
            require_cells(table, sequence_column, "a sequence")
            yield Block(ids, table.where, table.text(sequence_column))
        else:
            features = _features(table, encoder)
            if encoder.unseen(features):
                strange.append(features.loc[:, list(encoder.categories)].map(sys.intern))
            yield Block(ids, table.where, features=features)
    if strange and not isinstance(encoder, SequenceEncoder):
        notes += encoder.unseen(pd.concat(strange))


def _row_ids(before: int, count: int) -> list[str]:
    return [f"row{row}" for row in range(before + 1, before + count + 1)]


def _sequence_column(table: Table, encoder: SequenceEncoder, named: str | None) -> str:
    column = find_sequence_column(table, named, encoder.symbols)
    if column is None:
        raise InputError(
            f"{table.path}: a column of {encoder.alphabet} sequences needed (this model takes "
            "sequences), none found; name it with sequence-column"
        )
    return column


def _missing_features(table: Table, encoder: FeatureEncoder, missing_features: str) -> list[str]:
    """A sentence about the features that have no column, if there are any.

    Raises:
        InputError: a column is missing, and is not to be imputed.
    """
    needed, known = encoder.columns, set(table.columns)
    missing = [name for name in needed if name not in known]
    if missing and missing_features != "impute":
        others = f", nor {len(missing) - 1} others" if len(missing) > 1 else ""
        raise InputError(
            f"{table.path}: no column {missing[0]!r}{did_you_mean(missing[0], table.columns)}{others} "
            f"of the {len(needed)} features that the model takes; add what is missing, or let it be "
            "imputed with missing-features impute"
        )
    if len(missing) == len(needed):
        raise InputError(
            f"{table.path}: none of the {len(needed)} features that the model takes is here; "
            "check the column names"
        )
    note = f"{len(missing)} of {len(needed)} features are missing and imputed: {some(missing)}"
    return [note] * bool(missing)


def _features(table: Table, encoder: FeatureEncoder) -> pd.DataFrame:
    """The columns that the encoder takes, whatever their order; empty where the table has none."""
    known = set(table.columns)
    numbers = table.numeric_frame([name for name in encoder.names if name in known])
    texts = {name: table.text(name) if name in known else "" for name in encoder.categories}
    return numbers.reindex(columns=list(encoder.names)).assign(**texts)
