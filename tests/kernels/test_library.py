"""The kernels are compiled once and kept; without a compiler everything computes in plain torch."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bionn.kernels import library as module
from bionn.kernels.library import SWITCH, library

PROGRAM = """
import torch, bionn.functional as F
from bionn.kernels.library import library
z = torch.linspace(-3, 3, 50, requires_grad=True)
F.gelu(z).sum().backward()
F.gelu(z.detach())
expected = torch.special.ndtr(z) + z * torch.exp(-z * z / 2) / (2 * torch.pi) ** 0.5
torch.testing.assert_close(z.grad, expected.detach())
print(library() is not None)
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def runner(**variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=os.environ | {"XDG_CACHE_HOME": str(tmp_path)} | variables,
            capture_output=True,
            text=True,
            check=True,
        )

    return runner


def test_without_a_compiler_layers_compute_in_plain_torch_and_say_so_once(
    run: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    done = run(CXX=str(tmp_path / "no-such-compiler"))
    assert done.stdout == "False\n"
    (line,) = [said for said in done.stderr.splitlines() if "no compiled kernels" in said]
    assert "no-such-compiler" in line


def test_a_compiler_that_fails_is_named_in_its_own_words(
    run: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    compiler = tmp_path / "cc"
    compiler.write_text("#!/bin/sh\necho cannot do that >&2\nexit 1\n")
    compiler.chmod(0o755)
    done = run(CXX=str(compiler))
    assert done.stdout == "False\n"
    (first, second) = done.stderr.splitlines()
    assert "compiling kernels for this machine, once" in first
    assert "cannot do that" in second
    assert not list(tmp_path.glob("bionn/*"))  # nothing half-written


def test_the_switch_turns_them_off_without_a_word(
    run: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = run(**{SWITCH: "0"})
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_they_are_compiled_once_which_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    if library() is None:
        pytest.skip("no C++ compiler here")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with caplog.at_level(logging.WARNING):
        built = module._compiled()
    assert built.parent == tmp_path / "bionn"
    assert [path.name for path in built.parent.iterdir()] == [built.name]
    (said,) = caplog.records
    assert said.name.startswith("bionn.kernels")
    assert "compiling kernels for this machine, once" in said.message
    monkeypatch.setattr(subprocess, "run", None)  # a second compilation would fail
    assert module._compiled() == built
    assert caplog.records == [said]
