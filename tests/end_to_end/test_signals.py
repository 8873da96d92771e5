"""A signal ends a run with its code and keeps the run that was there; what is saved can be resumed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bionn import artifact, pipeline
from bionn.cli.main import main
from bionn.models import MLP
from tests.small_sets import prepared, sequences, write_fasta

ROOT = Path(__file__).resolve().parents[2]
BIONN = Path(sys.executable).with_name("bionn")
DATA = ROOT / "data" / "promoters_simulated"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_while_training(number: signal.Signals, tmp_path: Path) -> None:
    command = [str(BIONN), "run", str(DATA / "promoters.fasta"), "--overwrite", "--out", "out"]
    command += [
        "--labels",
        str(DATA / "labels.csv"),
        "--hidden",
        "8",
        "--no-refit",
        "--no-baselines",
    ]
    subprocess.run([*command, "--max-epochs", "1"], cwd=tmp_path, check=True, capture_output=True)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    endless = [*command, "--max-epochs", "100000", "--patience", "100000"]
    process = subprocess.Popen(
        endless,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    kept = tmp_path / ".out.unfinished"
    try:
        deadline = time.monotonic() + 120
        while not list(kept.glob("checkpoints/*.ckpt")) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(number)
        _, error = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 3, error
    assert error.strip() == (
        f"bionn run: stopped by {number.name}; saved: the same command with --resume goes on exactly"
    )
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {path: text for path, text in after.items() if kept not in path.parents} == before
    assert (kept / "checkpoints" / "last.ckpt").is_file()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_before_anything_is_saved(
    number: signal.Signals, code: int, tmp_path: Path, monkeypatch, capsys
) -> None:
    """While the settings are written: nothing could be gone on with, and nothing stays."""

    def send(*_: object, **__: object) -> None:
        signal.raise_signal(number)

    monkeypatch.setattr(pipeline, "write_splits", send)
    monkeypatch.chdir(tmp_path)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        command = ["run", str(DATA / "promoters.fasta"), "--labels", str(DATA / "labels.csv")]
        assert main([*command, "--out", "out"]) == code
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err.endswith(
        f"bionn run: stopped by {number.name}; nothing was written\n"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_predicting(number: signal.Signals, code: int, tmp_path: Path) -> None:
    """Through standard input come many records, and then no more and no end."""
    data = prepared("binary")
    artifact.save(tmp_path / "out", MLP(data.encoder.input_shape, (8,), 1), data.manifest())
    records = write_fasta(sequences(), tmp_path / "some.fa").read_bytes()
    with subprocess.Popen(
        [str(BIONN), "predict", "out", "-", "--out", "new.tsv"],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        for _ in range(500):
            process.stdin.write(records)
        process.stdin.flush()
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if any(path.stat().st_size for path in tmp_path.glob(".new.tsv.*")):
                break
            time.sleep(0.1)
        process.send_signal(number)
        try:
            assert process.wait(60) == code
        finally:
            process.kill()
        error = process.stderr.read().decode()
    assert error.strip() == f"bionn predict: stopped by {number.name}; nothing was written"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "some.fa"]
