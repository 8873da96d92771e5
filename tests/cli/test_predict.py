"""``bionn predict``: the run's own predictions again, and models or inputs that do not fit."""

import gzip
import json
import os
import shutil
import threading
from functools import partial
from pathlib import Path
from textwrap import wrap

import numpy as np
import pandas as pd
import pytest
import torch

import bionn
from bionn.cli.main import main
from bionn.formats.text import text_blocks
from bionn.manifest import sealed
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
    monkeypatch.setattr("bionn.data.batches.EVALUATION_ROWS", 7)
    assert main(["predict", "s", "s.fa", "--out", "many.tsv"]) == 0
    one, many = (pd.read_csv(name, sep="\t") for name in ("one.tsv", "many.tsv"))
    pd.testing.assert_frame_equal(one, many, rtol=1e-5)


def damage(**entries) -> None:
    path = Path("s/model/manifest.json")
    path.write_text(json.dumps(sealed(json.loads(path.read_text()) | entries)))


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
            ["manifest.json: format version 1 to 2 needed, 99"],
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


def test_standard_output_takes_the_table_and_nothing_else(folder: Path, capfd) -> None:
    assert main(["predict", "s", "s.fa", "--out", "new.tsv"]) == 0
    capfd.readouterr()
    assert main(["predict", "s", "s.fa", "--out", "-"]) == 0
    shown = capfd.readouterr()
    assert shown.out == Path("new.tsv").read_text()
    assert shown.err == "90 predictions\n"
    assert not Path("-").exists()


def test_an_unknown_suffix_is_refused_before_anything_is_loaded(folder: Path, capsys) -> None:
    assert main(["predict", "nowhere", "s.fa", "--out", "new.tvs"]) == 2
    error = capsys.readouterr().err
    assert "new.tvs: a name that ends in .tsv, .txt, .csv" in error
    assert "did you mean '.tsv'" in error


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
    manifest.write_text(json.dumps(sealed(kept)))
    capsys.readouterr()
    assert main(["predict", "bare", "bare.csv", "--out", "lost.tsv"]) == 2
    assert "bare.csv:1: a header line needed, the sequence" in capsys.readouterr().err
    assert not Path("lost.tsv").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["s", "s.fa", "--id-column", "x"], "id-column: of no use for sequences in records (s.fa)"),
        (["s", "s.fa", "--sequence-column", "x"], "sequence-column: of no use for sequences"),
        (["s", "s.fa", "--columns", "a,b"], "columns: of no use for sequences in records (s.fa)"),
        (
            ["s", "s.fa", "--missing-features", "impute"],
            "missing-features: of no use for a model of",
        ),
        (["s", "b.bed", "--columns", "a,b"], "columns: of no use for BED regions (b.bed)"),
        (["s", "s.csv", "--id", "full"], "id: of no use for a table (s.csv)"),
    ],
)
def test_options_of_no_use_are_refused(
    folder: Path, arguments: list[str], says: str, capsys
) -> None:
    Path("b.bed").write_text("chr1\t0\t12\n")
    Path("s.csv").write_text("id,sequence\na,ACGTACGTACGT\n")
    assert main(["predict", *arguments, "--out", "new.tsv"]) == 2
    assert f"error: {says}" in capsys.readouterr().err
    assert not Path("new.tsv").exists()


def genome(path: str = "genome.fa") -> dict[str, str]:
    """A FASTA file of two long records and a short one, folded at 60."""
    rng = np.random.default_rng(3)
    lengths = {"chr1": 500, "chr2": 100, "tiny": 5}
    records = {name: "".join(rng.choice(list("ACGT"), n)) for name, n in lengths.items()}
    folded = {name: "\n".join(wrap(text, 60)) for name, text in records.items()}
    Path(path).write_text("".join(f">{name} x\n{text}\n" for name, text in folded.items()))
    return records


