"""The short fault tests: each section counts what it tried, and nothing that it promises is broken."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
AT_LEAST = {
    "kills": {"kills": 4, "runs ended with bit-equal weights": 1},
    "writes": {"calls failed under predict": 12, "calls failed under run": 6},
    "corrupt": {"model files damaged": 120, "refused": 100, "passed over with a warning": 60},
    "hostile": {"hostile artefacts tried": 100, "refused in a line": 100},
    "clocks": {"runs compared": 1},
    "readers": {"readers": 20, "models read": 200, "times replaced meanwhile": 1},
    "rows": {"rows predicted": 12_000, "predictions killed": 1},
}


@pytest.fixture(scope="module")
def figures() -> dict[str, dict[str, Any]]:
    """What each section counted; all of them in one process, which imports bionn once."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.faults", "--short", "--json", *AT_LEAST],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1000,
        check=False,
    )
    assert ended.stdout, ended.stderr
    counted = json.loads(ended.stdout.splitlines()[-1])
    assert ended.returncode == int(any(section["broken"] for section in counted.values()))
    return counted


@pytest.mark.timeout(1100)  # the first one waits for all
@pytest.mark.parametrize("section", AT_LEAST)
def test_no_promise_is_broken(section: str, figures: dict[str, dict[str, Any]]) -> None:
    assert figures[section]["broken"] == []
    for name, least in AT_LEAST[section].items():
        assert figures[section]["numbers"][name] >= least, name
    assert figures[section]["numbers"].get("code executed", 0) == 0
