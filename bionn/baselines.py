"""What a network must beat: the majority class or the mean, and a linear model on the same inputs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

from bionn.data.prepared import Prepared
from bionn.data.targets import Targets
from bionn.models.decision import choose_decision, class_weights, logit_shift
from bionn.sequences.onehot import one_hot

Matrix = np.ndarray | csr_matrix

LOGISTIC_CS = (0.01, 0.1, 1.0)
"""Logistic regression's C, chosen by validation loss."""

ITERATIONS = 300
"""The most iterations of the logistic regression's optimiser; said where it needed more."""

RIDGE_ALPHAS = (1.0, 10.0, 100.0, 1000.0)
"""Ridge's alpha, chosen by validation error."""


def baselines(
    prepared: Prepared,
    *,
    refit: bool = False,
    class_weight: str = "none",
    threshold: str | float | None = None,
) -> dict[str, dict[str, Any]]:
    """Scores of the baselines on validation and test rows.

    Args:
        prepared: the data.
        refit: fit the linear model that is scored on test rows on training and validation rows
            together, as the network was; its validation scores stay those of the first fit.
        class_weight: of the linear model's loss, and so of its decision, as the network's.
        threshold: of the linear model's decision: as the network's, chosen on its own validation
            probabilities.

    Returns:
        ``{"majority" | "mean": {"val": scores, "test": scores}, "linear": {..., "setting": str}}``.
        ``majority`` gives the training shares of the classes to every row.
    """
    name = "mean" if prepared.targets.task == "regression" else "majority"
    fitted = linear(prepared, refit=refit, class_weight=class_weight, threshold=threshold)
    return {name: constant(prepared), "linear": fitted}


def constant(prepared: Prepared) -> dict[str, Any]:
    """The training shares of the classes, or the training means of the targets."""
    targets, split = prepared.targets, prepared.split
    if targets.task == "regression":
        value = np.nanmean(targets.values[split.train], axis=0)
    else:
        counts = np.bincount(targets.values[split.train], minlength=len(targets.classes))
        shares = counts / counts.sum()
        value = shares[1] if targets.task == "binary" else shares
    return {
        part: prepared.score(np.broadcast_to(value, (len(rows), *np.shape(value))).copy(), rows)
        for part, rows in (("val", split.val), ("test", split.test))
    }


def linear(
    prepared: Prepared,
    *,
    refit: bool = False,
    class_weight: str = "none",
    threshold: str | float | None = None,
) -> dict[str, Any]:
    """Logistic regression or ridge, its penalty chosen by the loss on validation rows."""
    inputs, split, targets = _matrix(prepared), prepared.split, prepared.targets
    counts, weights = prepared.class_counts, None
    regression = counts is None
    if counts is not None:
        weights = class_weights(class_weight, targets.classes, counts)
    fits = [
        _fit(inputs, targets, split.train, penalty, weights)
        for penalty in (RIDGE_ALPHAS if regression else LOGISTIC_CS)
    ]
    chosen = min(fits, key=lambda model: _loss(model, inputs, targets, split.val))
    outputs, decision = _outputs(chosen, inputs[split.val], targets), None
    if not regression:
        decision = choose_decision(threshold, weights, outputs, targets.values[split.val])
    val = prepared.score(outputs, split.val, decision)
    setting = chosen.alpha if isinstance(chosen, Ridge) else chosen.C
    if refit:
        chosen = _fit(inputs, targets, np.union1d(split.train, split.val), setting, weights)
    test = prepared.score(_outputs(chosen, inputs[split.test], targets), split.test, decision)
    named = f"ridge, alpha {setting:g}" if regression else f"logistic regression, C {setting:g}"
    if isinstance(chosen, LogisticRegression) and chosen.n_iter_.max() >= ITERATIONS:
        named += f", stopped after {ITERATIONS} iterations"
    if decision is not None and decision.threshold != 0.5 and decision.threshold is not None:
        named += f", threshold {decision.threshold:.3g}"
    return {"val": val, "test": test, "setting": named}


def _fit(
    inputs: Matrix,
    targets: Targets,
    rows: np.ndarray,
    penalty: float,
    weights: np.ndarray | None = None,
) -> Ridge | LogisticRegression:
    if targets.task == "regression":
        model = Ridge(alpha=penalty)
        present = ~np.isnan(targets.values[rows])
        if not present.all():
            return _ridge_with_gaps(model, inputs[rows], targets.values[rows], present)
    else:
        each = None if weights is None else dict(enumerate(weights.tolist()))
        model = LogisticRegression(C=penalty, max_iter=ITERATIONS, class_weight=each)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(inputs[rows], targets.values[rows])
    if weights is not None:
        model.intercept_ = model.intercept_ - logit_shift(weights)
    return model


def _ridge_with_gaps(
    model: Ridge, inputs: Matrix, values: np.ndarray, present: np.ndarray
) -> Ridge:
    """Each target's regression on the rows that have it, as one model of all targets."""
    fits = [
        Ridge(alpha=model.alpha).fit(inputs[has], column[has])
        for column, has in zip(values.T, present.T, strict=True)
    ]
    model.coef_ = np.array([fit.coef_ for fit in fits])
    model.intercept_ = np.array([fit.intercept_ for fit in fits])
    return model


def _outputs(model: Ridge | LogisticRegression, inputs: Matrix, targets: Targets) -> np.ndarray:
    """Probabilities or values in the shape that scores take."""
    if isinstance(model, Ridge):
        values = model.predict(inputs)
        return values.reshape(len(values), -1)
    chances = model.predict_proba(inputs)
    return chances[:, 1] if targets.task == "binary" else chances


def _loss(
    model: Ridge | LogisticRegression, inputs: Matrix, targets: Targets, rows: np.ndarray
) -> float:
    """Mean cross-entropy, or squared error in units of each target's variance."""
    truth = targets.values[rows]
    if isinstance(model, Ridge):
        present = ~np.isnan(truth)
        spread = [c[p].std() if p.any() else 1 for c, p in zip(truth.T, present.T, strict=True)]
        errors = (_outputs(model, inputs[rows], targets) - truth) / np.clip(spread, 1e-12, None)
        return float((errors[present] ** 2).mean())
    chances = model.predict_proba(inputs[rows])
    return float(-np.log(chances[np.arange(len(rows)), truth].clip(1e-12)).mean())


def _matrix(prepared: Prepared) -> Matrix:
    """The network's inputs as a float32 matrix ``(N, A * L)`` or ``(N, F)``; k-mers are sparse."""
    inputs, features = prepared.inputs, prepared.features
    if features is not None:
        return features.sparse(inputs)
    if prepared.code_table is not None:
        inputs = one_hot(inputs, prepared.code_table).flatten(1)
    return inputs.numpy()
