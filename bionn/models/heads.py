"""What stands behind the logits of a task: the link to predictions and the objective."""

from __future__ import annotations

import functools
from typing import Any, Literal

import torch
from torch import Tensor

from bionn import functional as F
from bionn.errors import InputError, did_you_mean

TaskKind = Literal["binary", "multiclass", "regression"]
"""What is predicted: one of two classes, one of K, or numbers."""

TASKS: tuple[TaskKind, ...] = ("binary", "multiclass", "regression")

Objective = Literal["cross-entropy", "squared-error"]
"""What training minimises: the negative log-likelihood of the classes, or squared differences."""


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


def find_objective(task: TaskKind, name: str) -> Objective:
    """The objective of a name, which a task can have.

    Args:
        task: which.
        name: ``cross-entropy`` (classes alone), ``squared-error``, or ``auto``: cross-entropy for
            classes, squared error for numbers.

    Raises:
        InputError: another name, or cross-entropy of numbers.
    """
    choices: dict[str, Objective] = {
        "auto": "squared-error" if task == "regression" else "cross-entropy",
        "squared-error": "squared-error",
    }
    if task != "regression":
        choices["cross-entropy"] = "cross-entropy"
    if name not in choices:
        raise InputError(
            f"objective: one of {', '.join(choices)} needed for {task}, {name!r} found"
            f"{did_you_mean(name, choices)}; choose one"
        )
    return choices[name]


def objective(
    task: TaskKind,
    logits: Tensor,
    targets: Tensor,
    *,
    class_weight: Tensor | None = None,
    **options: Any,
) -> Tensor:
    """The loss that a task is judged by: cross-entropy, or the mean squared error.

    A missing target has no part in it: the mean is over those that are there, and the gradient for
    the others is 0. Without any, or without rows, it is 0.

    Args:
        task: which.
        logits: ``(N, 1)``, ``(N, K)`` or ``(N, T)``.
        targets: class indices ``(N,)``, or standardised targets ``(N, T)``, NaN where missing.
        class_weight: of classes, ``(K,)``, 2 for two: each row's loss is multiplied by its class's. The
            sum is divided by the number of rows, not by that of weights, which varies with the batch.
        **options: of the loss function.
    """
    if not len(targets):
        return logits.sum()
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


def squared_error(
    task: TaskKind, logits: Tensor, targets: Tensor, *, class_weight: Tensor | None = None
) -> Tensor:
    """Squared differences of probabilities and the true classes: the Brier score, a mean over rows.

    Like the cross-entropy it is least, on average, at the true probabilities; unlike it, it is
    bounded, and its gradient fades where the network is surely wrong.

    Args:
        task: ``binary``: (p - y)^2; ``multiclass``: the sum of it over classes. For ``regression`` it
            is :func:`objective`.
        logits: ``(N, 1)`` or ``(N, K)``.
        targets: class indices ``(N,)``.
        class_weight: as for :func:`objective`.
    """
    if task == "regression" or not len(targets):
        return objective(task, logits, targets)
    truth = targets.to(logits.dtype)
    if task == "multiclass":
        truth = torch.nn.functional.one_hot(targets, logits.shape[1]).to(logits.dtype)
    errors = F.mse_loss(link(task, logits), truth, reduction="none")
    rows = errors if task == "binary" else errors.sum(dim=1)
    if class_weight is not None:
        rows = rows * class_weight.to(rows.dtype)[targets]
    return rows.mean()


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
    return (~targets.isnan()).sum() if targets.is_floating_point() else _number(len(targets))


@functools.lru_cache(maxsize=16)
def _number(count: int) -> Tensor:
    """A number of rows, which is that of the step before as a rule; not to be written to."""
    with torch.inference_mode(False):
        return torch.tensor(count, device="cpu")
