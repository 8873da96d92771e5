"""Samples, targets and one split as tensors, encoded by what was fitted on the training rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bionn.data.samples import DataOptions, Samples
from bionn.data.splits import PARTS, Split
from bionn.data.targets import Targets
from bionn.errors import FormatError, InputError
from bionn.formats.texts import hash_lines, packed_texts, sorted_lists
from bionn.memory import give_back
from bionn.metrics import scores
from bionn.models.decision import Decision
from bionn.preprocess.encoding import ONE_HOT, SequenceFeatures
from bionn.preprocess.features import FeatureEncoder, FeatureOptions
from bionn.preprocess.sequences import LengthError, SequenceEncoder
from bionn.preprocess.steps import RowError
from bionn.preprocess.targets import TargetScaler
from bionn.sequences.alphabet import SymbolError

Encoder = SequenceEncoder | FeatureEncoder


@dataclass(frozen=True)
class Prepared:
    """Everything a task trains and is tested on.

    Attributes:
        samples: the N samples.
        targets: their targets, in the targets' own units.
        split: the rows of each part.
        encoder: text or numbers to network inputs, as at prediction.
        target_scaler: own units to the units of the loss; None for classes.
        inputs: codes ``uint8 (N, L)`` or features ``float32 (N, F)``.
        outputs: class indices ``int64 (N,)`` or standardised targets ``float32 (N, T)``,
            NaN where one is missing.
        options: how the samples were read.
    """

    samples: Samples
    targets: Targets
    split: Split
    encoder: Encoder
    target_scaler: TargetScaler | None
    inputs: Tensor
    outputs: Tensor
    options: DataOptions

    @property
    def code_table(self) -> Tensor | None:
        """What each code stands for, ``(S, A)``; None for features."""
        if isinstance(self.encoder, SequenceEncoder):
            return torch.from_numpy(self.encoder.code_table)
        return None

    @property
    def features(self) -> SequenceFeatures | None:
        """What makes features of codes, where k-mers are asked for; see :class:`SequenceFeatures`."""
        return self.encoder.features() if isinstance(self.encoder, SequenceEncoder) else None

    @property
    def class_counts(self) -> np.ndarray | None:
        """Training rows of each class; None for regression."""
        if self.targets.task == "regression":
            return None
        return np.bincount(
            self.targets.values[self.split.train], minlength=len(self.targets.classes)
        )

    def score(
        self, outputs: np.ndarray, rows: np.ndarray, decision: Decision | None = None
    ) -> dict[str, Any]:
        """Scores of any model's outputs for some rows; see :func:`bionn.metrics.scores`.

        Args:
            outputs: probabilities ``(n,)`` or ``(n, K)``, or values ``(n, T)`` in the targets' units.
            rows: the n row numbers.
            decision: how probabilities become classes; the most probable one when None.
        """
        targets = self.targets
        return scores(
            targets.task,
            torch.as_tensor(outputs),
            torch.from_numpy(targets.values[rows]),
            targets.names if targets.task == "regression" else targets.classes,
            weights=None if decision is None else decision.weights,
        )

    def manifest(self) -> dict[str, Any]:
        """Plain data: all that prediction needs beside the network, and what the data were."""
        targets, scaler = self.targets, self.target_scaler
        columns = self.options.sequence_columns
        return {
            "task": targets.task,
            "classes": list(targets.classes),
            "targets": list(targets.names),
            "target_scaler": None if scaler is None else scaler.to_manifest(),
            "decision": None,
            "input": {
                "kind": "sequence" if self.samples.features is None else "table",
                **self.encoder.to_manifest(),
            },
            "reading": {
                "id_column": self.options.id_column,
                "id_rule": self.options.id_rule,
                "sequence_column": columns[0] if len(columns) == 1 else columns or None,
                "columns": None if self.options.columns is None else list(self.options.columns),
                "regions": self.options.genome is not None,
                "window": self.options.window,
            },
            "split": self.split.name,
            "split_sha256": self.split_hash(),
            "data_sha256": self.data_hash(),
        }

    def split_hash(self) -> str:
        """sha256 over every id and its part: equal for equal splits, whatever the row order."""
        return self._split_hash

    @cached_property
    def _split_hash(self) -> str:
        rows = self.samples.ids.beside(self.split.numbers(len(self.samples)))
        lines = (
            [f"{name}\t{PARTS[part]}" for name, part in zip(*row, strict=True)] for row in rows
        )
        digest = hashlib.sha256()
        hash_lines(digest, sorted_lists(packed_texts(lines)))
        give_back()
        return digest.hexdigest()

    def data_hash(self) -> str:
        """sha256 over the encoded inputs and the targets, in file order."""
        return self._data_hash

    @cached_property
    def _data_hash(self) -> str:
        digest = hashlib.sha256(np.ascontiguousarray(self.inputs.numpy()).reshape(-1).data)
        digest.update(np.ascontiguousarray(self.targets.values).reshape(-1).data)
        return digest.hexdigest()


def prepare(samples: Samples, targets: Targets, split: Split, options: DataOptions) -> Prepared:
    """Fit the encoders on the training rows and encode every row.

    The length of sequences is the one given, else that of the longest of all samples.

    Raises:
        FormatError: a symbol outside the alphabet, or a length that does not fit; says file and line.
            Or a value that a table's transform or imputation does not take.
        InputError: an option with an unknown value.
    """
    if samples.features is None:
        encoder = _fit_sequences(samples, options)
        inputs = torch.from_numpy(encode_sequences(encoder, samples))
        if encoder.encoding != ONE_HOT:  # a copy of the training rows
            encoder = encoder.scaled(inputs[torch.from_numpy(split.train)])
    else:
        encoder, inputs = _fit_features(samples, split, options)
    if targets.task == "regression":
        scaler = _fit_targets(samples, targets, split, options)
        outputs = torch.from_numpy(scaler.transform(targets.values))
    else:
        scaler, outputs = None, torch.from_numpy(targets.values)
    return Prepared(samples, targets, split, encoder, scaler, inputs, outputs, options)


def encode_features(
    encoder: FeatureEncoder, samples: Samples, frame: pd.DataFrame | None = None
) -> np.ndarray:
    """Network inputs ``float32 (N, F)`` of the samples' features; an error names the file and line.

    Args:
        encoder: fitted on training rows.
        samples: where the rows are from.
        frame: their columns, if they are not the samples' features alone.
    """
    frame = samples.features if frame is None else frame
    assert frame is not None
    try:
        return encoder.transform(frame)
    except RowError as error:
        raise FormatError(f"{samples.where(error.row)}: {error}") from None


def encode_sequences(encoder: SequenceEncoder, samples: Samples) -> np.ndarray:
    """Codes of the samples; an error names the file, line and record.

    The samples hold the codes instead of the letters from then on, so that the two together need
    one byte a symbol where all sequences have the encoder's length and none was left out.
    """
    try:
        samples.sequences.recode(*encoder.symbols.recoding())
        return encoder.encode(samples.sequences)
    except (SymbolError, LengthError) as error:
        raise located(error, samples.ids, samples.where) from None


def _fit_features(
    samples: Samples, split: Split, options: DataOptions
) -> tuple[FeatureEncoder, Tensor]:
    """Fit on the training rows; the encoder, and the inputs of every row."""
    frame = samples.features
    assert frame is not None
    if options.batch_column is not None:
        frame = frame.assign(**{options.batch_column: samples.table["batch"].astype(object)})
    names = (field.name for field in fields(FeatureOptions))
    chosen = FeatureOptions(**{name: getattr(options, name) for name in names})
    try:
        encoder = FeatureEncoder.fit(frame.iloc[split.train], chosen)
    except RowError as error:
        raise FormatError(f"{samples.where(int(split.train[error.row]))}: {error}") from None
    encoder = replace(encoder, notes=(*encoder.notes, *encoder.unseen(frame)))
    return encoder, torch.from_numpy(encode_features(encoder, samples, frame))


def _fit_targets(
    samples: Samples, targets: Targets, split: Split, options: DataOptions
) -> TargetScaler:
    """Fit on the training rows; every target has values there, and the transform takes them all."""
    values = targets.values
    for name, column in zip(targets.names, values.T, strict=True):
        if np.isnan(column[split.train]).all():
            raise InputError(
                f"target {name!r}: no training row has a value; leave it out, or split otherwise"
            )
        if options.target_transform == "log1p" and (column < 0).any():
            row = int(np.argmax(column < 0))
            raise FormatError(
                f"{samples.where(row, 'target')}: target {name!r}: log1p needs values from 0 on, "
                f"{column[row]:g} found; were logarithms taken already? choose another "
                "target-transform"
            )
    return TargetScaler.fit(values[split.train], targets.names, options.target_transform)


def _fit_sequences(samples: Samples, options: DataOptions) -> SequenceEncoder:
    try:
        return SequenceEncoder.fit(
            samples.sequences,
            alphabet=options.alphabet,
            length=options.length,
            align=cast(Any, options.align),
            unknown=cast(Any, options.unknown),
            iupac=cast(Any, options.iupac),
            encoding=options.encoding,
            both_strands=options.both_strands,
        )
    except LengthError as error:
        raise located(error, samples.ids, samples.where) from None


def located(
    error: SymbolError | LengthError, ids: Sequence[str], where: Callable[[int], str]
) -> FormatError:
    """The error with the file, line and id of its record."""
    return FormatError(f"{where(error.record)}: record {ids[error.record]!r}: {error}")
