"""Files to a verdict: a linear model that is better is said to be, and copies make no score surer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bionn
from bionn.cli.main import main
from tests.small_sets import expression

FEATURES = [f"gene{n}" for n in range(1, 6)]


def test_a_linear_model_that_wins_is_said_to_win(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``y1`` is linear but for a little noise, and one epoch of four units is not enough."""
    path = tmp_path / "linear.csv"
    expression(400).dropna()[["id", *FEATURES, "y1"]].to_csv(path, index=False)
    quick = ["--hidden", "4", "--max-epochs", "1", "--no-refit", "--no-explain", "--device", "cpu"]
    assert main(["run", str(path), "--target", "y1", *quick, "--out", str(tmp_path / "run")]) == 0
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["baselines"]["linear"]["test"]["r2"] > 0.99
    assert metrics["comparison"]["baseline"] == "linear"
    assert metrics["comparison"]["verdict"] == "worse"
    assert metrics["comparison"]["interval"][1] < 0
    assert "note: the linear baseline beats the network" in capsys.readouterr().out
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    verdict = re.search(r'<p class="verdict (\w+)">(.*?)</p>', page, flags=re.DOTALL)
    assert verdict is not None
    assert verdict[1] == "bad"
    assert "lower than that of the baseline" in verdict[2]
    assert "Use the baseline" in verdict[2]


def test_of_given_folds_too_groups_are_drawn_as_wholes(tmp_path: Path) -> None:
    """Nine copies of each row: by row, intervals would be a third as wide as they should be."""
    rng = np.random.default_rng(0)
    rows, copies = 120, 9
    frame = pd.DataFrame(rng.normal(size=(rows, 3)), columns=["a", "b", "c"])
    frame["y"] = frame["a"] + rng.normal(size=rows)
    frame["fold"] = np.arange(rows) % 3
    frame["animal"] = [f"m{row}" for row in range(rows)]
    frame = frame.loc[frame.index.repeat(copies)].reset_index(drop=True)
    frame.insert(0, "id", [f"s{row}" for row in range(len(frame))])
    options: dict[str, Any] = {
        "target": "y",
        "features": ["a", "b", "c"],
        "fold_column": "fold",
        "hidden": [8],
        "max_epochs": 1,
        "device": "cpu",
        "progress": False,
        "explain": False,
    }
    widths = {}
    for unit, more in (("row", {}), ("group", {"group_column": "animal"})):
        found = bionn.run(frame, out=tmp_path / unit, **options, **more).metrics
        assert found["bootstrap"]["unit"] == unit
        low, high = found["comparison"]["interval"]
        ends = found["intervals"]["pearson"]
        widths[unit] = np.array([high - low, ends[1] - ends[0]])
    assert widths["group"] / widths["row"] == pytest.approx(np.sqrt(copies), rel=0.2)
