"""Can the probabilities be believed: calibration, and conformal sets with their measured coverage."""

from __future__ import annotations

from typing import Any

from bionn.report.figures.scores import reliability
from bionn.report.run_files import Run
from bionn.report.wording import number, percent, score_name, short


def calibration(run: Run) -> dict[str, Any] | None:
    """The reliability curve before and after the temperature, and the errors in numbers."""
    found = run.metrics.get("calibration")
    if not found:
        return None
    before, after = found.get("before") or {}, found.get("after") or {}
    curves = found.get("reliability") or {}
    names = [name for name in ("ece", "brier", "loss") if name in before or name in after]
    return {
        "temperature": number(found.get("temperature")),
        "figures": [reliability(curves.get("before"), curves.get("after"))] if curves else [],
        "rows": [
            {"name": score_name(name), "cells": [number(before.get(name)), number(after.get(name))]}
            for name in names
        ],
    }


def conformal(run: Run) -> dict[str, Any] | None:
    """Promised and measured coverage, and how large the sets or wide the intervals are."""
    found = run.metrics.get("conformal")
    if not found:
        return None
    return {
        "size": "width of the interval" if run.is_regression else "classes in the set, on average",
        "several": any("target" in entry for entry in found),
        "rows": [
            {
                "target": short(entry.get("target", "")),
                "level": percent(entry.get("level"), 0),
                "coverage": percent(entry.get("coverage")),
                "size": number(entry.get("size")),
            }
            for entry in found
        ],
    }
