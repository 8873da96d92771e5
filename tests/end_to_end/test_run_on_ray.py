"""``bionn run --engine ray``: the run of one machine, bit by bit, through a kill and a stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bionn import artifact
from bionn.cli import run_on_ray
from bionn.cli.main import main
from bionn.cli.run_on_ray import SIGNALS, Job, work
from tests.small_sets import ROOT, sequences, write_fasta

pytestmark = pytest.mark.timeout(900)  # Ray starts ten processes
RUN = ["run", "s.fa", "--labels", "l.csv", "--target", "label", "--hidden", "8", "--device", "cpu"]
RUN += ["--max-epochs", "150", "--patience", "150", "--no-baselines", "--no-explain", "--no-refit"]
RUN += ["--checkpoint-seconds", "0"]
RAY = ["--engine", "ray"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with sequences and labels."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # in every process, for the same bits
    monkeypatch.setenv("RAY_worker_niceness", "0")  # or they wait for whatever else is running
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    frame = sequences(rows=300)
    write_fasta(frame, tmp_path / "s.fa")
    frame[["id", "label"]].to_csv("l.csv", index=False)
    return tmp_path


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, which is not left behind."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bionn.cli.main", *RUN, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def worker_with_a_checkpoint(process: subprocess.Popen[str], other_than: int = 0) -> int:
    """The process that writes the run ``out``, once it has saved something."""
    lock = Path(".out.unfinished/.lock")
    saved = Path(".out.unfinished/checkpoints/last.ckpt")
    deadline = time.monotonic() + 400
    while process.poll() is None and time.monotonic() < deadline:
        owner = 0
        with suppress(FileNotFoundError):
            owner = int(lock.read_text() or 0)
        if owner not in (0, other_than) and saved.exists():
            return owner
        time.sleep(0.02)
    pytest.fail(f"no checkpoint: {process.communicate()}")


def test_a_lost_worker_is_replaced_a_signal_stops_and_the_bits_are_those_of_one_machine(
    folder: Path,
) -> None:
    with started("--out", "whole") as alone:
        expected, error = alone.communicate(timeout=400)
        assert alone.returncode == 0, error
    with started("--out", "out", *RAY) as driver:
        first = worker_with_a_checkpoint(driver)
        assert first != driver.pid
        os.kill(first, signal.SIGKILL)
        second = worker_with_a_checkpoint(driver, other_than=first)
        assert second != driver.pid
        driver.send_signal(signal.SIGTERM)
        _, error = driver.communicate(timeout=400)
    assert driver.returncode == 3, error
    assert error.strip() == (
        "bionn run: stopped by SIGTERM; saved: the same command with --resume goes on exactly"
    )
    with started("--out", "out", *RAY, "--resume") as again:
        said, error = again.communicate(timeout=400)
    assert again.returncode == 0, error
    assert said.splitlines()[-1] == expected.splitlines()[-1].replace("whole", "out")
    digests = {name: artifact.load(Path(name))[1]["weights_sha256"] for name in ("whole", "out")}
    assert digests["whole"] == digests["out"]
    for name in ("predictions.tsv", "metrics.csv", "splits.tsv", "config.yaml"):
        assert Path("out", name).read_bytes() == Path("whole", name).read_bytes(), name
    assert sorted(path.name for path in folder.iterdir()) == ["l.csv", "out", "s.fa", "whole"]


class LostOnce:
    """A cluster in this process whose first task is lost."""

    class exceptions:
        RayError = type("RayError", (Exception,), {})
        RayTaskError = type("RayTaskError", (RayError,), {})

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": {"CPU": 1}}]

    def remote(self, function: Any) -> LostOnce:
        del function
        return self

    def options(self, **_: Any) -> Any:
        return SimpleNamespace(remote=lambda job: self.jobs.append(job) or job)

    def wait(self, running: list[Job], timeout: float) -> tuple[list[Job], list[Job]]:
        del timeout
        return running, []

    def get(self, job: Job) -> int:
        if len(self.jobs) == 1:
            raise self.exceptions.RayError("lost")
        return 0


@pytest.mark.parametrize(("overwrite", "saved"), [(True, False), (True, True), (False, False)])
def test_a_run_that_is_to_be_replaced_is_not_taken_for_one_that_is_done(
    overwrite: bool, saved: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = LostOnce()
    monkeypatch.setattr(run_on_ray, "ray_cluster", lambda processes: nullcontext(cluster))
    monkeypatch.setattr(run_on_ray, "can_go_on", lambda directory: saved)
    given = [*RUN, *RAY, "--out", "out", *["--overwrite"] * overwrite]
    assert main(given) == 0
    assert ["--resume" in job.arguments for job in cluster.jobs] == [False, saved or not overwrite]


def test_what_is_said_there_and_the_exit_code_are_the_commands(folder: Path, capsys) -> None:
    wrong = (*RUN[1:], "--out", "out", "--id-column", "nmae")
    notes, before = folder / "notes", [signal.getsignal(number) for number in SIGNALS]
    notes.mkdir()
    assert work(Job(wrong, str(folder), notes)) == 2
    assert [signal.getsignal(number) for number in SIGNALS] == before
    assert main(["run", *wrong]) == 2
    error = capsys.readouterr().err
    assert "no column 'nmae'" in error
    assert ((notes / "err").read_text(), (notes / "out").read_text()) == (error, "")


def test_a_signal_that_was_passed_on_stops_it(folder: Path) -> None:
    (folder / "stop").write_text(str(int(signal.SIGTERM)))
    assert work(Job((*RUN[1:], "--out", "run"), str(folder), folder)) in (3, 128 + signal.SIGTERM)
    assert "bionn run: stopped by SIGTERM" in (folder / "err").read_text()
    assert not (folder / "run").exists()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--engine", "rya"], "engine: local or ray needed, 'rya' found (did you mean 'ray'?)"),
        ([*RAY, "--out", "s.fa"], "s.fa: a folder needed for the run, a file found"),
    ],
)
def test_slips_are_told_before_a_cluster_starts(given, says, folder: Path, capsys) -> None:
    assert main([*RUN, *given]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert says in error


def test_without_ray_it_says_what_to_install(folder: Path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main([*RUN, *RAY, "--out", "out"]) == 2
    assert "pip install 'bionn[ray]'" in capsys.readouterr().err
    assert sorted(path.name for path in folder.iterdir()) == ["l.csv", "s.fa"]
