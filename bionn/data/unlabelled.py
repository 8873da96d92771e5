"""New samples for a trained model, in blocks: read like the training data, but without targets."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import pandas as pd

from bionn.data.columns import find_id_column, find_sequence_column, require_cells, some
from bionn.data.opening import join_columns, joined_name
from bionn.data.prepared import Encoder
from bionn.data.samples import Source
from bionn.errors import FormatError, InputError, did_you_mean
from bionn.formats.fasta import BLOCK_RECORDS, IdRule, read_pieces
from bionn.formats.fasta import read_blocks as fasta_blocks
from bionn.formats.fastq import is_fastq
from bionn.formats.ids import UniqueIds
from bionn.formats.sequence_files import holds_sequences, sequence_blocks
from bionn.formats.table import Table, read_blocks
from bionn.formats.text import is_pipe
from bionn.preprocess.features import FeatureEncoder
from bionn.preprocess.sequences import SequenceEncoder


@dataclass(frozen=True)
class Columns:
    """Where ids and sequences stand; None: found by name and contents.

    Attributes:
        id_column: the column of ids.
        id_rule: which part of a FASTA header is the id; the first word when None.
        sequence_column: the column of sequences.
        names: the column names of a table without a header line.
        pieces: the columns that the sequences of the training data were put together from.
        missing_features: whether a feature without a column is an ``error``, or to ``impute``.
    """

    id_column: str | None = None
    id_rule: IdRule | None = None
    sequence_column: str | None = None
    names: Sequence[str] | None = None
    missing_features: str = "error"
    pieces: tuple[str, ...] = ()

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> Columns:
        """As the training data were read."""
        pieces = manifest.get("sequence_column")
        return cls(
            manifest.get("id_column"),
            cast(IdRule, manifest.get("id_rule", "first")),
            joined_name(pieces) if isinstance(pieces, list) else pieces,
            manifest.get("columns"),
            pieces=tuple(pieces) if isinstance(pieces, list) else (),
        )

    def in_table(self, table: Table) -> Columns:
        """Without the columns that the table does not have."""
        known = set(table.columns)
        return Columns(
            self.id_column if self.id_column in known else None,
            self.id_rule,
            self.sequence_column if self.sequence_column in known else None,
            self.names,
            self.missing_features,
        )


@dataclass(frozen=True)
class Block:
    """Consecutive samples.

    Attributes:
        ids: their ids; no two samples of one input have equal ones.
        where: ``file:line`` of a sample of the block, for messages.
        sequences: their sequences, for a network that takes sequences.
        features: their features, for one that takes features.
        continues: the first sequence goes on where the last of the block before stopped.
        unfinished: the last sequence goes on in the next block.
    """

    ids: list[str]
    where: Callable[[int], str]
    sequences: list[str] | None = None
    features: pd.DataFrame | None = None
    continues: bool = False
    unfinished: bool = False


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
        inputs: a FASTA or FASTQ file, a table (path or DataFrame), or a list of sequences. A pipe is
            FASTA for a network of sequences, else a table.
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
    if given is not None and given == Columns(missing_features=given.missing_features):
        trained, given = replace(trained, missing_features=given.missing_features), None
    takes_sequences, unique = isinstance(encoder, SequenceEncoder), UniqueIds()
    notes = [] if notes is None else notes
    if isinstance(inputs, (str, Path)) and (
        takes_sequences if is_pipe(inputs) else holds_sequences(inputs)
    ):
        if not takes_sequences:
            raise InputError(f"{inputs}: a table needed (this model takes features), FASTA found")
        id_rule = (given or trained).id_rule or "first"
        yield from _records(Path(inputs), id_rule, rows, pieces, unique)
    elif isinstance(inputs, (str, Path, pd.DataFrame)):
        tables = _tables(inputs, (given or trained).names, rows)
        yield from _table_rows(tables, encoder, trained, given, unique, notes)
    else:
        if not takes_sequences:
            raise InputError("inputs: a table needed (this model takes features), a list found")
        wrong = next((item for item in inputs if not isinstance(item, str)), None)
        if wrong is not None:
            raise InputError(f"inputs: a list of sequences needed, {wrong!r} found in it")
        for first in range(0, len(inputs), rows):
            sequences = list(inputs[first : first + rows])
            ids = _row_ids(first, len(sequences))
            yield Block(ids, lambda row, first=first: f"sequence {first + row + 1}", sequences)
    if unique.renamed:
        notes.append(repeated_ids(unique.renamed))


def repeated_ids(renamed: int) -> str:
    """A sentence about ids that stood before."""
    return f"repeated ids: {renamed}, told apart as id#2, id#3, ..."


def _records(
    path: Path, id_rule: IdRule, rows: int, pieces: bool, unique: UniqueIds
) -> Iterator[Block]:
    last = ""
    if pieces and (is_pipe(path) or not is_fastq(path)):
        read = read_pieces
    else:
        read = partial(fasta_blocks if is_pipe(path) else sequence_blocks, records=rows)
    for records in read(path, id_rule=id_rule):
        begun = records.ids[1:] if records.continues else records.ids
        ids = [last] * records.continues + unique(begun)
        yield Block(
            ids,
            records.where,
            records.sequences,
            continues=records.continues,
            unfinished=records.unfinished,
        )
        last = ids[-1]


def _tables(inputs: Source, names: Sequence[str] | None, rows: int) -> Iterator[Table]:
    """The table in blocks; the names given for the training data where they fit this one, too."""
    if isinstance(inputs, pd.DataFrame):
        yield Table.from_frame(inputs)
        return
    blocks = read_blocks(inputs, rows=rows)
    first = next(blocks)
    if names is not None and len(names) == len(first.columns) and first.columns != list(names):
        yield from read_blocks(inputs, names=names, rows=rows)
        return
    yield first
    yield from blocks


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
            "sequences), none found"
        )
    if encoder.symbols.reads_like(column):
        raise FormatError(
            f"{table.path}:1: column names needed, the sequence {column[:20]!r} found; the file "
            "has no header line: name its columns (columns)"
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
