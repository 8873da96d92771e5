"""Classification: one sigmoid unit for two classes, K softmax units for more."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bionn.errors import InputError
from bionn.tasks.base import OptimizerFactory, Schedule, Task


class Classifier(Task):
    """Trains a network of logits by binary or K-class cross-entropy.

    Args:
        model: any network that returns logits, ``(N, 1)`` for two classes, else ``(N, K)``.
        classes: the class names by index; of two, the second is the positive one.
        optimizer: makes the optimiser from the parameters.
        learning_rate: the peak of the schedule.
        weight_decay: of AdamW.
        schedule: ``one_cycle`` or ``constant``.
        class_weight: ``balanced``, ``A=1,B=5`` or a number a class; see :class:`Task`.
        objective: ``cross-entropy`` or ``squared-error`` (the Brier score).
        compile: let ``torch.compile`` make one program of the network while it is fitted.
        cuda_graphs: the same, launched as one graph of a GPU; see :class:`Task`.

    Raises:
        InputError: fewer than two classes.

    Example:
        >>> from bionn.models import MLP
        >>> Classifier(MLP(8, (16,), 1), classes=["no", "yes"]).kind
        'binary'
    """

    def __init__(
        self,
        model: torch.nn.Module,
        *,
        classes: Sequence[str],
        optimizer: OptimizerFactory | None = None,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-2,
        schedule: Schedule = "one_cycle",
        class_weight: str | list[float] | None = None,
        objective: str = "cross-entropy",
        compile: bool = False,
        cuda_graphs: bool = False,
    ) -> None:
        if len(classes) < 2:
            raise InputError(f"classes: at least 2 needed, {len(classes)} found")
        super().__init__(
            model,
            "binary" if len(classes) == 2 else "multiclass",
            classes,
            optimizer=optimizer,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            schedule=schedule,
            class_weight=class_weight,
            objective=objective,
            compile=compile,
            cuda_graphs=cuda_graphs,
        )
