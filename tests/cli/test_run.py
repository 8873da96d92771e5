"""``bionn run``: options reach the run; bad input is one line that names place and remedy."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
import yaml

from bionn import pipeline
from bionn.cli.main import main
from tests.small_sets import expression, sequences, write_fasta

COMMAND = str(Path(sys.executable).with_name("bionn"))
QUICK = ["--max-epochs", "1", "--hidden", "8", "--device", "cpu", "--no-baselines"]
FASTA = ["s.fa", "--labels", "l.csv", "--target", "label"]
TABLE = ["t.csv", "--target", "y1"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """A working folder with good files: ``s.fa`` and ``l.csv``, ``t.csv``."""
    monkeypatch.chdir(tmp_path)
    frame = sequences()
    write_fasta(frame, tmp_path / "s.fa")
    frame[["id", "label"]].to_csv("l.csv", index=False)
    expression()[["id", *(f"gene{n}" for n in range(1, 6)), "y1"]].to_csv("t.csv", index=False)
    return tmp_path


def edit(name: str, line: int, text: str | None) -> Callable[[], None]:
    """Replace a line of a file, counted from 1; None takes it out; 0 appends."""

    def apply() -> None:
        lines = Path(name).read_text().splitlines()
        if line == 0:
            lines.append(text or "")
        else:
            lines[line - 1 : line] = [] if text is None else [text]
        Path(name).write_text("\n".join(lines) + "\n")

    return apply


def write(name: str, text: str) -> Callable[[], None]:
    return lambda: Path(name).write_text(text) and None


class Case(NamedTuple):
    """What is broken, the command's arguments, and what the line must say."""

    breaks: Callable[[], Any]
    arguments: list[str]
    says: list[str]


def nothing() -> None:
    """Leave the files as they are."""


