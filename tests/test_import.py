"""Import and help: quick, lazy, every public name there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import bionn

HEAVY = ("torch", "lightning", "pandas", "sklearn", "torchmetrics", "matplotlib")
COMMAND = str(Path(sys.executable).with_name("bionn"))


def run_fresh(code: str) -> str:
    """What a fresh interpreter prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def heavy_after(code: str) -> list[str]:
    """Which of the heavy libraries a fresh interpreter holds after the code."""
    report = f"import json, sys; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    return json.loads(run_fresh(f"{code}\n{report}").splitlines()[-1])


@pytest.mark.parametrize("name", bionn.__all__)
def test_every_public_name_resolves(name: str) -> None:
    assert getattr(bionn, name) is not None
    assert name in dir(bionn)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        bionn.trian  # noqa: B018


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import bionn", []),
        ("import bionn.cli.main, bionn.cli.parser, bionn.cli.run as r; r.make_parser()", []),
        ("import bionn.cli.predict as p; p.make_parser()", []),
        ("import bionn; bionn.nn, bionn.functional, bionn.models", ["torch"]),
    ],
)
def test_nothing_heavier_is_imported_than_is_used(code: str, heavy: list[str]) -> None:
    assert heavy_after(code) == heavy


def test_import_costs_what_torch_costs_plus_three_tenths_at_most() -> None:
    # the processor's time, which other work on the machine leaves alone
    clock = "from time import process_time as t; s = t(); import {}; print(t() - s)"
    pairs = [
        (float(run_fresh(clock.format("bionn.nn, bionn"))), float(run_fresh(clock.format("torch"))))
        for _ in range(2)
    ]
    assert min(ours - torch for ours, torch in pairs) < 0.3


def test_the_installed_command_helps_without_torch() -> None:
    traced = [sys.executable, "-X", "importtime", COMMAND, "--help"]
    done = subprocess.run(traced, capture_output=True, text=True, check=True)
    assert "exit codes" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "bionn.cli.main" in imported
    assert not imported & set(HEAVY)
