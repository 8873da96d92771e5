"""A trained model and new samples in, a table of predictions out; the same route as in training."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bionn import artifact
from bionn.data.prepared import Encoder, encode_sequences
from bionn.data.reading import as_table, find_id_column, find_sequence_column
from bionn.data.samples import Samples, Source
from bionn.errors import InputError, did_you_mean
from bionn.formats.fasta import is_fasta, read_fasta, unique_ids
from bionn.formats.table import Table
from bionn.models.heads import TaskKind, link
from bionn.models.layers import feed
from bionn.preprocess.features import FeatureScaler
from bionn.preprocess.sequences import SequenceEncoder
from bionn.preprocess.targets import TargetScaler

BLOCK = 4096
"""Rows that go through the network at a time."""


class Predictor:
    """A trained network together with everything that stood between the file and its inputs.

    Args:
        model: the network; put into evaluation mode.
        manifest: what :func:`bionn.artifact.save` writes.
        device: where the network computes.

    Example:
        >>> predictor = bionn.load("runs/promoters")  # doctest: +SKIP
        >>> predictor.predict(["TTGACA...TATAAT..."])  # doctest: +SKIP
    """

    def __init__(
        self, model: torch.nn.Module, manifest: dict[str, Any], device: str | torch.device = "cpu"
    ) -> None:
        self.model = model.to(device).eval()
        self.manifest = manifest
        self.device = torch.device(device)
        self.task: TaskKind = manifest["task"]
        self.classes: list[str] = list(manifest["classes"])
        self.target_names: list[str] = list(manifest["targets"])
        self.encoder = _encoder(manifest["input"])
        scaler = manifest["target_scaler"]
        self.target_scaler = None if scaler is None else TargetScaler.from_manifest(scaler)
        self._table = None
        if isinstance(self.encoder, SequenceEncoder):
            self._table = torch.from_numpy(self.encoder.code_table).to(device)

    def predict(self, inputs: Source | Sequence[str]) -> pd.DataFrame:
        """Predictions for new samples, a row each, in their order.

        Args:
            inputs: a FASTA file or a table (path or DataFrame), or a list of sequences.

        Returns:
            ``id``, then ``prediction`` and ``prob_<class>`` for classes, ``prediction`` for one
            target, or ``prediction_<target>`` for several, in the targets' own units.

        Raises:
            InputError: the samples do not fit the model; says file and line.
        """
        return pd.concat(self.blocks(inputs)[1], ignore_index=True)

    def blocks(self, inputs: Source | Sequence[str]) -> tuple[int, Iterator[pd.DataFrame]]:
        """How many blocks of some thousand rows there are, and the rows of :meth:`predict` by block.

        The inputs are read and checked before this returns.
        """
        ids, encoded = self.encode(inputs)

        def frames() -> Iterator[pd.DataFrame]:
            for start in range(0, max(len(ids), 1), BLOCK):
                rows = slice(start, start + BLOCK)
                yield self.frame(ids[rows], self.outputs(encoded[rows]))

        return max(1, math.ceil(len(ids) / BLOCK)), frames()

    def encode(self, inputs: Source | Sequence[str]) -> tuple[list[str], Tensor]:
        """Ids and network inputs: codes ``uint8 (N, L)`` or features ``float32 (N, F)``."""
        samples = self._read(inputs)
        if isinstance(self.encoder, SequenceEncoder):
            return samples.ids, torch.from_numpy(encode_sequences(self.encoder, samples))
        assert samples.features is not None
        return samples.ids, torch.from_numpy(self.encoder.transform(samples.features.to_numpy()))

    @torch.inference_mode()
    def logits(self, inputs: Tensor) -> Tensor:
        """The network's logits ``(N, out)`` for encoded inputs, on the CPU."""
        pieces = [
            self.model(feed(self.model, block.to(self.device), self._table)).float().cpu()
            for block in inputs.split(BLOCK)
        ]
        return torch.cat(pieces) if pieces else torch.empty(0, 1)

    def outputs(self, inputs: Tensor) -> np.ndarray:
        """Probabilities ``(N,)`` or ``(N, K)``, or values ``(N, T)`` in the targets' own units."""
        return self.outputs_of(self.logits(inputs))

    def outputs_of(self, logits: Tensor) -> np.ndarray:
        """The same from logits that are there already."""
        values = link(self.task, logits).double().numpy()
        return values if self.target_scaler is None else self.target_scaler.inverse(values)

    def frame(self, ids: Sequence[str], outputs: np.ndarray) -> pd.DataFrame:
        """Outputs as the columns that ``predictions.tsv`` has."""
        frame = pd.DataFrame({"id": list(ids)})
        if self.task == "regression":
            names = self.target_names
            for column, name in enumerate(names):
                label = "prediction" if len(names) == 1 else f"prediction_{name}"
                frame[label] = outputs[:, column]
            return frame
        if self.task == "binary":
            outputs = np.column_stack([1 - outputs, outputs])
        frame["prediction"] = np.asarray(self.classes, dtype=object)[outputs.argmax(axis=1)]
        for column, name in enumerate(self.classes):
            frame[f"prob_{name}"] = outputs[:, column]
        return frame

    def _read(self, inputs: Source | Sequence[str]) -> Samples:
        """Unlabelled samples of the kind that the network was trained on."""
        if isinstance(self.encoder, SequenceEncoder):
            return _read_sequences(inputs, self.encoder)
        if isinstance(inputs, (str, Path)) and is_fasta(inputs):
            raise InputError(f"{inputs}: a table needed (this model takes features), FASTA found")
        if not isinstance(inputs, (str, Path, pd.DataFrame)):
            raise InputError("inputs: a table needed (this model takes features), a list found")
        table = as_table(inputs)
        missing = [name for name in self.encoder.names if name not in table.columns]
        if missing:
            others = f", nor {len(missing) - 1} others" if len(missing) > 1 else ""
            raise InputError(
                f"{table.path}: no column {missing[0]!r}"
                f"{did_you_mean(missing[0], table.columns)}{others} of the "
                f"{len(self.encoder.names)} features that the model takes; add what is missing"
            )
        features = pd.DataFrame({name: table.numeric(name) for name in self.encoder.names})
        return _unlabelled(_table_ids(table), features=features, locate=table)


