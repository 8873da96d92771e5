"""Predictions by several processes: every row once, in the file's order, to the bits of one process."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bionn import artifact
from bionn.cli.main import main
from bionn.errors import FormatError, InputError
from bionn.formats.fasta_shards import fasta_shards
from bionn.loading import load
from bionn.models import MLP
from bionn.sequences.windows import Windows
from bionn.sharded import Work, in_processes, on_ray, predicted
from tests.small_sets import ROOT, prepared
from tests.support.dying import Dying

pytestmark = pytest.mark.timeout(900)  # Ray starts ten processes
ROWS = 50_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model, and 50,000 sequences, the ids of some of which are those of others."""
    folder, data = tmp_path_factory.mktemp("sharded"), prepared("multiclass")
    artifact.save(folder / "model", MLP(data.encoder.input_shape, (8,), 3), data.manifest())
    draw = np.random.default_rng(4)
    letters = draw.choice(np.frombuffer(b"ACGTN", dtype=np.uint8), (ROWS, 12))
    names = [f"s{n}" if n % 997 else "same" for n in range(ROWS)]
    texts = [row.tobytes().decode() for row in letters]
    (folder / "new.fa").write_text(
        "".join(f">{n}\n{t}\n" for n, t in zip(names, texts, strict=True))
    )
    (folder / "long.fa").write_text("".join(f">c{n}\n{''.join(texts[n::9])}\n" for n in range(9)))
    return folder


def work_of(folder: Path, name: str = "new.fa", windows: Windows | None = None) -> Work:
    return Work(folder / "model", folder / name, windows=windows)


@pytest.fixture(scope="module")
def alone(folder: Path) -> pd.DataFrame:
    """What one process predicts."""
    with pytest.warns(match="repeated ids: 50"):
        return load(folder / "model").predict(folder / "new.fa")


def test_two_processes_predict_as_one(folder: Path, alone: pd.DataFrame) -> None:
    frames = list(predicted(work_of(folder), workers=2))
    assert [len(frame) for frame in frames] == [16384, 16384, 16384, 848]
    together = pd.concat(frames, ignore_index=True)
    pd.testing.assert_frame_equal(together.astype(alone.dtypes), alone, check_exact=True)
    assert together["id"].is_unique


def test_windows_of_long_sequences(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr("bionn.sharded.WINDOWED_BYTES", 150_000)
    windows = Windows(12, 5)
    frames = list(predicted(work_of(folder, "long.fa", windows), workers=2))
    assert len(frames) == 3
    together = pd.concat(frames, ignore_index=True)
    expected = load(folder / "model").predict(folder / "long.fa", windows=windows)
    together = together.astype(expected.dtypes)
    pd.testing.assert_frame_equal(together, expected, rtol=1e-5)
    pd.testing.assert_frame_equal(
        together[["id", "start", "end"]], expected[["id", "start", "end"]]
    )


@pytest.mark.ray
def test_a_worker_of_ray_that_is_killed_loses_no_row(
    folder: Path, alone: pd.DataFrame, monkeypatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    shards = fasta_shards(folder / "new.fa", 4096)
    pieces = list(on_ray(work_of(folder), shards, 2, make=Dying))
    assert int((folder / "killed").read_text()) != os.getpid()
    assert len(pieces) == 13
    together = pd.concat([piece.frame for piece in pieces], ignore_index=True)
    pd.testing.assert_frame_equal(together.astype(alone.dtypes), alone, check_exact=True)


def test_a_local_worker_that_is_killed_is_told(folder: Path, monkeypatch) -> None:
    (folder / "killed").unlink(missing_ok=True)
    shards = fasta_shards(folder / "new.fa", 4096)
    monkeypatch.setattr("bionn.sharded._begin", begin_dying)
    with pytest.raises(InputError, match="one of them was killed"):
        list(in_processes(work_of(folder), shards, 2))


def begin_dying(work: Work, workers: int, numbers: object) -> None:
    """Make a process ready to die."""
    from bionn import sharded

    sharded._worker = Dying(work)


@pytest.mark.parametrize("engine", ["local", pytest.param("ray", marks=pytest.mark.ray)])
def test_a_fault_is_told_as_one_process_tells_it(engine: str, folder: Path, tmp_path) -> None:
    text = (folder / "new.fa").read_text()
    (tmp_path / "new.fa").write_text(text.replace("\n>s40000\n", "\n>s40000\n*"))
    work = Work(folder / "model", tmp_path / "new.fa")
    with pytest.raises(FormatError) as alone:
        load(work.model).predict(work.path)
    with pytest.raises(FormatError) as shared:
        list(predicted(work, workers=2, engine=engine))
    assert str(shared.value) == str(alone.value)


def test_the_command_writes_the_same_file(folder: Path, tmp_path, monkeypatch, capfd) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["predict", str(folder / "model"), str(folder / "new.fa")]
    assert main([*command, "--out", "one.tsv"]) == 0
    one = capfd.readouterr()
    assert main([*command, "--out", "two.tsv", "--workers", "2"]) == 0
    two = capfd.readouterr()
    assert Path("two.tsv").read_bytes() == Path("one.tsv").read_bytes()
    assert two.out == one.out.replace("one.tsv", "two.tsv") == "50000 predictions: two.tsv\n"
    assert two.err == one.err


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--engine", "rya"], "engine: local or ray needed, 'rya' found (did you mean 'ray'?)"),
        (["--workers", "0"], "workers: a number from 1 needed, 0 found"),
    ],
)
def test_slips(given: list[str], says: str, folder: Path, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["predict", str(folder / "model"), str(folder / "new.fa"), "--out", "o.tsv"]
    assert main([*command, *given]) == 2
    assert says in capsys.readouterr().err
    assert not Path("o.tsv").exists()
