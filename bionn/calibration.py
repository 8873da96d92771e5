"""Are probabilities what they say: calibration errors, and one temperature that mends most of them.

A network that is too sure of itself has logits that are too large. Dividing them by a temperature T,
fitted on validation rows, changes no most probable class (Guo et al. 2017, "On calibration of modern
neural networks"). It is applied where a likelihood-ratio test says that T is not 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_expit, log_softmax

BINS = 10
"""Of equal width, for the reliability curve and for its mean distance from the diagonal."""

HOTTEST = 20.0
"""Temperatures from 1 / 20 to 20 are looked at."""

SIGNIFICANT = 3.841
"""Twice the gain in log-likelihood that chance exceeds in 5 of 100 cases (chi squared, 1 degree)."""


class Calibration(NamedTuple):
    """What the logits are divided by.

    Attributes:
        temperature: T.
        applied: whether they are.
        rows: how many validation rows it was fitted on.
    """

    temperature: float = 1.0
    applied: bool = False
    rows: int = 0

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any] | None) -> Calibration:
        """The temperature that a manifest tells, or 1.

        Raises:
            ValueError: it is not a number above 0.
        """
        if manifest is None:
            return cls()
        found = cls(
            float(manifest["temperature"]), bool(manifest["applied"]), int(manifest["rows"])
        )
        if not 0 < found.temperature < math.inf:
            raise ValueError(f"a temperature above 0 needed, {found.temperature} found")
        return found

    @property
    def divisor(self) -> float:
        """T, or 1 where it is not applied."""
        return self.temperature if self.applied else 1.0

    @classmethod
    def fit(
        cls, logits: np.ndarray, targets: np.ndarray, *, asked: bool | None = None
    ) -> Calibration:
        """The temperature with the least loss.

        Args:
            logits: of validation rows, ``(n, 1)`` of two classes or ``(n, K)``.
            targets: class indices ``(n,)``.
            asked: whether to apply it; as the likelihood-ratio test says when None.
        """
        found = minimize_scalar(
            lambda log: log_loss(logits / np.exp(log), targets),
            bounds=(-np.log(HOTTEST), np.log(HOTTEST)),
            method="bounded",
            options={"xatol": 1e-6},
        )
        temperature = float(np.exp(found.x))
        gain = (
            2 * len(targets) * (log_loss(logits, targets) - log_loss(logits / temperature, targets))
        )
        return cls(temperature, gain > SIGNIFICANT if asked is None else asked, len(targets))


def log_loss(logits: np.ndarray, targets: np.ndarray) -> float:
    """Mean cross-entropy of logits ``(n, 1)`` or ``(n, K)``."""
    if logits.shape[1] == 1:
        return float(-log_expit(np.where(targets == 1, logits[:, 0], -logits[:, 0])).mean())
    return float(-log_softmax(logits, axis=1)[np.arange(len(targets)), targets].mean())


def reliability(probabilities: np.ndarray, targets: np.ndarray) -> list[dict[str, float]]:
    """How often what was given a probability came true, bin by bin; empty bins are left out.

    Args:
        probabilities: of the positive class ``(n,)``; or ``(n, K)``: then the most probable class's.
        targets: class indices ``(n,)``.

    Returns:
        For each bin ``low`` and ``high``, the mean ``confidence``, the ``frequency`` and ``n``.

    Example:
        >>> reliability(np.array([.72, .78, .1]), np.array([1, 0, 0]))[1]["frequency"]
        0.5
    """
    confidence, right = _claims(probabilities, targets)
    number = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        {
            "low": k / BINS,
            "high": (k + 1) / BINS,
            "confidence": float(confidence[number == k].mean()),
            "frequency": float(right[number == k].mean()),
            "n": int((number == k).sum()),
        }
        for k in np.unique(number).tolist()
    ]


def expected_error(curve: list[dict[str, float]]) -> float:
    """The mean distance of a reliability curve from the diagonal, its bins weighted by their rows."""
    rows = sum(point["n"] for point in curve)
    gaps = (abs(point["confidence"] - point["frequency"]) * point["n"] for point in curve)
    return sum(gaps) / rows if rows else float("nan")


def brier(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """The mean squared distance of probabilities from what came true.

    Of two classes from 0 to 1; of K classes summed over them, from 0 to 2 (Brier 1950).
    """
    if probabilities.ndim == 1:
        return float(((probabilities - targets) ** 2).mean())
    truth = np.eye(probabilities.shape[1])[targets]
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())


def _claims(probabilities: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What was claimed of each row with which confidence, and whether it was so."""
    if probabilities.ndim == 1:
        return probabilities, targets == 1
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == targets


def calibration_report(
    calibration: Calibration,
    before: np.ndarray,
    after: np.ndarray,
    targets: np.ndarray,
) -> dict[str, Any]:
    """``calibration`` of ``metrics.json``.

    Args:
        calibration: the temperature.
        before: probabilities of test rows without it.
        after: with it, whether it is applied or not.
        targets: class indices of the test rows.
    """
    curves = {"before": reliability(before, targets), "after": reliability(after, targets)}
    found: dict[str, Any] = {
        "temperature": calibration.temperature,
        "applied": calibration.applied,
        "fitted_on": calibration.rows,
    }
    for name, chances in (("before", before), ("after", after)):
        own = chances if chances.ndim == 2 else np.column_stack([1 - chances, chances])
        loss = -np.log(own[np.arange(len(targets)), targets].clip(np.finfo(float).tiny)).mean()
        found[name] = {
            "ece": expected_error(curves[name]),
            "brier": brier(chances, targets),
            "loss": float(loss),
        }
    return found | {"reliability": curves}


def average_reports(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """The reports of several folds as one: means, and the curves of all their rows."""
    found: dict[str, Any] = {
        key: [report[key] for report in reports] for key in ("temperature", "applied", "fitted_on")
    }
    for name in ("before", "after"):
        found[name] = {
            score: float(np.mean([report[name][score] for report in reports]))
            for score in reports[0][name]
        }
    curves = {
        name: _pooled([point for report in reports for point in report["reliability"][name]])
        for name in ("before", "after")
    }
    return found | {"reliability": curves}


def _pooled(points: list[dict[str, float]]) -> list[dict[str, float]]:
    """Points of one bin as one point of all their rows."""
    pooled = []
    for low in sorted({point["low"] for point in points}):
        own = [point for point in points if point["low"] == low]
        rows = sum(point["n"] for point in own)
        means = {
            key: sum(point[key] * point["n"] for point in own) / rows
            for key in ("confidence", "frequency")
        }
        pooled.append({"low": low, "high": own[0]["high"], **means, "n": rows})
    return pooled
