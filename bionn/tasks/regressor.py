"""Regression of one or several targets, one linear unit each."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bionn.errors import InputError
from bionn.tasks.base import OptimizerFactory, Schedule, Task


class Regressor(Task):
    """Trains a network by the mean squared error of standardised targets.

    Args:
        model: any network that returns ``(N, T)``.
        target_names: T names.
        optimizer: makes the optimiser from the parameters.
        learning_rate: the peak of the schedule.
        weight_decay: of AdamW.
        schedule: ``one_cycle`` or ``constant``.
        compile: let ``torch.compile`` make one program of the network while it is fitted.
        cuda_graphs: the same, launched as one graph of a GPU; see :class:`Task`.

    Raises:
        InputError: no target.

    Example:
        >>> from bionn.models import MLP
        >>> Regressor(MLP(8, (16,), 2), target_names=["recA", "lexA"]).kind
        'regression'
    """

    def __init__(
        self,
        model: torch.nn.Module,
        *,
        target_names: Sequence[str],
        optimizer: OptimizerFactory | None = None,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-2,
        schedule: Schedule = "one_cycle",
        compile: bool = False,
        cuda_graphs: bool = False,
    ) -> None:
        if not target_names:
            raise InputError("target_names: at least 1 needed, none found")
        super().__init__(
            model,
            "regression",
            target_names,
            optimizer=optimizer,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            schedule=schedule,
            compile=compile,
            cuda_graphs=cuda_graphs,
        )
