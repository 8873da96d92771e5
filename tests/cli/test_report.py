"""``bionn report``: an old run gets its page; another folder is refused in one line."""

from pathlib import Path

import pytest

from bionn.cli.main import main
from tests.support.reported import sequence_run


def test_the_page_of_an_old_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = sequence_run(tmp_path / "run", baselines=False)
    page = folder / "report.html"
    before = page.read_bytes()
    page.unlink()
    assert main(["report", str(folder)]) == 0
    assert capsys.readouterr().out == f"{page}\n"
    assert page.read_bytes() == before


def test_a_folder_that_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "absent")]) == 2
    error = capsys.readouterr().err
    assert "a run's folder needed, no metrics.json found" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "absent").exists()
