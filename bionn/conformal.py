"""Sets of classes and intervals of values that hold the truth as often as they say.

Split conformal prediction (Vovk, Gammerman and Shafer 2005; Angelopoulos and Bates 2023, "Conformal
prediction: a gentle introduction"): scores of validation rows, which the network was not fitted to, say
how far off it is. With n such rows, what is not worse than the ceil((n + 1) L)-th best of them holds
the truth of a new row with probability L or a little more (by at most 1 / (n + 1) where no scores are
equal), whatever the network is worth, as long as new rows are drawn as the validation rows were.

The score of a class is 1 - its probability (the sets are the smallest on average: Sadinle, Lei and
Wasserman 2019); a set is empty where every class is too improbable, which happens where the level is
below the network's accuracy. The score of a value is its distance from the prediction in the units of
the loss: intervals are as wide for every row or, where the logarithm was learned, in proportion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bionn.errors import InputError
from bionn.preprocess.targets import TargetScaler

LEVELS = tuple(round(0.01 * percent, 2) for percent in range(50, 100))
"""The levels that a model keeps thresholds for."""

REPORTED = (0.8, 0.9, 0.95)
"""The levels whose coverage is measured on test rows."""


@dataclass(frozen=True)
class Conformal:
    """The thresholds of a model.

    Attributes:
        names: the classes, or the targets of a regression.
        sets: whether there are sets of classes; otherwise intervals.
        rows: how many validation rows stand behind the thresholds of each name, ``(P,)``.
        thresholds: of each level and name, ``(50, P)``; infinite where there are too few rows. For
            sets the same for every class.
        by_class: for sets: from the rows of each class alone; None for intervals.
    """

    names: tuple[str, ...]
    sets: bool
    rows: np.ndarray
    thresholds: np.ndarray
    by_class: np.ndarray | None = None

    @classmethod
    def of_classes(
        cls, probabilities: np.ndarray, targets: np.ndarray, classes: Sequence[str]
    ) -> Conformal:
        """Thresholds of sets.

        Args:
            probabilities: of validation rows, ``(n,)`` of the positive class or ``(n, K)``.
            targets: their class indices, ``(n,)``.
            classes: K names.
        """
        chances = both_columns(probabilities)
        scores = 1 - chances[np.arange(len(targets)), targets]
        overall = np.repeat(thresholds(scores)[:, None], len(classes), axis=1)
        each = [thresholds(scores[targets == k]) for k in range(len(classes))]
        rows = np.bincount(targets, minlength=len(classes))
        return cls(tuple(classes), True, rows, overall, np.column_stack(each))

    @classmethod
    def of_values(
        cls, values: np.ndarray, targets: np.ndarray, names: Sequence[str], scaler: TargetScaler
    ) -> Conformal:
        """Thresholds of intervals.

        Args:
            values: predictions for validation rows, ``(n, T)``, in the targets' own units.
            targets: ``(n, T)``, NaN where one is missing.
            names: T names.
            scaler: own units to those of the loss.
        """
        residuals = abs(scaler.standard(values) - scaler.standard(targets))
        known = [column[~np.isnan(column)] for column in residuals.T]
        found = np.column_stack([thresholds(column) for column in known])
        return cls(tuple(names), False, np.array([len(column) for column in known]), found)

    def at(self, level: float, *, by_class: bool = False) -> np.ndarray:
        """The threshold of each name, ``(P,)``.

        Raises:
            InputError: a level that there are no thresholds for.
        """
        found = [place for place, known in enumerate(LEVELS) if abs(known - level) < 1e-9]
        if not found:
            raise InputError(
                f"conformal: a level of .50, .51, ... .99 needed, {level:g} found; choose one"
            )
        if by_class and self.by_class is None:
            raise InputError(
                "by-class: a model of classes needed, one of numbers found; leave it out"
            )
        table = self.by_class if by_class and self.by_class is not None else self.thresholds
        limits = table[found[0]]
        if np.isinf(limits).any():
            column = int(np.argmax(np.isinf(limits)))
            whole = self.sets and not by_class
            rows = int(self.rows.sum() if whole else self.rows[column])
            of = "" if whole else f" of {self.names[column]!r}"
            raise InputError(
                f"conformal: {math.ceil(level / (1 - level) - 1e-9)} validation rows{of} needed for "
                f"level {level:g}, {rows} found; choose a lower level"
            )
        return limits

    def sets_of(
        self, probabilities: np.ndarray, level: float, *, by_class: bool = False
    ) -> np.ndarray:
        """Which classes are in the set of each row, ``bool (n, K)``."""
        return 1 - both_columns(probabilities) <= self.at(level, by_class=by_class)

    def intervals_of(
        self, values: np.ndarray, level: float, scaler: TargetScaler, *, by_class: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """The lower and the upper ends, ``(n, T)`` each, in the targets' own units."""
        middle, half = scaler.standard(values), self.at(level, by_class=by_class)
        return scaler.inverse(middle - half), scaler.inverse(middle + half)

    def to_manifest(self) -> dict[str, Any]:
        """Plain data from which :meth:`from_manifest` makes equal thresholds, with six digits."""
        found: dict[str, Any] = {
            "kind": "sets" if self.sets else "intervals",
            "levels": [LEVELS[0], LEVELS[-1]],
            "rows": dict(zip(self.names, self.rows.tolist(), strict=True)),
        }
        if self.sets:
            found["thresholds"] = _plain(self.thresholds[:, 0])
            assert self.by_class is not None
            found["by_class"] = _named(self.names, self.by_class)
        else:
            found["thresholds"] = _named(self.names, self.thresholds)
        return found

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> Conformal:
        """The thresholds that a manifest describes.

        Raises:
            ValueError: not as many thresholds as levels.
        """
        counts = dict(manifest["rows"])
        names, rows = tuple(counts), np.array([int(count) for count in counts.values()])
        if manifest["kind"] == "intervals":
            return cls(names, False, rows, _columns(manifest["thresholds"], names))
        overall = _column(manifest["thresholds"])
        by_class = _columns(manifest["by_class"], names)
        return cls(names, True, rows, np.repeat(overall[:, None], len(names), axis=1), by_class)


