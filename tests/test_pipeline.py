"""A whole run: the files it leaves and what they say, repeating it, and what it never touches."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn import metrics as sk

import bionn
from bionn.cli.main import main
from bionn.errors import InputError
from bionn.pipeline import RunResult
from tests.small_sets import EXPRESSION, LABELS, PROMOTERS, expression, sequences, write_fasta

GENES = [f"reg{n:02}" for n in range(1, 15)]
FILES = {
    "model",
    "metrics.json",
    "predictions.tsv",
    "splits.tsv",
    "split.json",
    "audit.json",
    "config.yaml",
    "metrics.csv",
    "checkpoints",
    "explain",
}
SMALL: dict[str, Any] = {"max_epochs": 2, "hidden": [16], "device": "cpu", "progress": False}
TARGETS = ["tgt1", "tgt2", "tgt3"]
RUNS: dict[str, tuple[Path, dict[str, Any]]] = {
    "binary": (PROMOTERS, {"labels": LABELS}),
    "multiclass": (EXPRESSION, {"target": "condition", "features": GENES}),
    "regression": (EXPRESSION, {"target": TARGETS, "features": GENES}),
    "single": (EXPRESSION, {"target": "tgt1", "features": GENES}),
    "folds": (EXPRESSION, {"target": ["tgt1"], "features": GENES, "folds": 3}),
    "repeats": (
        EXPRESSION,
        {"target": ["tgt1"], "features": GENES, "folds": 3, "repeats": 2, "baselines": False},
    ),
}
CLASS_SCORES = {"loss", "accuracy", "auroc", "auprc", "mcc", "f1"}
REGRESSION_SCORES = {"loss", "r2", "pearson", "spearman", "mse", "mae"}


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> dict[str, RunResult]:
    root = tmp_path_factory.mktemp("runs")
    return {
        name: bionn.run(inputs, out=root / name, **options, **SMALL)
        for name, (inputs, options) in RUNS.items()
    }


@pytest.fixture(scope="module")
def shared(results) -> dict[str, tuple[Path, dict[str, Any], pd.DataFrame]]:
    """Directory, metrics.json and predictions.tsv of each run, read from the files."""
    return {
        name: (
            result.directory,
            json.loads((result.directory / "metrics.json").read_text()),
            pd.read_csv(result.directory / "predictions.tsv", sep="\t"),
        )
        for name, result in results.items()
    }


@pytest.mark.parametrize("name", ["binary", "multiclass", "regression", "single"])
def test_every_file_is_there_and_no_other(shared, name: str) -> None:
    directory = shared[name][0]
    found = {path.name for path in directory.iterdir()} - {"report.html"}
    assert found == FILES
    model = {path.name for path in (directory / "model").iterdir()}
    assert model == {"model.safetensors", "manifest.json"}
    assert list((directory / "checkpoints").iterdir())


def test_a_run_in_folds_has_a_folder_a_fold(shared) -> None:
    directory = shared["folds"][0]
    names = {path.name for path in directory.iterdir()} - {"report.html"}
    folds = {f"fold_{k}" for k in range(3)}
    assert names == folds | (FILES - {"model", "metrics.csv", "checkpoints", "explain"})
    for fold in folds:
        found = {path.name for path in (directory / fold).iterdir()} - {"report.html"}
        assert found >= {"model", "metrics.json", "predictions.tsv", "metrics.csv", "checkpoints"}


@pytest.mark.parametrize(
    ("name", "task", "scores", "rows"),
    [
        ("binary", "binary", CLASS_SCORES | {"confusion"}, 2000),
        ("multiclass", "multiclass", CLASS_SCORES | {"confusion"}, 1000),
        ("regression", "regression", REGRESSION_SCORES, 1000),
        ("single", "regression", REGRESSION_SCORES, 1000),
    ],
)
def test_metrics_json(shared, name: str, task: str, scores: set[str], rows: int) -> None:
    metrics = shared[name][1]
    assert metrics["task"] == task
    n = {
        part: round(rows * share) for part, share in zip(metrics["n"], (0.8, 0.1, 0.1), strict=True)
    }
    assert list(n) == ["train", "val", "test"]
    assert metrics["n"] == pytest.approx(n, abs=3)  # a class may round to one row more
    assert sum(metrics["n"].values()) == rows
    assert set(metrics["test"]) == set(metrics["val"]) == scores
    constant = "mean" if task == "regression" else "majority"
    third = "kmer" if name == "binary" else "forest"
    assert list(metrics["baselines"]) == [constant, "linear", third]
    for baseline in metrics["baselines"].values():
        assert scores - {"loss"} <= set(baseline["test"])
        assert set(baseline["intervals"]) == scores - {"loss", "confusion"}
        assert baseline["setting"]
    assert set(metrics["intervals"]) == scores - {"confusion"}
    for score, (low, high) in metrics["intervals"].items():
        assert low < metrics["test"][score] < high
    compared = metrics["comparison"]
    main = "r2" if task == "regression" else "auroc"
    vals = {key: entry["val"][main] for key, entry in metrics["baselines"].items()}
    assert compared["baseline"] == max(vals, key=vals.__getitem__)
    other = metrics["baselines"][compared["baseline"]]
    assert compared["difference"] == pytest.approx(metrics["test"][main] - other["test"][main])
    assert compared == {"baseline": compared["baseline"]} | other["comparison"]
    assert metrics["seconds"]["total"] >= metrics["seconds"]["train"] > 0


def test_metrics_json_has_a_part_for_each_class_or_target(shared) -> None:
    per_class = shared["multiclass"][1]["per_class"]
    assert set(per_class) == {"control", "heat", "starvation"}
    for scores in per_class.values():
        assert set(scores) == {"precision", "recall", "f1", "auroc", "n", "intervals"}
        assert set(scores["intervals"]) == set(scores) - {"n", "intervals"}
    per_target = shared["regression"][1]["per_target"]
    assert list(per_target) == TARGETS
    for scores in per_target.values():
        assert set(scores) == REGRESSION_SCORES - {"loss"} | {"n", "intervals"}
        assert set(scores["intervals"]) == REGRESSION_SCORES - {"loss"}


def test_metrics_json_of_folds_holds_means_deviations_and_the_folds(shared) -> None:
    metrics = shared["folds"][1]
    assert len(metrics["folds"]) == 3
    for score in REGRESSION_SCORES:
        values = [fold["test"][score] for fold in metrics["folds"]]
        assert metrics["test"][score] == pytest.approx(np.mean(values))
        assert metrics["test_std"][score] == pytest.approx(np.std(values))
    linear = [fold["baselines"]["linear"]["test"]["r2"] for fold in metrics["folds"]]
    assert metrics["baselines"]["linear"]["test"]["r2"] == pytest.approx(np.mean(linear))
    widths = [np.diff(fold["intervals"]["r2"])[0] for fold in metrics["folds"]]
    low, high = metrics["intervals"]["r2"]
    assert low < metrics["test"]["r2"] < high
    # Of three independent means the spread is that of one over the root of three.
    assert high - low == pytest.approx(np.mean(widths) / np.sqrt(3), rel=0.2)
    compared = metrics["comparison"]
    gaps = [
        fold["test"]["r2"] - fold["baselines"][compared["baseline"]]["test"]["r2"]
        for fold in metrics["folds"]
    ]
    assert compared["difference"] == pytest.approx(np.mean(gaps))
    for entry in metrics["conformal"]:
        covered = [
            own["coverage"]
            for fold in metrics["folds"]
            for own in fold["conformal"]
            if own["level"] == entry["level"]
        ]
        assert entry["coverage"] == pytest.approx(np.mean(covered), abs=0.01)
        assert entry["n"] == 1000


def test_repeated_folds_are_averaged_with_the_spread_of_folds_and_of_repetitions(shared) -> None:
    directory, metrics, table = shared["repeats"]
    scores = np.array([fold["test"]["r2"] for fold in metrics["folds"]])
    assert len(scores) == 6
    assert metrics["repeats"] == 2
    assert metrics["test"]["r2"] == pytest.approx(scores.mean())
    assert metrics["test_std"]["r2"] == pytest.approx(scores.std())
    means = scores.reshape(2, 3).mean(axis=1)
    assert metrics["test_std_of_repeats"]["r2"] == pytest.approx(means.std())
    splits = pd.read_csv(directory / "splits.tsv", sep="\t")
    assert list(splits) == ["id", "fold_1", "fold_2"]
    assert sorted(splits["fold_1"].unique()) == [0, 1, 2]
    assert sorted(splits["fold_2"].unique()) == [3, 4, 5]
    for repeat in (1, 2):
        own = table[table["repeat"] == repeat]
        assert sorted(own["id"]) == sorted(splits["id"])
    fifth = pd.read_csv(directory / "fold_5" / "predictions.tsv", sep="\t")
    tested = fifth.loc[fifth["split"] == "test", "id"]
    assert set(tested) == set(splits.loc[splits["fold_2"] == 5, "id"])


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("binary", ["target", "prediction", "prob_background", "prob_promoter"]),
        (
            "multiclass",
            ["target", "prediction", "prob_control", "prob_heat", "prob_starvation"],
        ),
        (
            "regression",
            [f"target_{t}" for t in TARGETS] + [f"prediction_{t}" for t in TARGETS],
        ),
        ("single", ["target", "prediction"]),
        ("folds", ["target", "prediction"]),
    ],
)
def test_predictions_tsv(shared, name: str, columns: list[str]) -> None:
    directory, metrics, table = shared[name]
    assert list(table) == ["id", "split", *columns]
    assert table["id"].is_unique
    if name == "folds":
        assert len(table) == 1000
        assert set(table["split"]) == {"test"}
        return
    assert table["split"].value_counts().to_dict() == metrics["n"]
    splits = pd.read_csv(directory / "splits.tsv", sep="\t")
    pd.testing.assert_frame_equal(table[["id", "split"]], splits)


def test_numbers_have_six_digits(shared) -> None:
    cells = (shared["binary"][0] / "predictions.tsv").read_text().split("\n")[1].split("\t")
    assert all(len(cell.split("e")[0].lstrip("0.")) <= 6 for cell in cells[-2:])


def test_predictions_are_of_the_inputs_rows(shared) -> None:
    table, frame = shared["single"][2], pd.read_csv(EXPRESSION)
    assert table["id"].tolist() == frame["sample"].tolist()
    np.testing.assert_allclose(table["target"], frame["tgt1"], rtol=1e-5)


def test_the_scores_are_those_of_the_predictions(shared) -> None:
    for name, score in (("binary", "auroc"), ("single", "r2")):
        _, metrics, table = shared[name]
        test = table[table["split"] == "test"]
        if name == "binary":
            found = sk.roc_auc_score(test["target"] == "promoter", test["prob_promoter"])
        else:
            found = sk.r2_score(test["target"], test["prediction"])
        assert metrics["test"][score] == pytest.approx(found, abs=1e-4)


def test_folds_test_every_row_once(shared) -> None:
    directory = shared["folds"][0]
    splits = pd.read_csv(directory / "splits.tsv", sep="\t")
    assert list(splits) == ["id", "fold"]
    assert sorted(splits["fold"].unique()) == [0, 1, 2]
    for k in range(3):
        own = pd.read_csv(directory / f"fold_{k}" / "predictions.tsv", sep="\t")
        tested = set(own["id"][own["split"] == "test"])
        assert tested == set(splits["id"][splits["fold"] == k])
        validated = set(own["id"][own["split"] == "val"])
        assert validated == set(splits["id"][splits["fold"] == (k + 1) % 3])


def test_metrics_csv_has_a_row_an_epoch(shared) -> None:
    log = pd.read_csv(shared["binary"][0] / "metrics.csv")
    assert list(log) == ["epoch", "train_loss", "val_loss", "learning_rate"]
    assert log["epoch"].tolist() == [1, 2]
    assert log.notna().all(axis=None)


def test_the_manifest_holds_what_prediction_needs(shared) -> None:
    manifest = json.loads((shared["binary"][0] / "model" / "manifest.json").read_text())
    assert manifest["task"] == "binary"
    assert manifest["classes"] == ["background", "promoter"]
    given = {name: manifest["input"][name] for name in ("alphabet", "length", "unknown", "iupac")}
    assert given == {"alphabet": "dna", "length": 60, "unknown": "zero", "iupac": "expand"}
    assert manifest["model"]["class_path"] == "bionn.models.MLP"
    for key in ("weights_sha256", "split_sha256", "data_sha256"):
        assert len(manifest[key]) == 64
    table = json.loads((shared["regression"][0] / "model" / "manifest.json").read_text())
    assert table["input"]["features"] == GENES
    assert table["target_scaler"]["targets"] == TARGETS


@pytest.mark.parametrize("name", ["binary", "regression"])
def test_the_saved_model_predicts_what_the_run_predicted(shared, results, name: str) -> None:
    directory, _, table = shared[name]
    inputs, _ = RUNS[name]
    again = bionn.load(directory).predict(inputs)
    columns = [c for c in again if c.startswith(("prob_", "prediction_"))]
    unseen = table["split"] != "val"
    np.testing.assert_allclose(
        again.loc[unseen, columns], table.loc[unseen, columns], rtol=1e-5, atol=1e-6
    )
    in_memory = results[name].predictor.predict(inputs)
    pd.testing.assert_frame_equal(in_memory, again)


@pytest.mark.parametrize("name", ["binary", "folds"])
def test_the_saved_configuration_repeats_the_run(shared, name: str, tmp_path: Path) -> None:
    directory = shared[name][0]
    config = directory / "config.yaml"
    assert main(["run", "--config", str(config), "--out", str(tmp_path / "again")]) == 0
    for file in ("predictions.tsv", "splits.tsv"):
        assert (tmp_path / "again" / file).read_bytes() == (directory / file).read_bytes()
    options = [
        yaml.safe_load(path.read_text()) for path in (config, tmp_path / "again/config.yaml")
    ]
    assert options[0] == options[1]


def test_the_saved_configuration_is_read_from_anywhere(tmp_path: Path, monkeypatch) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    frame = sequences()
    write_fasta(frame, here / "sites.fa")
    frame[["id", "label"]].to_csv(here / "labels.csv", index=False)
    monkeypatch.chdir(here)
    small = ["--max-epochs", "1", "--hidden", "4", "--no-baselines", "--no-explain"]
    assert main(["run", "sites.fa", "--labels", "labels.csv", "--out", "one", *small]) == 0
    monkeypatch.chdir(there)
    assert main(["run", "--config", "../here/one/config.yaml", "--out", "two"]) == 0
    one, two = here / "one" / "predictions.tsv", there / "two" / "predictions.tsv"
    assert one.read_bytes() == two.read_bytes()


def snapshot(directory: Path) -> dict[str, bytes]:
    """Every file below, by name."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def run_small(out: Path, **options: Any) -> RunResult:
    """The quickest run there is."""
    frame = sequences()[["id", "sequence", "label"]]
    fixed = {"target": "label", "baselines": False} | SMALL
    return bionn.run(frame, out=out, **(fixed | options))


