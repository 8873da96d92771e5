"""Runs that are killed, wherever that is, and resumed: what they leave is what they would have left."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

import bionn
from bionn import pipeline
from bionn.cli.main import main
from bionn.errors import InputError, Stopped, StorageError
from bionn.report import unfinished
from bionn.training.resume import Checkpoints
from tests.small_sets import expression, sequences, write_fasta

BIONN = [sys.executable, "-m", "bionn.cli.main"]
SMALL: dict[str, Any] = {
    "max_epochs": 3,
    "hidden": [8],
    "device": "cpu",
    "progress": False,
    "baselines": False,
    "dropout": 0.3,
}
KINDS: dict[str, dict[str, Any]] = {
    "sequences": {"target": "label", "augment": ["reverse-complement"], "refit": True},
    "table": {"target": ["y1", "y2"], "features": ["gene1", "gene2", "gene3"], "refit": True},
    "folds": {"target": "y1", "features": ["gene1", "gene3"], "folds": 3},
}


def frame_of(kind: str) -> Any:
    return sequences()[["id", "sequence", "label"]] if kind == "sequences" else expression()


def left_in(directory: Path) -> dict[str, Any]:
    """Every file of a run, without what tells the time or the run's own past."""
    found: dict[str, Any] = {}
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        if path.is_dir() or path.suffix == ".ckpt" or path.name == "report.html":
            continue
        if path.name == "metrics.json":
            metrics = json.loads(path.read_text())
            for part in (metrics, *metrics.get("folds", [])):
                del part["seconds"]
            found[name] = metrics
        elif path.name == "manifest.json":
            found[name] = json.loads(path.read_text())["weights_sha256"]
        else:
            found[name] = path.read_bytes()
    return found


class Killed(BaseException):
    """Ends the run as abruptly as an exception can."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_killed_at_any_of_its_writes_is_resumed(kind: str, tmp_path, monkeypatch) -> None:
    """Before each checkpoint and each file that the pipeline writes, and within the publication."""
    frame, options = frame_of(kind), KINDS[kind] | SMALL
    bionn.run(frame, out=tmp_path / "whole", **options)
    whole = left_in(tmp_path / "whole")
    calls: list[str] = []
    kill_at: int | None = None

    def counted(name: str, real: Any) -> Any:
        def call(*arguments: Any, **given: Any) -> Any:
            if len(calls) == kill_at:
                raise Killed
            calls.append(name)
            return real(*arguments, **given)

        return call

    monkeypatch.setattr("bionn.formats.output.sync", lambda path: None)
    monkeypatch.setattr("bionn.training.resume.SHARE", 1e9)  # a checkpoint each epoch
    monkeypatch.setattr(Checkpoints, "_save", counted("checkpoint", Checkpoints._save))
    for module, name in (
        (pipeline, "write_config"),
        (pipeline, "write_table"),
        (pipeline, "write_json"),
        (pipeline, "tidy"),
        (unfinished, "_publish"),
        (unfinished, "_remove"),
    ):
        monkeypatch.setattr(module, name, counted(name, getattr(module, name)))
    bionn.run(frame, out=tmp_path / "counted", **options)
    number, places = len(calls), random.Random(0)
    for at in sorted({0, 2, 5, number - 1, number - 2, *places.sample(range(number), 4)}):
        out = tmp_path / str(at)
        calls, kill_at = [], at
        with pytest.raises(Killed):
            bionn.run(frame, out=out, **options)
        calls, kill_at = [], None
        result = bionn.run(frame, out=out, resume=True, **options)
        assert left_in(out) == whole, at
        assert not unfinished.unfinished_folder(out).exists()
        assert not [path for path in out.iterdir() if path.name.startswith(".")]
        assert len(result.predictor.predict(frame)) == 90


def test_what_was_half_written_at_a_kill_is_not_in_the_run(tmp_path, monkeypatch) -> None:
    frame, out = frame_of("table"), tmp_path / "run"
    options = KINDS["table"] | SMALL

    def killed(*_: Any) -> None:
        raise Killed

    monkeypatch.setattr(unfinished, "_publish", killed)
    monkeypatch.setattr("bionn.training.resume.SHARE", 1e9)
    with pytest.raises(Killed):
        bionn.run(frame, out=out, **options)
    monkeypatch.undo()
    folder = unfinished.unfinished_folder(out)
    for half in (folder, folder / "model"):
        with (half / "mine.tsv").open("w") as file:
            file.write("kept")
        (half / ".predictions.tsv.t__ffn_y").write_text("id\tpred")
    bionn.run(frame, out=out, resume=True, **options)
    assert not list(out.rglob(".*"))
    assert [path.read_text() for path in out.rglob("mine.tsv")] == ["kept"] * 2


def test_a_publication_over_another_run_is_ended_after_a_kill(tmp_path, monkeypatch) -> None:
    """An earlier run with folds gives way; files of one's own stay."""
    frame, out = frame_of("table"), tmp_path / "run"
    options = KINDS["table"] | SMALL
    bionn.run(frame, out=tmp_path / "whole", **options)
    whole = left_in(tmp_path / "whole")
    remove, names = unfinished._remove, []
    for at in range(0, 14, 3):
        bionn.run(frame, out=out, overwrite=True, **(KINDS["folds"] | SMALL))
        (out / "notes.txt").write_text("mine")
        names.clear()

        def kill(path: Path, at: int = at) -> None:
            if len(names) == at:
                raise Killed
            names.append(path.name)
            remove(path)

        monkeypatch.setattr(unfinished, "_remove", kill)
        with pytest.raises(Killed):
            bionn.run(frame, out=out, overwrite=True, **options)
        monkeypatch.setattr(unfinished, "_remove", remove)
        with pytest.raises(InputError, match=r"interrupted|already holds"):
            bionn.run(frame, out=out, **options)
        bionn.run(frame, out=out, resume=True, **options)
        assert left_in(out) == whole | {"notes.txt": b"mine"}
        assert {path.name for path in tmp_path.iterdir()} == {"whole", "run"}


