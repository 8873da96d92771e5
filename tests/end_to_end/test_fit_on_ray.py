"""``bionn fit --engine ray`` on a cluster of this machine, one worker of which is killed on the way."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.numpy import load_file

from bionn.cli.main import main
from tests.small_sets import ROOT, sequences, write_fasta
from tests.support.processes import needs_gloo

pytestmark = [needs_gloo, pytest.mark.timeout(900)]  # Ray starts ten processes
FIT = ["fit", "--config", "fit.yaml"]
RAY = ["--engine", "ray", "--workers", "2"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """A working folder with sequences and ``fit.yaml``: 6 epochs of 4 steps."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    frame = sequences(rows=90)
    write_fasta(frame, tmp_path / "s.fa")
    frame[["id", "label"]].to_csv("l.csv", index=False)
    network = {"class_path": "bionn.models.MLP", "init_args": {"hidden_features": [8]}}
    task = {"model": network, "learning_rate": 0.01, "schedule": "constant"}
    data = {"inputs": "s.fa", "labels": "l.csv", "target": "label", "batch_size": 16}
    write_config(
        {
            "seed_everything": 1,
            "model": {"class_path": "bionn.tasks.Classifier", "init_args": task},
            "data": {"class_path": "bionn.data.FastaDataModule", "init_args": data},
            "checkpoints": {"seconds": 0},
            "trainer": {
                "max_epochs": 6,
                "accelerator": "cpu",
                "enable_progress_bar": False,
                "enable_model_summary": False,
            },
        }
    )
    return tmp_path


def write_config(config: dict[str, Any]) -> None:
    Path("fit.yaml").write_text(yaml.safe_dump(config))


def on_ray(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bionn.cli.main", *FIT, *RAY, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=800, check=False)


def test_a_killed_worker_is_replaced_and_the_model_is_that_of_one_process(folder: Path) -> None:
    one = ["--save_model.directory=one", "--trainer.default_root_dir=alone"]
    assert main([*FIT, *one]) == 0
    config = yaml.safe_load(Path("fit.yaml").read_text())
    when = {"number": int(signal.SIGKILL), "epoch": 3, "step": 1, "rank": 1, "once": "killed"}
    kill = {"class_path": "tests.support.interrupting.Interrupt", "init_args": when}
    config["trainer"]["callbacks"] = [kill]
    write_config(config)
    done = on_ray("--save_model.directory=two")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "model: two"), done.stderr
    assert done.stdout.count("model: two") == 1
    assert "Traceback" not in done.stderr, done.stderr
    assert Path("killed").exists()
    logs = [pd.read_csv(Path("lightning_logs", f"version_{n}", "metrics.csv")) for n in (0, 1)]
    assert logs[0]["epoch"].max() == 2
    assert sorted(set(logs[1]["epoch"])) == [3, 4, 5]
    assert not list(Path().glob(".ray-*"))
    expected, found = (load_file(Path(name) / "model.safetensors") for name in ("one", "two"))
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5)


def test_an_error_of_the_workers_is_told_in_one_line(folder: Path) -> None:
    done = on_ray("--data.init_args.target", "lable")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith("bionn fit: error: l.csv: no column 'lable'")
    assert "Traceback" not in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--engine", "rya"], "engine: local or ray needed, 'rya' found (did you mean 'ray'?)"),
        (["--workers", "0"], "workers: a number from 1 needed, 0 found"),
        ([*RAY, "--trainer.max_epoch=3"], "max_epoch"),
    ],
)
def test_slips_are_told_before_any_worker_starts(given, says, folder: Path, capsys) -> None:
    assert main([*FIT, *given]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert says in error


def test_without_ray_it_says_what_to_install(folder: Path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main([*FIT, *RAY]) == 2
    assert "pip install 'bionn[ray]'" in capsys.readouterr().err
    assert not list(Path().glob(".ray-*"))
