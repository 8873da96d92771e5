"""Numeric features: matched by name, imputed by the training median, standardised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bionn.errors import InputError


@dataclass(frozen=True)
class FeatureScaler:
    """Imputes missing values by the median and scales to mean 0, standard deviation 1.

    All three statistics are those of the training rows. A constant feature becomes 0.

    Attributes:
        names: the features in the order in which the network takes them.
        median, mean, std: one value a feature, in the feature's own unit.
    """

    names: tuple[str, ...]
    median: np.ndarray
    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def fit(cls, values: np.ndarray, names: Sequence[str]) -> FeatureScaler:
        """Fit on ``(rows, features)``, NaN where a value is missing.

        Raises:
            InputError: a feature has no value at all.
        """
        empty = np.isnan(values).all(axis=0)
        if empty.any():
            raise InputError(
                f"feature {names[int(np.argmax(empty))]!r} has no value in any training row; "
                "leave it out with features"
            )
        median = np.nanmedian(values, axis=0)
        filled = np.where(np.isnan(values), median, values)
        mean, std = filled.mean(axis=0), filled.std(axis=0)
        constant = std <= 1e-12 * np.abs(filled).max(axis=0)
        return cls(tuple(names), median, mean, np.where(constant, 0.0, std))

    @property
    def input_shape(self) -> int:
        """How many features there are."""
        return len(self.names)

    def transform(self, values: np.ndarray) -> np.ndarray:
        """``(rows, features)`` in the order of ``names`` to ``float32`` network inputs."""
        filled = np.where(np.isnan(values), self.median, values)
        scale = np.divide(1.0, self.std, out=np.zeros_like(self.std), where=self.std > 0)
        return ((filled - self.mean) * scale).astype(np.float32)

    def to_manifest(self) -> dict[str, Any]:
        """Plain data from which :meth:`from_manifest` makes an equal scaler."""
        return {
            "features": list(self.names),
            "impute": "median",
            "median": self.median.tolist(),
            "mean": self.mean.tolist(),
            "std": self.std.tolist(),
        }

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> FeatureScaler:
        """The scaler that a manifest describes."""
        statistics = (
            np.asarray(manifest[key], dtype=np.float64) for key in ("median", "mean", "std")
        )
        return cls(tuple(manifest["features"]), *statistics)
