"""Is the difference between two models more than chance: intervals and a paired test of test scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bionn.bootstrap import Resampled

LEVEL = 0.95
"""Of every interval of a score."""


def interval(values: np.ndarray, level: float = LEVEL) -> list[float]:
    """The middle of the resampled scores: a percentile interval ``[low, high]``.

    Resamples in which the score is not defined are left out; NaN where that is so in most of them.
    """
    known = values[~np.isnan(values)]
    if 2 * len(known) < max(len(values), 1):
        return [float("nan")] * 2
    return np.quantile(known, [(1 - level) / 2, (1 + level) / 2]).tolist()


def intervals(resampled: Resampled) -> dict[str, list[float]]:
    """The interval of each score."""
    return {name: interval(values) for name, values in resampled.scores.items()}


def part_intervals(resampled: Resampled, part: int) -> dict[str, list[float]]:
    """The interval of each score of one class or target."""
    return {name: interval(values[:, part]) for name, values in resampled.parts.items()}


def compare(own: np.ndarray, other: np.ndarray, difference: float) -> dict[str, Any]:
    """A paired bootstrap test of two models on the same rows.

    Args:
        own: a score of one model over the resamples, ``(B,)``.
        other: that of the other over the same resamples.
        difference: of the scores themselves.

    Returns:
        ``difference``; its ``interval``; ``p_value``, twice the share of resamples in which the
        difference has the other sign or none (Efron and Tibshirani 1993, section 15.4), never below
        ``2 / (B + 1)``; ``verdict``: ``tie`` where the interval holds 0, else ``better`` or ``worse``.

    Example:
        >>> found = compare(np.array([.8, .9, .85]), np.array([.7, .7, .7]), .15)
        >>> found["verdict"], found["p_value"]
        ('better', 0.5)
    """
    gaps = own - other
    gaps = gaps[~np.isnan(gaps)]
    low, high = interval(own - other)
    least = min((gaps <= 0).sum(), (gaps >= 0).sum())
    p_value = min(2 * (least + 1) / (len(gaps) + 1), 1.0)
    verdict = "better" if low > 0 else "worse" if high < 0 else "tie"
    return {
        "difference": difference,
        "interval": [low, high],
        "p_value": float(p_value),
        "verdict": verdict,
    }


def compare_all(
    score: str,
    network: Mapping[str, Any],
    baselines: Mapping[str, Mapping[str, Any]],
    resampled: Mapping[str, Resampled],
) -> dict[str, dict[str, Any]]:
    """The network against each baseline by one score; baselines without that score are left out.

    Args:
        score: its name.
        network: the network's test scores.
        baselines: the baselines' entries in ``metrics.json``.
        resampled: the resampled scores, the network's as ``network``.
    """
    return {
        name: {"score": score}
        | compare(
            resampled["network"].scores[score],
            resampled[name].scores[score],
            network[score] - entry["test"][score],
        )
        for name, entry in baselines.items()
        if np.isfinite(network[score] - entry["test"][score])
    }


def strongest(score: str, baselines: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The baseline that is best on validation rows; None where none is scored there."""
    known = {
        name: entry["val"][score]
        for name, entry in baselines.items()
        if np.isfinite(entry["val"][score])
    }
    return max(known, key=known.__getitem__) if known else None


def over_folds(pieces: Sequence[Resampled], repeats: int = 1) -> Resampled:
    """Resampled scores of a cross-validation: of each draw the mean over folds.

    Each fold's rows are drawn by themselves. Where the folds were made several times, the same rows are
    tested again and again, which makes no score surer: the repetitions' draws stand side by side, so
    that an interval holds the spread within and between them.

    Args:
        pieces: of each fold.
        repeats: how many times the folds were made.
    """
    count = min(len(next(iter(piece.scores.values()))) for piece in pieces)
    ways = np.array_split(np.arange(len(pieces)), repeats)

    def means(name: str) -> np.ndarray:
        each = np.array([piece.scores[name][:count] for piece in pieces])
        return np.concatenate([each[way].mean(axis=0) for way in ways])

    return Resampled({name: means(name) for name in pieces[0].scores}, {})
