"""New samples for a trained model: read like the training data, but without targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pandas as pd

from bionn.data.columns import as_table, find_id_column, find_sequence_column, some
from bionn.data.prepared import Encoder
from bionn.data.records import pack_cells, read_records
from bionn.data.samples import Samples, Source
from bionn.errors import FormatError, InputError, did_you_mean
from bionn.formats.fasta import IdRule, unique_ids
from bionn.formats.sequence_files import holds_sequences
from bionn.formats.table import Table
from bionn.preprocess.features import FeatureEncoder
from bionn.preprocess.sequences import SequenceEncoder
from bionn.sequences.packed import PackedSequences


@dataclass(frozen=True)
class Columns:
    """Where ids and sequences stand; None: found by name and contents.

    Attributes:
        id_column: the column of ids.
        id_rule: which part of a FASTA header is the id; the first word when None.
        sequence_column: the column of sequences.
        names: the column names of a table without a header line.
        missing_features: whether a feature without a column is an ``error``, or to ``impute``.
    """

    id_column: str | None = None
    id_rule: IdRule | None = None
    sequence_column: str | None = None
    names: Sequence[str] | None = None
    missing_features: str = "error"

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> Columns:
        """As the training data were read."""
        return cls(
            manifest.get("id_column"),
            cast(IdRule, manifest.get("id_rule", "first")),
            manifest.get("sequence_column"),
            manifest.get("columns"),
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


def read_unlabelled(
    inputs: Source | Sequence[str], encoder: Encoder, trained: Columns, given: Columns | None = None
) -> Samples:
    """Samples of the kind that a network was trained on.

    Args:
        inputs: a FASTA file, a table (path or DataFrame), or a list of sequences.
        encoder: what the network's inputs are made by.
        trained: how the training data were read: followed as far as the columns are there.
        given: how to read these; every column named must be there.

    Raises:
        InputError: another kind of input, or a feature or sequence column is missing.
    """
    if given is not None and given == Columns(missing_features=given.missing_features):
        trained, given = replace(trained, missing_features=given.missing_features), None
    needs = "sequences" if isinstance(encoder, SequenceEncoder) else "features"
    if isinstance(inputs, (str, Path)) and holds_sequences(inputs):
        if needs == "features":
            raise InputError(f"{inputs}: a table needed (this model takes features), FASTA found")
        records = read_records(inputs, id_rule=(given or trained).id_rule or "first")
        return _samples(records.ids.tolist(), records.where, texts=records.sequences)
    if not isinstance(inputs, (str, Path, pd.DataFrame)):
        if needs == "features":
            raise InputError("inputs: a table needed (this model takes features), a list found")
        wrong = next((item for item in inputs if not isinstance(item, str)), None)
        if wrong is not None:
            raise InputError(f"inputs: a list of sequences needed, {wrong!r} found in it")
        rows = [f"row{row}" for row in range(1, len(inputs) + 1)]
        return _samples(rows, _place, texts=pack_cells(list(inputs), _place))
    names = (given or trained).names
    table = as_table(inputs)
    if names is not None and len(names) == len(table.columns) and table.columns != list(names):
        table = as_table(inputs, names)
    columns = given or trained.in_table(table)
    id_column = find_id_column(table, columns.id_column)
    if id_column is None:
        ids = [f"row{row}" for row in range(1, len(table) + 1)]
    else:
        ids = unique_ids(table.text(id_column))[0]
    if isinstance(encoder, SequenceEncoder):
        column = find_sequence_column(table, columns.sequence_column, encoder.symbols)
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
        return _samples(ids, table.where, texts=pack_cells(table.text(column), table.where))
    features, notes = _features(table, encoder, columns.missing_features)
    return _samples(ids, table.where, features=features, notes=notes)


def _features(
    table: Table, encoder: FeatureEncoder, missing_features: str
) -> tuple[pd.DataFrame, list[str]]:
    """The columns that the encoder takes, whatever their order; what was missing or strange in them.

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
    numbers = table.numeric_frame([name for name in encoder.names if name in known])
    texts = {name: table.text(name) if name in known else "" for name in encoder.categories}
    features = numbers.reindex(columns=list(encoder.names)).assign(**texts)
    notes = [f"{len(missing)} of {len(needed)} features are missing and imputed: {some(missing)}"]
    return features, notes * bool(missing) + encoder.unseen(features)


def _place(row: int) -> str:
    return f"sequence {row + 1}"


def _samples(
    ids: list[str],
    where: Callable[[int], str],
    *,
    texts: PackedSequences | None = None,
    features: pd.DataFrame | None = None,
    notes: Sequence[str] = (),
) -> Samples:
    table = pd.DataFrame({"id": ids, "source": 0, "row": range(len(ids))})
    targets = pd.DataFrame(index=table.index)
    return Samples(table, features, targets, (where,), notes=tuple(notes), texts=texts)