def test_windows_go_to_tsv_bed_and_bedgraph(folder: Path, capsys) -> None:
    genome()
    for out in ("w.tsv", "w.bed", "w.bedgraph"):
        assert main(["predict", "s", "genome.fa", "--out", out, "--stride", "4"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == "146 predictions: w.tsv"  # 123 and 23
    note = "left out: 1 sequences shorter than the window (12); the first is genome.fa:14: 'tiny'"
    assert said.err == f"note: {note}\n" * 3
    table = pd.read_csv("w.tsv", sep="\t")
    assert list(table) == ["id", "start", "end", "prediction", "prob_no", "prob_yes"]
    assert (table["end"] - table["start"] == 12).all()
    bed = pd.read_csv("w.bed", sep="\t", header=None)
    assert bed.iloc[:, :4].to_numpy().tolist() == table.iloc[:, :4].to_numpy().tolist()
    assert bed[6].tolist() == table["prob_yes"].tolist()
    track = pd.read_csv("w.bedgraph", sep="\t", header=None)
    assert track[3].tolist() == table["prob_yes"].tolist()
    for name, size in (("chr1", 500), ("chr2", 100)):
        cells = track[track[0] == name]
        assert cells[1].iloc[0] == 0
        assert cells[2].iloc[-1] == size
        assert cells[1].tolist()[1:] == cells[2].tolist()[:-1]


def test_one_output_column(folder: Path, capsys) -> None:
    for name in ("prob_no", "no"):
        command = ["predict", "s", "s.fa", "--out", f"{name}.csv", "--output-column", name]
        assert main(command) == 0
        assert list(pd.read_csv(f"{name}.csv")) == ["id", "prediction", "prob_no"]
    assert main(["predict", "s", "s.fa", "--out", "x.tsv", "--output-column", "prob_yse"]) == 2
    assert "(did you mean 'prob_yes'?)" in capsys.readouterr().err
    assert not Path("x.tsv").exists()


def test_parquet_holds_what_tsv_does(folder: Path) -> None:
    for out in ("new.tsv", "new.parquet"):
        assert main(["predict", "t", "t.csv", "--out", out]) == 0
    tsv, parquet = pd.read_csv("new.tsv", sep="\t"), pd.read_parquet("new.parquet")
    pd.testing.assert_frame_equal(tsv, parquet, rtol=1e-5)


def test_windows_over_a_table_model_are_refused(folder: Path, capsys) -> None:
    for more in (["--out", "a.bed"], ["--out", "a.tsv", "--window", "12"]):
        assert main(["predict", "t", "t.csv", *more]) == 2
        assert "windows need a model of sequences" in capsys.readouterr().err


def test_a_file_is_predicted_whole_as_it_is_in_blocks(folder: Path, monkeypatch) -> None:
    write_fasta(sequences(rows=1000), folder / "many.fa")
    monkeypatch.setattr("bionn.data.batches.EVALUATION_ROWS", 64)
    assert main(["predict", "s", "many.fa", "--out", "streamed.tsv"]) == 0
    monkeypatch.setattr("bionn.predict._BATCHES", 1 << 20)
    assert main(["predict", "s", "many.fa", "--out", "whole.tsv"]) == 0
    monkeypatch.setattr("bionn.formats.fasta.text_blocks", partial(text_blocks, size=7))
    assert main(["predict", "s", "many.fa", "--out", "bytes.tsv"]) == 0
    streamed = Path("streamed.tsv").read_bytes()
    assert Path("whole.tsv").read_bytes() == streamed
    assert Path("bytes.tsv").read_bytes() == streamed


def test_a_fault_in_the_middle_of_many_blocks_leaves_no_file(
    folder: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr("bionn.data.batches.EVALUATION_ROWS", 2)
    frame = sequences(rows=300)
    frame.loc[200, "sequence"] = "ACJTACGTACGT"
    write_fasta(frame, folder / "bad.fa")
    before = sorted(folder.iterdir())
    for out in ("new.tsv", "new.parquet", "new.bedgraph"):
        assert main(["predict", "s", "bad.fa", "--out", out]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert "bad.fa:401: record 's200': symbol 'J' at position 3" in error
    assert sorted(folder.iterdir()) == before


def test_a_pipe_is_read_as_a_stream(folder: Path, capsys) -> None:
    """What comes through a pipe equals the file's predictions; a fault names the record."""
    assert main(["predict", "s", "s.fa", "--out", "file.tsv"]) == 0
    text = Path("s.fa").read_bytes()
    for content, code in ((text, 0), (gzip.compress(text), 0), (text + b">z\nACJTACGTACGT\n", 2)):
        os.mkfifo("pipe")
        feeder = threading.Thread(target=Path("pipe").write_bytes, args=(content,))
        feeder.start()
        assert main(["predict", "s", "pipe", "--out", "new.tsv", "--overwrite"]) == code
        feeder.join()
        Path("pipe").unlink()
        assert Path("new.tsv").read_bytes() == Path("file.tsv").read_bytes()
    assert "pipe, record 91: record 'z': symbol 'J' at position 3" in capsys.readouterr().err


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


@pytest.mark.parametrize("out", ["new.tsv", "new.csv", "new.parquet"])
def test_sets_hold_the_truth_of_validation_rows_as_often_as_they_say(out: str, folder) -> None:
    """The validation rows' own scores made the thresholds, so their share is exact."""
    frame = sequences()[["id", "sequence", "label"]]
    options = {"hidden": [8], "max_epochs": 1, "device": "cpu", "progress": False, "refit": False}
    bionn.run(frame, target="label", out="c", baselines=False, fractions=(0.5, 0.4, 0.1), **options)
    assert main(["predict", "c", "s.fa", "--out", out, "--conformal", "0.8"]) == 0
    read = {
        ".tsv": partial(pd.read_csv, sep="\t"),
        ".csv": pd.read_csv,
        ".parquet": pd.read_parquet,
    }
    new = read[Path(out).suffix](out).fillna("")
    run = pd.read_csv("c/predictions.tsv", sep="\t")
    val = run["split"] == "val"
    held = [
        truth in names.split("|") for truth, names in zip(run["target"], new["set"], strict=True)
    ]
    n = int(val.sum())
    assert np.mean(np.array(held)[val]) == pytest.approx(np.ceil((n + 1) * 0.8 - 1e-9) / n)
    within = new[["prob_no", "prob_yes"]].to_numpy()[:, 1] >= 1 - _threshold("c", 0.8) - 1e-6
    np.testing.assert_array_equal(["yes" in names.split("|") for names in new["set"]], within)


def _threshold(run: str, level: float) -> float:
    manifest = bionn.load(run).manifest
    return manifest["conformal"]["thresholds"][round(100 * level) - 50]


def test_intervals_lie_about_the_prediction(folder: Path) -> None:
    assert main(["predict", "t", "t.csv", "--out", "new.tsv", "--intervals", ".7"]) == 0
    new = pd.read_csv("new.tsv", sep="\t")
    assert list(new) == ["id", "prediction", "low", "high"]
    np.testing.assert_allclose((new["low"] + new["high"]) / 2, new["prediction"], rtol=1e-4)
    widths = new["high"] - new["low"]
    predictor = bionn.load("t")
    assert predictor.target_scaler is not None
    kept = predictor.manifest["conformal"]["thresholds"]["y1"][20]
    np.testing.assert_allclose(widths, 2 * kept * predictor.target_scaler.std.item(), rtol=1e-3)


def test_one_of_several_targets_keeps_its_own_interval(folder: Path) -> None:
    frame = expression()[["id", "gene1", "gene3", "y1", "y2"]]
    options = {"hidden": [8], "max_epochs": 1, "device": "cpu", "progress": False}
    bionn.run(frame, target=["y1", "y2"], out="m", baselines=False, **options)
    command = ["predict", "m", "t.csv", "--out", "new.tsv", "--conformal", ".6"]
    assert main([*command, "--output-column", "y2"]) == 0
    assert list(pd.read_csv("new.tsv", sep="\t")) == ["id", "prediction_y2", "low_y2", "high_y2"]
    assert main([*command, "--overwrite"]) == 0
    assert set(pd.read_csv("new.tsv", sep="\t")) >= {"low_y1", "high_y1", "low_y2", "high_y2"}


@pytest.mark.parametrize(
    ("arguments", "facts"),
    [
        (["s", "s.fa", "--conformal", ".3"], [".50, .51, ... .99", "0.3"]),
        (["s", "s.fa", "--conformal", ".99"], ["99 validation rows", "9 found"]),
        (["s", "s.fa", "--by-class"], ["by-class", "--conformal"]),
        (["t", "t.csv", "--conformal", ".6", "--by-class"], ["by-class", "classes"]),
        (["t", "t.csv", "--calibrate"], ["calibrate", "classes"]),
        (["s", "s.fa", "--conformal", ".6", "--both-strands"], ["both-strands", "conformal"]),
        (["s", "s.fa", "--conformal", ".6", "--out", "new.bed"], ["new.bed", ".tsv"]),
    ],
)
def test_levels_that_cannot_be_told_are_refused(arguments, facts, folder, capsys) -> None:
    given = arguments if "--out" in arguments else [*arguments, "--out", "new.tsv"]
    assert main(["predict", *given]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert all(fact in message for fact in facts), message
    assert not list(folder.glob("new*"))


def test_probabilities_are_calibrated_as_asked(folder: Path) -> None:
    tables = {}
    for option in ("--calibrate", "--no-calibrate"):
        assert main(["predict", "s", "s.fa", "--out", f"x{option}.tsv", option]) == 0
        tables[option] = pd.read_csv(f"x{option}.tsv", sep="\t")["prob_yes"].to_numpy()
    temperature = bionn.load("s").manifest["calibration"]["temperature"]
    logits = {name: np.log(p / (1 - p)) for name, p in tables.items()}
    np.testing.assert_allclose(
        logits["--calibrate"], logits["--no-calibrate"] / temperature, atol=1e-4
    )
    assert not np.allclose(tables["--calibrate"], tables["--no-calibrate"])