def test_a_run_that_is_there_is_left_untouched(tmp_path: Path) -> None:
    run_small(tmp_path / "run")
    before = snapshot(tmp_path)
    with pytest.raises(InputError, match=r"run: already holds a run; .* overwrite"):
        run_small(tmp_path / "run", seed=1)
    assert snapshot(tmp_path) == before


def test_overwrite_removes_a_runs_own_files_only(tmp_path: Path) -> None:
    out = tmp_path / "run"
    run_small(out, folds=3)
    (out / "notes.txt").write_text("mine")
    (out / "folder").mkdir()
    (out / "folder" / "data.csv").write_text("mine too")
    run_small(out, overwrite=True)
    names = {path.name for path in out.iterdir()} - {"report.html"}
    assert names == FILES | {"notes.txt", "folder"}
    assert (out / "notes.txt").read_text() == "mine"
    assert (out / "folder" / "data.csv").read_text() == "mine too"


BAD: list[dict[str, Any]] = [
    {"target": "lable"},
    {"learning_rate": -1.0},
    {"max_epochs": 0},
    {"activation": "rellu"},
    {"dropout": 1.5},
    {"hidden": [0]},
    {"batch_size": 0},
    {"init": "none"},
    {"seed": -1},
    {"device": "abacus"},
    {"precision": "8-true"},
    {"fractions": (0.5, 0.5)},
    {"fractions": (0.9, 0.1, 0.0)},
    {"folds": 1},
    {"split": "homolgy"},
    {"task": "regresion"},
    {"align": "up"},
    {"alphabet": "dan"},
    {"unknown": "one"},
    {"length": 0},
    {"group_column": "mouse"},
    {"colour": "red"},
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: next(iter(bad)))
def test_bad_input_leaves_nothing_behind(bad: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError):
        run_small(tmp_path / "run", **bad)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bad", [{"dropout": 1.5}, {"target": "lable"}, {"device": "abacus"}])