def load(
    directory: str | Path,
    *,
    model: torch.nn.Module | None = None,
    device: str | torch.device = "cpu",
) -> Predictor:
    """The predictor in a model directory, or in a run's directory.

    Args:
        directory: ``runs/NAME`` or ``runs/NAME/model``.
        model: the network to fill, for one that is not of this package.
        device: where to compute.

    Raises:
        ArtifactError: the directory holds no usable model.
    """
    network, manifest = artifact.load(directory, model=model)
    return Predictor(network, manifest, device)


def _encoder(manifest: dict[str, Any]) -> Encoder:
    if manifest["kind"] == "sequence":
        return SequenceEncoder.from_manifest(manifest)
    return FeatureScaler.from_manifest(manifest)


def _read_sequences(inputs: Source | Sequence[str], encoder: SequenceEncoder) -> Samples:
    if isinstance(inputs, (str, Path)) and is_fasta(inputs):
        records = read_fasta(inputs)
        return _unlabelled(records.ids, sequences=records.sequences, locate=records)
    if isinstance(inputs, (str, Path, pd.DataFrame)):
        table = as_table(inputs)
        column = find_sequence_column(table, None, encoder.symbols)
        if column is None:
            raise InputError(
                f"{table.path}: a column of {encoder.alphabet} sequences needed (this model takes "
                "sequences), none found"
            )
        return _unlabelled(_table_ids(table), sequences=table.text(column), locate=table)
    rows = [f"row{row}" for row in range(1, len(inputs) + 1)]
    return _unlabelled(rows, sequences=list(inputs), locate=None)


def _table_ids(table: Table) -> list[str]:
    column = find_id_column(table, None)
    if column is None:
        return [f"row{row}" for row in range(1, len(table) + 1)]
    return unique_ids(table.text(column))[0]


def _unlabelled(
    ids: list[str],
    *,
    sequences: list[str] | None = None,
    features: pd.DataFrame | None = None,
    locate: Any = None,
) -> Samples:
    table = pd.DataFrame({"id": ids, "source": 0, "row": range(len(ids))})
    if sequences is not None:
        table["sequence"] = sequences
    where = locate.where if locate is not None else (lambda row: f"sequence {row + 1}")
    return Samples(table, features, pd.DataFrame(index=table.index), (where,))
