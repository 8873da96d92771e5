"""What is printed shows control characters and obeys none but the console's own."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from rich.markup import escape
from rich.table import Table

from bionn.cli.main import main
from bionn.report.terminal import terminal
from tests.small_sets import sequences

EVIL = "\x1b]0;owned\x07\x1b[2Jx\x9b31m\u202eend[red]"
SHOWN = "\\x1b]0;owned\\x1b[2Jx\\x9b31m\\u202eend[red]"


def test_text_and_tables_are_made_harmless_and_styles_stay() -> None:
    file = StringIO()
    console = terminal(file=file, force_terminal=True, width=200, color_system="standard")
    table = Table()
    table.add_column(escape(EVIL))
    table.add_row(escape(EVIL))
    console.print(escape(EVIL), style="bold")
    console.print(table)
    shown = file.getvalue()  # without the bell, which rich leaves out
    assert shown.count(SHOWN) == 3
    left = re.sub(r"\x1b\[\d+m", "", shown)  # rich's own styles
    assert re.findall(r"\x1b\[\d+m", shown)
    assert all(character.isprintable() or character == "\n" for character in left)


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch) -> Path:
    """Names, ids, labels and columns that would command a terminal."""
    monkeypatch.chdir(tmp_path)
    frame = sequences()[["id", "sequence", "label"]]
    frame["label"] = frame["label"] + EVIL
    frame["id"] = frame["id"] + EVIL
    frame[f"group{EVIL}"] = [EVIL + str(n % 7) for n in range(len(frame))]
    folder = tmp_path / EVIL.replace("/", "")
    folder.mkdir()
    frame.to_csv(folder / f"{EVIL}.csv", index=False)
    return folder


def harmless(text: str) -> bool:
    return all(character.isprintable() or character in "\n" for character in text)


def test_a_run_an_audit_and_predictions_show_hostile_names_harmlessly(
    hostile: Path, capsys
) -> None:
    path = str(hostile / f"{EVIL}.csv")
    shown = []
    group = ["--target", "label", "--group-column", f"group{EVIL}"]
    for arguments in (
        ["audit", path, *group],
        ["run", path, *group, "--hidden", "2", "--max-epochs", "1", "--out", str(hostile / "out")],
        ["predict", str(hostile / "out"), path, "--out", str(hostile / "new.tsv")],
        ["predict", str(hostile / "out"), path, "--out", str(hostile / "new.tsv")],
        ["run", path, "--target", "label", "--group-column", EVIL],
        ["run", str(hostile / "none.csv")],
        ["data", "get", EVIL],
        [EVIL],
    ):
        code = main(arguments)
        captured = capsys.readouterr()
        shown.append((code, captured.out + captured.err))
    assert [code for code, _ in shown] == [0, 0, 0, 2, 2, 2, 2, 2]
    for _, text in shown:
        assert text
        assert harmless(text), text
    table = pd.read_csv(hostile / "new.tsv", sep="\t")
    assert table["id"].tolist() == [f"s{n}{EVIL}" for n in range(90)]


def test_formulas_are_counted_and_on_request_told_to_be_text(
    tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    frame = sequences()[["id", "sequence", "label"]]
    frame.loc[:2, "id"] = ["=1+1", "@x", "-5"]
    frame["label"] = frame["label"].replace({"yes": "=yes"})
    frame.to_csv("a.csv", index=False)
    train = ["--target", "label", "--hidden", "2", "--max-epochs", "1", "--out", "out"]
    assert main(["run", "a.csv", *train]) == 0
    assert "note: 2 ids are written as they are" in capsys.readouterr().out
    assert main(["predict", "out", "a.csv", "--out", "plain.csv"]) == 0
    assert "note: 2 ids are written as they are" in capsys.readouterr().err
    assert main(["predict", "out", "a.csv", "--out", "safe.csv", "--spreadsheet"]) == 0
    assert "ids are written" not in capsys.readouterr().err
    plain, safe = (pd.read_csv(f"{name}.csv", dtype=str) for name in ("plain", "safe"))
    assert plain["id"].tolist() == frame["id"].tolist()
    assert safe["id"].tolist()[:3] == ["'=1+1", "'@x", "-5"]
    assert safe["id"].tolist()[3:] == frame["id"].tolist()[3:]
    marked = plain["prediction"].str.replace("=yes", "'=yes")
    assert safe["prediction"].tolist() == marked.tolist()