def test_bad_input_leaves_the_run_that_overwrite_would_replace(bad, tmp_path: Path) -> None:
    run_small(tmp_path / "run")
    before = snapshot(tmp_path)
    with pytest.raises(InputError):
        run_small(tmp_path / "run", overwrite=True, **bad)
    assert snapshot(tmp_path) == before


def test_a_file_in_the_way_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    with pytest.raises(InputError, match="a folder needed"):
        run_small(tmp_path / "run", overwrite=True)
    assert (tmp_path / "run").read_text() == "mine"


def test_without_out_the_runs_are_numbered(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    expression()[["id", "gene1", "gene3", "y1"]].to_csv("genes.csv", index=False)
    options = SMALL | {"target": "y1", "baselines": False, "max_epochs": 1}
    found = [bionn.run("genes.csv", **options).directory for _ in range(2)]
    assert found == [Path("runs/genes"), Path("runs/genes-2")]


def test_progress_false_prints_nothing(tmp_path: Path, capsys) -> None:
    run_small(tmp_path / "run")
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_validation_rows_are_predicted_by_a_network_that_has_not_seen_them(shared) -> None:
    directory, metrics, table = shared["binary"]
    val = table[table["split"] == "val"]
    positive = [name for name in table if name.startswith("prob_")][1]
    hits = (val["target"] == val["prediction"]).mean()
    assert metrics["training"]["refit"]
    assert hits == pytest.approx(metrics["val"]["accuracy"])
    again = bionn.load(directory).predict(RUNS["binary"][0])[positive]
    assert not np.allclose(again[val.index], val[positive])


def test_targets_with_gaps_are_learned_scored_and_left_empty(tmp_path: Path) -> None:
    frame = expression()
    frame.loc[::3, "y1"] = np.nan
    options = SMALL | {"target": ["y1", "y2"], "features": [f"gene{n}" for n in range(1, 6)]}
    found = bionn.run(frame, out=tmp_path / "run", **options)
    table = pd.read_csv(tmp_path / "run" / "predictions.tsv", sep="\t")
    np.testing.assert_array_equal(table["target_y1"].isna(), frame["y1"].isna())
    assert table[["prediction_y1", "prediction_y2"]].notna().all(axis=None)
    test = table[(table["split"] == "test") & table["target_y1"].notna()]
    own = found.metrics["per_target"]["y1"]
    assert own["n"] == len(test)
    assert own["r2"] == pytest.approx(
        sk.r2_score(test["target_y1"], test["prediction_y1"]), abs=1e-4
    )
    for baseline in found.metrics["baselines"].values():
        assert baseline["test"]["per_target"]["y1"]["n"] == len(test)
    report = json.loads((tmp_path / "run" / "audit.json").read_text())
    assert report["targets"]["y1"]["missing"] == 30
