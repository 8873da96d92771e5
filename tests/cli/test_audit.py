"""``bionn audit``: table, JSON and file, exit codes, the options of run, and files left alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bionn.cli import audit as command
from bionn.cli import run
from bionn.cli.main import main
from tests.small_sets import expression, sequences, write_fasta
from tests.support.mutants import random_sequence

TABLE = ["t.csv", "--target", "y1", "--features", "gene1", "gene2"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table, and a FASTA file with its labels, in the current folder."""
    expression(1000).to_csv(tmp_path / "t.csv", index=False)
    frame = sequences(300)
    write_fasta(frame, tmp_path / "s.fa")
    frame[["id", "label"]].to_csv(tmp_path / "l.csv", index=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def test_a_table_of_80_columns_and_warnings(folder: Path, capsys: Any) -> None:
    assert main(["audit", "s.fa", "--labels", "l.csv", "--target", "label"]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    flat = " ".join(shown.split())
    assert "composition" in flat
    assert "certificate: " in flat
    assert "warning: 30 test rows: a share of them is uncertain" in flat
    assert sorted(path.name for path in folder.iterdir()) == ["l.csv", "s.fa", "t.csv"]


def test_without_faults_it_says_so(folder: Path, capsys: Any) -> None:
    assert main(["audit", *TABLE, "--strict"]) == 0
    assert "no warnings" in capsys.readouterr().out


def test_json_is_json_and_the_file_is_the_same(folder: Path, capsys: Any) -> None:
    assert main(["audit", *TABLE, "--json", "--out", "found/audit.json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == json.loads(Path("found/audit.json").read_text())
    assert shown["samples"] == 1000
    assert shown["features"]["count"] == 2
    assert shown["warnings"] == []


def test_strict_makes_warnings_a_failure(folder: Path, capsys: Any) -> None:
    arguments = ["audit", "s.fa", "--labels", "l.csv", "--target", "label"]
    assert main(arguments) == 0
    assert main([*arguments, "--strict"]) == 1
    assert main([*arguments, "--strict", "--json"]) == 1
    capsys.readouterr()


def test_sequences_without_labels_are_counted_and_not_split(folder: Path, capsys: Any) -> None:
    Path("u.fa").write_text(">a\nAAACC\n>b\naaacc\n>c\nGGTTT\n>d\nACGTACGN\n")
    assert main(["audit", "u.fa", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["samples"] == 4
    assert found["duplicates"] == {"rows": 2, "on_the_other_strand": 1}
    facts = found["sequences"]
    assert (facts["shortest"], facts["longest"], facts["median_length"]) == (5, 8, 5)
    # 22 letters: A 3 + 3 + 2, C 2 + 2 + 2, G 2 + 2, T 3 + 1
    assert facts["composition"] == {"A": 8 / 22, "C": 6 / 22, "G": 4 / 22, "T": 4 / 22}
    assert facts["ambiguous"] == {"N": 1}
    assert not {"split", "classes", "task"} & set(found)
    assert [warning["topic"] for warning in found["warnings"]] == ["duplicates", "alphabet"]
    assert main(["audit", "u.fa", "--strict"]) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "no targets: nothing is split" in shown
    assert "2 of 4 rows repeat the sequence of an earlier one (1 on the other strand)" in shown


@pytest.mark.parametrize("option", [["--split", "homology"], ["--folds", "5"], ["--length", "3"]])
def test_what_needs_labels_still_asks_for_them(option: list[str], folder: Path, capsys) -> None:
    assert main(["audit", "s.fa", *option]) == 2
    assert "a target needed for each record" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["audit", "no.fa"], "no.fa: no such file"),
        (["audit", *TABLE, "--split", "homology"], "homology needs sequences"),
        (["audit", *TABLE, "--hidden=5"], "no such option: --hidden"),
        (["audit"], "INPUT"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], says: str, folder: Path, capsys: Any) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("bionn audit: error: ")
    assert says in error


def test_it_has_every_data_option_of_run() -> None:
    data = {
        option
        for group in run.make_parser()._action_groups
        if group.title == "data"
        for action in group._group_actions
        for option in action.option_strings
    }
    own = {option for action in command.make_parser()._actions for option in action.option_strings}
    assert {"--labels", "--split", "--identity", "--repeats", "--test-chromosomes"} <= data <= own


def test_a_homology_split_is_audited_as_run_would_make_it(folder: Path, capsys: Any) -> None:
    rng = np.random.default_rng(0)
    frame = sequences(300)
    frame["sequence"] = [random_sequence(rng, 50) for _ in range(300)]
    frame.loc[100:199, "sequence"] = [text[:-1] + "A" for text in frame["sequence"][:100]]
    write_fasta(frame, Path("s.fa"))
    options = [
        "s.fa",
        "--labels",
        "l.csv",
        "--target",
        "label",
        "--split",
        "homology",
        "--seed",
        "3",
    ]
    assert main(["audit", *options, "--json"]) == 0
    split = json.loads(capsys.readouterr().out)["split"]
    quick = ["--max-epochs", "2", "--hidden", "8", "--device", "cpu", "--no-baselines"]
    assert main(["run", *options, *quick, "--out", "out"]) == 0
    assert json.loads(Path("out/split.json").read_text()) == split
    assert json.loads(Path("out/audit.json").read_text())["split"] == split
    assert split["test"]["identity_at_least"]["0.8"] == 0
    assert "by homology" in capsys.readouterr().out
