"""A run's folder read back, and one that is not a run's."""

import shutil
from pathlib import Path

import pytest

from bionn.errors import InputError
from bionn.report.page import render
from bionn.report.run_files import read_run
from tests.support.reported import edit_metrics, sequence_run, table_run


@pytest.fixture(scope="module")
def folds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sequence_run(tmp_path_factory.mktemp("folds") / "run", target="site", folds=3)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return table_run(tmp_path_factory.mktemp("table") / "run")


def test_folds_give_their_histories_and_pooled_test_rows(folds: Path) -> None:
    run = read_run(folds)
    assert run.classes == ["EI", "IE", "N"]
    assert len(run.histories) == len(run.folds) == 3
    assert run.test_rows is not None
    assert len(run.test_rows) == 90


def test_ids_stay_text_and_targets_are_numbers(table: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(table, tmp_path / "copy")
    lines = (copy / "predictions.tsv").read_text().splitlines()
    lines[1] = "007\ttest\t1.5\t2.5"
    lines[2] = "NA\ttest\t\t2.5"
    (copy / "predictions.tsv").write_text("\n".join(lines) + "\n")
    rows = read_run(copy).predictions
    assert rows is not None
    assert rows["id"].tolist()[:2] == ["007", "NA"]
    assert rows["target"].tolist()[0] == 1.5
    assert rows["target"].isna().tolist()[1]


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a run's folder needed, no metrics\.json"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("metrics.json", "{", "not readable as JSON"),
        ("metrics.json", "[]", "an object needed"),
        ("metrics.json", '{"task": "poetry"}', "a task needed, 'poetry' found"),
        ("audit.json", "\ufffe{", "not readable as JSON"),
        ("config.yaml", "a: [", "not readable as YAML"),
        ("predictions.tsv", "", "not readable as a table"),
        ("split.json", '{"parts": 3}', "something else found where the page tells of split"),
        ("audit.json", '{"samples": {}}', "something else found where the page tells of data"),
    ],
)
def test_a_damaged_file_is_named(
    table: Path, tmp_path: Path, name: str, text: str, says: str
) -> None:
    copy = shutil.copytree(table, tmp_path / "copy")
    (copy / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=says) as caught:
        render(copy)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["audit.json", "split.json", "config.yaml", "predictions.tsv", "metrics.csv", "model"]
)
def test_what_is_missing_is_left_out(table: Path, tmp_path: Path, name: str) -> None:
    copy = shutil.copytree(table, tmp_path / "copy")
    path = copy / name
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    assert len(render(copy)) < len(render(table))


def test_bare_metrics_make_a_page(table: Path, tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{"task": "binary"}')
    assert "No baseline was scored" in render(tmp_path)
    edit_metrics(tmp_path, test={"auroc": 0.75}, baselines={"linear": {"test": {"auroc": 0.8}}})
    assert "scores no lower" in render(tmp_path)
