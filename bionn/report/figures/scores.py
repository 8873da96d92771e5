"""Pictures of predictions against the truth: ROC, precision and recall, scatter, residuals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    r2_score,
    roc_auc_score,
    roc_curve,
)

from bionn.report.figures.plot import Axis, Plot, bars, spanning
from bionn.report.figures.svg import Figure, Key
from bionn.report.figures.thinning import thin_dots
from bionn.report.wording import number, percent, short

SHARE = ((0.0, "0"), (0.25, ".25"), (0.5, ".5"), (0.75, ".75"), (1.0, "1"))
SERIES = 8
"""The most curves of a plot that can be told apart."""


def roc(truth: np.ndarray, chances: np.ndarray, names: Sequence[str]) -> Figure:
    """True against false positive rate, a curve a class against the rest.

    Args:
        truth: whether each row is of each class, ``bool (N, C)``.
        chances: ``(N, C)``.
        names: C names.
    """
    scores = [roc_auc_score(t, c) for t, c in zip(truth.T, chances.T, strict=True)]
    plot = Plot(
        Axis("false positive rate", 0, 1, ticks=SHARE),
        Axis("true positive rate", 0, 1, ticks=SHARE),
        f"ROC curves: {_told(names, 'AUROC', scores)}.",
    )
    plot.segment((0, 0), (1, 1), "guess")
    for k in range(len(names)):
        false, true, _ = roc_curve(truth[:, k], chances[:, k])
        plot.curve(false, true, f"s{k}")
    return Figure(
        plot.svg(),
        "ROC curve",
        "Moving the threshold: how many of a class are found against how many others are called it. "
        "The dashed diagonal is guessing.",
        _keys(names, "AUROC", scores),
    )


def precision_recall(truth: np.ndarray, chances: np.ndarray, names: Sequence[str]) -> Figure:
    """Precision against recall, a curve a class against the rest; arguments as of :func:`roc`."""
    scores = [average_precision_score(t, c) for t, c in zip(truth.T, chances.T, strict=True)]
    plot = Plot(
        Axis("recall", 0, 1, ticks=SHARE),
        Axis("precision", 0, 1, ticks=SHARE),
        f"Precision and recall: {_told(names, 'AUPRC', scores)}.",
    )
    for k in range(len(names)):
        share = float(truth[:, k].mean())
        if len(names) == 1:
            plot.segment((0, share), (1, share), "guess")
        precision, recall, _ = precision_recall_curve(truth[:, k], chances[:, k])
        plot.curve(recall, precision, f"s{k}")
    guess = " The dashed line is guessing." if len(names) == 1 else ""
    return Figure(
        plot.svg(),
        "Precision and recall",
        f"How many of those called are right, against how many are found.{guess}",
        _keys(names, "AUPRC", scores),
    )


def histogram_of_chances(truth: np.ndarray, chances: np.ndarray, names: Sequence[str]) -> Figure:
    """How the probability of the positive class is spread in either class.

    Args:
        truth: whether each row is positive, ``bool (N,)``.
        chances: of the positive class, ``(N,)``.
        names: of the negative and the positive class.
    """
    edges = np.linspace(0, 1, 26)
    shares = [
        np.histogram(chances[part], edges)[0] / max(part.sum(), 1) for part in (~truth, truth)
    ]
    plot = Plot(
        Axis(f"predicted probability of {short(names[1], 24)}", 0, 1, ticks=SHARE),
        Axis("share of the class", 0, float(max(map(np.max, shares)) * 1.05)),
        f"Predicted probabilities of {names[1]} by true class.",
    )
    for k, counts in enumerate(shares):
        steps = np.repeat(edges, 2)[1:-1]
        plot.curve(steps, np.repeat(counts, 2), f"s{k}")
    return Figure(
        plot.svg(),
        "Predicted probabilities",
        "Well separated classes pile up at opposite ends.",
        [Key(f"s{k}", f"truly {short(name, 24)}") for k, name in enumerate(names)],
    )


def scatter(truth: np.ndarray, predicted: np.ndarray, name: str) -> Figure:
    """Predicted against measured values of one target, ``(N,)`` each, and R² of these."""
    r2 = float(r2_score(truth, predicted)) if np.ptp(truth) > 0 else None
    axis = spanning(f"measured {short(name, 28)}", truth, predicted)
    plot = Plot(
        axis,
        Axis("predicted", axis.low, axis.high),
        f"Predicted against measured values of {name}: R² {number(r2)}.",
    )
    plot.segment((axis.low, axis.low), (axis.high, axis.high), "guess")
    return Figure(
        *_cloud(plot, truth, predicted),
        caption=f"R² {number(r2)}. On the dashed line they are equal.",
    )


def residuals(truth: np.ndarray, predicted: np.ndarray, name: str) -> Figure:
    """Prediction less measured value, against the prediction."""
    errors = predicted - truth
    x, y = spanning(f"predicted {short(name, 28)}", predicted), spanning("residual", errors)
    plot = Plot(
        x,
        y,
        f"Residuals of {name}: mean {number(errors.mean())}, standard deviation "
        f"{number(errors.std())}.",
    )
    plot.segment((x.low, 0), (x.high, 0), "guess")
    return Figure(
        *_cloud(plot, predicted, errors, f"{short(name, 28)}: residuals"),
        caption=f"Predicted less measured: mean {number(errors.mean())}, standard deviation "
        f"{number(errors.std())}.",
    )


def _cloud(plot: Plot, x: np.ndarray, y: np.ndarray, title: str = "") -> tuple[Any, str]:
    across, down = plot.at(x, y)
    shown = thin_dots(across, down)
    plot.dots(x[shown], y[shown], "cloud")
    return plot.svg(), title or plot.x.label.removeprefix("measured ")


def histogram(values: np.ndarray, name: str) -> Figure:
    """How a target's values are spread, ``(N,)``."""
    counts, edges = np.histogram(values, bins=min(30, max(5, round(len(values) ** 0.5))))
    plot = Plot(
        Axis(short(name, 36), float(edges[0]), float(edges[-1])),
        Axis("rows", 0, float(counts.max() * 1.05)),
        f"Distribution of {name} over {len(values)} rows, from {number(edges[0])} to "
        f"{number(edges[-1])}.",
    )
    for count, left, right in zip(counts.tolist(), edges[:-1], edges[1:], strict=True):
        plot.bar(left, right, 0, count, "bar")
    return Figure(plot.svg(), short(name, 36))


