"""A trained model and new samples in, a table of predictions out; the same route as in training."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from torch import Tensor

from bionn.calibration import Calibration
from bionn.conformal import Conformal, named_sets
from bionn.data.batches import evaluation_rows
from bionn.data.new_samples import Columns
from bionn.data.prepared import Encoder
from bionn.data.samples import Source
from bionn.data.stream import Encoded, ahead, arrow_ids, encoded_blocks, mapped, regrouped
from bionn.data.unlabelled import read_unlabelled
from bionn.errors import InputError, InputWarning
from bionn.formats.fasta import IdRule
from bionn.formats.texts import TEXT, text_array
from bionn.memory import halved
from bionn.models.decision import Decision
from bionn.models.ensemble import Ensemble
from bionn.models.heads import TaskKind, link
from bionn.models.layers import feed
from bionn.preprocess.features import FeatureEncoder
from bionn.preprocess.sequences import SequenceEncoder
from bionn.preprocess.targets import TargetScaler
from bionn.sequences.windows import Windows

_BATCHES = 4
"""Batches of the network that are written at a time."""

_READ_ROWS = 4096
"""Samples read and encoded at a time: few enough to stay in a processor's cache from step to step."""


@contextlib.contextmanager
def _a_thread_left() -> Iterator[None]:
    """Torch computes with one thread fewer than it may: that one reads the next block."""
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads - 1))
    try:
        yield
    finally:
        torch.set_num_threads(threads)


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
        self.decision = None
        if self.task != "regression":
            told = manifest.get("decision")
            self.decision = (
                Decision.from_manifest(told) if told else Decision.plain(len(self.classes))
            )
        self.calibration = Calibration.from_manifest(manifest.get("calibration"))
        kept = manifest.get("conformal")
        self.conformal = None if kept is None else Conformal.from_manifest(kept)
        self._columns = Columns.from_manifest(manifest.get("reading", {}))
        self._table = self._features = None
        self._padding = 0
        if isinstance(self.encoder, SequenceEncoder):
            self._table = torch.from_numpy(self.encoder.code_table).to(self.device)
            self._padding = self.encoder.symbols.padding_code
            features = self.encoder.features()
            self._features = None if features is None else features.to(self.device)

    def predict(
        self,
        inputs: Source | Sequence[str],
        *,
        columns: Columns | None = None,
        windows: Windows | None = None,
    ) -> pd.DataFrame:
        """Predictions for new samples, a row each, in their order.

        Args:
            inputs: a FASTA or BED file or a table (path or DataFrame), or a list of sequences.
            columns: where ids and sequences stand, and what else is to be known of the inputs; as in
                the training data when None.
            windows: predict each window over each sequence.

        Returns:
            ``id``, with windows ``start`` and ``end`` (from 0, the end not included), of BED regions
            ``chromosome``, ``start``, ``end`` and ``strand``, then ``prediction`` and
            ``prob_<class>`` for classes, ``prediction`` for one target, or
            ``prediction_<target>`` for several, in the targets' own units.

        Raises:
            InputError: the samples do not fit the model; says file and line.
        """
        frames = self.blocks(inputs, columns=columns, windows=windows)
        whole = pd.concat(frames, ignore_index=True)
        texts = whole.select_dtypes("string").columns
        return whole.astype(dict.fromkeys(texts, object))

    def blocks(
        self,
        inputs: Source | Sequence[str],
        *,
        columns: Columns | None = None,
        windows: Windows | None = None,
    ) -> Iterator[pd.DataFrame]:
        """The rows of :meth:`predict` by block: constant memory for a file of any size.

        A block is read and encoded in one thread while the one before is computed in another, and the
        one before that is in use. Ids and classes are Arrow's texts: a million Python objects would
        cost more than the rest.

        Args:
            inputs: as for :meth:`predict`.
            columns: as for :meth:`predict`.
            windows: as for :meth:`predict`.

        Warns:
            InputWarning: something was left out or not as it should be; at the end.
        """
        notes: list[str] = []
        blocks = self.encoded(inputs, columns=columns, windows=windows, notes=notes)
        yield from self.frames(blocks, windowed=windows is not None)
        for note in notes:
            warnings.warn(note, InputWarning, stacklevel=2)

    def frames(self, blocks: Iterable[Encoded], *, windowed: bool) -> Iterator[pd.DataFrame]:
        """The rows of :meth:`predict` for what :meth:`encoded` yields, at least one frame."""
        rows, empty = _BATCHES * evaluation_rows(self.encoder.input_shape), True
        for frame in mapped(self._framed, ahead(regrouped(blocks, rows, padding=self._padding))):
            yield frame
            empty = False
        if empty:
            names = ("start", "end") if windowed else ()
            places = {name: np.empty(0, dtype=np.int64) for name in names}
            yield self._framed(replace(self._nothing(), places=places))

    def encoded(
        self,
        inputs: Source | Sequence[str],
        *,
        columns: Columns | None = None,
        windows: Windows | None = None,
        notes: list[str] | None = None,
    ) -> Iterator[Encoded]:
        """Ids and network inputs of new samples, or of the windows over them, block by block."""
        blocks = read_unlabelled(
            inputs,
            self.encoder,
            self._columns,
            columns,
            rows=min(_READ_ROWS, evaluation_rows(self.encoder.input_shape)),
            pieces=windows is not None,
            notes=notes,
        )
        return encoded_blocks(blocks, self.encoder, windows=windows, notes=notes)

    def encode(
        self, inputs: Source | Sequence[str], *, columns: Columns | None = None
    ) -> tuple[list[str], Tensor]:
        """All ids and network inputs: codes ``uint8 (N, L)`` or features ``float32 (N, F)``."""
        notes: list[str] = []
        blocks = list(self.encoded(inputs, columns=columns, notes=notes))
        for note in notes:
            warnings.warn(note, InputWarning, stacklevel=2)
        rows = max(1, sum(map(len, blocks)))
        whole = next(regrouped(blocks, rows, padding=self._padding), self._nothing())
        return whole.ids.to_pylist(), torch.from_numpy(whole.inputs)

    @_a_thread_left()
    def _framed(self, block: Encoded) -> pd.DataFrame:
        inputs = torch.from_numpy(block.inputs)
        if isinstance(self.model, Ensemble):
            members = self.member_logits(inputs)
            frame = self.frame(block.ids, self.outputs_of(self.model.pooled(members)))
            values = self.output_columns if self.task == "regression" else ["prediction"]
            for name, column in zip(values, self.spread_of(members).T, strict=True):
                frame[name.replace("prediction", "spread", 1)] = column
        else:
            frame = self.frame(block.ids, self.outputs(inputs))
        for place, (name, column) in enumerate(block.places.items(), 1):
            frame.insert(place, name, column)
        return frame

    def _nothing(self) -> Encoded:
        """No samples."""
        if isinstance(self.encoder, SequenceEncoder):
            inputs = self.encoder.encode([])
        else:
            inputs = np.empty((0, self.encoder.input_shape), dtype=np.float32)
        return Encoded(arrow_ids([]), inputs)

    def logits(self, inputs: Tensor, rows: np.ndarray | None = None) -> Tensor:
        """The network's logits ``(N, out)`` for encoded inputs, on the CPU.

        Over both strands they are the mean of the two strands' logits, for each network of an ensemble.

        Args:
            inputs: of the samples.
            rows: the numbers of those that are asked for, ``int64 (N,)``; all when None.
        """
        members = self.member_logits(inputs, rows)
        return self.model.pooled(members) if isinstance(self.model, Ensemble) else members[0]

    @torch.inference_mode()
    def member_logits(self, inputs: Tensor, rows: np.ndarray | None = None) -> Tensor:
        """The logits of each network ``(members, N, out)``, one unless the model is an ensemble."""
        chosen = None if rows is None else torch.from_numpy(rows)
        members = self.model.members if isinstance(self.model, Ensemble) else [self.model]

        def some(start: int, stop: int) -> Tensor:
            block = inputs[start:stop] if chosen is None else inputs[chosen[start:stop]]
            block = block.to(self.device)
            return torch.stack([self._block_logits(member, block) for member in members]).cpu()

        pieces: list[Tensor] = []
        size = evaluation_rows(self.encoder.input_shape)
        count = len(inputs) if chosen is None else len(chosen)
        for first in range(0, max(count, 1), size):  # of no rows, none of as many columns
            pieces += halved(some, min(size, count - first), first)
        return torch.cat(pieces, dim=1)

    def spread_of(self, members: Tensor) -> np.ndarray:
        """How far the networks of an ensemble lie apart: the standard deviation of their predictions.

        Args:
            members: their logits ``(members, N, out)``.

        Returns:
            ``(N, 1)`` of the probability of the class that the ensemble predicts, or ``(N, T)`` of the
            values, in the targets' own units.
        """
        assert isinstance(self.model, Ensemble)
        spread = np.stack([self.outputs_of(logits) for logits in members]).std(axis=0)
        if self.task == "multiclass":
            assert self.decision is not None
            chosen = self.decision.classes_of(self.outputs_of(self.model.pooled(members)))
            return np.take_along_axis(spread, np.asarray(chosen)[:, None], axis=1)
        return spread.reshape(len(spread), -1)

    def _block_logits(self, model: torch.nn.Module, block: Tensor) -> Tensor:
        strands = [block]
        if isinstance(self.encoder, SequenceEncoder) and self.encoder.both_strands:
            strands.append(self.encoder.other_strand(block))
        logits = [model(feed(model, x, self._table, self._features)) for x in strands]
        return torch.stack(logits).float().mean(dim=0)

    def outputs(self, inputs: Tensor, rows: np.ndarray | None = None) -> np.ndarray:
        """Probabilities ``(N,)`` or ``(N, K)``, or values ``(N, T)`` in the targets' own units.

        Args:
            inputs: as for :meth:`logits`.
            rows: likewise.
        """
        return self.outputs_of(self.logits(inputs, rows))

    def outputs_of(self, logits: Tensor) -> np.ndarray:
        """The same from logits that are there already."""
        return self.linked(self.tempered(logits))

    def tempered(self, logits: Tensor) -> Tensor:
        """Logits of calibrated probabilities, where the model was told to calibrate them."""
        return logits / self.calibration.divisor

    def linked(self, logits: Tensor) -> np.ndarray:
        """Probabilities or values from logits as they are."""
        values = link(self.task, logits).double().numpy()
        return values if self.target_scaler is None else self.target_scaler.inverse(values)

    @property
    def id_rule(self) -> IdRule:
        """Which part of a FASTA header was the id in the training data."""
        return self._columns.id_rule or "first"

    @property
    def output_columns(self) -> list[str]:
        """The columns of numbers that :meth:`frame` makes."""
        if self.task != "regression":
            return [f"prob_{name}" for name in self.classes]
        names = self.target_names
        return ["prediction"] if len(names) == 1 else [f"prediction_{name}" for name in names]

    def frame(
        self, ids: Sequence[str] | np.ndarray | pa.ChunkedArray, outputs: np.ndarray
    ) -> pd.DataFrame:
        """Outputs as the columns that ``predictions.tsv`` has; classes are texts as the ids are."""
        arrow = isinstance(ids, pa.ChunkedArray)
        columns: dict[str, Any] = {
            "id": text_array(ids) if arrow else np.asarray(ids, dtype=object)
        }
        if self.decision is not None:
            chosen = self.decision.classes_of(outputs)
            if arrow:
                classes = pa.chunked_array([self.classes], type=TEXT)
                columns["prediction"] = text_array(classes.take(pa.array(chosen)))
            else:
                columns["prediction"] = np.asarray(self.classes, dtype=object)[chosen]
        if self.task == "binary":
            outputs = np.column_stack([1 - outputs, outputs])
        # a column of its own each: pandas would take the transpose of all apart again and again
        columns |= dict(zip(self.output_columns, np.ascontiguousarray(outputs.T), strict=True))
        return pd.DataFrame(columns, copy=False)

    def at_level(
        self, frame: pd.DataFrame, level: float, *, by_class: bool = False
    ) -> pd.DataFrame:
        """Predictions with what holds the truth with a probability; see :mod:`bionn.conformal`.

        Args:
            frame: as :meth:`predict` and :meth:`blocks` make it.
            level: the probability, .50, .51, ... .99.
            by_class: let it hold in each class by itself.

        Returns:
            The frame with ``set``, the classes joined by ``|``, or with ``low`` and ``high`` in the
            target's own units (``low_<target>``, ... for several).

        Raises:
            InputError: the model has no thresholds for this; says which.
        """
        kept = self.conformal
        if kept is None:
            raise InputError(
                "conformal: a model with thresholds needed, this one has none; train it again by run"
            )
        outputs = frame[self.output_columns].to_numpy()
        if self.target_scaler is None:
            sets = kept.sets_of(outputs, level, by_class=by_class)
            return frame.assign(set=named_sets(sets, self.classes))
        ends = kept.intervals_of(outputs, level, self.target_scaler, by_class=by_class)
        return frame.assign(
            **{
                column.replace("prediction", end, 1): values[:, t]
                for t, column in enumerate(self.output_columns)
                for end, values in zip(("low", "high"), ends, strict=True)
            }
        )


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
        raise InputError(
            f"device: {str(name)!r} is not to be had here ({reason}); choose cpu or auto"
        ) from None
    return device


def _encoder(manifest: dict[str, Any]) -> Encoder:
    if manifest["kind"] == "sequence":
        return SequenceEncoder.from_manifest(manifest)
    return FeatureEncoder.from_manifest(manifest)