def test_a_run_killed_as_it_takes_its_place_is_whole_and_tidied(tmp_path, monkeypatch) -> None:
    def kill(path: Path) -> None:
        raise Killed

    frame, options = frame_of("table"), KINDS["table"] | SMALL
    with monkeypatch.context() as patch:
        patch.setattr(unfinished, "sync", kill)
        with pytest.raises(Killed):
            bionn.run(frame, out=tmp_path / "run", **options)
    before = left_in(tmp_path / "run")
    hidden = {name for name in before if name.startswith(".")}
    assert hidden == {unfinished.LOCK, unfinished.STATE}
    bionn.run(frame, out=tmp_path / "run", resume=True, **options)
    assert left_in(tmp_path / "run") == {n: v for n, v in before.items() if n not in hidden}


def interrupted(tmp_path: Path, monkeypatch, **options: Any) -> Path:
    """The folder of a run that was stopped by a signal after its first epoch."""

    def send(self: Any, *_: Any) -> None:
        self._asked = signal.SIGTERM

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "on_validation_end", send)
        with pytest.raises(Stopped) as caught:
            bionn.run(frame_of("table"), out=tmp_path / "run", **(KINDS["table"] | SMALL | options))
    assert caught.value.saved
    return tmp_path / "run"


def test_an_interrupted_run_is_not_lost_by_the_next_command(tmp_path, monkeypatch) -> None:
    out = interrupted(tmp_path, monkeypatch)
    options = KINDS["table"] | SMALL
    with pytest.raises(InputError, match="was interrupted there; go on with resume, or begin anew"):
        bionn.run(frame_of("table"), out=out, **options)
    bionn.run(frame_of("table"), out=out, overwrite=True, **options)
    assert left_in(out)["config.yaml"]
    assert not unfinished.unfinished_folder(out).exists()


def test_resume_refuses_another_run_and_says_what_differs(tmp_path, monkeypatch) -> None:
    out = interrupted(tmp_path, monkeypatch)
    options = KINDS["table"] | SMALL | {"out": out, "resume": True}
    frame = frame_of("table")
    for other, says in (
        ({"hidden": [9]}, r"hidden \[8\] needed to go on .*, \[9\] found"),
        ({"learning_rate": 0.5}, r"learning-rate 0.001 needed .* 0.5 found"),
        ({"baselines": True}, r"baselines False needed .* True found"),
        ({"seed": 1}, r"seed 0 needed"),
    ):
        with pytest.raises(InputError, match=says):
            bionn.run(frame, **(options | other))
    changed = frame.copy()
    changed.loc[4, "gene2"] += 0.5
    with pytest.raises(InputError, match="the data are not those of the run that is there"):
        bionn.run(changed, **options)
    renamed = frame.assign(id=[f"x{row}" for row in range(len(frame))])
    with pytest.raises(InputError, match="the parts of the split are not those"):
        bionn.run(renamed, **options)
    bionn.run(frame, **(options | {"checkpoint_seconds": 5.0}))
    assert (out / "metrics.json").is_file()


