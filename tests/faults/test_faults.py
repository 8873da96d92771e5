"""The short fault tests: each section counts what it tried, and nothing that it promises is broken."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.parametrize("section", AT_LEAST)
def test_no_promise_is_broken(section: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.faults", "--short", "--json", section],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=290,
        check=False,
    )
    assert ended.stdout, ended.stderr
    figures = json.loads(ended.stdout.splitlines()[-1])[section]
    assert figures["broken"] == []
    assert ended.returncode == 0
    for name, least in AT_LEAST[section].items():
        assert figures["numbers"][name] >= least, name
    assert figures["numbers"].get("code executed", 0) == 0
