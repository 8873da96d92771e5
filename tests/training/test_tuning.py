"""A search: begins at the defaults, sees no test row, follows its seed, goes on where it stopped."""

import pickle
import signal
import sys
import time
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch

from bionn.data.samples import DataOptions
from bionn.errors import InputError, Stopped
from bionn.report.tuning import importances, trial_table, write_search
from bionn.training.fit import train
from bionn.training.options import TrainingOptions
from bionn.training.search import Choice, Range, Search, Space
from bionn.training.trials import STARTUP_TRIALS, GiveUp
from bionn.training.tuning import tune
from tests.small_sets import prepared

BINARY, REGRESSION = prepared("binary"), prepared("regression")
SPACE: Space = {
    "depth": Range(1, 2),
    "width": Choice((4, 8, 16)),
    "learning_rate": Range(1e-3, 1e-1, log=True),
    "dropout": Range(0.0, 0.5, step=0.05),
}
TRAINING = TrainingOptions(hidden=(8,), max_epochs=3, device="cpu", batch_size=16)


def search_over(data=REGRESSION, space: Space = SPACE, **given) -> Search:
    return Search(
        data.samples, data.targets, data.split, data.options, replace(TRAINING, **given), space
    )


def test_the_first_trial_is_the_network_of_the_options(tmp_path: Path) -> None:
    search = search_over()
    tuned = tune(search, tmp_path, trials=1)
    data, training = search.settle(dict(tuned.study.trials[0].params))
    assert (data, training.hidden, training.dropout) == (search.data, (8,), 0.2)
    assert train(REGRESSION, replace(training, refit=False)).val_loss == pytest.approx(
        tuned.val_loss
    )


def test_the_best_trial_is_no_worse_and_trains_again_to_its_loss(tmp_path: Path) -> None:
    tuned = tune(search_over(), tmp_path, trials=6)
    losses = [trial.value for trial in tuned.study.trials if trial.value is not None]
    assert tuned.val_loss == min(losses) <= losses[0]
    again = train(REGRESSION, replace(tuned.training, refit=False))
    assert again.val_loss == pytest.approx(tuned.val_loss)


def test_classifiers_are_compared_at_their_best_temperature(tmp_path: Path) -> None:
    search = search_over(BINARY, calibrate=True, max_epochs=30, learning_rate=0.1)
    tuned = tune(search, tmp_path, trials=1)
    trained = train(BINARY, replace(tuned.training, refit=False))
    rows = BINARY.split.val
    logits = torch.as_tensor(trained.selected(BINARY.inputs[torch.from_numpy(rows)])).double()
    truth = torch.from_numpy(BINARY.targets.values[rows]).double()
    loss = torch.nn.functional.binary_cross_entropy_with_logits
    scaled = [loss(logits[:, 0] / t, truth).item() for t in np.geomspace(0.05, 20, 4001)]
    assert tuned.val_loss == pytest.approx(min(scaled), rel=1e-4)
    assert tuned.val_loss < trained.val_loss
    (tmp_path / "plain").mkdir()
    plain = tune(
        search_over(BINARY, calibrate=False, max_epochs=30, learning_rate=0.1),
        tmp_path / "plain",
        trials=1,
    )
    assert plain.val_loss == pytest.approx(trained.val_loss, rel=1e-5)


def test_the_outcome_follows_from_the_seed(tmp_path: Path) -> None:
    tables = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        (tmp_path / name).mkdir()
        tuned = tune(search_over(seed=seed), tmp_path / name, trials=5)
        tables.append(trial_table(tuned.study).drop(columns="seconds"))
    assert tables[0].equals(tables[1])
    assert not tables[0].equals(tables[2])


def test_a_search_goes_on_where_it_stopped(tmp_path: Path) -> None:
    first = tune(search_over(), tmp_path, trials=2)
    kept = [trial.params for trial in first.study.trials]
    assert len(tune(search_over(), tmp_path, trials=2).study.trials) == 2
    second = tune(search_over(), tmp_path, trials=4)
    assert [trial.params for trial in second.study.trials][:2] == kept
    assert len(second.study.trials) == 4


def test_a_trial_cut_short_by_a_crash_is_made_again(tmp_path: Path) -> None:
    tuned = tune(search_over(), tmp_path, trials=1)
    lost = tuned.study.ask()
    lost.suggest_categorical("width", SPACE["width"].values)  # pyright: ignore
    again = tune(search_over(), tmp_path, trials=3)
    states = [trial.state.name for trial in again.study.trials]
    assert states[1] == "FAIL"
    assert again.study.trials[2].params["width"] == lost.params["width"]


def test_a_search_that_is_cut_short_ends_as_if_it_had_not_been(tmp_path: Path, monkeypatch) -> None:
    """Also past the trials that are drawn at random, and in the middle of one."""
    many = STARTUP_TRIALS + 3
    tables = []
    for name, cut in (("whole", None), ("cut", many - 1)):
        (tmp_path / name).mkdir()
        if cut is not None:
            tune(search_over(), tmp_path / name, trials=cut - 1)
            with monkeypatch.context() as patch:
                patch.setattr(GiveUp, "on_validation_end", _stop)
                with pytest.raises(Stopped):
                    tune(search_over(), tmp_path / name, trials=many)
        table = trial_table(tune(search_over(), tmp_path / name, trials=many).study)
        own = table[table["state"] != "fail"].drop(columns=["trial", "seconds"])
        tables.append(own.reset_index(drop=True))
        assert len(table) == many + (cut is not None)
    assert tables[0].equals(tables[1])


def _stop(*_: object) -> None:
    raise Stopped(signal.SIGTERM)


