"""The test predictions one by one: curves, confusions, residuals, and the worst errors by name."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from bionn.report.figures.scores import (
    SERIES,
    histogram_of_chances,
    precision_recall,
    residuals,
    roc,
    scatter,
)
from bionn.report.figures.thinning import DOTS
from bionn.report.run_files import Run
from bionn.report.sections.data import CLASSES, TARGETS, target_columns
from bionn.report.wording import chance, number, percent, short

WORST = 12
"""How many of the worst errors are listed."""

PAIRS = 20
"""Of more classes than fit a matrix: how many of the most confused pairs are listed."""


def predictions(run: Run) -> dict[str, Any] | None:
    """Figures of the test rows, the confusion matrix, and the worst errors."""
    table = run.test_rows
    if table is None or table.empty:
        return None
    return _regression(run, table) if run.is_regression else _classification(run, table)


def _classification(run: Run, table: pd.DataFrame) -> dict[str, Any] | None:
    names = run.classes or [c.removeprefix("prob_") for c in table if c.startswith("prob_")]
    columns = [f"prob_{name}" for name in names]
    if "target" not in table or any(column not in table for column in columns):
        return None
    chances = table[columns].to_numpy(dtype=float)
    truth = table["target"].to_numpy()[:, None] == np.array(names, dtype=object)
    figures, note = _curves(truth, chances, names)
    pooled = " The curves pool the test rows of all folds." if run.folds else ""
    return {
        "figures": figures,
        "figures_note": note + pooled,
        "confusion": _confusion(table, names) if len(names) <= CLASSES else None,
        "pairs": _pairs(table) if len(names) > CLASSES else [],
        "worst": _worst_classes(table, truth, chances),
        "kind": "classification",
    }


def _curves(truth: np.ndarray, chances: np.ndarray, names: list[str]) -> tuple[list[Any], str]:
    """ROC and precision-recall curves of the classes that have rows, and others to set them apart."""
    classes = [1] if len(names) == 2 else range(len(names))
    known = [k for k in classes if 0 < truth[:, k].sum() < len(truth)]
    shown = sorted(known, key=lambda k: -truth[:, k].sum())[:SERIES]
    if not shown:
        return [], "Curves need rows of more than one class."
    labels = [names[k] for k in shown]
    figures = [
        roc(truth[:, shown], chances[:, shown], labels),
        precision_recall(truth[:, shown], chances[:, shown], labels),
    ]
    if len(names) == 2:
        figures.append(histogram_of_chances(truth[:, 1], chances[:, 1], names))
    note = "" if len(names) == 2 else "Each class against the rest."
    if len(names) > max(len(shown), 2):
        note += f" The {len(shown)} largest of {len(names)} classes are drawn."
    return figures, note


def _confusion(table: pd.DataFrame, names: list[str]) -> dict[str, Any]:
    counts = pd.crosstab(table["target"], table["prediction"])
    matrix = counts.reindex(index=names, columns=names, fill_value=0).to_numpy()
    totals = matrix.sum(axis=1, keepdims=True)
    shares = matrix / np.maximum(totals, 1)
    return {
        "names": [short(name, 24) for name in names],
        "rows": [
            {
                "name": short(name, 24),
                "cells": [
                    {"count": int(n), "share": percent(float(s), 0), "shade": round(float(s) * 10)}
                    for n, s in zip(row, share, strict=True)
                ],
                "total": int(total),
            }
            for name, row, share, total in zip(names, matrix, shares, totals[:, 0], strict=True)
        ],
    }


def _pairs(table: pd.DataFrame) -> list[dict[str, Any]]:
    pairs = zip(table["target"], table["prediction"], strict=True)
    counts = Counter((truth, called) for truth, called in pairs if truth != called)
    return [
        {"truth": short(truth), "called": short(called), "count": count}
        for (truth, called), count in counts.most_common(PAIRS)
    ]


def _worst_classes(table: pd.DataFrame, truth: np.ndarray, chances: np.ndarray) -> dict[str, Any]:
    """Wrong predictions, those first in which the true class was given the least probability."""
    own = (chances * truth).sum(axis=1)
    wrong = np.flatnonzero((table["target"] != table["prediction"]).to_numpy())
    order = wrong[np.argsort(own[wrong], kind="stable")][:WORST]
    return {
        "total": len(wrong),
        "tested": len(table),
        "rows": [
            {
                "id": short(table["id"].iloc[row]),
                "truth": short(table["target"].iloc[row], 40),
                "called": short(table["prediction"].iloc[row], 40),
                "chance": chance(float(own[row])),
            }
            for row in order
        ],
    }


def _regression(run: Run, table: pd.DataFrame) -> dict[str, Any] | None:
    figures, misses = [], []
    pairs = [
        (name, table[column].to_numpy(dtype=float), table[made].to_numpy(dtype=float))
        for column, name in target_columns(run)
        if (made := column.replace("target", "prediction", 1)) in table
    ]
    thinned = False
    for number_, (name, truth, predicted) in enumerate(pairs):
        known = np.flatnonzero(np.isfinite(truth) & np.isfinite(predicted))
        if len(known) < 2:
            continue
        truth, predicted = truth[known], predicted[known]
        if number_ < TARGETS:
            figures += [scatter(truth, predicted, name), residuals(truth, predicted, name)]
            thinned |= len(known) > DOTS
        scaled = np.abs(predicted - truth) / (truth.std() or 1.0)
        worst = np.argsort(-scaled, kind="stable")[:WORST]
        misses += [(scaled[k], name, known[k], truth[k], predicted[k]) for k in worst]
    if not figures:
        return None
    misses.sort(key=lambda miss: -miss[0])
    note = (
        f"The first {TARGETS} of {len(pairs)} targets are drawn. " if len(pairs) > TARGETS else ""
    )
    note += "The figures pool the test rows of all folds, and so does R². " if run.folds else ""
    note += "A slope or a funnel among the residuals would mean that something is missed. "
    if thinned:
        note += (
            f"Of more than {DOTS:,} rows so many are drawn, at random, the outermost among them."
        )
    return {
        "figures": figures,
        "figures_note": note,
        "worst": {
            "several": len(pairs) > 1,
            "tested": len(table),
            "rows": [
                {
                    "id": short(table["id"].iloc[row]),
                    "target": short(name, 40),
                    "truth": number(float(truth)),
                    "called": number(float(predicted)),
                    "error": number(float(predicted - truth)),
                    "scaled": number(float(scaled), 1),
                }
                for scaled, name, row, truth, predicted in misses[:WORST]
            ],
        },
        "kind": "regression",
    }
