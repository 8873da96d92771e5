"""What the README says can be typed: every shell line and every Python block runs as printed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place that looks like the repository's root and may be written to."""
    folder = tmp_path_factory.mktemp("readme")
    for name in ("data", "experiments"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


@pytest.mark.timeout(1200)  # it trains several networks
def test_every_block_runs_in_the_order_of_the_page(folder: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = 0
    for kind, text in BLOCKS:
        commands = [["python", "-c", text]]
        if kind == "sh":
            commands = [["sh", "-c", line] for line in text.splitlines() if "make" not in line]
        for command in commands:
            done = subprocess.run(
                command,
                cwd=folder,
                env=os.environ | {"PATH": path},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
            ran += 1
    assert ran >= 8
    assert (folder / "runs" / "new.tsv").read_text(encoding="utf-8").startswith("id\tprediction")


@pytest.mark.parametrize(
    ("begin", "end", "verbs"),
    [
        ("| the data | the option |", "Better settings than", ("run", "predict")),
        ("Better settings than", "## When a run is", ("run", "tune")),
    ],
)
def test_every_option_that_the_readme_names_exists(begin: str, end: str, verbs: tuple) -> None:
    parsers = [import_module(f"bionn.cli.{verb}").make_parser() for verb in verbs]
    actions = [action for parser in parsers for action in parser._actions]
    known = {option for action in actions for option in action.option_strings}
    told = README[README.index(begin) : README.index(end)]
    named = set(re.findall(r"--[a-z][a-z-]+", told))
    assert named
    assert named <= known
