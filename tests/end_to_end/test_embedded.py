"""The promise: one command, default options, on each of the two embedded data sets."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.small_sets import EXPRESSION, LABELS, PROMOTERS

COMMAND = str(Path(sys.executable).with_name("bionn"))
TARGETS = [f"tgt{n}" for n in range(1, 7)]


def run(*arguments: str, out: Path) -> dict[str, Any]:
    """The ``metrics.json`` of a run of the installed command."""
    command = [COMMAND, "run", *arguments, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert f"files: {out}" in done.stdout.replace("\n", "")
    return json.loads((out / "metrics.json").read_text())


def sections(folder: Path) -> set[str]:
    """What the page of a run tells of."""
    page = (folder / "report.html").read_text(encoding="utf-8")
    return set(re.findall(r'<section id="(\w+)"', page))


def test_sequences_to_classes(tmp_path: Path) -> None:
    metrics = run(str(PROMOTERS), "--labels", str(LABELS), out=tmp_path / "promoters")
    assert metrics["n"]["test"] == 200
    assert metrics["test"]["auroc"] > 0.95
    assert metrics["test"]["auroc"] > metrics["baselines"]["majority"]["test"]["auroc"]
    told = {"predictions", "calibration", "conformal", "examples", "motifs", "settings"}
    assert told <= sections(tmp_path / "promoters")


def test_expression_to_expression(tmp_path: Path) -> None:
    metrics = run(str(EXPRESSION), "--target", *TARGETS, out=tmp_path / "regulation")
    assert metrics["n"]["test"] == 100
    assert list(metrics["per_target"]) == TARGETS
    assert metrics["test"]["r2"] > 0.8
    assert metrics["test"]["r2"] > metrics["baselines"]["linear"]["test"]["r2"]
    assert {"predictions", "by_class", "conformal", "features"} <= sections(tmp_path / "regulation")
