"""Scores of the test rows: the network beside the baselines, by class, target, fold and subgroup."""

from __future__ import annotations

from typing import Any

from bionn.metrics import CLASSIFICATION, REGRESSION
from bionn.report.figures.scores import intervals, learning_curve
from bionn.report.run_files import Run
from bionn.report.sections.data import ROWS
from bionn.report.wording import MEANINGS, interval, number, percent, score_name, short

LARGE_MODELS = 8

DIVISIONS = {
    "GC": "share of C and G",
    "identity": "identity with the most alike row of training or validation",
}
"""What subgroups are parts of, where the name of the column does not tell."""


def scores(run: Run) -> dict[str, Any] | None:
    """The table of models and scores."""
    test = run.metrics.get("test")
    if not test:
        return None
    known = REGRESSION if run.is_regression else CLASSIFICATION
    names = [name for name in known if name in test]
    spread, own = run.metrics.get("test_std") or {}, run.metrics.get("intervals") or {}
    baselines = run.metrics.get("baselines") or {}
    rows = [_row("network", test, own, names, spread)]
    if test.get("plain"):
        label = "at a threshold of 0.5" if run.task == "binary" else "most probable class"
        rows.append(_row(f"network, {label}", test["plain"], {}, names))
    if (alone := run.metrics.get("ensemble")) and "test" in alone:
        rows.append(
            _row("one network of the ensemble", alone["test"], {}, names, alone.get("test_std"))
        )
    for name, parts in baselines.items():
        found = _row(name, parts.get("test") or {}, parts.get("intervals") or {}, names)
        rows.append(found | {"setting": parts.get("setting", "")})
    best = {
        name: max(
            (row["values"][name] for row in rows if row["values"][name] is not None),
            key=lambda value, name=name: -value if name in ("mse", "mae") else value,
            default=None,
        )
        for name in names
    }
    for row in rows:
        row["cells"] = [
            {**cell, "best": row["values"][name] is not None and row["values"][name] == best[name]}
            for name, cell in zip(names, row["cells"], strict=True)
        ]
    return {
        "columns": [score_name(name) for name in names],
        "rows": rows,
        "has_intervals": bool(own),
        "bootstrap": _bootstrap(run),
        "figures": _interval_figure(run, own, baselines),
        "meanings": [(score_name(name), MEANINGS[name]) for name in names if name in MEANINGS],
        "folds": folds(run, names),
        "repeats": run.metrics.get("repeats"),
        "decision": decision(run),
    }


def _row(
    name: str,
    values: dict[str, Any],
    ends: dict[str, Any],
    names: list[str],
    spread: dict[str, Any] | None = None,
) -> dict[str, Any]:
    spread = spread or {}
    return {
        "name": name,
        "setting": "",
        "values": {score: values.get(score) for score in names},
        "cells": [
            {
                "value": number(values.get(score)),
                "note": interval(ends.get(score))
                or (f"± {number(spread[score])}" if score in spread else ""),
            }
            for score in names
        ],
    }


def _bootstrap(run: Run) -> str:
    """How the intervals were made."""
    found = run.metrics.get("bootstrap")
    if not found:
        return ""
    return (
        f"Intervals: {percent(found['level'], 0)} of {found['resamples']:,} resamples of the "
        f"test rows, drawn by {short(found['unit'])}."
    )


def _interval_figure(run: Run, own: dict[str, Any], baselines: dict[str, Any]) -> list[Any]:
    """The main score's intervals, drawn where there are some."""
    name = run.main_score
    rows = [("network", run.metrics["test"].get(name), own.get(name))]
    rows += [
        (label, (parts.get("test") or {}).get(name), (parts.get("intervals") or {}).get(name))
        for label, parts in baselines.items()
    ]
    known = [(label, value, ends) for label, value, ends in rows if value is not None]
    if len(known) < 2 or not any(ends for _, _, ends in known):
        return []
    return [intervals(known[:LARGE_MODELS], score_name(name))]


