"""Targets to numbers and back: class labels to indices, expression to standard units."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bionn.errors import InputError, did_you_mean


def natural_key(text: str) -> tuple[tuple[int, float | str], ...]:
    """Sorts numbers by value, whole or embedded: ``-1`` before ``1``, ``day2`` before ``day10``.

    Example:
        >>> sorted(["10", "9", "-1", "a"], key=natural_key)
        ['-1', '9', '10', 'a']
    """
    if re.fullmatch(r"[+-]?\d+(\.\d+)?", text):
        return ((0, float(text)),)
    parts = re.split(r"(\d+)", text.casefold())
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in parts if part)


@dataclass(frozen=True)
class ClassEncoder:
    """Class names to indices; of two classes the later one is the positive one."""

    classes: tuple[str, ...]

    @classmethod
    def fit(cls, labels: Iterable[str], order: Sequence[str] | None = None) -> ClassEncoder:
        """Classes in the order given, else in natural order."""
        # Sorted twice: 'Yes' and 'yes' have equal keys, and the order of a set is not fixed.
        return cls(tuple(order) if order else tuple(sorted(sorted(set(labels)), key=natural_key)))

    def encode(self, labels: Sequence[str]) -> np.ndarray:
        """Indices ``int64 (N,)``; every label must be one of the classes."""
        index = {name: code for code, name in enumerate(self.classes)}
        return np.fromiter((index[label] for label in labels), dtype=np.int64, count=len(labels))


TARGET_TRANSFORMS = ("zscore", "log1p", "none")


@dataclass(frozen=True)
class TargetScaler:
    """Targets to mean 0 and standard deviation 1 of the training rows, and back.

    Missing targets stay NaN; statistics are those of the values that are there.

    Attributes:
        names: one name a target.
        mean, std: one value a target, in the target's own unit, or in that of its logarithm.
        log: whether ``ln(1 + x)`` is taken first.
    """

    names: tuple[str, ...]
    mean: np.ndarray
    std: np.ndarray
    log: bool = False

    @classmethod
    def fit(
        cls, values: np.ndarray, names: Sequence[str], transform: str = "zscore"
    ) -> TargetScaler:
        """Fit on ``(rows, targets)``; a constant target keeps its unit.

        Args:
            values: the training rows, NaN where a value is missing; each target has one.
            names: one a target.
            transform: ``zscore``, ``log1p`` (and then ``zscore``), or ``none``.

        Raises:
            InputError: an unknown transform, or a logarithm of what has none.
        """
        if transform not in TARGET_TRANSFORMS:
            raise InputError(
                f"target-transform: one of {', '.join(TARGET_TRANSFORMS)} needed, {transform!r} found"
                f"{did_you_mean(transform, TARGET_TRANSFORMS)}; choose one"
            )
        log = transform == "log1p"
        if log:
            values = np.log1p(values)
        mean, std = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
        varied = std > 1e-12 * np.nanmax(np.abs(values), axis=0)
        if transform == "none":
            return cls(tuple(names), np.zeros_like(mean), np.ones_like(std))
        return cls(tuple(names), mean, np.where(varied, std, 1.0), log)

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Own units to standard units, ``float32``."""
        return self.standard(values).astype(np.float32)

    def standard(self, values: np.ndarray) -> np.ndarray:
        """The same with all digits, ``float64``."""
        values = np.log1p(values) if self.log else values
        return (values - self.mean) / self.std

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """Standard units back to the targets' own, ``float64``."""
        values = np.asarray(values, dtype=np.float64) * self.std + self.mean
        return np.expm1(values) if self.log else values

    def to_manifest(self) -> dict[str, Any]:
        """Plain data from which :meth:`from_manifest` makes an equal scaler."""
        return {
            "targets": list(self.names),
            "mean": self.mean.tolist(),
            "std": self.std.tolist(),
            "log": self.log,
        }

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> TargetScaler:
        """The scaler that a manifest describes."""
        mean, std = (np.asarray(manifest[key], dtype=np.float64) for key in ("mean", "std"))
        return cls(tuple(manifest["targets"]), mean, std, manifest["log"])
