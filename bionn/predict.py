"""A trained model and new samples in, a table of predictions out; the same route as in training."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bionn import artifact
from bionn.data.batches import EVALUATION_ROWS, evaluation_rows
from bionn.data.prepared import Encoder, encode_features, encode_sequences
from bionn.data.samples import Source
from bionn.data.unlabelled import Columns, read_unlabelled
from bionn.errors import ArtifactError, InputError, InputWarning
from bionn.models.heads import TaskKind, link
from bionn.models.layers import feed
from bionn.preprocess.features import FeatureEncoder
from bionn.preprocess.sequences import SequenceEncoder
from bionn.preprocess.targets import TargetScaler
from bionn.sequences.alphabet import alphabet_named


class Predictor:
    """A trained network together with everything that stood between the file and its inputs.

    Args:
        model: the network; put into evaluation mode.
        manifest: what :func:`bionn.artifact.save` writes.
        device: where the network computes.

    Example::

        predictor = bionn.load("runs/promoters")
        predictor.predict(["TTGACATTTATGCTTCCGGCTCGTATAATG..."])
    """

    def __init__(
        self, model: torch.nn.Module, manifest: dict[str, Any], device: str | torch.device = "cpu"
    ) -> None:
        self.device = find_device(device)
        self.model = model.to(self.device).eval()
        self.manifest = manifest
        self.task: TaskKind = manifest["task"]
        self.classes: list[str] = list(manifest["classes"])
        self.target_names: list[str] = list(manifest["targets"])
        self.encoder = _encoder(manifest["input"])
        scaler = manifest["target_scaler"]
        self.target_scaler = None if scaler is None else TargetScaler.from_manifest(scaler)
        self._columns = Columns.from_manifest(manifest.get("reading", {}))
        self._table = self._features = None
        if isinstance(self.encoder, SequenceEncoder):
            self._table = torch.from_numpy(self.encoder.code_table).to(self.device)
            features = self.encoder.features()
            self._features = None if features is None else features.to(self.device)

    def predict(
        self, inputs: Source | Sequence[str], *, columns: Columns | None = None
    ) -> pd.DataFrame:
        """Predictions for new samples, a row each, in their order.

        Args:
            inputs: a FASTA file or a table (path or DataFrame), or a list of sequences.
            columns: where ids and sequences stand; as in the training data when None.

        Returns:
            ``id``, then ``prediction`` and ``prob_<class>`` for classes, ``prediction`` for one
            target, or ``prediction_<target>`` for several, in the targets' own units.

        Raises:
            InputError: the samples do not fit the model; says file and line.
        """
        return pd.concat(self.blocks(inputs, columns=columns)[1], ignore_index=True)

    def blocks(
        self, inputs: Source | Sequence[str], *, columns: Columns | None = None
    ) -> tuple[int, Iterator[pd.DataFrame]]:
        """How many blocks of some thousand rows there are, and the rows of :meth:`predict` by block.

        The inputs are read and checked before this returns.
        """
        ids, encoded = self.encode(inputs, columns=columns)

        def frames() -> Iterator[pd.DataFrame]:
            for start in range(0, max(len(ids), 1), EVALUATION_ROWS):
                rows = slice(start, start + EVALUATION_ROWS)
                yield self.frame(ids[rows], self.outputs(encoded[rows]))

        return max(1, math.ceil(len(ids) / EVALUATION_ROWS)), frames()

    def encode(
        self, inputs: Source | Sequence[str], *, columns: Columns | None = None
    ) -> tuple[list[str], Tensor]:
        """Ids and network inputs: codes ``uint8 (N, L)`` or features ``float32 (N, F)``."""
        samples = read_unlabelled(inputs, self.encoder, self._columns, columns)
        for note in samples.notes:
            warnings.warn(note, InputWarning, stacklevel=2)
        if isinstance(self.encoder, SequenceEncoder):
            return samples.ids, torch.from_numpy(encode_sequences(self.encoder, samples))
        return samples.ids, torch.from_numpy(encode_features(self.encoder, samples))

    @torch.inference_mode()
    def logits(self, inputs: Tensor) -> Tensor:
        """The network's logits ``(N, out)`` for encoded inputs, on the CPU.

        Over both strands they are the mean of the two strands' logits.
        """
        pieces = [
            self._block_logits(block.to(self.device)).cpu()
            for block in inputs.split(evaluation_rows(self.encoder.input_shape))
        ]
        return torch.cat(pieces) if pieces else torch.empty(0, 1)

    def _block_logits(self, block: Tensor) -> Tensor:
        strands = [block]
        if isinstance(self.encoder, SequenceEncoder) and self.encoder.both_strands:
            strands.append(self.encoder.other_strand(block))
        logits = [self.model(feed(self.model, x, self._table, self._features)) for x in strands]
        return torch.stack(logits).float().mean(dim=0)

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


def load(
    directory: str | Path,
    *,
    model: torch.nn.Module | None = None,
    device: str | torch.device = "cpu",
    both_strands: bool | None = None,
) -> Predictor:
    """The predictor in a model directory, or in a run's directory.

    Args:
        directory: ``runs/NAME`` or ``runs/NAME/model``.
        model: the network to fill, for one that is not of this package.
        device: where to compute.
        both_strands: whether to average over a sequence and its reverse complement; as the model was
            told when it was trained, when None.

    Raises:
        ArtifactError: the directory holds no usable model.
        InputError: both strands of a model that does not take DNA or RNA.
    """
    network, manifest = artifact.load(directory, model=model)
    if both_strands is not None:
        manifest = with_both_strands(manifest, both_strands)
    try:
        return Predictor(network, manifest, device)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ArtifactError(
            f"{directory}: the manifest is not as bionn writes it ({type(error).__name__}: {error}); "
            "copy the model directory again"
        ) from None


def with_both_strands(manifest: dict[str, Any], both_strands: bool) -> dict[str, Any]:
    """A manifest that averages over both strands, or does not.

    Raises:
        InputError: both strands of a model that does not take DNA or RNA.
    """
    taken = manifest["input"]
    if both_strands and taken["kind"] != "sequence":
        raise InputError(
            "both-strands: a model of sequences needed, one of features found; leave it out"
        )
    if both_strands:
        _ = alphabet_named(taken["alphabet"]).complement
    return manifest | {"input": taken | {"both_strands": both_strands}}


def find_device(name: str | torch.device) -> torch.device:
    """A device by torch's name, or ``auto`` or ``gpu`` for the accelerator that is there.

    Raises:
        InputError: no such device here.
    """
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if name in ("auto", "gpu"):
        if found is None and name == "gpu":
            raise InputError("device: a gpu needed, none found here; choose cpu or auto")
        return found or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"device: {str(name)!r} is not to be had here ({reason})") from None
    return device


def _encoder(manifest: dict[str, Any]) -> Encoder:
    if manifest["kind"] == "sequence":
        return SequenceEncoder.from_manifest(manifest)
    return FeatureEncoder.from_manifest(manifest)