def decision(run: Run) -> str:
    """How classes were decided, where not by the most probable one."""
    found = (run.folds or [run.metrics])[0].get("decision")
    if not found:
        return ""
    threshold = found.get("threshold")
    if threshold is None:
        rule = found.get("rule")
        return f"Classes were decided {rule}; probabilities are those of classes as they come."
    return f"Called positive above a probability of {number(threshold)} ({found.get('rule')})."


def folds(run: Run, names: list[str]) -> list[dict[str, Any]]:
    """The scores of each fold, and their standard deviation."""
    rows = [
        {
            "number": number_,
            "rows": (fold.get("n") or {}).get("test"),
            "cells": [number((fold.get("test") or {}).get(name)) for name in names],
        }
        for number_, fold in enumerate(run.folds[:ROWS])
    ]
    if spread := run.metrics.get("test_std"):
        cells = [number(spread.get(name)) for name in names]
        rows.append({"number": "standard deviation", "rows": "", "cells": cells})
    return rows


def by_class(run: Run) -> dict[str, Any] | None:
    """Scores of each class, or of each target."""
    found = run.metrics.get("per_class") or run.metrics.get("per_target")
    if not found or ("per_target" in run.metrics and len(found) == 1):  # that is the run's score
        return None
    first = next(iter(found.values()))
    columns = [n for n, v in first.items() if n != "n" and not isinstance(v, (dict, list))]
    return {
        "what": "class" if "per_class" in run.metrics else "target",
        "columns": [score_name(name) for name in columns],
        "rows": [
            {
                "name": short(name),
                "n": values.get("n"),
                "cells": [
                    {
                        "value": number(values.get(column)),
                        "note": interval((values.get("intervals") or {}).get(column)),
                    }
                    for column in columns
                ],
            }
            for name, values in list(found.items())[: 4 * ROWS]
        ],
        "left_out": max(0, len(found) - 4 * ROWS),
    }


def subgroups(run: Run) -> dict[str, Any] | None:
    """Scores by length, group, nearest training row, ..."""
    found = run.metrics.get("subgroups")
    if not found:
        return None
    by: dict[str, list[dict[str, Any]]] = {}
    for entry in found:
        by.setdefault(str(entry.get("by", "group")), []).append(entry)
    return {
        "has_intervals": any(entry.get("intervals") for entry in found),
        "tables": [_division(name, entries) for name, entries in by.items()],
    }


def _division(name: str, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """The table of what divides the test rows, with the scores that some of its groups have."""
    known = dict.fromkeys(
        score
        for entry in entries
        for score, value in (entry.get("scores") or {}).items()
        if value is not None
    )
    rows = []
    for entry in entries[:ROWS]:
        values, ends = entry.get("scores") or {}, entry.get("intervals") or {}
        cells = [
            {"value": number(values.get(score)), "note": interval(ends.get(score))}
            for score in known
        ]
        rows.append({"name": short(entry.get("group", "")), "n": entry.get("n"), "cells": cells})
    return {
        "by": name.replace("_", " "),
        "division": DIVISIONS.get(name, name.replace("_", " ")),
        "columns": [score_name(score) for score in known],
        "rows": rows,
        "left_out": max(0, len(entries) - ROWS),
    }


def sizes(run: Run) -> dict[str, Any] | None:
    """The score against the number of training rows."""
    found = run.metrics.get("learning_curve")
    if not found:
        return None
    name = run.main_score
    parts = {
        label: [(entry.get(part) or {}).get(name) for entry in found]
        for part, label in (("val", "validation rows"), ("test", "test rows"))
        if any((entry.get(part) or {}).get(name) is not None for entry in found)
    }
    if not parts:
        return None
    counts = [entry["n"] for entry in found]
    clean = {k: [float("nan") if v is None else v for v in values] for k, values in parts.items()}
    return {
        "folds": bool(run.folds),
        "figures": [learning_curve(counts, clean, score_name(name))],
        "columns": list(parts),
        "rows": [
            {"n": n, "cells": [number(values[k]) for values in parts.values()]}
            for k, n in enumerate(counts)
        ],
    }
