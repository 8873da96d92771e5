"""What a network must beat: the majority class or the mean, and a linear model on the same inputs."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from torch import Tensor

from bionn.data.prepared import Prepared
from bionn.sequences.onehot import one_hot

INVERSE_PENALTIES = (0.01, 0.1, 1.0)
"""Logistic regression's C, chosen by validation loss."""

PENALTIES = (1.0, 10.0, 100.0, 1000.0)
"""Ridge's alpha, chosen by validation error."""


def baselines(prepared: Prepared) -> dict[str, dict[str, Any]]:
    """Scores of the baselines on validation and test, fitted on the training rows.

    Returns:
        ``{"majority" | "mean": {"val": scores, "test": scores}, "linear": {..., "setting": str}}``.
        ``majority`` gives the training shares of the classes to every row.
    """
    name = "mean" if prepared.targets.task == "regression" else "majority"
    return {name: constant(prepared), "linear": linear(prepared)}


def constant(prepared: Prepared) -> dict[str, Any]:
    """The training shares of the classes, or the training means of the targets."""
    targets, train = prepared.targets, prepared.split.train
    if targets.task == "regression":
        value = targets.values[train].mean(axis=0)
    else:
        shares = np.bincount(targets.values[train], minlength=len(targets.classes)) / len(train)
        value = shares[1] if targets.task == "binary" else shares

    def predict(rows: np.ndarray) -> np.ndarray:
        return np.broadcast_to(value, (len(rows), *np.shape(value))).copy()

    return _scored(prepared, predict)


def linear(prepared: Prepared) -> dict[str, Any]:
    """Logistic regression or ridge, its penalty chosen on validation rows."""
    inputs = _dense(prepared)
    split, targets = prepared.split, prepared.targets
    best, best_loss, setting = None, np.inf, ""
    if targets.task == "regression":
        for alpha in PENALTIES:
            model = Ridge(alpha=alpha).fit(inputs[split.train], targets.values[split.train])
            errors = _columns(model.predict(inputs[split.val])) - targets.values[split.val]
            loss = float(
                ((errors / targets.values[split.train].std(axis=0).clip(1e-12)) ** 2).mean()
            )
            if loss < best_loss:
                best, best_loss, setting = model, loss, f"ridge, alpha {alpha:g}"
    else:
        for inverse in INVERSE_PENALTIES:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model = LogisticRegression(C=inverse, max_iter=300)
                model.fit(inputs[split.train], targets.values[split.train])
            chances = model.predict_proba(inputs[split.val])
            truth = chances[np.arange(len(chances)), targets.values[split.val]]
            loss = float(-np.log(truth.clip(1e-12)).mean())
            if loss < best_loss:
                best, best_loss, setting = model, loss, f"logistic regression, C {inverse:g}"
    assert best is not None

    def predict(rows: np.ndarray) -> np.ndarray:
        if isinstance(best, Ridge):
            return _columns(best.predict(inputs[rows]))
        chances = best.predict_proba(inputs[rows])
        return chances[:, 1] if targets.task == "binary" else chances

    return _scored(prepared, predict) | {"setting": setting}


def _columns(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1)


def _dense(prepared: Prepared) -> np.ndarray:
    """The network's inputs as a float32 matrix ``(N, A * L)`` or ``(N, F)``."""
    inputs: Tensor = prepared.inputs
    if prepared.code_table is not None:
        inputs = one_hot(inputs, prepared.code_table).flatten(1)
    return inputs.numpy()


def _scored(prepared: Prepared, predict: Callable[[np.ndarray], np.ndarray]) -> dict[str, Any]:
    split = prepared.split
    return {
        part: prepared.score(predict(rows), rows)
        for part, rows in (("val", split.val), ("test", split.test))
    }