CASES = {
    "missing file": Case(nothing, ["no.fa", *FASTA[1:]], ["no.fa: no such file; check"]),
    "missing table": Case(nothing, ["no.csv", *TABLE[1:]], ["no.csv: no such file; check"]),
    "missing labels": Case(nothing, ["s.fa", "--labels", "no.csv"], ["no.csv: no such file"]),
    "a folder": Case(lambda: Path("d.fa").mkdir(), ["d.fa", *FASTA[1:]], ["d.fa: a file needed"]),
    "no input": Case(nothing, [], ["inputs: a FASTA file or a table needed"]),
    "empty FASTA": Case(write("s.fa", ""), FASTA, ["s.fa:1: ", "the file is empty"]),
    "empty table": Case(write("t.csv", "\n"), TABLE, ["t.csv:1: ", "the file is empty"]),
    "header only": Case(write("t.csv", "id,gene1,y1\n"), TABLE, ["t.csv", "header", "add data"]),
    "not FASTA": Case(
        write("s.fa", "id,sequence\na,ACGT\n"),
        FASTA,
        ["s.fa:1: FASTA needed", "'>'", "'id,sequence'"],
    ),
    "binary": Case(
        lambda: Path("s.fa").write_bytes(b">a\nAC\0GT\n"), FASTA, ["s.fa:2:", "NUL byte", "binary"]
    ),
    "id without a label": Case(
        edit("l.csv", 5, None),
        FASTA,
        ["l.csv: ", "1 record without a label (s3) found, the first at s.fa:7; ", "allow-missing"],
    ),
    "label without a record": Case(
        edit("l.csv", 0, "s999,yes"),
        FASTA,
        [
            "l.csv: ",
            "1 label without a record (s999) found, the first at l.csv:92; ",
            "allow-missing",
        ],
    ),
    "no id in common": Case(
        write("l.csv", "id,label\nx1,yes\n"), FASTA, ["l.csv: no id of column 'id'", "id-column"]
    ),
    "label missing": Case(
        edit("l.csv", 4, "s2,"), FASTA, ["id 's2' has no value in target 'label'", "allow-missing"]
    ),
    "duplicate ids in FASTA": Case(
        edit("s.fa", 5, ">s0"),
        FASTA,
        ["s.fa:5: id 's0' stands twice (first on line 1)", "keep one of each id"],
    ),
    "duplicate ids in labels": Case(
        edit("l.csv", 4, "s0,yes"),
        FASTA,
        ["l.csv:4: id 's0' stands twice (first on line 2)", "keep one of each id"],
    ),
    "symbol outside the alphabet": Case(
        edit("s.fa", 6, "ACGTJCGTACGT"),
        FASTA,
        ["s.fa:5: record 's2'", "symbol 'J' at position 5", "correct the record"],
    ),
    "unequal lengths": Case(
        edit("s.fa", 6, "ACGT"),
        FASTA,
        ["s.fa:5: record 's2'", "length 12", "4 found", "align left, center or right"],
    ),
    "no such target": Case(
        nothing, [*FASTA[:-1], "lable"], ["l.csv: no column 'lable' (did you mean 'label'?)"]
    ),
    "which target": Case(nothing, TABLE[:1], ["t.csv: which column is to be predicted? name it"]),
    "no labels": Case(nothing, FASTA[:1], ["s.fa: a target needed", "labels"]),
    "text in a numeric column": Case(
        edit("t.csv", 7, "a5,1,2,high,4,5,6"),
        TABLE,
        ["t.csv:7: column 'gene3': a number needed, 'high' found", "correct it"],
    ),
    "decimal comma": Case(
        edit("t.csv", 7, 'a5,1,2,"3,5",4,5,6'),
        TABLE,
        ["t.csv:7: column 'gene3'", "write '.'"],
    ),
    "text in a numeric target": Case(
        edit("t.csv", 7, "a5,1,2,3,4,5,high"),
        [*TABLE, "--task", "regression"],
        ["t.csv:7: target 'y1': a finite number needed, 'high' found", "correct it"],
    ),
    "too many cells": Case(
        edit("t.csv", 7, "a5,1,2,3,4,5,6,7"), TABLE, ["t.csv:7: 7 cells needed, 8 found", "check"]
    ),
    "a column twice": Case(
        edit("t.csv", 1, "id,gene1,gene2,gene3,gene4,gene1,y1"),
        TABLE,
        ["t.csv:1: different names of columns needed, 'gene1' stands twice (2 and 6); rename one"],
    ),
    "no such feature": Case(
        nothing, [*TABLE, "--features", "gen1"], ["t.csv: no column 'gen1'", "did you mean 'gene1'"]
    ),
    "class with two rows": Case(
        lambda: (edit("l.csv", 2, "s0,rare")(), edit("l.csv", 3, "s1,rare")()),
        FASTA,
        ["l.csv", "class 'rare' has 2 rows, at least 3 needed", "add rows"],
    ),
    "one class": Case(
        lambda: pd.read_csv("l.csv").assign(label="yes").to_csv("l.csv", index=False),
        FASTA,
        ["target 'label': at least 2 classes needed, only 'yes' found"],
    ),
    "no such class": Case(nothing, [*FASTA, "--classes", "yes,nein"], ["no row has class 'nein'"]),
    "unknown split": Case(nothing, [*FASTA, "--split", "randm"], ["did you mean 'random'"]),
    "group without groups": Case(nothing, [*FASTA, "--split", "group"], ["group-column"]),
    "bad pattern": Case(
        nothing, [*FASTA, "--group-pattern", "("], ["group-pattern: ", "regular expression"]
    ),
    "not a number": Case(nothing, [*FASTA, "--max-epochs", "many"], ["--max-epochs", "'many'"]),
    "activation": Case(nothing, [*FASTA, "--activation", "rellu"], ["did you mean 'relu'"]),
    "dropout": Case(nothing, [*FASTA, "--dropout", "1.5"], ["dropout: a share from 0 to below 1"]),
    "encoding": Case(nothing, [*FASTA, "--encoding", "kmer"], ["encoding: onehot", "'kmer' found"]),
    "too many k-mers": Case(nothing, [*FASTA, "--encoding", "kmer:12"], ["at most 131072 k-mers"]),
    "k-mers of a table": Case(
        nothing,
        [*TABLE, "--encoding", "kmer:3"],
        ["encoding: for sequences only", "features found"],
    ),
    "augment": Case(nothing, [*FASTA, "--augment", "mask:2"], ["augment: reverse-", "'mask:2'"]),
    "augmented table": Case(
        nothing, [*TABLE, "--augment", "mask:.1"], ["augment: sequences needed", "features found"]
    ),
    "strands of a table": Case(
        nothing, [*TABLE, "--both-strands"], ["both-strands: for sequences"]
    ),
    "strands of protein": Case(
        nothing,
        [*FASTA, "--alphabet", "custom:ACGTRN", "--both-strands"],
        ["dna or rna alphabet needed, custom:ACGTRN found"],
    ),
    "a file in the way": Case(write("out", "mine"), FASTA, ["out: a folder needed", "another out"]),
    "no such config": Case(nothing, ["--config", "no.yaml"], ["no.yaml: no such file; name"]),
    "config is no YAML": Case(
        write("c.yaml", "a: [1"), ["--config", "c.yaml"], ["c.yaml: not readable as YAML"]
    ),
    "config is a list": Case(write("c.yaml", "- a"), ["--config", "c.yaml"], ["options by name"]),
    "slip in config": Case(
        write("c.yaml", "lables: l.csv"), ["--config", "c.yaml"], ["did you mean 'labels'"]
    ),
    "a config of fit": Case(
        write("c.yaml", "trainer:\n  max_epochs: 3\nmodel:\n  hidden: [8]\n"),
        ["--config", "c.yaml"],
        ["c.yaml: options by name needed", "train by bionn fit --config c.yaml"],
    ),
    "precision": Case(
        nothing, [*FASTA, "--precision", "5"], ["precision: one of", "32-true", "'5' found"]
    ),
    "seed": Case(
        nothing, [*FASTA, "--seed", "-1"], ["seed: a number from 0 to", "-1 found; choose"]
    ),
    "wrong value in config": Case(
        write("c.yaml", "max_epochs: many"),
        ["--config", "c.yaml"],
        ["c.yaml: max_epochs:", "'many'"],
    ),
}
FRESH = ("id without a label", "symbol outside the alphabet")


