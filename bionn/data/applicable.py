"""Options that the inputs, or other options, leave nothing to do: refused, not passed over."""

from __future__ import annotations

from dataclasses import fields

from bionn.data.samples import DataOptions
from bionn.errors import InputError, did_you_mean
from bionn.formats.table import Table
from bionn.preprocess.encoding import Encoding
from bionn.preprocess.features import FeatureOptions
from bionn.preprocess.sequences import ALIGNMENTS
from bionn.sequences.alphabet import alphabet_named

_CHOICES = {
    "align": ALIGNMENTS,
    "unknown": ("zero", "uniform", "error"),
    "iupac": ("expand", "unknown", "error"),
}
"""What options on sequences may be, beside their defaults."""


def refuse_contradictions(options: DataOptions) -> None:
    """Refuse a column named twice, a target with another part to play, and an effect of nothing.

    Raises:
        InputError: of that kind, whatever the inputs are.
    """
    for name, columns in (
        ("features", list(options.features or ())),
        ("target", options.targets),
        ("sequence-column", options.sequence_columns),
    ):
        if len(set(columns)) < len(columns):
            twice = next(column for column in columns if columns.count(column) > 1)
            raise InputError(f"{name}: {twice!r} is named twice; name it once")
    for name in ("id_column", "split_column", "fold_column", "group_column", "batch_column"):
        if getattr(options, name) in options.targets:
            raise InputError(
                f"target: {getattr(options, name)!r} is the {name.replace('_', '-')} as well, by which "
                "the answer would be given away; choose another column for one of them"
            )
    if options.batch_column is None and _given(options, "batch_effect"):
        raise InputError("batch-effect: a column of batches needed; name it with batch-column")


def refuse_for_fasta(options: DataOptions) -> None:
    """Refuse options that only a table could follow.

    Raises:
        InputError: one of them is given.
    """
    names = ["sequence_column", "features", "orient"]
    if options.labels is None:
        names += ["columns"] if options.genome is not None else ["columns", "id_column"]
    for name in names:
        if _given(options, name):
            raise InputError(
                f"{name.replace('_', '-')}: for tables only, FASTA files found; leave it out"
            )


def refuse_for_tables(table: Table, options: DataOptions) -> None:
    """Refuse options that only the headers of FASTA files could follow.

    Raises:
        InputError: one of them is given.
    """
    if options.label_pattern is not None:
        raise InputError(
            f"label-pattern: for the headers of FASTA files only, a table found ({table.path}); leave "
            "it out, and name the column with target"
        )
    if _given(options, "id_rule"):
        raise InputError(
            f"id: for the headers of FASTA files only, a table found ({table.path}); leave it out, and "
            "name the column with id-column"
        )


def refuse_for_features(table: Table, options: DataOptions) -> None:
    """Refuse options that only sequences could follow.

    Raises:
        InputError: one of them is given.
    """
    for name in ("length", "align", "alphabet", "unknown", "iupac", "encoding", "both_strands"):
        if _given(options, name):
            raise InputError(
                f"{name.replace('_', '-')}: for sequences only, numeric features found in {table.path}; "
                "leave it out, or name a column of sequences with sequence-column"
            )
    FeatureOptions(**{field.name: getattr(options, field.name) for field in fields(FeatureOptions)})


def refuse_for_sequences(options: DataOptions) -> None:
    """Refuse options that only numeric features could follow, and values that sequences do not take.

    Raises:
        InputError: one of them is given.
    """
    for field in fields(FeatureOptions):
        if getattr(options, field.name) != field.default:
            raise InputError(
                f"{field.name.replace('_', '-')}: for numeric features only, sequences found; leave "
                "it out"
            )
    for name, choices in _CHOICES.items():
        value = getattr(options, name)
        if _given(options, name) and value not in choices:
            raise InputError(
                f"{name}: one of {', '.join(choices)} needed, {value!r} found"
                f"{did_you_mean(value, choices)}; choose one"
            )
    alphabet = alphabet_named(options.alphabet)
    Encoding.parse(options.encoding).spectrum(alphabet)
    if options.both_strands:
        _ = alphabet.complement


def _given(options: DataOptions, name: str) -> bool:
    return getattr(options, name) != getattr(DataOptions, name)
