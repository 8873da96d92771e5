"""Features to one scale, by the training rows: mean 0 and standard deviation 1, or normal scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import ndtri

from bionn.preprocess.steps import Features

MOST_LANDMARKS = 100
"""Quantiles that are kept of a feature."""


@dataclass(frozen=True)
class Standardisation:
    """Mean 0 and standard deviation 1 of the training rows; what is constant there becomes 0.

    Attributes:
        mean, std: one value a feature, in the feature's own unit; std is 0 for a constant.
    """

    mean: np.ndarray
    std: np.ndarray
    kind: ClassVar[str] = "zscore"

    @classmethod
    def fit(cls, data: Features) -> Standardisation:
        """Fit on training rows without missing values."""
        values = data.numbers
        mean, std = values.mean(axis=0), values.std(axis=0)
        constant = std <= 1e-12 * np.abs(values).max(axis=0, initial=0)
        return cls(mean, np.where(constant, 0.0, std))

    def transform(self, data: Features) -> Features:
        """Own units to standard units."""
        scale = np.divide(1.0, self.std, out=np.zeros_like(self.std), where=self.std > 0)
        return data.with_numbers((data.numbers - self.mean) * scale)

    def to_manifest(self) -> dict[str, Any]:
        """Plain data from which :meth:`from_manifest` makes an equal step."""
        return {"mean": self.mean.tolist(), "std": self.std.tolist()}

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> Self:
        """The step that a manifest describes."""
        return cls(*(np.asarray(manifest[key], dtype=np.float64) for key in ("mean", "std")))


@dataclass(frozen=True)
class NormalScores:
    """Each feature to the normal score of its rank among the training rows.

    A value's share of training values below it is read between landmarks, as scikit-learn's
    ``QuantileTransformer`` does, kept half a rank away from 0 and 1, and turned into the quantile of
    the standard normal distribution: what lies beyond all training values is the outermost rank.

    Attributes:
        landmarks: values at evenly spaced shares from 0 to 1, ``(landmarks, F)``.
        rows: how many training rows there were.
    """

    landmarks: np.ndarray
    rows: int
    kind: ClassVar[str] = "quantile"

    @classmethod
    def fit(cls, data: Features) -> NormalScores:
        """Fit on training rows without missing values."""
        rows, ordered = len(data.numbers), np.sort(data.numbers, axis=0)
        # Not np.quantile, by whose rounding equal values may become landmarks that differ a little.
        places = np.linspace(0, rows - 1, min(rows, MOST_LANDMARKS))
        below, above = np.floor(places).astype(int), np.ceil(places).astype(int)
        steps = (places - below)[:, None] * (ordered[above] - ordered[below])
        return cls(ordered[below] + steps, rows)

    def transform(self, data: Features) -> Features:
        """Values to normal scores."""
        shares = np.linspace(0, 1, len(self.landmarks))
        found = np.empty_like(data.numbers)
        for column, (values, marks) in enumerate(
            zip(data.numbers.T, self.landmarks.T, strict=True)
        ):
            # From both ends, so that a value that many rows share gets their middle rank.
            rising = np.interp(values, marks, shares)
            falling = 1 - np.interp(-values, -marks[::-1], shares)
            found[:, column] = (rising + falling) / 2
        half = 0.5 / self.rows
        return data.with_numbers(ndtri(found.clip(half, 1 - half)))

    def to_manifest(self) -> dict[str, Any]:
        """Plain data from which :meth:`from_manifest` makes an equal step."""
        return {"landmarks": self.landmarks.tolist(), "rows": self.rows}

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> Self:
        """The step that a manifest describes."""
        return cls(np.asarray(manifest["landmarks"], dtype=np.float64), manifest["rows"])
