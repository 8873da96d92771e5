"""Missing values: refused, or filled by the median or by a model of the other features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from bionn.errors import InputError
from bionn.preprocess.steps import Features, RowError

MOST_FEATURES = 500
"""More features than this make a model of missing values too large to travel with a network."""

ROUNDS = 50
"""The most rounds in which the model of missing values is improved."""

CHANGE = 1e-3
"""The largest change of a filled value, in standard deviations, at which those rounds end."""


@dataclass(frozen=True)
class Indicators:
    """A column of 0 and 1 for each feature with gaps in the training rows: 1 where it is missing.

    Attributes:
        names: those features.
    """

    names: tuple[str, ...]
    kind: ClassVar[str] = "missing_indicators"

    @classmethod
    def fit(cls, data: Features) -> Indicators:
        """Find the features with gaps."""
        places = np.flatnonzero(np.isnan(data.numbers).any(axis=0)).tolist()
        return cls(tuple(data.names[place] for place in places))

    def transform(self, data: Features) -> Features:
        """Append the columns to the flags."""
        columns = [data.names.index(name) for name in self.names]
        flags = np.isnan(data.numbers[:, columns]).astype(np.float64)
        return data.with_flags(flags, [f"{name} is missing" for name in self.names])

    def to_manifest(self) -> dict[str, Any]:
        """Plain data from which :meth:`from_manifest` makes an equal step."""
        return {"features": list(self.names)}

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> Self:
        """The step that a manifest describes."""
        return cls(tuple(manifest["features"]))


@dataclass(frozen=True)
class NoGaps:
    """Refuses missing values; nothing is fitted."""

    kind: ClassVar[str] = "no_gaps"

    def transform(self, data: Features) -> Features:
        """The same rows, none with a gap.

        Raises:
            RowError: a value is missing.
        """
        gaps = np.isnan(data.numbers)
        if gaps.any():
            row, column = np.argwhere(gaps)[0].tolist()
            raise RowError(
                row,
                f"feature {data.names[column]!r}: a value needed in every row (impute error), "
                f"{int(gaps.sum())} missing; complete the table, or train with impute median",
            )
        return data

    def to_manifest(self) -> dict[str, Any]:
        """Nothing was fitted."""
        return {}

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> Self:
        """Nothing was fitted."""
        del manifest
        return cls()


@dataclass(frozen=True)
class Medians:
    """Missing values become the median of the training rows.

    Attributes:
        median: one value a feature, in the feature's own unit.
    """

    median: np.ndarray
    kind: ClassVar[str] = "median"

    @classmethod
    def fit(cls, data: Features) -> Medians:
        """Every feature has a value in some row."""
        return cls(np.nanmedian(data.numbers, axis=0) if data.names else np.empty(0))

    def transform(self, data: Features) -> Features:
        """Fill the gaps."""
        return data.with_numbers(np.where(np.isnan(data.numbers), self.median, data.numbers))

    def to_manifest(self) -> dict[str, Any]:
        """Plain data from which :meth:`from_manifest` makes an equal step."""
        return {"median": self.median.tolist()}

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> Self:
        """The step that a manifest describes."""
        return cls(np.asarray(manifest["median"], dtype=np.float64))


@dataclass(frozen=True)
class Regressions:
    """Missing values become what a linear regression on the row's other values expects.

    The regressions are those of one normal distribution, so that any set of gaps has its own without
    being fitted apart: with ``m`` the missing and ``o`` the other features of a row and ``P`` the
    inverse of the covariance, the expectation is ``mean_m - P_mm^-1 P_mo (x_o - mean_o)``. Mean and
    covariance are fitted to the training rows by expectation maximisation (Dempster, Laird and
    Rubin 1977); the covariance is shrunk towards a multiple of the identity by the share of Ledoit
    and Wolf (2004), which makes them ridge regressions that fewer rows than features cannot upset.

    Attributes:
        centre, scale: one value a feature: what makes the features comparable.
        mean: ``(F,)`` after that.
        precision: the inverse of the covariance, ``(F, F)``, after that.
    """

    centre: np.ndarray
    scale: np.ndarray
    mean: np.ndarray
    precision: np.ndarray
    kind: ClassVar[str] = "regressions"

    @classmethod
    def fit(cls, data: Features) -> Regressions:
        """Fit on training rows with gaps.

        Raises:
            InputError: too many features.
        """
        from sklearn.covariance import ledoit_wolf_shrinkage  # a second, and only to fit

        values, (rows, count) = data.numbers, data.numbers.shape
        if count > MOST_FEATURES:
            raise InputError(
                f"impute: model takes at most {MOST_FEATURES} features, {count} found; keep the most "
                f"variable with top-genes {MOST_FEATURES}, or impute median"
            )
        centre, scale = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        standard = (values - centre) / scale
        shrinkage = float(ledoit_wolf_shrinkage(np.nan_to_num(standard)))
        mean, precision, before = np.zeros(count), np.eye(count), np.nan_to_num(standard)
        for _ in range(ROUNDS):
            filled, uncertainty = _expectation(standard, mean, precision)
            mean = filled.mean(axis=0)
            covariance = ((filled - mean).T @ (filled - mean) + uncertainty) / rows
            target = np.eye(count) * np.trace(covariance) / count
            precision = np.linalg.inv((1 - shrinkage) * covariance + (shrinkage + 1e-6) * target)
            if np.abs(filled - before).max() < CHANGE:
                break
            before = filled
        return cls(centre, scale, mean, precision)

    def transform(self, data: Features) -> Features:
        """Fill the gaps of each row from its own values."""
        standard = (data.numbers - self.centre) / self.scale
        filled, _ = _expectation(standard, self.mean, self.precision)
        expected = filled * self.scale + self.centre
        return data.with_numbers(np.where(np.isnan(data.numbers), expected, data.numbers))

    def to_manifest(self) -> dict[str, Any]:
        """Plain data from which :meth:`from_manifest` makes an equal step."""
        return {name: getattr(self, name).tolist() for name in _REGRESSION_FIELDS}

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> Self:
        """The step that a manifest describes."""
        return cls(*(np.asarray(manifest[name], dtype=np.float64) for name in _REGRESSION_FIELDS))


_REGRESSION_FIELDS = ("centre", "scale", "mean", "precision")


def _expectation(
    values: np.ndarray, mean: np.ndarray, precision: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows with their gaps filled, and the covariance of what was filled, summed over rows."""
    filled, uncertainty = values.copy(), np.zeros_like(precision)
    gaps = np.isnan(values)
    patterns, pattern_of = np.unique(gaps, axis=0, return_inverse=True)
    for number, missing in enumerate(patterns):
        if not missing.any():
            continue
        rows = np.flatnonzero(pattern_of == number)
        covariance = np.linalg.inv(precision[np.ix_(missing, missing)])
        offset = (values[rows][:, ~missing] - mean[~missing]) @ precision[np.ix_(~missing, missing)]
        filled[np.ix_(rows, missing)] = mean[missing] - offset @ covariance
        uncertainty[np.ix_(missing, missing)] += covariance * len(rows)
    return filled, uncertainty
