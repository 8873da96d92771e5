"""Samples: ids joined exactly once with their sequences or features, targets and split columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bionn.errors import InputError
from bionn.formats.fasta import IdRule
from bionn.formats.texts import Texts, arrow_texts
from bionn.sequences.distinct import number_distinct_texts
from bionn.sequences.packed import PackedSequences

Source = str | Path | pd.DataFrame

ROLES = ("part", "fold", "group", "batch")
"""What a column may tell beside inputs and targets; the names of those in :attr:`Samples.table`."""


@dataclass(frozen=True)
class DataOptions:
    """How samples are read, split and encoded; the options of ``bionn run`` of the same names.

    Attributes:
        labels: a table with one row an id, joined to the inputs.
        target: the target column, or several for regression.
        id_column: the column of ids; found by its name when None.
        id_rule: which part of a FASTA header is the id.
        sequence_column: the column of sequences, or several that hold a sequence in pieces; found
            by its contents when None.
        label_pattern: a regular expression whose named groups, found in each whole header of a FASTA
            file, are columns, as ``label=(?P<label>\\S+)``.
        genome: the indexed FASTA file that BED regions are of.
        window: take so many positions around the middle of each region.
        orient: what the rows of a table of features are: ``samples``, ``genes`` or ``auto``: found
            from where the target and the ids of ``labels`` stand.
        features: the feature columns; all numeric ones when None.
        columns: the column names of a table without a header line.
        classes: keep only rows of these classes.
        task: what the targets are; found from their values when ``auto``.
        val: a file of validation samples.
        test: a file of test samples.
        split: ``stratified`` (by class, or by quantile of a regression target), ``random``,
            ``group``, ``chromosome``, ``homology`` or ``leave-one-group-out``.
        split_column: a column of ``train`` / ``val`` / ``test``.
        fold_column: a column of fold numbers 0..K-1, or ``drop``.
        folds: make this many folds by ``split``.
        repeats: make the folds so many times, each time otherwise.
        group_column: rows of one group stay together, whatever the ``split``.
        group_pattern: a regular expression whose first group, found in the id, is the group.
        val_chromosomes: the chromosomes of the validation rows; implies ``split`` chromosome.
        test_chromosomes: those of the test rows.
        identity: sequences this alike or more are in one part of a homology split.
        fractions: shares of train, validation and test.
        length: positions of an encoded sequence; the longest sequence's when None.
        align: where shorter sequences stand; None: lengths must not differ.
        alphabet: ``dna``, ``rna``, ``protein`` or ``custom:LETTERS``.
        unknown: what N and X stand for.
        iupac: what other ambiguity codes stand for.
        encoding: ``onehot``, ``kmer:K`` or ``onehot+kmer:K``; see
            :class:`bionn.preprocess.encoding.Encoding`.
        both_strands: average predictions over a sequence and its reverse complement.
        allow_missing: leave out samples without a target, and targets without a sample.
        transform: features to network inputs; this and the next five are those of
            :class:`bionn.preprocess.features.FeatureOptions`.
        impute: what a missing value becomes.
        missing_indicators: a column of 0 and 1 for each feature with gaps.
        top_genes: keep so many features, the most variable.
        batch_column: the column of batches.
        batch_effect: how a batch is told to the network.
        target_transform: ``zscore``, ``log1p`` (and then ``zscore``) or ``none``: the scale on which
            numbers are learned; predictions and scores are in their own units.
        seed: of the split.
    """

    labels: Source | None = None
    target: str | Sequence[str] | None = None
    id_column: str | None = None
    id_rule: IdRule = "first"
    sequence_column: str | Sequence[str] | None = None
    label_pattern: str | None = None
    genome: str | Path | None = None
    window: int | None = None
    orient: str = "auto"
    features: Sequence[str] | None = None
    columns: Sequence[str] | None = None
    classes: Sequence[str] | None = None
    task: str = "auto"
    val: Source | None = None
    test: Source | None = None
    split: str | None = None
    split_column: str | None = None
    fold_column: str | None = None
    folds: int | None = None
    repeats: int = 1
    group_column: str | None = None
    group_pattern: str | None = None
    val_chromosomes: Sequence[str] | None = None
    test_chromosomes: Sequence[str] | None = None
    identity: float = 0.8
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    length: int | None = None
    align: str | None = None
    alphabet: str = "dna"
    unknown: str = "zero"
    iupac: str = "expand"
    encoding: str = "onehot"
    both_strands: bool = False
    allow_missing: bool = False
    transform: str = "zscore"
    impute: str = "median"
    missing_indicators: bool = False
    top_genes: int | None = None
    batch_column: str | None = None
    batch_effect: str = "one-hot"
    target_transform: str = "zscore"
    seed: int = 0

    @property
    def roles(self) -> dict[str, str]:
        """The columns named for the split and for batches, by role."""
        columns = (self.split_column, self.fold_column, self.group_column, self.batch_column)
        return {r: c for r, c in zip(ROLES, columns, strict=True) if c is not None}

    @property
    def sequence_columns(self) -> list[str]:
        """The columns of sequences as a list, empty when none is named."""
        if self.sequence_column is None:
            return []
        named = self.sequence_column
        return [named] if isinstance(named, str) else list(named)

    @property
    def targets(self) -> list[str]:
        """The target columns as a list, empty when none is named."""
        if self.target is None:
            return []
        return [self.target] if isinstance(self.target, str) else list(self.target)


@dataclass(frozen=True)
class Samples:
    """N samples: what goes in, what should come out, and what the split must respect.

    Attributes:
        table: a row a sample: ``id``, all different;
            ``part`` (train, val, test, drop or ""), ``fold``, ``group`` and ``batch`` where
            columns were named for them; ``chromosome`` where the ids or a BED file tell it;
            ``source`` and ``row``, which file and record it came from, and ``sheet_row``, which row
            of a sample sheet.
        features: by feature name, ``float64`` and NaN where missing, or text and ``""`` where
            missing; None for sequences.
        targets: the target cells as text, ``(N, T)`` by target name.
        locate: for each source, the function from a record to its ``file:line``.
        class_order: classes in an order that the input forces, or None.
        notes: what was decided or left out, a sentence each.
        locate_in_sheet: the same function for the sample sheet, or None.
        from_sheet: what the sheet holds: ``target``, ``part``, ``fold``, ``group``.
        texts: the N sequences; None for features.
    """

    table: pd.DataFrame
    features: pd.DataFrame | None
    targets: pd.DataFrame
    locate: tuple[Callable[[int], str], ...]
    class_order: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    locate_in_sheet: Callable[[int], str] | None = None
    from_sheet: frozenset[str] = frozenset()
    texts: PackedSequences | None = None

    def __len__(self) -> int:
        return len(self.table)

    @property
    def ids(self) -> Texts:
        """The N ids."""
        return Texts(arrow_texts(self.table["id"]))

    @property
    def sequences(self) -> PackedSequences:
        """The N sequences, as written until they are encoded: from then on in upper case."""
        assert self.texts is not None
        return self.texts

    def contents(self) -> np.ndarray:
        """The distinct inputs numbered in order: a number a sample, ``(N,)``.

        Sequences that differ in case only are equal.
        """
        if self.features is None:
            return number_distinct_texts(sequence.upper() for sequence in self.sequences)
        numbers = self.features.select_dtypes("float")
        texts = self.features.drop(columns=list(numbers)).to_numpy(dtype=object)
        keys = [  # -0.0 is 0.0
            row.tobytes() + "\0".join(words).encode()
            for row, words in zip(numbers.to_numpy() + 0.0, texts, strict=True)
        ]
        return pd.factorize(np.array(keys, dtype=object))[0]

    def without_target(self) -> np.ndarray:
        """Which samples have no value in any target, ``bool (N,)``."""
        empty = [(cells == "").to_numpy(dtype=bool) for _, cells in self.targets.items()]
        return np.logical_and.reduce(empty)

    def column(self, name: str) -> list[str] | None:
        """``part``, ``fold``, ``group`` or ``batch`` of each sample, None where it was not asked for."""
        return self.table[name].tolist() if name in self.table else None

    def where(self, sample: int, what: str = "sample") -> str:
        """``file:line`` of a sample, or of its target, part, fold or group."""
        if self.locate_in_sheet is not None and what in self.from_sheet:
            return self.locate_in_sheet(int(self.table["sheet_row"].iloc[sample]))
        source, row = (int(self.table[name].iloc[sample]) for name in ("source", "row"))
        return self.locate[source](row)

    def keep(self, mask: np.ndarray, *notes: str) -> Samples:
        """The samples where ``mask (N,)`` is true, in order."""
        if mask.all():
            return replace(self, notes=self.notes + notes)
        return replace(
            self,
            table=self.table[mask].reset_index(drop=True),
            features=None if self.features is None else self.features[mask].reset_index(drop=True),
            targets=self.targets[mask].reset_index(drop=True),
            notes=self.notes + notes,
            texts=None if self.texts is None else self.texts[mask],
        )


def with_columns(table: pd.DataFrame, **columns: Any) -> pd.DataFrame:
    """The table with more columns, or with others of their names; none is copied."""
    return pd.DataFrame({**dict(table.items()), **columns}, index=table.index, copy=False)


def concatenate(pieces: Sequence[Samples], names: Sequence[str]) -> Samples:
    """One set of samples from several files, which must have the same kind of columns.

    Args:
        pieces: the samples of each file.
        names: what to call each file in a message.

    Raises:
        InputError: sequences in one file and features in the other, or a column is missing.
    """
    first = pieces[0]
    for piece, name in zip(pieces[1:], names[1:], strict=True):
        if (piece.features is None) != (first.features is None):
            need, found = (
                "sequences" if p.features is None else "numeric features" for p in (first, piece)
            )
            raise InputError(
                f"{name}: {need} needed as in {names[0]}, {found} found; give files of one kind"
            )
        for columns, others in ((first.targets, piece.targets), (first.features, piece.features)):
            missing = [] if columns is None or others is None else set(columns) - set(others)
            if missing:
                raise InputError(
                    f"{name}: no column {min(missing)!r}, which {names[0]} has; add it"
                )
    counts = [len(piece.locate) for piece in pieces]
    kind = np.min_scalar_type(sum(counts))  # of few files a byte a sample
    offsets = np.cumsum([0, *counts], dtype=kind)
    sources = [
        piece.table["source"].to_numpy(dtype=kind) + offset
        for piece, offset in zip(pieces, offsets, strict=False)
    ]
    features = first.features  # of one file as they are: a copy may be of gigabytes
    if features is not None and len(pieces) > 1:
        frames = [piece.features[list(features)] for piece in pieces if piece.features is not None]
        features = pd.concat(frames, ignore_index=True)
    texts = [piece.texts for piece in pieces if piece.texts is not None]
    tables = [
        with_columns(piece.table, source=source)
        for piece, source in zip(pieces, sources, strict=True)
    ]
    table = pd.concat(tables, ignore_index=True)
    for role in table.columns.intersection([*ROLES, "chromosome"]):
        table[role] = table[role].fillna("")  # of a file without such a column
    return replace(
        first,
        table=table,
        features=features,
        targets=pd.concat(
            [piece.targets[list(first.targets)] for piece in pieces], ignore_index=True
        ),
        locate=tuple(locate for piece in pieces for locate in piece.locate),
        notes=tuple(dict.fromkeys(note for piece in pieces for note in piece.notes)),
        texts=PackedSequences.concatenate(texts) if texts else None,
    )
