"""The end of a run on the terminal: intervals in 80 columns, and the truth about the baselines."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from bionn.metrics import CLASSIFICATION, REGRESSION
from bionn.report.console import print_result, span, trust, verdict


def comparison(verdict: str, difference: float) -> dict[str, Any]:
    return {
        "score": "auroc",
        "difference": difference,
        "interval": [difference - 0.01, difference + 0.01],
        "p_value": 0.004,
        "verdict": verdict,
    }


def metrics(*, task: str = "binary", **verdicts: str) -> dict[str, Any]:
    """What a run on two classes, or on numbers, leaves."""
    names = REGRESSION if task == "regression" else CLASSIFICATION
    scores = dict.fromkeys(names, -0.123456 if task == "regression" else 0.987654)
    intervals = {name: [value - 0.05, value + 0.007] for name, value in scores.items()}
    sign = {"better": 0.05, "worse": -0.05, "tie": 0.001}
    return {
        "task": task,
        "test": dict(scores),
        "intervals": intervals,
        "baselines": {
            name: {
                "test": dict(scores),
                "val": dict(scores),
                "intervals": intervals,
                "setting": "a model, alpha 100",
                "comparison": comparison(found, sign[found]),
            }
            for name, found in verdicts.items()
        },
        "comparison": {"baseline": next(iter(verdicts), None)},
        "seconds": {"total": 1.0, "train": 0.5},
    }


def printed(found: dict[str, Any]) -> str:
    """In a terminal of 80 columns."""
    file = io.StringIO()
    print_result(Console(file=file, width=80, highlight=False), Path("runs/x"), found)
    return file.getvalue()


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_every_interval_fits_into_eighty_columns(task: str) -> None:
    text = printed(metrics(task=task, majority="better", linear="better", kmer="better"))
    assert max(map(len, text.splitlines())) <= 80
    low, high = ("−.17", "−.12") if task == "regression" else (".938", ".995")
    rows = [line for line in text.splitlines() if line.count(f"{low}–{high}") == 5]
    assert len(rows) == 4  # the network and three baselines, none cut or wrapped


@pytest.mark.parametrize("outcome", ["better", "tie", "worse"])
def test_the_strongest_baseline_is_always_told_of(outcome: str) -> None:
    words = {
        "better": "the network beats the kmer baseline",
        "tie": "note: the network and the kmer baseline differ by no more than chance",
        "worse": "note: the kmer baseline beats the network",
    }
    found = verdict(metrics(kmer=outcome, linear="better"))
    assert found[0].startswith(words[outcome])
    assert "p 0.004" in found[0]
    assert len(found) == 2
    assert found[1] == "  kmer is a model, alpha 100"


def test_other_baselines_are_told_of_where_they_are_not_beaten() -> None:
    text = "\n".join(verdict(metrics(kmer="better", linear="tie", forest="worse", mean="better")))
    assert "linear baseline differ by no more than chance" in text
    assert "forest baseline beats the network" in text
    assert "mean" not in text


def test_without_baselines_nothing_is_claimed() -> None:
    found = metrics() | {"baselines": {}}
    del found["comparison"]
    assert verdict(found) == []
    assert "baseline" not in printed(found)


def test_a_difference_that_is_not_defined_is_not_compared() -> None:
    found = metrics(linear="better")
    del found["baselines"]["linear"]["comparison"], found["comparison"]
    assert verdict(found) == []


@pytest.mark.parametrize(
    ("applied", "expected"),
    [
        (True, "calibration error 0.010, 0.040 before temperature 1.25"),
        (False, "calibration error 0.040"),
        ([True, False], "calibration error 0.040, 0.010 with temperatures, applied in some folds"),
        ([True, True], "calibration error 0.010, 0.040 before temperature 1.25"),
    ],
)
def test_calibration_is_that_of_the_probabilities_that_are_reported(applied, expected) -> None:
    temperature = 1.25 if isinstance(applied, bool) else [1.0, 1.5]
    own = {"applied": applied, "temperature": temperature}
    own |= {"before": {"ece": 0.04}, "after": {"ece": 0.01}}
    assert trust(metrics() | {"calibration": own}) == [expected]


def test_coverage_is_told_of_sets_and_intervals() -> None:
    sets = [{"level": level, "coverage": level + 0.01, "size": 1.5} for level in (0.8, 0.9)]
    (told,) = trust(metrics() | {"conformal": sets})
    assert "sets at level 0.9 hold the truth of 0.910 of test rows" in told
    assert "1.50 classes" in told
    intervals = [
        {"level": 0.9, "target": name, "coverage": coverage, "size": 3.0}
        for name, coverage in (("x", 0.88), ("y", 0.94), ("z", None))
    ]
    (told,) = trust(metrics(task="regression") | {"conformal": intervals})
    assert "0.910 of test rows" in told
    assert "0.880 to 0.940 by target" in told
    assert trust(metrics() | {"conformal": [intervals[2]]}) == []


def test_spans_are_short_and_empty_where_nothing_is_known() -> None:
    assert span(None) == span([float("nan"), 1.0]) == span([None, None]) == ""
    assert span([0.0, 1.0]) == ".000–1"
    assert all(len(span([x, x + 0.1])) <= 11 for x in np.linspace(-1, 900, 50))
