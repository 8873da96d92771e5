"""Data modules over FASTA files and tables: thin shells around reading and splitting."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from bionn.data.batches import BatchSize
from bionn.data.prepared import Prepared, prepare
from bionn.data.reading import read_samples
from bionn.data.resident import ResidentDataModule
from bionn.data.samples import DataOptions, Source
from bionn.data.splits import make_splits
from bionn.data.targets import find_targets
from bionn.errors import InputError
from bionn.formats.fasta import IdRule


def load_prepared(
    inputs: Source | Sequence[Source], options: DataOptions, fold: int = 0
) -> Prepared:
    """Files to tensors: read, find the targets, split, encode.

    Args:
        inputs: as in :func:`bionn.data.reading.read_samples`.
        options: how to read, split and encode.
        fold: which fold is the test part, where the options make folds.

    Raises:
        InputError: see the stages; or the fold does not exist.
    """
    samples, targets = find_targets(read_samples(inputs, options), options)
    splits = make_splits(samples, targets, options)
    if not 0 <= fold < len(splits):
        raise InputError(f"fold: 0..{len(splits) - 1} needed, {fold} found; choose one of them")
    return prepare(samples, targets, splits[fold], options)


class FastaDataModule(ResidentDataModule):
    """Sequences to classes or expression: FASTA with a table of labels, or a table of sequences.

    Args:
        inputs: a FASTA file with ``labels``; FASTA files of a class each; or a table with a
            column of sequences.
        labels: a table with a row an id.
        target: the target column, or several for regression.
        id_column: the column of ids.
        id_rule: which part of a FASTA header is the id: ``first`` word or ``full``.
        sequence_column: the column of sequences, or several that hold a sequence in pieces.
        label_pattern: a regular expression whose named groups, found in FASTA headers, are columns.
        genome: the indexed FASTA file that BED inputs are regions of.
        window: so many positions around the middle of each region.
        split: ``stratified``, ``random``, ``group``, ``chromosome``, ``homology`` or
            ``leave-one-group-out``.
        split_column: a column of ``train`` / ``val`` / ``test``.
        fold_column: a column of fold numbers.
        folds: make so many folds, of which ``fold`` is the test part.
        fold: the test fold.
        group_column: rows of one group stay together.
        group_pattern: a regular expression whose first group, found in the id, is the group.
        val_chromosomes: the chromosomes of the validation rows.
        test_chromosomes: the chromosomes of the test rows.
        identity: sequences this alike or more are in one part of a homology split.
        fractions: shares of train, validation and test.
        classes: keep only rows of these classes.
        task: ``auto``, ``binary``, ``multiclass`` or ``regression``.
        columns: the column names of a table without a header line.
        val: a file of validation samples.
        test: a file of test samples.
        length: positions of an encoded sequence; the longest when None.
        align: where shorter sequences stand; None: lengths must not differ.
        alphabet: ``dna``, ``rna``, ``protein`` or ``custom:LETTERS``.
        unknown: ``zero``, ``uniform`` or ``error`` for N and X.
        iupac: ``expand``, ``unknown`` or ``error`` for the other ambiguity codes.
        encoding: ``onehot``, ``kmer:K`` or ``onehot+kmer:K``.
        both_strands: average the saved model's predictions over both strands.
        augment: ``reverse-complement``, ``shift:N``, ``mask:P``: alterations of training sequences.
        allow_missing: leave out samples without a target and targets without a sample.
        target_transform: ``zscore``, ``log1p`` or ``none``.
        batch_size: ``full``, 1 or a number between.
        sampler: ``uniform`` or ``balanced``: as many training rows of each class.
        packed: keep codes in two bits each where batches are cut of them: for A, C, G and T alone.
        seed: of the split and of the order of the training rows.
    """

    def __init__(
        self,
        inputs: str | list[str],
        *,
        labels: str | None = None,
        target: str | list[str] | None = None,
        id_column: str | None = None,
        id_rule: IdRule = "first",
        sequence_column: str | list[str] | None = None,
        label_pattern: str | None = None,
        genome: str | None = None,
        window: int | None = None,
        split: str | None = "stratified",
        split_column: str | None = None,
        fold_column: str | None = None,
        folds: int | None = None,
        fold: int = 0,
        group_column: str | None = None,
        group_pattern: str | None = None,
        val_chromosomes: list[str] | None = None,
        test_chromosomes: list[str] | None = None,
        identity: float = 0.8,
        fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
        classes: list[str] | None = None,
        task: str = "auto",
        columns: list[str] | None = None,
        val: str | None = None,
        test: str | None = None,
        length: int | None = None,
        align: str | None = "left",
        alphabet: str = "dna",
        unknown: str = "zero",
        iupac: str = "expand",
        encoding: str = "onehot",
        both_strands: bool = False,
        augment: list[str] | None = None,
        allow_missing: bool = False,
        target_transform: str = "zscore",
        batch_size: BatchSize = 256,
        sampler: str = "uniform",
        packed: bool = False,
        seed: int = 0,
    ) -> None:
        options = DataOptions(
            labels=labels,
            target=target,
            id_column=id_column,
            id_rule=id_rule,
            sequence_column=sequence_column,
            label_pattern=label_pattern,
            genome=genome,
            window=window,
            split=split,
            split_column=split_column,
            fold_column=fold_column,
            folds=folds,
            group_column=group_column,
            group_pattern=group_pattern,
            val_chromosomes=val_chromosomes,
            test_chromosomes=test_chromosomes,
            identity=identity,
            fractions=fractions,
            classes=classes,
            task=task,
            columns=columns,
            val=val,
            test=test,
            length=length,
            align=align,
            alphabet=alphabet,
            unknown=unknown,
            iupac=iupac,
            encoding=encoding,
            both_strands=both_strands,
            allow_missing=allow_missing,
            target_transform=target_transform,
            seed=seed,
        )
        super().__init__(
            partial(load_prepared, inputs, options, fold),
            batch_size=batch_size,
            seed=seed,
            augment=augment,
            sampler=sampler,
            packed=packed,
        )


class ExpressionDataModule(ResidentDataModule):
    """Expression tables, samples x genes, to classes (phenotype) or to other genes' expression.

    Args:
        inputs: a table with numeric feature columns.
        target: the target column, or several for regression.
        features: the feature columns; all numeric ones but the targets when None.
        labels: a sample sheet with a row an id, which holds the target.
        id_column: the column of ids.
        orient: what the rows are: ``samples``, ``genes`` or ``auto``.
        split: ``stratified``, ``random``, ``group`` or ``leave-one-group-out``.
        split_column: a column of ``train`` / ``val`` / ``test``.
        fold_column: a column of fold numbers.
        folds: make so many folds, of which ``fold`` is the test part.
        fold: the test fold.
        group_column: rows of one group (a donor, a mouse) stay together.
        group_pattern: a regular expression whose first group, found in the id, is the group.
        fractions: shares of train, validation and test.
        classes: keep only rows of these classes.
        task: ``auto``, ``binary``, ``multiclass`` or ``regression``.
        columns: the column names of a table without a header line.
        val: a file of validation samples.
        test: a file of test samples.
        allow_missing: leave out samples without a target and targets without a sample.
        transform: ``zscore``, ``log1p``, ``cpm``, ``log-cpm``, ``quantile`` or ``none``.
        impute: ``median``, ``model`` or ``error`` for missing features.
        missing_indicators: a column of 0 and 1 for each feature with gaps.
        top_genes: keep so many features, the most variable.
        batch_column: the column of batches.
        batch_effect: ``one-hot`` or ``center``.
        target_transform: ``zscore``, ``log1p`` or ``none``.
        batch_size: ``full``, 1 or a number between.
        sampler: ``uniform`` or ``balanced``: as many training rows of each class.
        seed: of the split and of the order of the training rows.
    """

    def __init__(
        self,
        inputs: str | list[str],
        *,
        target: str | list[str],
        features: list[str] | None = None,
        labels: str | None = None,
        id_column: str | None = None,
        orient: str = "auto",
        split: str | None = "stratified",
        split_column: str | None = None,
        fold_column: str | None = None,
        folds: int | None = None,
        fold: int = 0,
        group_column: str | None = None,
        group_pattern: str | None = None,
        fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
        classes: list[str] | None = None,
        task: str = "auto",
        columns: list[str] | None = None,
        val: str | None = None,
        test: str | None = None,
        allow_missing: bool = False,
        transform: str = "zscore",
        impute: str = "median",
        missing_indicators: bool = False,
        top_genes: int | None = None,
        batch_column: str | None = None,
        batch_effect: str = "one-hot",
        target_transform: str = "zscore",
        batch_size: BatchSize = 256,
        sampler: str = "uniform",
        seed: int = 0,
    ) -> None:
        options = DataOptions(
            labels=labels,
            target=target,
            features=features,
            id_column=id_column,
            orient=orient,
            split=split,
            split_column=split_column,
            fold_column=fold_column,
            folds=folds,
            group_column=group_column,
            group_pattern=group_pattern,
            fractions=fractions,
            classes=classes,
            task=task,
            columns=columns,
            val=val,
            test=test,
            allow_missing=allow_missing,
            transform=transform,
            impute=impute,
            missing_indicators=missing_indicators,
            top_genes=top_genes,
            batch_column=batch_column,
            batch_effect=batch_effect,
            target_transform=target_transform,
            seed=seed,
        )
        super().__init__(
            partial(load_prepared, inputs, options, fold),
            batch_size=batch_size,
            seed=seed,
            sampler=sampler,
        )
