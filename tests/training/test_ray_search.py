"""Workers of a Ray cluster on this machine: they share a study that none but one of them sees."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import ray

from bionn.cluster import ray_cluster
from bionn.errors import InputError
from bionn.report.tuning import trial_table
from bionn.training.fit import train
from bionn.training.ray_search import Keeper
from bionn.training.tuning import tune
from tests.training.test_tuning import REGRESSION, search_over


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    with ray_cluster(processes=2):
        yield


@pytest.mark.ray
def test_workers_share_a_study(tmp_path: Path, cluster: None) -> None:
    told: list[int] = []
    search = search_over(max_epochs=4)
    tuned = tune(
        search, tmp_path, trials=6, workers=2, engine="ray",
        report=lambda number, loss, best: told.append(number),
    )  # fmt: skip
    table = trial_table(tuned.study)
    assert len(table) == 6
    assert set(table["state"]) <= {"complete", "pruned"}
    assert sorted(told) == sorted(table.loc[table["state"] == "complete", "trial"])
    assert tuned.val_loss == table["val_loss"][table["state"] == "complete"].min()
    assert table["epochs"].notna().sum() == len(told)
    again = train(REGRESSION, replace(tuned.training, refit=False))
    assert again.val_loss == pytest.approx(tuned.val_loss)
    assert ray.is_initialized()  # it was there before


@pytest.mark.ray
def test_one_worker_finds_what_a_local_one_finds(tmp_path: Path, cluster: None) -> None:
    tables = []
    for engine in ("local", "ray"):
        (tmp_path / engine).mkdir()
        study = tune(search_over(), tmp_path / engine, trials=4, engine=engine).study
        tables.append(trial_table(study).drop(columns="seconds"))
    assert tables[0].equals(tables[1])


@pytest.mark.ray
def test_when_the_time_is_up_one_trial_is_there(tmp_path: Path, cluster: None) -> None:
    tuned = tune(search_over(), tmp_path, minutes=1e-6, workers=1, engine="ray")
    assert [trial.state.name for trial in tuned.study.trials] == ["COMPLETE"]


def test_a_lost_worker_s_trial_is_made_again(tmp_path: Path) -> None:
    """A worker whose machine is lost is begun anew, and asks while its trial is still open."""
    keeper = Keeper(search_over(), tmp_path, 2, None)
    first = keeper.ask(0)
    again = keeper.ask(0)
    assert first is not None
    assert again == first
    assert [trial.state.name for trial in keeper.study.trials] == ["FAIL", "RUNNING"]
    keeper.tell(0, 1.0, {})
    assert keeper.ask(0) is not None
    assert keeper.ask(1) is None  # two trials were asked for: one is over, one is open
    assert keeper.news() == [(1, 1.0, 1.0)]
    assert keeper.news() == []


def test_a_failing_trial_is_told(tmp_path: Path) -> None:
    keeper = Keeper(search_over(), tmp_path, 1, None)
    keeper.ask(0)
    keeper.tell(0, None, {"error": "no good"})
    table = trial_table(keeper.study)
    assert table[["state", "error"]].to_numpy().tolist() == [["fail", "no good"]]
    assert keeper.ask(0) is None


def test_without_ray_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install 'bionn\[ray\]'"):
        tune(search_over(), tmp_path, trials=1, engine="ray")