def test_a_study_of_other_data_or_options_is_refused(tmp_path: Path) -> None:
    tune(search_over(), tmp_path, trials=1)
    for other in (
        search_over(max_epochs=4),
        search_over(space={**SPACE, "dropout": Choice((0.1,))}),
        search_over(prepared("regression", transform="none")),
    ):
        with pytest.raises(InputError, match="a study of other data, options or dimensions"):
            tune(other, tmp_path, trials=2)


def test_no_test_row_is_looked_at(tmp_path: Path) -> None:
    values = REGRESSION.targets.values.copy()
    values[REGRESSION.split.test] = 1e6
    changed = replace(REGRESSION, targets=replace(REGRESSION.targets, values=values))
    losses = []
    for name, data in (("a", REGRESSION), ("b", changed)):
        (tmp_path / name).mkdir()
        losses.append(
            trial_table(tune(search_over(data), tmp_path / name, trials=3).study)["val_loss"]
        )
    assert losses[0].equals(losses[1])


def test_encodings_are_searched(tmp_path: Path) -> None:
    search = search_over(BINARY, {"encoding": Choice(("onehot", "kmer:2"))})
    tuned = tune(search, tmp_path, trials=4)
    tried = {trial.params["encoding"] for trial in tuned.study.trials}
    assert tried == {"onehot", "kmer:2"}
    assert isinstance(tuned.data, DataOptions)
    assert tuned.data.encoding == tuned.values["encoding"]


def test_a_failing_trial_is_told_and_the_search_goes_on(tmp_path: Path) -> None:
    search = search_over(space={"activation": Choice(("tanh", "tahn"))})
    tuned = tune(search, tmp_path, trials=8)
    table = trial_table(tuned.study)
    assert {"complete", "fail"} <= set(table["state"])
    assert table.loc[table["state"] == "fail", "error"].str.contains("did you mean .tanh").all()
    assert tuned.values == {"activation": "tanh"}


def test_a_hopeless_trial_is_given_up(tmp_path: Path) -> None:
    search = search_over(space={"learning_rate": Choice((0.01, 0.02, 0.03, 1e-12))}, max_epochs=5)
    study = tune(search, tmp_path, trials=STARTUP_TRIALS).study
    study.enqueue_trial({"learning_rate": 1e-12})
    last = tune(search, tmp_path, trials=STARTUP_TRIALS + 1).study.trials[-1]
    assert (last.params["learning_rate"], last.state.name) == (1e-12, "PRUNED")
    assert len(last.intermediate_values) < 5


def test_when_the_time_is_up_one_trial_is_there(tmp_path: Path) -> None:
    tuned = tune(search_over(), tmp_path, minutes=1e-6)
    assert [trial.state.name for trial in tuned.study.trials] == ["COMPLETE"]


def test_a_wall_clock_that_jumps_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    years = count(3.15e9, 3.15e8)
    monkeypatch.setattr(time, "time", lambda: next(years))
    tuned = tune(search_over(max_epochs=2), tmp_path, trials=2, minutes=60)
    assert [trial.state.name for trial in tuned.study.trials] == ["COMPLETE"] * 2


def test_processes_share_a_study(tmp_path: Path) -> None:
    tuned = tune(search_over(max_epochs=10), tmp_path, trials=4, workers=2)
    assert sum(trial.state.is_finished() for trial in tuned.study.trials) >= 4
    loaded = optuna.load_study(study_name="bionn", storage=f"sqlite:///{tmp_path / 'study.db'}")
    assert loaded.best_value == tuned.val_loss


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({}, "a bound needed"),
        ({"trials": 0}, "trials: a number above 0"),
        ({"minutes": -1.0}, "minutes: a number above 0"),
        ({"trials": 1, "workers": 0}, "workers: a number above 0"),
        ({"trials": 1, "engine": "rey"}, "did you mean 'ray'"),
    ],
)
def test_bounds_are_checked(tmp_path: Path, bounds: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        tune(search_over(), tmp_path, **bounds)


def test_threads_and_random_states_are_left_alone(tmp_path: Path) -> None:
    before = torch.get_num_threads(), torch.get_rng_state(), str(np.random.get_state())  # noqa: NPY002
    tune(search_over(), tmp_path, trials=2)
    assert torch.get_num_threads() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    assert str(np.random.get_state()) == before[2]  # noqa: NPY002


def test_the_choice_that_matters_is_found(tmp_path: Path) -> None:
    space: Space = {"learning_rate": Choice((1e-2, 1e-6)), "width": Choice((15, 16))}
    tuned = tune(search_over(space=space), tmp_path, trials=8)
    shares = importances(tuned.study)
    assert shares["learning_rate"] > 2 * shares["width"]
    assert sum(shares.values()) == pytest.approx(1)
    write_search(tuned, space, tmp_path)
    for name in ("trials.tsv", "importance.tsv", "importance.png", "slices.png"):
        assert (tmp_path / name).stat().st_size > 0


def test_without_optuna_the_remedy_is_told(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"pip install 'bionn\[tune\]'"):
        tune(search_over(), tmp_path, trials=1)


def test_what_other_processes_are_sent_is_not_what_each_can_make() -> None:
    search = search_over()
    alone = len(pickle.dumps(search))
    prepared_here = search.prepare(search.data)
    sent = pickle.loads(pickle.dumps(search))
    assert len(pickle.dumps(search)) == alone
    assert sent.digest() == search.digest()
    assert torch.equal(sent.prepare(search.data).inputs, prepared_here.inputs)
    assert search.prepare(search.data) is prepared_here
