"""What a training run can be told, and what it chooses by itself from the data it is given."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from bionn.data.batches import BatchSize, resolve_batch_size
from bionn.data.prepared import Prepared
from bionn.tasks.base import WARM_UP

UPDATES = 3000
"""Steps of the optimiser to aim at, in 10 to 100 epochs."""

REFIT_BELOW = 10_000
"""Below so many training rows the validation rows are worth a second training."""


@dataclass(frozen=True)
class TrainingOptions:
    """The network and its training; the options of ``bionn run`` of the same names.

    None means: chosen by :func:`choose` from the task and the size of the data.

    Attributes:
        hidden: the width of each hidden layer.
        activation: of the hidden layers.
        dropout: share of hidden units dropped.
        input_dropout: share of positions or features dropped.
        augment: alterations of training sequences, drawn anew at each step: ``reverse-complement``,
            ``shift:N``, ``mask:P``; see :class:`bionn.data.augment.Augmentation`.
        init: the weights' initialiser.
        objective: what is minimised: ``cross-entropy`` (classes) or ``squared-error``; ``auto``: the
            first for classes, the second for numbers.
        learning_rate: peak of the one-cycle schedule.
        weight_decay: of AdamW.
        batch_size: ``full``, 1 or a number between.
        gradient_clip: the largest norm of a gradient; longer ones are scaled down to it.
        max_epochs: the most epochs.
        patience: epochs without a better validation loss before training stops.
        refit: train once more on training and validation rows together, for as many epochs as were
            best; the validation scores stay those of the network that chose them.
        class_weight: of the classes in the loss: ``none``, ``balanced`` or ``A=1,B=5``.
        sampler: ``uniform``, or ``balanced``: as many training rows of each class.
        threshold: above which probability the positive one of two classes is predicted: a number, or
            ``auto``, the best on validation rows; as the classes were weighted when None.
        calibrate: whether probabilities are divided by a temperature fitted on validation rows; where
            the gain there is significant, when None.
        min_gradient_norm: stop when the gradient's norm falls below this.
        min_loss_change: stop when the training loss changes by less from epoch to epoch.
        packed: keep the codes of A, C, G and T in two bits each where batches are cut of them.
        compile: let ``torch.compile`` make one program of the network for training.
        cuda_graphs: the same, launched as one graph of a GPU.
        device: ``auto``, ``cpu``, ``gpu``, ... as Lightning's ``accelerator``.
        precision: as Lightning's ``precision``.
        deterministic: let torch use none but deterministic algorithms, and fail where there is none.
        ensemble: networks that are trained, each from a seed of its own, and averaged.
        seed: of initial weights, order of rows and dropout.
        checkpoint_seconds: between two checkpoints of a long epoch; there is one at the end of each.
    """

    hidden: Sequence[int] | None = None
    activation: str = "relu"
    dropout: float | None = None
    input_dropout: float | None = None
    augment: Sequence[str] = ()
    init: str = "torch"
    objective: str = "auto"
    learning_rate: float | None = None
    weight_decay: float | None = None
    batch_size: BatchSize | None = None
    gradient_clip: float | None = 1.0
    max_epochs: int | None = None
    patience: int | None = None
    refit: bool | None = None
    class_weight: str = "none"
    sampler: str = "uniform"
    threshold: str | float | None = None
    calibrate: bool | None = None
    min_gradient_norm: float | None = None
    min_loss_change: float | None = None
    packed: bool = False
    compile: bool = False
    cuda_graphs: bool = False
    device: str = "auto"
    precision: str = "32-true"
    deterministic: bool = False
    ensemble: int = 1
    seed: int = 0
    checkpoint_seconds: float = 60.0


def choose(options: TrainingOptions, prepared: Prepared) -> TrainingOptions:
    """Fill in what was not given.

    The values were chosen on the validation rows of the public data sets in ``experiments``.
    Classification is held back by dropped inputs and a strong weight decay; regression would lose
    by dropped inputs. K-mers, each of which alone says little, are held back by more dropout still,
    and are best summed up by one wide layer where they stand alone.
    Patience begins to count when the learning rate has risen.

    Args:
        options: what was asked for.
        prepared: the data to be trained on.

    Returns:
        Options without None but for the thresholds and ``calibrate``.
    """
    rows = len(prepared.split.train)
    classifies, features = prepared.targets.task != "regression", prepared.features
    kmers = classifies and features is not None
    alone = features is not None and features.table is None
    batch_size = options.batch_size or int(np.clip(2 ** round(math.log2(rows / 64)), 32, 256))
    steps = math.ceil(rows / resolve_batch_size(batch_size, rows))
    epochs = options.max_epochs or int(np.clip(math.ceil(UPDATES / steps), 10, 100))
    chosen: dict[str, Any] = {
        "hidden": (512,) if kmers and alone else (256, 128),
        "dropout": 0.5 if kmers else 0.2,
        "input_dropout": (0.5 if kmers else 0.3) if classifies else 0.0,
        "learning_rate": 1e-3,
        "weight_decay": 1.0 if classifies else 0.1,
        "batch_size": batch_size,
        "max_epochs": epochs,
        "patience": 10 + math.ceil(WARM_UP * epochs),
        "refit": rows < REFIT_BELOW,
    }
    missing = {f.name for f in fields(options) if getattr(options, f.name) is None}
    return replace(options, **{name: value for name, value in chosen.items() if name in missing})
