"""``bionn predict``: the run's own predictions again, and models or inputs that do not fit."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import bionn
from bionn.cli.main import main
from tests.small_sets import expression, sequences, write_fasta


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder with a run on sequences, a run on a table, and their inputs."""
    root = tmp_path_factory.mktemp("trained")
    small = {"max_epochs": 1, "hidden": [8], "device": "cpu", "progress": False}
    write_fasta(sequences(), root / "s.fa")
    frame = expression()[["id", "gene1", "gene3", "gene4", "y1"]]
    frame.to_csv(root / "t.csv", index=False)
    labelled = sequences()[["id", "sequence", "label"]]
    bionn.run(labelled, target="label", out=root / "s", baselines=False, **small)
    bionn.run(root / "t.csv", target="y1", out=root / "t", baselines=False, **small)
    return root


@pytest.fixture
def folder(trained: Path, tmp_path: Path, monkeypatch) -> Path:
    """A copy of it to work in."""
    shutil.copytree(trained, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


@pytest.mark.parametrize(("model", "source"), [("s", "s.fa"), ("t", "t.csv"), ("s/model", "s.fa")])
def test_the_training_file_gives_the_runs_predictions(model, source, folder, capsys) -> None:
    assert main(["predict", model, source, "--out", "new.tsv"]) == 0
    assert capsys.readouterr().out == "90 predictions: new.tsv\n"
    new = pd.read_csv("new.tsv", sep="\t")
    run = pd.read_csv(Path(model.split("/")[0]) / "predictions.tsv", sep="\t")
    unseen = run["split"] != "val"  # val rows are predicted before the refit
    assert unseen.sum() > 50
    pd.testing.assert_frame_equal(
        new[unseen], run[unseen].drop(columns=["split", "target"]), rtol=1e-5
    )


def test_blocks_are_written_one_after_another(folder: Path, monkeypatch) -> None:
    assert main(["predict", "s", "s.fa", "--out", "one.tsv"]) == 0
    monkeypatch.setattr("bionn.predict.EVALUATION_ROWS", 7)
    assert main(["predict", "s", "s.fa", "--out", "many.tsv"]) == 0
    one, many = (pd.read_csv(name, sep="\t") for name in ("one.tsv", "many.tsv"))
    pd.testing.assert_frame_equal(one, many, rtol=1e-5)


def damage(**entries) -> None:
    path = Path("s/model/manifest.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def flip() -> None:
    path = Path("s/model/model.safetensors")
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)


@pytest.mark.parametrize(
    ("breaks", "model", "source", "says"),
    [
        (
            lambda: damage(format_version=99),
            "s",
            "s.fa",
            ["manifest.json: format version 1 needed, 99"],
        ),
        (flip, "s", "s.fa", ["model.safetensors: its sha256 is not the one", "copy the model"]),
        (
            Path("s/model/model.safetensors").unlink,
            "s",
            "s.fa",
            ["model.safetensors: no such file"],
        ),
        (
            Path("s/model/manifest.json").unlink,
            "s",
            "s.fa",
            ["s: a model directory needed", "name the"],
        ),
        (None, "nowhere", "s.fa", ["nowhere: a model directory needed"]),
        (None, "s", "no.fa", ["no.fa: no such file; check the spelling"]),
        (None, "s", "t.csv", ["t.csv: a column of dna sequences needed"]),
        (None, "t", "s.fa", ["s.fa: a table needed (this model takes features), FASTA found"]),
        (
            lambda: Path("short.fa").write_text(">a\nACGTACGTACGT\n>b\nACGT\n"),
            "s",
            "short.fa",
            ["short.fa:3: record 'b': length 12 needed, 4 found", "give sequences of that length"],
        ),
        (
            lambda: Path("other.csv").write_text("id,gene_1,gene3,gene4\na,1,2,3\n"),
            "t",
            "other.csv",
            ["other.csv: no column 'gene1' (did you mean 'gene_1'?)", "add what is missing"],
        ),
        (
            lambda: Path("text.csv").write_text("id,gene1,gene3,gene4\na,1,high,3\n"),
            "t",
            "text.csv",
            ["text.csv:2: column 'gene3': a number needed, 'high' found"],
        ),
        (
            lambda: Path("new.tsv").write_text("mine"),
            "s",
            "s.fa",
            ["new.tsv: already there", "--overwrite"],
        ),
    ],
)
def test_what_does_not_fit_is_one_line_and_writes_nothing(
    breaks, model: str, source: str, says: list[str], folder: Path, capsys
) -> None:
    if breaks is not None:
        breaks()
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert main(["predict", model, source, "--out", "new.tsv"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("bionn predict: error: ")
    for words in says:
        assert words in error
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_overwrite_replaces(folder: Path) -> None:
    Path("new.tsv").write_text("mine")
    assert main(["predict", "s", "s.fa", "--out", "new.tsv", "--overwrite"]) == 0
    assert len(pd.read_csv("new.tsv", sep="\t")) == 90


def test_a_table_without_a_header_loses_no_row(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = [f"{'yn'[i % 2]},s{i},{''.join(rng.choice(list('ACGT'), 20))}" for i in range(40)]
    Path("bare.csv").write_text("\n".join(rows) + "\n")
    given = ["--columns", "class,id,sequence", "--max-epochs", "1", "--hidden", "4"]
    assert main(["run", "bare.csv", *given, "--out", "bare"]) == 0
    assert main(["predict", "bare", "bare.csv", "--out", "new.tsv"]) == 0
    assert pd.read_csv("new.tsv", sep="\t")["id"].tolist() == [f"s{i}" for i in range(40)]
    manifest = Path("bare/model/manifest.json")
    kept = json.loads(manifest.read_text())
    kept["reading"]["columns"] = None
    manifest.write_text(json.dumps(kept))
    capsys.readouterr()
    assert main(["predict", "bare", "bare.csv", "--out", "lost.tsv"]) == 2
    assert "bare.csv:1: column names needed" in capsys.readouterr().err
    assert not Path("lost.tsv").exists()


@pytest.mark.skipif(torch.accelerator.is_available(), reason="a GPU is there")
def test_a_gpu_that_is_not_there_is_one_line(folder: Path, capsys) -> None:
    assert main(["predict", "s", "s.fa", "--out", "new.tsv", "--device", "gpu"]) == 2
    assert "device: a gpu needed, none found" in capsys.readouterr().err


def test_missing_features_are_imputed_if_asked_to_and_told(folder: Path, capsys) -> None:
    pd.read_csv("t.csv").drop(columns="gene3").to_csv("few.csv", index=False)
    assert main(["predict", "t", "few.csv", "--out", "new.tsv"]) == 2
    assert "missing-features impute" in capsys.readouterr().err
    assert not Path("new.tsv").exists()
    asked = ["--missing-features", "impute"]
    assert main(["predict", "t", "few.csv", "--out", "new.tsv", *asked]) == 0
    error = capsys.readouterr().err
    assert error == "note: 1 of 3 features are missing and imputed: gene3\n"
    assert len(pd.read_csv("new.tsv", sep="\t")) == 90
