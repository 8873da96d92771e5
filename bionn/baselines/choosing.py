"""How every baseline is fitted: on training rows, its setting chosen on validation rows, then tested."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from bionn.data.prepared import Prepared
from bionn.models.decision import Decision, choose_decision, class_weights


@dataclass(frozen=True)
class Rules:
    """What is asked of the network and therefore of the baselines.

    Attributes:
        refit: the model that is scored on test rows is fitted on training and validation rows
            together; the validation scores stay those of the first fit.
        class_weight: of the loss, and so of the decision.
        threshold: of the decision; ``auto`` is chosen on the baseline's own validation probabilities.
        seed: of what is drawn.
    """

    refit: bool = False
    class_weight: str = "none"
    threshold: str | float | None = None
    seed: int = 0

    def weights(self, prepared: Prepared) -> np.ndarray | None:
        """The weight of each class, ``(K,)``, or None."""
        counts = prepared.class_counts
        if counts is None:
            return None
        return class_weights(self.class_weight, prepared.targets.classes, counts)


PLAIN = Rules()
"""Nothing asked for."""


@dataclass(frozen=True)
class Baseline:
    """A fitted baseline by what it says.

    Attributes:
        setting: which model it is, in words.
        val: of validation rows: probabilities ``(n,)`` or ``(n, K)``, or values ``(n, T)``; by the model
            that was fitted on training rows alone.
        test: of test rows.
        decision: how probabilities become classes; None for regression.
    """

    setting: str
    val: np.ndarray
    test: np.ndarray
    decision: Decision | None = None

    def scores(self, prepared: Prepared) -> dict[str, Any]:
        """``{"val": scores, "test": scores, "setting": str}``."""
        split = prepared.split
        return {
            "val": prepared.score(self.val, split.val, self.decision),
            "test": prepared.score(self.test, split.test, self.decision),
            "setting": self.setting,
        }


class Fitted(NamedTuple):
    """A model that was fitted.

    Attributes:
        outputs: from row numbers ``(n,)`` to what :class:`Baseline` holds.
        note: what there is to say about the fit.
    """

    outputs: Callable[[np.ndarray], np.ndarray]
    note: str = ""


class Candidate(Protocol):
    """A model with all its settings."""

    @property
    def name(self) -> str:
        """The model and its settings in words."""
        ...

    def fit(self, rows: np.ndarray) -> Fitted:
        """Fit to these rows."""
        ...


def best_of(prepared: Prepared, candidates: Iterable[Candidate], rules: Rules) -> Baseline:
    """The candidate with the least loss on validation rows."""
    split, truth = prepared.split, prepared.targets.values[prepared.split.val]
    best: tuple[float, Candidate, Fitted, np.ndarray] | None = None
    for candidate in candidates:
        fitted = candidate.fit(split.train)
        outputs = fitted.outputs(split.val)
        loss = mean_loss(outputs, truth)
        if best is None or loss < best[0]:
            best = loss, candidate, fitted, outputs
    assert best is not None
    _, candidate, fitted, val = best
    decision = None
    if prepared.targets.task != "regression":
        decision = choose_decision(rules.threshold, rules.weights(prepared), val, truth)
    if rules.refit:
        fitted = candidate.fit(np.union1d(split.train, split.val))
    setting = ", ".join(filter(None, (candidate.name, fitted.note, _told(decision))))
    return Baseline(setting, val, fitted.outputs(split.test), decision)


def _told(decision: Decision | None) -> str:
    if decision is None or decision.threshold in (0.5, None):
        return ""
    return f"threshold {decision.threshold:.3g}"


def mean_loss(outputs: np.ndarray, truth: np.ndarray) -> float:
    """Mean cross-entropy, or squared error in units of each target's variance.

    Args:
        outputs: probabilities ``(n,)`` or ``(n, K)``, or values ``(n, T)``.
        truth: class indices ``(n,)``, or numbers ``(n, T)``, NaN where one is missing.
    """
    if truth.ndim == 2:
        present = ~np.isnan(truth)
        spread = [c[p].std() if p.any() else 1 for c, p in zip(truth.T, present.T, strict=True)]
        errors = (outputs - truth) / np.clip(spread, 1e-12, None)
        return float((errors[present] ** 2).mean())
    if outputs.ndim == 1:
        outputs = np.column_stack([1 - outputs, outputs])
    return float(-np.log(outputs[np.arange(len(truth)), truth].clip(1e-12)).mean())


def as_they_come(chances: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Probabilities ``(n, K)`` of a model that was fitted with class weights, without their effect.

    As :mod:`bionn.models.decision` says of the network.
    """
    if weights is None:
        return chances
    chances = chances / weights
    return chances / chances.sum(axis=1, keepdims=True)


def one_column_of_two(chances: np.ndarray) -> np.ndarray:
    """Probabilities as scores take them: of two classes that of the positive one."""
    return chances[:, 1] if chances.shape[1] == 2 else chances


def with_gaps(
    fit: Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]],
    rows: np.ndarray,
    values: np.ndarray,
) -> Callable[[np.ndarray], np.ndarray]:
    """A regression of all targets together, or, where some are missing, each on the rows that have it.

    Args:
        fit: from row numbers and their targets, ``(n, t)``, to a model of t targets.
        rows: row numbers ``(n,)``.
        values: the targets of all rows, ``(N, T)``.
    """
    present = ~np.isnan(values[rows])
    if present.all():
        return _columns(fit(rows, values[rows]))
    models: Sequence[Callable[[np.ndarray], np.ndarray]] = [
        _columns(fit(rows[has], values[rows[has]][:, [t]])) for t, has in enumerate(present.T)
    ]
    return lambda asked: np.hstack([model(asked) for model in models])


def _columns(model: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """The model with outputs of shape ``(n, t)``, also of one target."""
    return lambda asked: (values := model(asked)).reshape(len(values), -1)
