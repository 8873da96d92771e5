"""Scores for each kind of task, named once: a pure function of predictions over torchmetrics."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
import torchmetrics
from torch import Tensor
from torchmetrics.functional import classification as tmc
from torchmetrics.functional import regression as tmr
from torchmetrics.utilities import dim_zero_cat

CLASSIFICATION = ("accuracy", "auroc", "auprc", "mcc", "f1")
REGRESSION = ("r2", "pearson", "spearman", "mse", "mae")

NAN = float("nan")


def main_score(task: str) -> str:
    """The score by which models are compared."""
    return "r2" if task == "regression" else "auroc"


def binary_scores(probabilities: Tensor, targets: Tensor, threshold: float = 0.5) -> dict[str, Any]:
    """Accuracy, AUROC, AUPRC, MCC and F1 at a threshold, and the confusion matrix.

    Args:
        probabilities: of the positive class, ``(N,)``.
        targets: 0 or 1, ``(N,)``.
        threshold: a probability above it is called positive.

    Returns:
        Floats by name, NaN where a score is not defined (AUROC and AUPRC with one class only), and
        ``confusion``, rows the true and columns the predicted class.
    """
    both = bool((targets == 0).any()) and bool((targets == 1).any())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        called = (probabilities > threshold).long()
        confusion = tmc.binary_confusion_matrix(called, targets)
        return {
            "accuracy": tmc.binary_accuracy(called, targets).item(),
            "auroc": tmc.binary_auroc(probabilities, targets).item() if both else NAN,
            "auprc": tmc.binary_average_precision(probabilities, targets).item() if both else NAN,
            "mcc": matthews(confusion),
            "f1": tmc.binary_f1_score(called, targets).item(),
            "confusion": confusion.tolist(),
        }


def matthews(confusion: Tensor) -> float:
    """Matthews' correlation coefficient of K classes; 0 where all is of one class or called so.

    torchmetrics 1.9 gives a constant guess up to .7 instead of 0 for two classes.

    Args:
        confusion: counts ``(K, K)``, rows the true and columns the predicted class.
    """
    counts = confusion.double()
    true, predicted, total = counts.sum(1), counts.sum(0), counts.sum()
    covariance = counts.trace() * total - true @ predicted
    variances = (total**2 - true @ true) * (total**2 - predicted @ predicted)
    return (covariance / variances.sqrt()).item() if variances > 0 else 0.0


def multiclass_scores(
    probabilities: Tensor,
    targets: Tensor,
    classes: Sequence[str],
    weights: Sequence[float] | None = None,
) -> dict[str, Any]:
    """The same scores for K classes; AUROC, AUPRC and F1 are macro averages, one against the rest.

    Args:
        probabilities: ``(N, K)``, rows summing to 1.
        targets: class indices, ``(N,)``.
        classes: K names.
        weights: one a class: the class with the largest weight times probability is called.

    Returns:
        Floats by name, ``confusion``, and ``per_class``: precision, recall, F1, AUROC and row count
        of each class. Averages leave out classes for which a score is not defined.
    """
    count = len(classes)
    sizes = torch.bincount(targets, minlength=count)
    present = sizes > 0
    ranked = present & (sizes < len(targets))
    scale = 1.0 if weights is None else torch.tensor(weights, dtype=probabilities.dtype)
    called = (probabilities * scale).argmax(dim=1)

    def per_class(metric: Any, defined: Tensor, predictions: Tensor = called) -> Tensor:
        values = metric(predictions, targets, num_classes=count, average="none").double()
        return values.masked_fill(~defined, NAN)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        precision = per_class(tmc.multiclass_precision, present)
        recall = per_class(tmc.multiclass_recall, present)
        f1 = per_class(tmc.multiclass_f1_score, present)
        auroc = per_class(tmc.multiclass_auroc, ranked, probabilities)
        auprc = per_class(tmc.multiclass_average_precision, ranked, probabilities)
        confusion = tmc.multiclass_confusion_matrix(called, targets, num_classes=count)
        return {
            "accuracy": tmc.multiclass_accuracy(
                called, targets, num_classes=count, average="micro"
            ).item(),
            "auroc": auroc.nanmean().item(),
            "auprc": auprc.nanmean().item(),
            "mcc": matthews(confusion),
            "f1": f1.nanmean().item(),
            "confusion": confusion.tolist(),
            "per_class": {
                name: {
                    "precision": precision[k].item(),
                    "recall": recall[k].item(),
                    "f1": f1[k].item(),
                    "auroc": auroc[k].item(),
                    "n": int(sizes[k]),
                }
                for k, name in enumerate(classes)
            },
        }


def regression_scores(predictions: Tensor, targets: Tensor, names: Sequence[str]) -> dict[str, Any]:
    """R2 (1 - SS_res/SS_tot), Pearson, Spearman, MSE and MAE: means over targets, and per target.

    Args:
        predictions: ``(N, T)`` in the targets' own units.
        targets: ``(N, T)``, NaN where one is missing: its row has no part in that target's scores.
        names: T names.

    Returns:
        Floats by name and ``per_target`` with the same for each, and ``n``, how many rows have it.
        NaN where a score is not defined: fewer than two rows, or a constant target or prediction.
        Means leave out targets that no row has.
    """
    predictions, targets = predictions.double(), targets.double()
    per_target = {
        name: _one_regression(predictions[:, t], targets[:, t]) for t, name in enumerate(names)
    }
    scored = [values for values in per_target.values() if values["n"]]
    means = {
        score: sum(values[score] for values in scored) / len(scored) if scored else NAN
        for score in REGRESSION
    }
    return means | {"per_target": per_target}


def _one_regression(predictions: Tensor, targets: Tensor) -> dict[str, float]:
    present = ~targets.isnan()
    predictions, targets = predictions[present], targets[present]
    if not len(targets):
        return dict.fromkeys(REGRESSION, NAN) | {"n": 0}
    varied = len(targets) > 1 and bool((targets != targets[0]).any())
    correlated = varied and bool((predictions != predictions[0]).any())
    # No score changes when both move together, and sums of squares far from 0 lose their digits.
    predictions, targets = predictions - targets.mean(), targets - targets.mean()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return {
            "r2": tmr.r2_score(predictions, targets).item() if varied else NAN,
            "pearson": tmr.pearson_corrcoef(predictions, targets).item() if correlated else NAN,
            "spearman": tmr.spearman_corrcoef(predictions, targets).item() if correlated else NAN,
            "mse": tmr.mean_squared_error(predictions, targets).item(),
            "mae": tmr.mean_absolute_error(predictions, targets).item(),
            "n": len(targets),
        }


def scores(
    task: str,
    predictions: Tensor,
    targets: Tensor,
    names: Sequence[str],
    *,
    weights: Sequence[float] | None = None,
) -> dict[str, Any]:
    """The scores of a task; see the three functions above.

    Args:
        task: ``binary``, ``multiclass`` or ``regression``.
        predictions: probabilities ``(N,)`` or ``(N, K)``, or values ``(N, T)``.
        targets: class indices ``(N,)`` or values ``(N, T)``.
        names: the classes, or the targets of a regression.
        weights: of the classes in the decision, one each; the same for all when None.
    """
    if task == "binary":
        threshold = 0.5 if weights is None else weights[0] / sum(weights)
        return binary_scores(predictions, targets, threshold)
    if task == "multiclass":
        return multiclass_scores(predictions, targets, names, weights)
    return regression_scores(predictions, targets, names)


class Scores(torchmetrics.Metric):
    """Gathers predictions batch by batch, over every process, and scores them together.

    Args:
        task: ``binary``, ``multiclass`` or ``regression``.
        names: the classes, or the targets of a regression.
    """

    full_state_update = False

    def __init__(self, task: str, names: Sequence[str]) -> None:
        super().__init__()
        self.task = task
        self.names = tuple(names)
        self.add_state("predictions", default=[], dist_reduce_fx="cat")
        self.add_state("targets", default=[], dist_reduce_fx="cat")

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Add a batch."""
        self.predictions.append(predictions.detach())  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]
        self.targets.append(targets.detach())  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]

    def compute(self) -> dict[str, Any]:
        """Score everything gathered since the last reset."""
        predictions = dim_zero_cat(self.predictions)  # pyright: ignore[reportArgumentType]
        targets = dim_zero_cat(self.targets)  # pyright: ignore[reportArgumentType]
        return scores(self.task, predictions, targets, self.names)
