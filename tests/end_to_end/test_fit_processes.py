"""``bionn fit`` in two processes: the model of one, one voice, stopped and gone on with."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file

import bionn
from bionn.cli.main import main
from tests.small_sets import ROOT, sequences, write_fasta
from tests.support.processes import loopback, needs_gloo

pytestmark = [needs_gloo, pytest.mark.timeout(900)]
BIONN = [sys.executable, "-m", "bionn.cli.main"]
TWO = ["--trainer.devices=2", "--trainer.strategy=ddp"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """A working folder with sequences and ``fit.yaml``: 7 epochs of 5 steps, the last of 7 rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
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
            "trainer": {
                "max_epochs": 7,
                "accelerator": "cpu",
                "enable_progress_bar": False,
                "enable_model_summary": False,
            },
        }
    )
    return tmp_path


def write_config(config: dict[str, Any], name: str = "fit.yaml") -> None:
    Path(name).write_text(yaml.safe_dump(config))


def start(*arguments: str, verb: str = "fit") -> subprocess.CompletedProcess[str]:
    command = [*BIONN, verb, "--config", "fit.yaml", *arguments]
    with loopback():
        return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)


def weights(folder: str) -> dict[str, np.ndarray]:
    return load_file(Path(folder) / "model.safetensors")


def test_two_processes_from_the_shell(folder: Path) -> None:
    assert main(["fit", "--config", "fit.yaml", "--save_model.directory=one"]) == 0
    done = start(*TWO, "--save_model.directory=two", "--trainer.default_root_dir=whole")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "model: two\n")
    one, two = weights("one"), weights("two")
    for name, values in one.items():
        np.testing.assert_allclose(two[name], values, rtol=1e-4, atol=1e-5)
    assert [path.name for path in Path("whole/lightning_logs").iterdir()] == ["version_0"]
    logs = Path("whole/lightning_logs/version_0")
    kept = sorted(path.name for path in (logs / "checkpoints").iterdir())
    assert kept == ["last.ckpt", "previous.ckpt"]
    assert len(bionn.load("two").predict("s.fa")) == 90

    scored = start(*TWO, "--ckpt_path", str(logs / "checkpoints" / "last.ckpt"), verb="test")
    alone = start("--ckpt_path", str(logs / "checkpoints" / "last.ckpt"), verb="test")
    assert (scored.returncode, scored.stderr) == (0, "")
    assert "test_auroc" in scored.stdout
    assert scored.stdout.split() == alone.stdout.split()


def test_a_signal_to_one_stops_both_and_both_go_on(folder: Path) -> None:
    """With two processes to the same bits; with one, to rounding."""
    interrupt = {
        "class_path": "tests.support.interrupting.Interrupt",
        "init_args": {"number": int(signal.SIGTERM), "epoch": 3, "step": 1, "rank": 1},
    }
    whole = start(*TWO, "--save_model.directory=whole")
    assert whole.returncode == 0, whole.stderr
    config = yaml.safe_load(Path("fit.yaml").read_text())
    config["trainer"]["callbacks"] = [interrupt]
    interrupt["init_args"]["once"] = "sent"
    write_config(config)
    stopped = start(*TWO, "--trainer.default_root_dir=a", "--checkpoints.directory=kept")
    assert stopped.returncode == 3, stopped.stderr
    assert stopped.stderr.count("\n") == 2  # a blank one first
    assert "stopped by SIGTERM; saved" in stopped.stderr
    last = ["--ckpt_path=last", "--checkpoints.directory=kept"]
    before = Path("kept/last.ckpt").read_bytes()
    again = start(*TWO, *last, "--save_model.directory=again")
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout == "resume: kept/last.ckpt\nmodel: again\n"
    Path("kept/last.ckpt").write_bytes(before)
    Path("kept/previous.ckpt").unlink()
    assert main(["fit", "--config", "fit.yaml", *last, "--save_model.directory=alone"]) == 0
    for name, values in weights("whole").items():
        assert weights("again")[name].tobytes() == values.tobytes()
        np.testing.assert_allclose(weights("alone")[name], values, rtol=1e-4, atol=1e-5)


def test_an_error_of_both_is_told_once(folder: Path) -> None:
    config = yaml.safe_load(Path("fit.yaml").read_text())
    config["model"]["init_args"]["schedule"] = "one_cycle"
    config["trainer"]["max_epochs"] = -1
    write_config(config)
    done = start(*TWO)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "one_cycle needs an end" in done.stderr