def check(code: int, error: str, says: list[str]) -> None:
    assert code == 2
    assert error.count("\n") == 1, error
    assert error.startswith("bionn run: error: ")
    assert "Traceback" not in error
    for words in says:
        assert words in error


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_one_line_and_writes_nothing(name: str, folder: Path, capsys) -> None:
    case = CASES[name]
    case.breaks()
    before = sorted(folder.iterdir())
    code = main(["run", *case.arguments, *QUICK, "--out", "out"])
    check(code, capsys.readouterr().err, case.says)
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("name", FRESH)
def test_bad_input_to_the_installed_command(name: str, folder: Path) -> None:
    case = CASES[name]
    case.breaks()
    command = [COMMAND, "run", *case.arguments, *QUICK, "--out", "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    check(done.returncode, done.stderr, case.says)
    assert not Path("out").exists()


def test_allow_missing_goes_on_without_what_has_no_partner(folder: Path, capsys) -> None:
    edit("l.csv", 5, None)()
    edit("l.csv", 0, "s999,yes")()
    assert main(["run", *FASTA, *QUICK, "--allow-missing", "--out", "out"]) == 0
    ids = pd.read_csv("out/splits.tsv", sep="\t")["id"].tolist()
    assert ids == [name for name in sequences()["id"] if name != "s3"]
    shown = capsys.readouterr().out
    assert "left out 1 record without a label (s3)" in shown
    assert "left out 1 label without a record (s999)" in shown


def test_an_existing_run_is_kept_and_overwritten_only_when_asked(folder: Path, capsys) -> None:
    command = ["run", *FASTA, *QUICK, "--out", "out"]
    assert main(command) == 0
    before = Path("out/predictions.tsv").read_bytes()
    capsys.readouterr()
    assert main([*command, "--seed", "1"]) == 2
    error = capsys.readouterr().err
    check(2, error, ["out: already holds a run; choose another folder", "overwrite"])
    assert Path("out/predictions.tsv").read_bytes() == before
    assert main([*command, "--seed", "1", "--overwrite"]) == 0
    assert Path("out/predictions.tsv").read_bytes() != before


def test_two_fasta_files_are_two_classes_the_first_positive(folder: Path, capsys) -> None:
    frame = sequences()
    write_fasta(frame[frame["label"] == "yes"], folder / "active.fa")
    write_fasta(frame[frame["label"] == "no"], folder / "silent.fa")
    assert main(["run", "active.fa", "silent.fa", *QUICK, "--out", "out"]) == 0
    assert "(positive: active)" in capsys.readouterr().out
    table = pd.read_csv("out/predictions.tsv", sep="\t")
    assert list(table)[-2:] == ["prob_silent", "prob_active"]


OPTIONS = {
    "--labels l.csv": ("labels", "l.csv"),
    "--target a b": ("target", ["a", "b"]),
    "--features a b": ("features", ["a", "b"]),
    "--columns a,b": ("columns", ["a", "b"]),
    "--classes yes,no": ("classes", ["yes", "no"]),
    "--hidden 512,128": ("hidden", [512, 128]),
    "--fractions .7,.2,.1": ("fractions", (0.7, 0.2, 0.1)),
    "--batch-size full": ("batch_size", "full"),
    "--batch-size 64": ("batch_size", 64),
    "--learning-rate 1e-3": ("learning_rate", 0.001),
    "--id full": ("id_rule", "full"),
    "--augment reverse-complement shift:3": ("augment", ["reverse-complement", "shift:3"]),
    "--encoding kmer:3,canonical": ("encoding", "kmer:3,canonical"),
    "--both-strands": ("both_strands", True),
    "--allow-missing": ("allow_missing", True),
    "--overwrite": ("overwrite", True),
    "--no-baselines": ("baselines", False),
    "--seed 7": ("seed", 7),
    "--packed": ("packed", True),
    "--compile": ("compile", True),
    "--deterministic": ("deterministic", True),
    "--cuda-graphs": ("cuda_graphs", True),
    "--group-pattern ^(.*)_": ("group_pattern", "^(.*)_"),
    "--refit": ("refit", True),
    "--class-weight yes=5,no=1": ("class_weight", "yes=5,no=1"),
    "--sampler balanced": ("sampler", "balanced"),
    "--threshold auto": ("threshold", "auto"),
    "--transform log-cpm": ("transform", "log-cpm"),
    "--impute model": ("impute", "model"),
    "--missing-indicators": ("missing_indicators", True),
    "--top-genes 500": ("top_genes", 500),
    "--batch-column plate": ("batch_column", "plate"),
    "--batch-effect center": ("batch_effect", "center"),
    "--target-transform log1p": ("target_transform", "log1p"),
    "--no-refit": ("refit", False),
}


@pytest.fixture
def called(monkeypatch) -> dict[str, Any]:
    """What the pipeline is called with, instead of calling it."""
    seen: dict[str, Any] = {}
    monkeypatch.setattr(pipeline, "run", lambda inputs, **o: seen.update(inputs=inputs, **o))
    return seen


@pytest.mark.parametrize("option", OPTIONS)
def test_options_reach_the_pipeline(option: str, called) -> None:
    assert main(["run", "a.fa", *option.split()]) == 0
    name, value = OPTIONS[option]
    assert called == {"inputs": ["a.fa"], name: value}


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("learning_rate: 1e-3", "learning_rate", 0.001),
        ("learning_rate: 1", "learning_rate", 1.0),
        ("hidden: [512, 128]", "hidden", [512, 128]),
        ("hidden: 512,128", "hidden", [512, 128]),
        ("hidden: []", "hidden", []),
        ("batch_size: full", "batch_size", "full"),
        ("batch_size: 32", "batch_size", 32),
        ("target: y", "target", ["y"]),
        ("target: [7, 8]", "target", ["7", "8"]),
        ("id_column: 3", "id_column", "3"),
        ("allow_missing: true", "allow_missing", True),
        ("fractions: [0.7, 0.2, 0.1]", "fractions", (0.7, 0.2, 0.1)),
        ("patience: null", "patience", None),
        ("baselines: false", "baselines", False),
        ("refit: false", "refit", False),
    ],
)
def test_a_configuration_means_what_the_command_line_means(
    text: str, name: str, value: Any, tmp_path: Path, called
) -> None:
    (tmp_path / "c.yaml").write_text(f"inputs: [a.fa]\n{text}\n")
    assert main(["run", "--config", str(tmp_path / "c.yaml")]) == 0
    assert called == {"inputs": ["a.fa"], name: value}
    assert type(called[name]) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "max_epochs: 1.5",
        "max_epochs: [1, 2]",
        "max_epochs: true",
        "learning_rate: fast",
        "hidden: [a]",
        "batch_size: most",
        "allow_missing: 1",
        "labels: {a: b}",
        "target: [[a]]",
        "inputs: [null]",
    ],
)
def test_a_value_of_another_kind_is_refused(text: str, tmp_path: Path, called, capsys) -> None:
    (tmp_path / "c.yaml").write_text(text)
    assert main(["run", "a.fa", "--config", str(tmp_path / "c.yaml")]) == 2
    assert f"c.yaml: {text.split(':')[0]}: not what this option takes" in capsys.readouterr().err
    assert not called


def test_the_command_line_goes_before_the_configuration(tmp_path: Path, called) -> None:
    options = {"inputs": ["a.fa"], "seed": 1, "hidden": [4]}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(options))
    assert main(["run", "b.fa", "--config", str(tmp_path / "c.yaml"), "--seed", "2"]) == 0
    assert called == {"inputs": ["b.fa"], "seed": 2, "hidden": [4]}