def reliability(before: Any, after: Any, of: str = "") -> Figure:
    """How often a prediction comes true against its probability, before and after the temperature."""
    plot = Plot(
        Axis(f"predicted probability{of}", 0, 1, ticks=SHARE),
        Axis("how often it is so", 0, 1, ticks=SHARE),
        "Reliability: how often what is predicted comes true, at each predicted probability.",
    )
    plot.segment((0, 0), (1, 1), "guess")
    keys = []
    for k, (bins, name) in enumerate([(before, "as trained"), (after, "temperature scaled")]):
        known = [b for b in bins or [] if b.get("n") and b.get("frequency") is not None]
        if known:
            x, y = [b["confidence"] for b in known], [b["frequency"] for b in known]
            plot.curve(x, y, f"s{k}")
            plot.dots(x, y, f"marker p{k}")
            keys.append(Key(f"s{k}", name))
    return Figure(
        plot.svg(),
        "Reliability",
        "On the dashed line what is given 80 % comes true 80 times in 100. Below it probabilities are "
        "too high, above it too low.",
        keys,
    )


def intervals(rows: Sequence[tuple[str, float, Any]], score: str) -> Figure:
    """A score with its interval, a row a model.

    Args:
        rows: name, score, and the ends of its interval or None.
        score: its name.
    """
    ends = [np.array([value, *(span or ())], dtype=float) for _, value, span in rows]
    axis = spanning(score, *ends, margin=0.08)
    height = 30.0 * len(rows) + 50
    ticks = [(len(rows) - k - 0.5, short(name, 9)) for k, (name, _, _) in enumerate(rows)]
    told = "; ".join(
        f"{name} {number(value)}" + (f", {number(s[0])} to {number(s[1])}" if s else "")
        for name, value, s in rows
    )
    plot = Plot(
        axis, Axis("", 0, len(rows), ticks=ticks), f"{score} of each model: {told}.", height=height
    )
    for k, (_, value, span) in enumerate(rows):
        place = len(rows) - k - 0.5
        if span:
            plot.segment((span[0], place), (span[1], place), "whisker")
        plot.dots([value], [place], f"marker p{min(k, 1)}")
    return Figure(plot.svg(), f"{score} and its 95 % interval")


def learning_curve(
    sizes: Sequence[int], parts: Mapping[str, Sequence[float]], score: str
) -> Figure:
    """A score against the number of training rows, a curve a part."""
    marks = [(float(size), f"{size:,}") for size in sizes]
    x = replace(spanning("training rows", np.array(sizes), log=True), ticks=marks)
    y = spanning(score, *(np.array(values, dtype=float) for values in parts.values()))
    plot = Plot(x, y, f"{score} against the number of training rows.")
    for k, values in enumerate(parts.values()):
        plot.curve(sizes, values, f"s{k}")
        plot.dots(sizes, values, f"marker p{k}")
    return Figure(
        plot.svg(),
        "Learning curve",
        "Where it still rises at the right end, more data would help.",
        [Key(f"s{k}", name) for k, name in enumerate(parts)],
    )


def importances(rows: Sequence[tuple[str, float, float | None]], what: str) -> Figure:
    """The most important features, the first of the rows at the top."""
    told = ", ".join(f"{name} {number(value)}" for name, value, _ in rows[:5])
    return Figure(
        bars([(short(name, 18), value, std) for name, value, std in rows], f"{what}: {told}."), what
    )


def class_counts(counts: dict[str, int]) -> Figure:
    """How many rows each class has."""
    total = sum(counts.values()) or 1
    told = ", ".join(f"{name} {count} ({percent(count / total)})" for name, count in counts.items())
    rows = [(short(name, 18), float(count), None) for name, count in counts.items()]
    return Figure(bars(rows, f"Rows of each class: {told}."), "Rows of each class")


def _told(names: Sequence[str], score: str, values: Sequence[float]) -> str:
    return "; ".join(f"{n}: {score} {number(v)}" for n, v in zip(names, values, strict=True))


def _keys(names: Sequence[str], score: str, values: Sequence[float]) -> list[Key]:
    return [
        Key(f"s{k}", f"{short(name, 24)}: {score} {number(value)}")
        for k, (name, value) in enumerate(zip(names, values, strict=True))
    ]
