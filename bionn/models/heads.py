"""What stands behind the logits of a task: the link to predictions and the objective."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from bionn import functional as F

TaskKind = Literal["binary", "multiclass", "regression"]
"""What is predicted: one of two classes, one of K, or numbers."""

TASKS: tuple[TaskKind, ...] = ("binary", "multiclass", "regression")


def link(task: TaskKind, logits: Tensor) -> Tensor:
    """Logits to predictions: one sigmoid unit, K softmax units, or linear units.

    Args:
        task: which.
        logits: ``(N, 1)``, ``(N, K)`` or ``(N, T)``.

    Returns:
        Probabilities of the positive class ``(N,)``, of each class ``(N, K)``, or values ``(N, T)``.
    """
    if task == "binary":
        return F.sigmoid(logits.squeeze(1))
    return F.softmax(logits, dim=1) if task == "multiclass" else logits


def objective(
    task: TaskKind,
    logits: Tensor,
    targets: Tensor,
    *,
    class_weight: Tensor | None = None,
    **options: Any,
) -> Tensor:
    """The loss that a task minimises: cross-entropy, or the mean squared error.

    A missing target has no part in it: the mean is over those that are there, and the gradient for
    the others is 0. Without any it is 0.

    Args:
        task: which.
        logits: ``(N, 1)``, ``(N, K)`` or ``(N, T)``.
        targets: class indices ``(N,)``, or standardised targets ``(N, T)``, NaN where missing.
        class_weight: of classes, ``(K,)``, 2 for two: each row's loss is multiplied by its class's. The
            sum is divided by the number of rows, not by that of weights, which varies with the batch.
        **options: of the loss function.
    """
    if class_weight is not None:
        return _weighted(task, logits, targets, class_weight.to(logits.dtype)) / len(targets)
    if task == "binary":
        return F.binary_cross_entropy_with_logits(
            logits.squeeze(1), targets.to(logits.dtype), **options
        )
    if task == "multiclass":
        return F.cross_entropy(logits, targets, **options)
    if logits.shape != targets.shape:
        raise ValueError(f"logits {tuple(logits.shape)} and targets {tuple(targets.shape)} differ")
    present = ~targets.isnan()
    zero = torch.zeros((), dtype=logits.dtype, device=logits.device)
    total = F.mse_loss(
        torch.where(present, logits, zero),
        torch.where(present, targets, zero),
        reduction="sum",
        **options,
    )
    return total / present.sum().clamp(min=1)


def _weighted(task: TaskKind, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """The weighted cross-entropy, summed over rows."""
    if task == "multiclass":
        return F.cross_entropy(logits, targets, weights, reduction="sum")
    loss = F.binary_cross_entropy_with_logits(
        logits.squeeze(1),
        targets.to(logits.dtype),
        reduction="sum",
        pos_weight=weights[1] / weights[0],
    )
    return loss * weights[0]


def evidence(targets: Tensor) -> Tensor:
    """How many targets of a batch count in its loss: what the batch weighs in a mean over batches."""
    return (~targets.isnan()).sum() if targets.is_floating_point() else torch.tensor(len(targets))
