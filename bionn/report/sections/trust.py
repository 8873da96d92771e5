"""Can the probabilities be believed: calibration, and conformal sets with their measured coverage."""

from __future__ import annotations

import math
from typing import Any

from bionn.report.figures.scores import reliability
from bionn.report.run_files import Run
from bionn.report.sections.data import CLASSES, ROWS
from bionn.report.wording import counted, number, percent, score_name, short


def calibration(run: Run) -> dict[str, Any] | None:
    """The reliability curve before and after the temperature, and the errors in numbers."""
    found = run.metrics.get("calibration")
    if not found:
        return None
    before, after = found.get("before") or {}, found.get("after") or {}
    curves = found.get("reliability") or {}
    of = (
        f" of {short(run.classes[1], 24)}" if run.task == "binary" and len(run.classes) == 2 else ""
    )
    names = [name for name in ("ece", "brier", "loss") if name in before or name in after]
    return {
        "sentence": _temperature(found),
        "figures": [reliability(curves.get("before"), curves.get("after"), of)] if curves else [],
        "rows": [
            {"name": score_name(name), "cells": [number(before.get(name)), number(after.get(name))]}
            for name in names
        ],
    }


def _temperature(found: dict[str, Any]) -> str:
    """What was fitted, and whether it is in use."""
    fitted = [float(t) for t in _each(found.get("temperature")) if t is not None]
    applied = _each(found.get("applied"))
    value = number(sum(fitted) / len(fitted)) if fitted else "–"
    mean = "on average over the folds " if len(fitted) > 1 else ""
    used = (
        "it is in use"
        if all(applied)
        else "it is in use in some of the folds"
        if any(applied)
        else "it did not help there, so that it is not in use"
    )
    return (
        f"One number, the temperature ({mean}{value}; above 1 softens), was fitted on the validation "
        f"rows{'; ' + used if applied else ''}."
    )


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _about_coverage(run: Run, found: list[dict[str, Any]]) -> list[str]:
    """What to know of the coverage: what chance does, what empty sets are, what a refit leaves of it."""
    notes = []
    val, level = run.metrics.get("n", {}).get("val"), found[0].get("level")
    repeats = run.metrics.get("repeats", 1)  # the same rows again
    rows = (sum(val) if isinstance(val, list) else val or 0) // repeats
    tested = (found[0].get("n") or 0) // repeats
    if rows and tested and level is not None:
        # shares of the validation rows make the threshold, those of the test rows are counted
        error = math.sqrt(level * (1 - level) * (1 / rows + 1 / tested))
        notes.append(
            f"With {counted(rows, 'validation row')} and {counted(tested, 'test row')}, "
            f"{100 * 2 * error:.1f} points more or less at {percent(level, 0)} may be chance."
        )
    empty = max((entry.get("empty") or 0.0 for entry in found), default=0.0)
    if empty > 0:
        notes.append(
            "Where no class is probable enough, a set is empty: so are "
            f"{percent(found[0].get('empty'))} at {percent(level, 0)}."
        )
    if any((one.get("training") or {}).get("refit") for one in run.folds or [run.metrics]):
        notes.append(
            "The thresholds are those of the network before it was trained once more with the "
            "validation rows: for the one in use the promise holds as far as the two are alike."
        )
    return notes


def conformal(run: Run) -> dict[str, Any] | None:
    """Promised and measured coverage, and how large the sets or wide the intervals are."""
    found = run.metrics.get("conformal")
    if not found:
        return None
    classes = list(found[0].get("by_class") or {})[:CLASSES]
    return {
        "notes": _about_coverage(run, found),
        "size": "width of the interval" if run.is_regression else "classes in the set, on average",
        "several": any("target" in entry for entry in found),
        "classes": [short(name, 24) for name in classes],
        "rows": [
            {
                "target": short(entry.get("target", "")),
                "level": percent(entry.get("level"), 0),
                "coverage": percent(entry.get("coverage")),
                "size": number(entry.get("size")),
                "classes": [percent((entry.get("by_class") or {}).get(name)) for name in classes],
            }
            for entry in found[: 4 * ROWS]
        ],
    }
