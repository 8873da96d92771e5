"""Every YAML file that is shipped builds: options are known, values settle, networks can be made."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bionn.cli.main import main
from bionn.pipeline import split_options
from experiments.common import with_other_rows

ROOT = Path(__file__).resolve().parents[2]
EXPERIMENTS = sorted(
    path for path in (ROOT / "experiments").glob("*/config.yaml") if "lecture" not in path.parts
)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.parent.name)
def test_options_of_an_experiment_are_options_of_run(path: Path) -> None:
    data, training = split_options(yaml.safe_load(path.read_text(encoding="utf-8")))
    assert data.targets or path.parent.name == "m3d_sos"
    assert training.seed == 0


def test_every_experiment_has_its_three_files() -> None:
    assert len(EXPERIMENTS) == 9
    for path in EXPERIMENTS:
        assert (path.parent / "run.py").is_file()
        assert "<!-- result -->" in (path.parent / "README.md").read_text(encoding="utf-8")


def test_a_part_of_an_experiment_replaces_its_own_row_alone() -> None:
    head = "| score | network |\n|---|---|"
    readme = (
        f"x\n<!-- result -->\n{head}\n| a | 1 |\n| b | 2 |\n| c | 3 |\n<!-- end of result -->\ny"
    )
    assert (
        with_other_rows(f"{head}\n| b | 9 |", readme) == f"{head}\n| a | 1 |\n| b | 9 |\n| c | 3 |"
    )
    assert with_other_rows(f"{head}\n| d | 4 |", readme).endswith("| c | 3 |\n| d | 4 |")
    assert with_other_rows(f"{head}\n| d | 4 |", "nothing") == f"{head}\n| d | 4 |"


def test_the_configuration_of_fit_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    arguments = ["fit", "--config", "experiments/fit_promoters.yaml", "--trainer.max_epochs", "1"]
    assert main([*arguments, "--trainer.default_root_dir", str(tmp_path)]) == 0
    assert "model:" in capsys.readouterr().out