def test_a_whole_run_is_resumed_by_doing_nothing(tmp_path) -> None:
    options = KINDS["folds"] | SMALL
    first = bionn.run(frame_of("folds"), out=tmp_path / "run", resume=True, **options)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    again = bionn.run(frame_of("folds"), out=tmp_path / "run", resume=True, **options)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == times
    assert again.metrics["test"] == first.metrics["test"]
    with pytest.raises(InputError, match="max-epochs 3 needed"):
        bionn.run(
            frame_of("folds"), out=tmp_path / "run", resume=True, **(options | {"max_epochs": 2})
        )


def test_without_out_the_interrupted_run_is_found(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    expression()[["id", "gene1", "gene3", "y1"]].to_csv("genes.csv", index=False)
    options = SMALL | {"target": "y1"}

    def send(self: Any, *_: Any) -> None:
        self._asked = signal.SIGTERM

    bionn.run("genes.csv", **options)
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "on_validation_end", send)
        with pytest.raises(Stopped):
            bionn.run("genes.csv", **options)
    assert bionn.run("genes.csv", **options).directory == Path("runs/genes-3")
    assert bionn.run("genes.csv", resume=True, **options).directory == Path("runs/genes-2")


def test_two_runs_into_one_folder(tmp_path, monkeypatch) -> None:
    """The second is refused while the first writes, and no longer when it was killed."""
    options = KINDS["table"] | SMALL

    def second(*arguments: Any, **given: Any) -> None:
        with pytest.raises(InputError, match=r"run: process \d+ is writing a run there"):
            bionn.run(frame_of("table"), out=tmp_path / "run", overwrite=True, **options)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "write_splits", second)
        with pytest.raises(Killed):
            bionn.run(frame_of("table"), out=tmp_path / "run", **options)
    bionn.run(frame_of("table"), out=tmp_path / "run", **options)


def test_a_full_disk_is_one_line_and_keeps_the_last_checkpoint(tmp_path, monkeypatch) -> None:
    options = KINDS["sequences"] | SMALL | {"out": tmp_path / "run"}
    frame = frame_of("sequences")
    bionn.run(frame, **(options | {"out": tmp_path / "whole"}))
    calls = iter(range(10**6))
    real = Checkpoints._save

    def full(self: Any, *arguments: Any) -> None:
        if next(calls) == 2:
            raise OSError(28, "No space left on device", "somewhere")
        real(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr("bionn.training.resume.SHARE", 1e9)
        patch.setattr(Checkpoints, "_save", full)
        with pytest.raises(StorageError, match=r"No space left on device.*go on with resume"):
            bionn.run(frame, **options)
    bionn.run(frame, resume=True, **options)
    assert left_in(tmp_path / "run") == left_in(tmp_path / "whole")


def test_processes_that_are_killed(tmp_path) -> None:
    """Real ones, by SIGKILL at random moments; the configuration file resumes them."""
    write_fasta(sequences(rows=300), tmp_path / "s.fa")
    sequences(rows=300)[["id", "label"]].to_csv(tmp_path / "l.csv", index=False)
    options = {"inputs": ["s.fa"], "labels": "l.csv", "target": ["label"], "augment": ["mask:0.1"]}
    options |= {"max_epochs": 25, "patience": 25, "hidden": [16], "batch_size": 8, "device": "cpu"}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(options))
    command = [*BIONN, "run", "--config", "c.yaml", "--checkpoint-seconds", "0.05"]

    def start(out: str, *more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*command, "--out", out, *more],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    whole = start("whole")
    _, error = whole.communicate(timeout=200)
    assert whole.returncode == 0, error
    delays, kills = random.Random(1), 0
    for _ in range(12):
        process = start("again", "--resume")
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if list((tmp_path / ".again.unfinished").glob("checkpoints/**/*.ckpt")):
                break
            time.sleep(0.02)
        time.sleep(delays.uniform(0, 1.5))
        if kills < 3 and process.poll() is None:
            process.kill()
        _, error = process.communicate(timeout=200)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, error
        kills += 1
    assert kills > 1
    assert left_in(tmp_path / "again") == left_in(tmp_path / "whole")


def test_a_killed_command_says_how_to_go_on(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    expression()[["id", "gene1", "gene3", "y1"]].to_csv("genes.csv", index=False)
    command = ["run", "genes.csv", "--target", "y1", "--max-epochs", "3", "--out", "o"]
    real = Checkpoints._save

    def kill(self: Any, *arguments: Any) -> None:
        real(self, *arguments)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(Checkpoints, "_save", kill)
    assert main(command) == 3
    assert "saved: the same command with --resume goes on exactly" in capsys.readouterr().err
    assert main(command) == 2
    assert "go on with resume, or begin anew with overwrite" in capsys.readouterr().err
    monkeypatch.setattr(Checkpoints, "_save", real)
    assert main([*command, "--resume"]) == 0
