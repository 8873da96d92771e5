"""``bionn run --tune``: the best settings train the network, no test row chose them, and all repeats."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import bionn
from bionn.cli.main import main
from bionn.errors import InputError
from bionn.report import tuned
from bionn.report.unfinished import unfinished_folder
from bionn.training.trials import GiveUp
from bionn.training.tuning import tune
from tests.end_to_end.test_resume import Killed, left_in
from tests.small_sets import expression

QUICK: dict[str, Any] = {"max_epochs": 3, "device": "cpu", "activation": "tanh", "target": "y1"}
QUIET: dict[str, Any] = QUICK | {"baselines": False, "explain": False, "progress": False}
GENES = ["gene1", "gene3"]


@pytest.fixture(autouse=True)
def searches_of_three_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of minutes, so that what is found does not depend on how fast the machine is."""

    def three(search: Any, folder: Path, *, minutes: float, report: Any) -> Any:
        assert minutes > 0
        return tune(search, folder, trials=3, report=report)

    monkeypatch.setattr(tuned, "tune", three)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "genes.csv"
    expression()[["id", *GENES, "y1"]].to_csv(path, index=False)
    return path


def test_the_best_settings_are_used_told_and_repeated(table: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "run"
    command = ["run", str(table), "--target", "y1", "--max-epochs", "3", "--device", "cpu"]
    assert main([*command, "--activation", "tanh", "--tune", "1", "--out", str(out)]) == 0
    found = json.loads((out / "metrics.json").read_text())["tuning"]
    config = yaml.safe_load((out / "config.yaml").read_text())
    assert sum(found["trials"].values()) == 3
    assert found["val_loss"] <= found["first_val_loss"]
    assert "activation" not in found["values"]  # it was given
    assert config["activation"] == "tanh"
    assert config["learning_rate"] == found["values"]["learning_rate"]
    assert len(config["hidden"]) == found["values"]["depth"]
    shown = capsys.readouterr().out
    assert "tuned in 3 trials: validation loss" in shown
    page = (out / "report.html").read_text()
    assert "How its settings were chosen" in page
    for value in (found["val_loss"], found["first_val_loss"]):
        assert f"{value:.4f}" in page
    for name in ("study.db", "trials.tsv", "slices.png"):
        assert (out / "tuning" / name).is_file()
    again = tmp_path / "again"
    assert main(["run", "--config", str(out / "config.yaml"), "--out", str(again)]) == 0
    for name in ("predictions.tsv", "config.yaml"):
        assert (again / name).read_bytes() == (out / name).read_bytes()


def test_no_test_row_has_a_say(tmp_path: Path) -> None:
    """With folds each has settings of its own: others are unmoved by what its test rows hold."""
    frame = expression()[["id", *GENES, "y1"]].assign(fold=[str(row % 3) for row in range(90)])
    run = partial(bionn.run, fold_column="fold", features=GENES, tune=1.0, **QUIET)
    first = run(frame, out=tmp_path / "a").metrics["folds"]
    moved = frame.copy()
    moved.loc[moved["fold"] == "0", "y1"] = 1e3 * np.random.default_rng(0).normal(size=30)
    second = run(moved, out=tmp_path / "b").metrics["folds"]
    chosen = [[fold["tuning"]["values"] for fold in folds] for folds in (first, second)]
    losses = [[fold["tuning"]["val_loss"] for fold in folds] for folds in (first, second)]
    assert chosen[0][0] == chosen[1][0]  # tested on fold 0
    assert losses[0][0] == losses[1][0]
    assert losses[0][1] != losses[1][1]  # trained on it
    config = yaml.safe_load((tmp_path / "a" / "config.yaml").read_text())
    assert config["tuned"] == chosen[0]
    again = bionn.run(
        frame,
        out=tmp_path / "c",
        baselines=False,
        explain=False,
        progress=False,
        **{name: value for name, value in config.items() if name != "inputs"},
    )
    for own in ("predictions.tsv", "fold_1/predictions.tsv", "config.yaml"):
        assert (tmp_path / "a" / own).read_bytes() == (tmp_path / "c" / own).read_bytes()
    assert "tuning" not in again.metrics["folds"][0]
    page = (tmp_path / "a" / "report.html").read_text()
    assert "fold 2" in page


@pytest.mark.parametrize("kill_at", [0, 4, 9])
def test_a_run_killed_in_its_search_or_after_is_resumed(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill_at: int
) -> None:
    run = partial(bionn.run, table, tune=1.0, **QUIET)
    run(out=tmp_path / "whole")
    calls = 0

    def counted(real: Any) -> Any:
        def call(*arguments: Any, **given: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls > kill_at:
                raise Killed
            return real(*arguments, **given)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(GiveUp, "on_validation_end", counted(GiveUp.on_validation_end))  # 3 a trial
        patch.setattr("bionn.pipeline.train_ensemble", counted(bionn.pipeline.train_ensemble))
        with pytest.raises(Killed):
            run(out=tmp_path / "cut")
    assert unfinished_folder(tmp_path / "cut").is_dir()
    with pytest.raises(InputError, match=r"tune 1\.0 needed to go on .* 2\.0 found"):
        run(out=tmp_path / "cut", resume=True, tune=2.0)
    run(out=tmp_path / "cut", resume=True)
    whole, cut = left_in(tmp_path / "whole"), left_in(tmp_path / "cut")
    for name in (
        "tuning/study.db",
        "tuning/trials.tsv",
        "tuning/slices.png",
        "tuning/importance.png",
    ):
        assert (name in whole) == (name in cut)
        for files in (whole, cut):
            files.pop(name, None)
    outcomes = [json.loads(files.pop("tuning/outcome.json")) for files in (whole, cut)]
    for outcome in outcomes:
        del outcome["trials"]  # one more there, that was cut short
    assert outcomes[0] == outcomes[1]
    for files in (whole, cut):
        del files["metrics.json"]["tuning"]
    assert cut == whole
    before = (tmp_path / "cut" / "metrics.json").stat().st_mtime_ns
    run(out=tmp_path / "cut", resume=True)
    assert (tmp_path / "cut" / "metrics.json").stat().st_mtime_ns == before
    with pytest.raises(InputError, match=r"tune 1\.0 needed"):
        run(out=tmp_path / "cut", resume=True, tune=2.0)


EVERY = {
    "hidden": (8,), "init": "torch", "learning_rate": 1e-3, "weight_decay": 0.1, "dropout": 0.1,
    "input_dropout": 0.0, "batch_size": 16,
}  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tune": 0.0}, "minutes above 0 needed, 0 found"),
        ({"tune": 1.0, "tuned": [{}]}, "not together with tuned"),
        ({"tune": 1.0, **EVERY}, "every choice is given as an option"),
        ({"tuned": [{}, {}]}, "the values of 1 splits needed, 2 found"),
        ({"tuned": [{"dropuot": 0.1}]}, "did you mean 'dropout'"),
    ],
)
def test_what_cannot_be_tuned_gets_a_line(table: Path, tmp_path: Path, options, message) -> None:
    with pytest.raises(InputError, match=message):
        bionn.run(table, out=tmp_path / "run", **(QUIET | options))
    assert not (tmp_path / "run").exists()
    assert not unfinished_folder(tmp_path / "run").exists()
