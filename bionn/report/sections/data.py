"""What the data were, and how they were split."""

from __future__ import annotations

from typing import Any

import numpy as np

from bionn.data.certificate import certificate_note
from bionn.report.audit import audit_rows
from bionn.report.figures.scores import class_counts, histogram
from bionn.report.run_files import Run
from bionn.report.wording import number, percent

CLASSES = 20
"""The most classes that are drawn or have a column of their own."""

TARGETS = 6
"""The most targets of a regression that are drawn."""

ROWS = 60
"""The most rows of a table, or lines of a list, that the page shows of what has no bound."""


def data(run: Run) -> dict[str, Any] | None:
    """The audit."""
    found = run.audit
    if not found:
        return None
    rows = [(name, text) for name, text in audit_rows(found) if name != "task"]
    figures = []
    if len(found.get("classes") or {}) > 1:
        figures = [class_counts(dict(list(found["classes"].items())[:CLASSES]))]
    elif run.predictions is not None:
        columns = [column for column, _ in target_columns(run)][:TARGETS]
        known = {c: v[np.isfinite(v)] for c in columns if (v := run.predictions[c].to_numpy()).size}
        names = dict(target_columns(run))
        figures = [histogram(v, names[c]) for c, v in known.items() if len(v) > 1]
    number_of_targets = len(found.get("targets") or {})
    return {
        "rows": rows[:ROWS],
        "rows_left_out": max(0, len(rows) - ROWS),
        "figures": figures,
        "figures_note": f"The first {TARGETS} of {number_of_targets} targets are drawn."
        if number_of_targets > TARGETS
        else "",
        "notes": _some(found.get("notes")),
        "advice": _some(found.get("advice")),
    }


def target_columns(run: Run) -> list[tuple[str, str]]:
    """A regression's columns of true values in ``predictions.tsv``, with the targets' names."""
    table = run.predictions
    if table is None or not run.is_regression:
        return []
    if "target" in table:
        return [("target", (run.targets or ["target"])[0])]
    return [(c, c.removeprefix("target_")) for c in table if c.startswith("target_")]


def split(run: Run) -> dict[str, Any] | None:
    """The certificate: sizes and contents of the parts, and what of the test rows was seen before."""
    found = run.split
    if not found:
        return None
    parts = found["parts"]
    contents = next(iter(parts.values()))
    names = list(contents.get("classes") or contents.get("target_means") or {})
    test = found["test"]
    levels = test["identity_at_least"]
    same = test.get("of_same_class") or {}
    made = found.get("made_from") or {}
    return {
        "name": found["split"],
        "seed": found.get("seed"),
        "what": "mean" if "target_means" in contents else "rows of",
        "columns": names[:CLASSES],
        "columns_left_out": max(0, len(names) - CLASSES),
        "parts": [
            {
                "name": {"train": "training", "val": "validation"}.get(part, part),
                "rows": facts["rows"],
                "cells": [
                    _cell((facts.get("classes") or facts.get("target_means"))[name])
                    for name in names[:CLASSES]
                ],
            }
            for part, facts in parts.items()
        ],
        "folds": [
            {"number": k, **sizes} for k, sizes in enumerate((found.get("folds") or [])[:ROWS])
        ],
        "certificate": certificate_note(found).removeprefix("certificate: "),
        "measure": found["measure"],
        "levels": [
            {
                "level": f"{float(level):.0%} or more identical" if level != "1" else "equal",
                "rows": count,
                "share": percent(count / test["rows"]) if test["rows"] else "",
                "same": same.get(level),
            }
            for level, count in levels.items()
        ],
        "largest": test.get("largest"),
        "groups": found.get("groups"),
        "dropped": found.get("dropped", 0),
        "left_out": _some(found.get("left_out")),
        "not_checked": _some(found.get("not_checked")),
        "made_from": [(name, value) for name, value in made.items() if np.isscalar(value)],
    }


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else number(value)


def _some(lines: Any) -> list[str]:
    lines = list(lines or [])
    more = len(lines) - ROWS
    return lines if more <= 0 else [*lines[:ROWS], f"and {more:,} more, in the run's folder"]
