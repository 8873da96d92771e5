"""How uncertain a score is: the same score over many resamples of the test rows, by weights.

A resample draws as many rows as there are, with replacement; what it holds is told by how often each row
was drawn. Scores of such counts need no copy of the rows: rows are sorted once, and sums over the sorted
rows, weighted by the counts, give the scores of many resamples together (Efron and Tibshirani 1993, "An
introduction to the bootstrap", chapters 6 and 13). Rows of one group or family are drawn together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from bionn.models.heads import TaskKind

RESAMPLES = 1000
"""How many resamples are drawn."""

FEWEST = 200
"""No fewer are drawn of the largest sets."""

CELLS = 100_000_000
"""Rows times outputs times resamples that are affordable: above, fewer resamples are drawn."""

_BLOCK = 2**18
"""Counts that are worked on at a time: few enough to stay in a processor's cache."""


class Resamples:
    """B resamples of N rows, or of whole groups of rows; the same at every passing.

    Args:
        rows: N.
        units: the group of each row, ``(N,)``: as many groups are drawn as there are. None: rows.
        count: B; chosen from the size when None.
        outputs: the outputs a row that are scored, by which B is chosen.
        seed: of the draws.

    Attributes:
        count: B.

    Example:
        >>> block = next(iter(Resamples(4, count=2)))
        >>> block.shape, block.sum(axis=1).tolist()
        ((2, 4), [4.0, 4.0])
    """

    def __init__(
        self,
        rows: int,
        *,
        units: np.ndarray | None = None,
        count: int | None = None,
        outputs: int = 1,
        seed: int = 0,
    ) -> None:
        self.rows = rows
        self.seed = seed
        affordable = CELLS // max(rows * outputs, 1)
        self.count = int(np.clip(affordable, FEWEST, RESAMPLES)) if count is None else count
        self._unit = None if units is None else np.unique(units, return_inverse=True)[1]

    def __iter__(self) -> Iterator[np.ndarray]:
        """How often each row was drawn, ``float64 (b, N)``, some resamples at a time."""
        rng = np.random.default_rng([self.seed, 0xB007])
        unit = self._unit
        units = self.rows if unit is None else int(unit.max(initial=-1)) + 1
        step = max(_BLOCK // max(self.rows, 1), 1)
        for start in range(0, self.count, step):
            size = min(step, self.count - start)
            draws = rng.integers(0, units, size=(size, units)) + units * np.arange(size)[:, None]
            counts = np.bincount(draws.ravel(), minlength=size * units).astype(np.float64)
            counts = counts.reshape(size, units)
            yield counts if unit is None else counts[:, unit]


class Resampled(NamedTuple):
    """The scores of B resamples; NaN where one is not defined.

    Attributes:
        scores: ``(B,)`` by name.
        parts: ``(B, P)`` by name: of each class or target alone.
    """

    scores: dict[str, np.ndarray]
    parts: dict[str, np.ndarray]


class Weighted(Protocol):
    """Scores of one model as a function of how often each row counts."""

    def __call__(self, counts: np.ndarray, /) -> Resampled:
        """Scores of counts ``(b, N)``."""
        ...


def resample(models: Mapping[str, Weighted], resamples: Resamples) -> dict[str, Resampled]:
    """The scores of several models over the same resamples, so that they can be paired."""
    found: dict[str, list[Resampled]] = {name: [] for name in models}
    for counts in resamples:
        for name, model in models.items():
            found[name].append(model(counts))
    return {name: joined(pieces) for name, pieces in found.items()}


def joined(pieces: Sequence[Resampled]) -> Resampled:
    """Resamples one after another."""
    first = pieces[0]
    return Resampled(
        {name: np.concatenate([piece.scores[name] for piece in pieces]) for name in first.scores},
        {name: np.concatenate([piece.parts[name] for piece in pieces]) for name in first.parts},
    )


class Ranking:
    """AUROC and average precision of weighted rows, which are sorted once.

    Args:
        values: what ranks the rows, ``(N,)``.
        positive: which of them are positive, ``bool (N,)``.
    """

    def __init__(self, values: np.ndarray, positive: np.ndarray) -> None:
        self.order = np.argsort(-values, kind="stable")
        ordered = values[self.order]
        ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
        self.ends = None if len(ends) == len(values) else ends  # the last row of each tie
        self.positive = positive[self.order].astype(np.float64)

    def __call__(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """AUROC and average precision ``(b,)``; NaN where a resample has one class only."""
        ordered = counts[:, self.order]
        called = np.cumsum(ordered, axis=1)  # rows from the top to each place
        hits = np.cumsum(ordered * self.positive, axis=1)  # positives among them
        if self.ends is not None:
            called, hits = called[:, self.ends], hits[:, self.ends]
        total, rows = hits[:, -1].copy(), called[:, -1].copy()
        gained = np.diff(hits, axis=1, prepend=0)
        # At each step down the curve rises by the hits and moves on by the false alarms: a trapezium.
        alarms = np.diff(called, axis=1, prepend=0) - gained
        area = np.einsum("bn,bn->b", alarms, hits - gained / 2)
        precision = np.divide(hits, called, out=np.zeros_like(hits), where=called > 0)
        average = np.einsum("bn,bn->b", gained, precision)
        both = (total > 0) & (total < rows)
        undefined = np.full(len(total), np.nan)
        return (
            np.divide(area, total * (rows - total), out=undefined.copy(), where=both),
            np.divide(average, total, out=undefined, where=both),
        )


class ClassScores:
    """The scores of :mod:`bionn.metrics` of a classification, as a function of counts.

    Args:
        probabilities: of the positive class ``(N,)``, or of each ``(N, K)``.
        targets: class indices ``(N,)``.
        called: the predicted classes ``(N,)``.
        losses: of each row ``(N,)``; None: no ``loss`` is given.
    """

    def __init__(
        self,
        probabilities: np.ndarray,
        targets: np.ndarray,
        called: np.ndarray,
        losses: np.ndarray | None = None,
    ) -> None:
        self.binary = probabilities.ndim == 1
        self.classes = 2 if self.binary else probabilities.shape[1]
        columns = probabilities[:, None] if self.binary else probabilities
        positives = [1] if self.binary else range(self.classes)
        self.rankings = [
            Ranking(column, targets == k) for column, k in zip(columns.T, positives, strict=True)
        ]
        self.cells = np.eye(self.classes**2)[targets * self.classes + called]
        self.losses = losses

    def __call__(self, counts: np.ndarray) -> Resampled:
        """Scores of each row of counts."""
        confusion = (counts @ self.cells).reshape(-1, self.classes, self.classes)
        true, named = confusion.sum(axis=2), confusion.sum(axis=1)
        hits, rows = np.diagonal(confusion, axis1=1, axis2=2), counts.sum(axis=1)
        f1 = _share(2 * hits, true + named, empty=0)
        curves = np.array([ranking(counts) for ranking in self.rankings])  # (K, 2, b)
        parts: dict[str, np.ndarray] = {}
        if self.binary:
            auroc, auprc, f1 = curves[0, 0], curves[0, 1], f1[:, 1]
        else:
            f1 = np.where(true > 0, f1, np.nan)
            precision = np.where(true > 0, _share(hits, named, empty=0), np.nan)
            recall = _share(hits, true, empty=np.nan)
            parts = {"precision": precision, "recall": recall, "f1": f1, "auroc": curves[:, 0].T}
            auroc, auprc, f1 = (_mean(x) for x in (curves[:, 0].T, curves[:, 1].T, f1))
        scores = {
            "accuracy": hits.sum(axis=1) / rows,
            "auroc": auroc,
            "auprc": auprc,
            "mcc": _matthews(hits.sum(axis=1), true, named),
            "f1": f1,
        }
        if self.losses is not None:
            scores["loss"] = counts @ self.losses / rows
        return Resampled(scores, parts)


class NumberScores:
    """The scores of :mod:`bionn.metrics` of a regression, as a function of counts.

    Args:
        values: predictions ``(N, T)``.
        targets: ``(N, T)``, NaN where one is missing.
        losses: of each row and target ``(N, T)``, NaN where one is missing; None: no ``loss``.
    """

    def __init__(
        self, values: np.ndarray, targets: np.ndarray, losses: np.ndarray | None = None
    ) -> None:
        self.columns = [_OneTarget(v, t) for v, t in zip(values.T, targets.T, strict=True)]
        self.losses = losses

    def __call__(self, counts: np.ndarray) -> Resampled:
        """Scores of each row of counts: means over targets, and of each."""
        found = [column(counts) for column in self.columns]
        parts = {name: np.column_stack([scores[name] for scores in found]) for name in found[0]}
        scores = {name: _mean(values) for name, values in parts.items()}
        if self.losses is not None:
            there = ~np.isnan(self.losses)
            total = counts @ np.nansum(self.losses, axis=1)
            scores["loss"] = _share(total, counts @ there.sum(axis=1), empty=np.nan)
        return Resampled(scores, parts)


class _OneTarget:
    """R2, Pearson, Spearman, MSE and MAE of the rows that have a target."""

    def __init__(self, values: np.ndarray, targets: np.ndarray) -> None:
        self.rows = np.flatnonzero(~np.isnan(targets))
        middle = targets[self.rows].mean() if len(self.rows) else 0.0
        # Sums of squares far from 0 lose their digits; no score changes when both move together.
        p, t = values[self.rows] - middle, targets[self.rows] - middle
        self.moments = np.column_stack([p, t, p * p, t * t, p * t, (p - t) ** 2, abs(p - t)])
        self.ranks = _Ranks(p), _Ranks(t)

    def __call__(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        counts = counts[:, self.rows]
        rows = counts.sum(axis=1)
        p, t, pp, tt, pt, squares, sizes = _share(
            counts @ self.moments, rows[:, None], empty=np.nan
        ).T
        spread = np.where(tt - t * t > 1e-14 * tt, tt - t * t, np.nan)
        return {
            "r2": 1 - squares / spread,
            "pearson": _correlation(p, t, pp, tt, pt),
            "spearman": self._spearman(counts, rows),
            "mse": squares,
            "mae": sizes,
        }

    def _spearman(self, counts: np.ndarray, rows: np.ndarray) -> np.ndarray:
        first, second = (ranks(counts) for ranks in self.ranks)
        once, twice = counts * first, counts * second
        pairs = ((once, first), (twice, second), (once, second))
        sums = [once.sum(axis=1), twice.sum(axis=1)]
        sums += [np.einsum("bn,bn->b", a, b) for a, b in pairs]
        return _correlation(*(_share(total, rows, empty=np.nan) for total in sums))


class _Ranks:
    """The rank of each value within a resample; ties share their mean rank."""

    def __init__(self, values: np.ndarray) -> None:
        self.order = np.argsort(values, kind="stable")
        ordered = values[self.order]
        new = np.append(True, ordered[1:] != ordered[:-1])[: len(values)]
        self.starts = np.flatnonzero(new)
        self.place = np.empty(len(values), dtype=np.int64)
        self.place[self.order] = np.cumsum(new) - 1

    def __call__(self, counts: np.ndarray) -> np.ndarray:
        """Ranks ``(b, N)`` about their mean, in units of the number of rows."""
        if not len(self.starts):
            return counts
        own = np.add.reduceat(counts[:, self.order], self.starts, axis=1)
        ranks = np.cumsum(own, axis=1) - own / 2
        total = counts.sum(axis=1, keepdims=True)
        return (ranks / np.maximum(total, 1) - 0.5)[:, self.place]


def _correlation(
    p: np.ndarray, t: np.ndarray, pp: np.ndarray, tt: np.ndarray, pt: np.ndarray
) -> np.ndarray:
    """Pearson's correlation from means and mean products; NaN where one does not vary."""
    first, second = pp - p * p, tt - t * t
    varied = (first > 1e-14 * pp) & (second > 1e-14 * tt)
    product = np.where(varied, first * second, np.nan)
    return (pt - p * t) / np.sqrt(product)


def _matthews(hits: np.ndarray, true: np.ndarray, named: np.ndarray) -> np.ndarray:
    """Matthews' correlation ``(b,)`` from right calls, and rows and calls of each class ``(b, K)``."""
    total = true.sum(axis=1)
    covariance = hits * total - (true * named).sum(axis=1)
    variances = (total**2 - (true**2).sum(axis=1)) * (total**2 - (named**2).sum(axis=1))
    return _share(covariance, np.sqrt(variances), empty=0)


def _share(part: np.ndarray, whole: np.ndarray, *, empty: float) -> np.ndarray:
    """A quotient; ``empty`` where it is of nothing."""
    part, whole = np.broadcast_arrays(part, whole)
    return np.divide(part, whole, out=np.full(part.shape, float(empty)), where=whole > 0)


def _mean(values: np.ndarray) -> np.ndarray:
    """The mean over the columns that are defined; NaN where none is."""
    known = ~np.isnan(values)
    return _share(np.where(known, values, 0).sum(axis=1), known.sum(axis=1), empty=np.nan)


def weighted_scores(
    task: TaskKind,
    outputs: np.ndarray,
    targets: np.ndarray,
    *,
    called: np.ndarray | None = None,
    losses: np.ndarray | None = None,
) -> Weighted:
    """The scores of a model's outputs as a function of how often each row counts.

    Args:
        task: what the outputs are.
        outputs: probabilities ``(N,)`` or ``(N, K)``, or values ``(N, T)``.
        targets: class indices ``(N,)`` or numbers ``(N, T)``.
        called: the predicted classes ``(N,)``.
        losses: ``(N,)``, or of each target ``(N, T)``.
    """
    if task == "regression":
        return NumberScores(outputs, targets, losses)
    assert called is not None
    return ClassScores(outputs, targets, called, losses)
