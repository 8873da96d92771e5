"""The Lightning data module that serves a prepared set; the only file of this room with Lightning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor

from bionn.data.augment import Augmentation
from bionn.data.batches import (
    Batch,
    BatchSize,
    ResidentBatches,
    evaluation_rows,
    resolve_batch_size,
)
from bionn.data.prepared import Prepared
from bionn.data.stores import Inputs, place
from bionn.errors import InputError, did_you_mean
from bionn.preprocess.sequences import SequenceEncoder
from bionn.sequences.twobit import TwoBitCodes

SAMPLERS = ("uniform", "balanced")


class ResidentDataModule(L.LightningDataModule):
    """Serves the three parts of a :class:`Prepared` set, which it loads when first asked.

    Args:
        load: makes the prepared set.
        batch_size: training rows a batch: ``full`` (gradient descent), 1 (stochastic) or m.
        seed: of the order of the training rows, and of their augmentation.
        augment: alterations of the training sequences; see :class:`Augmentation`.
        sampler: ``uniform``: every training row once an epoch; ``balanced``: as many of each class.
        packed: keep codes in two bits each where batches are cut of them: for A, C, G and T alone.

    The set is on the trainer's device once, or sent there in blocks where it is too large for it. Of
    several processes each has all of it, and a share of the rows of each batch: ``batch_size`` is that
    of all together. Every row of validation, test and prediction is in one of them, and in one alone.
    """

    def __init__(
        self,
        load: Callable[[], Prepared],
        *,
        batch_size: BatchSize = 256,
        seed: int = 0,
        augment: Sequence[str] | None = None,
        sampler: str = "uniform",
        packed: bool = False,
    ) -> None:
        super().__init__()
        if sampler not in SAMPLERS:
            raise InputError(
                f"sampler: one of {', '.join(SAMPLERS)} needed, {sampler!r} found"
                f"{did_you_mean(sampler, SAMPLERS)}; choose one"
            )
        resolve_batch_size(batch_size, rows=1)
        self._load = load
        self._prepared: Prepared | None = None
        self.batch_size: BatchSize = batch_size
        self.seed = seed
        self.augment = augment or ()
        self.sampler = sampler
        self.packed = packed
        self._placed: tuple[torch.device, Inputs, Tensor] | None = None

    @property
    def prepared(self) -> Prepared:
        """The samples, their split and their tensors."""
        if self._prepared is None:
            self._prepared = self._load()
        return self._prepared

    def setup(self, stage: str | None = None) -> None:
        """Read, split and encode, once for all stages."""
        del stage
        _ = self.prepared

    def teardown(self, stage: str | None = None) -> None:
        """Leave the device."""
        del stage
        self._placed = None

    @property
    def task(self) -> str:
        """``binary``, ``multiclass`` or ``regression``."""
        return self.prepared.targets.task

    @property
    def input_shape(self) -> int | tuple[int, int]:
        """``(A, L)`` for sequences, the number of features for tables."""
        return self.prepared.encoder.input_shape

    @property
    def num_outputs(self) -> int:
        """Output units that the targets need."""
        return self.prepared.targets.num_outputs

    @property
    def classes(self) -> list[str]:
        """Class names by index; empty for regression."""
        return list(self.prepared.targets.classes)

    @property
    def num_classes(self) -> int:
        """How many classes there are; 0 for regression."""
        return len(self.classes)

    @property
    def class_counts(self) -> np.ndarray | None:
        """Training rows of each class; None for regression."""
        return self.prepared.class_counts

    @property
    def oversampling(self) -> np.ndarray | None:
        """How many times as often as it comes a class is drawn for training; None: no oftener."""
        counts = self.class_counts
        if self.sampler == "uniform" or counts is None:
            return None
        return counts.sum() / counts.clip(min=1) / len(counts)

    @property
    def target_names(self) -> list[str]:
        """The target columns."""
        return list(self.prepared.targets.names)

    @property
    def code_table(self) -> Tensor | None:
        """What each code of a sequence stands for, ``(S, A)``; None for tables."""
        return self.prepared.code_table

    @property
    def sequence_features(self) -> torch.nn.Module | None:
        """What makes features of codes, for an encoding with k-mers."""
        return self.prepared.features

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> Any:
        """A batch cut from what lies on the device is there already."""
        if isinstance(batch, Batch) and all(tensor.device == device for tensor in batch):
            return batch
        return super().transfer_batch_to_device(batch, device, dataloader_idx)

    def train_dataloader(self) -> ResidentBatches:
        """Training batches in an order that (seed, epoch) decides."""
        augment = None
        if self.augment:
            augment = Augmentation.parse(self.augment, self.prepared.encoder)
        classes = None
        if self.sampler == "balanced":
            if self.task == "regression":
                raise InputError(
                    "sampler: classes needed to balance, a regression found; leave it out"
                )
            classes = self.prepared.outputs[torch.from_numpy(self.prepared.split.train)]
        shuffle = self.batch_size != "full"
        return self._batches(
            "train", self.batch_size, shuffle=shuffle, augment=augment, classes=classes
        )

    def val_dataloader(self) -> ResidentBatches:
        """Validation batches in file order."""
        return self._batches("val", evaluation_rows(self.input_shape))

    def test_dataloader(self) -> ResidentBatches:
        """Test batches in file order."""
        return self._batches("test", evaluation_rows(self.input_shape))

    def predict_dataloader(self) -> ResidentBatches:
        """The test rows again, in file order."""
        return self.test_dataloader()

    def _batches(
        self,
        part: str,
        batch_size: BatchSize,
        *,
        shuffle: bool = False,
        augment: Augmentation | None = None,
        classes: Tensor | None = None,
    ) -> ResidentBatches:
        prepared = self.prepared
        device, shares = torch.device("cpu"), None
        if self.trainer is not None:
            device = self.trainer.strategy.root_device
            shares = self.trainer.distributed_sampler_kwargs
        shares = shares or {"rank": 0, "num_replicas": 1}
        if self._placed is None or self._placed[0] != device:
            inputs = pack(prepared) if self.packed else prepared.inputs
            store = place(inputs, prepared.outputs, device)
            self._placed = device, store.inputs, store.targets
        return ResidentBatches(
            *self._placed[1:],
            torch.from_numpy(getattr(prepared.split, part)),
            batch_size=batch_size,
            shuffle=shuffle,
            seed=self.seed,
            augment=augment,
            classes=classes,
            rank=shares["rank"],
            world_size=shares["num_replicas"],
            device=device,
        )


def pack(prepared: Prepared) -> TwoBitCodes:
    """The codes of a set in two bits each.

    Raises:
        InputError: features instead of sequences, or other symbols than the first four letters.
    """
    encoder, codes = prepared.encoder, prepared.inputs
    if not isinstance(encoder, SequenceEncoder):
        raise InputError("packed: sequences needed, a table of features found; leave it out")
    try:
        return TwoBitCodes.pack(codes)
    except ValueError:
        row, position = (int(index) for index in (codes > 3).nonzero()[0])
        symbol = encoder.symbols.decode(codes[row : row + 1, position : position + 1].numpy())[0]
        letters = encoder.symbols.letters[:4]
        raise InputError(
            f"packed: nothing but {', '.join(letters)} fits into two bits, {symbol!r} found at "
            f"position {position + 1} of {prepared.samples.ids[row]!r}; leave it out"
        ) from None