def thresholds(scores: np.ndarray) -> np.ndarray:
    """For each level L the ceil((n + 1) L)-th smallest of n scores; infinite where n is too small."""
    rank = np.ceil((len(scores) + 1) * np.array(LEVELS) - 1e-9).astype(int)
    return np.append(np.sort(scores), np.inf)[np.minimum(rank - 1, len(scores))]


def both_columns(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities of every class ``(n, K)``, also of two."""
    if probabilities.ndim == 2:
        return probabilities
    return np.column_stack([1 - probabilities, probabilities])


def named_sets(sets: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Sets ``bool (n, K)`` as text: the classes joined by ``|``; an empty set is empty.

    Raises:
        InputError: a class whose name holds a ``|``.

    Example:
        >>> named_sets(np.array([[True, False], [True, True]]), ["no", "yes"]).tolist()
        ['no', 'no|yes']
    """
    for name in classes:
        if "|" in name:
            raise InputError(
                f"conformal: classes without | in their names needed, {name!r} found; rename it"
            )
    names = np.array(classes, dtype=object)
    return np.array(["|".join(names[row]) for row in sets], dtype=object)


def coverage_of_sets(
    conformal: Conformal, probabilities: np.ndarray, targets: np.ndarray
) -> list[dict[str, Any]]:
    """``conformal`` of ``metrics.json`` for test rows; levels without thresholds are left out.

    Args:
        conformal: from validation rows.
        probabilities: of test rows.
        targets: their class indices ``(n,)``.
    """
    found = []
    for level in REPORTED:
        if np.isinf(conformal.thresholds[LEVELS.index(level)]).any():
            continue
        sets = conformal.sets_of(probabilities, level)
        held, sizes = sets[np.arange(len(targets)), targets], sets.sum(axis=1)
        found.append(
            {
                "level": level,
                "coverage": float(held.mean()),
                "size": float(sizes.mean()),
                "empty": float((sizes == 0).mean()),
                "n": len(targets),
                "by_class": {
                    name: float(held[targets == k].mean()) if (targets == k).any() else None
                    for k, name in enumerate(conformal.names)
                },
            }
        )
    return found


def coverage_of_intervals(
    conformal: Conformal, values: np.ndarray, targets: np.ndarray, scaler: TargetScaler
) -> list[dict[str, Any]]:
    """The same for a regression: an entry a level and target; ``size`` is the mean width.

    Args:
        conformal: from validation rows.
        values: predictions for test rows ``(n, T)``, in the targets' own units.
        targets: ``(n, T)``, NaN where one is missing.
        scaler: own units to those of the loss.
    """
    found = []
    for level in REPORTED:
        if np.isinf(conformal.thresholds[LEVELS.index(level)]).any():
            continue
        low, high = conformal.intervals_of(values, level, scaler)
        for t, name in enumerate(conformal.names):
            known = ~np.isnan(targets[:, t])
            held = (low[known, t] <= targets[known, t]) & (targets[known, t] <= high[known, t])
            found.append(
                {
                    "level": level,
                    "target": name,
                    "coverage": float(held.mean()) if known.any() else None,
                    "size": float((high - low)[known, t].mean()) if known.any() else None,
                    "n": int(known.sum()),
                }
            )
    return found


def average_coverage(folds: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The entries of several folds as one each: means over all their test rows."""
    keys = dict.fromkeys((e["level"], e.get("target")) for fold in folds for e in fold)
    found = []
    for level, target in keys:
        own = [
            e
            for fold in folds
            for e in fold
            if (e["level"], e.get("target")) == (level, target) and e["n"]
        ]
        rows = sum(entry["n"] for entry in own)
        entry: dict[str, Any] = {"level": level} | ({} if target is None else {"target": target})
        for name in ("coverage", "size", "empty"):
            if own and name in own[0]:
                entry[name] = sum(e[name] * e["n"] for e in own) / rows
        found.append(entry | {"n": rows})
    return found


def _plain(values: np.ndarray) -> list[float | None]:
    """Upwards to six digits, so that no coverage is lost; None for infinity."""
    return [None if math.isinf(v) else _rounded_up(v) for v in values.tolist()]


def _rounded_up(value: float) -> float:
    shown = float(f"{value:.6g}")
    return shown if shown >= value else float(f"{value * (1 + 1e-5):.6g}")


def _number(value: float | None) -> float:
    return math.inf if value is None else float(value)


def _named(names: Sequence[str], table: np.ndarray) -> dict[str, list[float | None]]:
    return {name: _plain(column) for name, column in zip(names, table.T, strict=True)}


def _column(values: Sequence[float | None]) -> np.ndarray:
    if len(values) != len(LEVELS):
        raise ValueError(f"{len(LEVELS)} conformal thresholds needed, {len(values)} found")
    return np.array([_number(value) for value in values])


def _columns(named: dict[str, list[float | None]], names: Sequence[str]) -> np.ndarray:
    return np.column_stack([_column(named[name]) for name in names])
