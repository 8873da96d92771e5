"""``bionn tune``: a search from the command line, and a run with what it found."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from bionn.cli.main import main
from tests.small_sets import sequences

SMALL = ["--max-epochs", "2", "--device", "cpu"]


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "sites.csv"
    sequences()[["id", "sequence", "label"]].to_csv(path, index=False)
    return str(path)


def test_a_search_writes_a_configuration_that_runs(tmp_path: Path, table: str, capsys) -> None:
    out = tmp_path / "search"
    command = ["tune", table, "--target", "label", "--hidden", "8", *SMALL, "--out", str(out)]
    assert main([*command, "--trials", "3"]) == 0
    trials = pd.read_csv(out / "trials.tsv", sep="\t")
    assert len(trials) == 3
    assert "depth" not in trials  # --hidden was given
    best = yaml.safe_load((out / "best.yaml").read_text())
    assert best["hidden"] == [8]
    shown = capsys.readouterr().out
    assert "trial 0: validation loss" in shown
    assert all(len(line) <= 80 for line in shown.splitlines() if "│" in line)
    run = tmp_path / "run"
    assert main(["run", "--config", str(out / "best.yaml"), "--out", str(run)]) == 0
    reported = json.loads((run / "metrics.json").read_text())["val"]["loss"]
    assert reported == pytest.approx(trials["val_loss"].min(), rel=1e-4)
    assert main([*command, "--trials", "4"]) == 0
    assert len(pd.read_csv(out / "trials.tsv", sep="\t")) == 4
    assert main([*command, "--trials", "1", "--overwrite"]) == 0
    assert len(pd.read_csv(out / "trials.tsv", sep="\t")) == 1


def test_a_configuration_says_what_is_searched(tmp_path: Path, table: str, capsys) -> None:
    config = tmp_path / "search.yaml"
    options = {
        "inputs": [table], "target": "label", "max_epochs": 2, "device": "cpu", "hidden": [8],
        "search": {"dropout": [0.1, 0.2]}, "trials": 2, "out": str(tmp_path / "search"),
    }  # fmt: skip
    config.write_text(yaml.safe_dump(options))
    assert main(["tune", "--config", str(config)]) == 0
    trials = pd.read_csv(tmp_path / "search" / "trials.tsv", sep="\t")
    assert set(trials["dropout"]) <= {0.1, 0.2}
    assert "learning_rate" not in trials
    config.write_text(yaml.safe_dump(options | {"search": {"hidden": [[8]]}}))
    assert main(["tune", "--config", str(config), "--overwrite"]) == 2
    assert "an option that is given is not searched" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "files needed"),
        (["none.csv"], "no such file"),
        (["--trials", "0", "TABLE", "--target", "label"], "trials: a number above 0"),
        (["TABLE", "--target", "label", "--out", "TABLE"], "a file found"),
        (["TABLE", "--target", "label", "--out", "."], "holds other files than a search"),
        (["TABLE", "--target", "label", "--refti"], "no such option: --refti"),
    ],
)
def test_bad_input_gets_a_line(tmp_path, table, monkeypatch, capsys, arguments, message) -> None:
    monkeypatch.chdir(tmp_path)
    given = [table if argument == "TABLE" else argument for argument in arguments]
    assert main(["tune", *given]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
