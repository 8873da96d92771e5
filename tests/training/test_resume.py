"""A training that is stopped anywhere and gone on with leaves what it would have left, bit by bit."""

import random
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch

from bionn.data.resident import ResidentDataModule
from bionn.errors import InputWarning, Stopped
from bionn.training import fit, loop
from bionn.training.checkpoints import LAST, PREVIOUS
from bionn.training.fit import Trained, train
from bionn.training.options import TrainingOptions, choose
from bionn.training.resume import Checkpoints
from bionn.training.seeds import random_states, restore_random_states, seeded
from tests.small_sets import prepared

SETS = {kind: prepared(kind) for kind in ("binary", "regression", "state")}
ALTERED = {"augment": ("reverse-complement", "mask:0.1")}


def options_for(kind: str, **given: Any) -> TrainingOptions:
    small: dict[str, Any] = {
        "hidden": (8, 4),
        "max_epochs": 4,
        "device": "cpu",
        "batch_size": 16,
        "refit": True,
        "dropout": 0.3,
        "input_dropout": 0.2,
        "patience": 2,
        "learning_rate": 0.05,
    }
    altered = ALTERED if kind == "binary" else {}
    return choose(TrainingOptions(**(small | altered | given)), SETS[kind])


class Killed(Exception):
    """Ends the training as abruptly as an exception can."""


class Events:
    """Counts the hooks of the checkpoint callback, and kills at one of them if told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        self.kill_at: int | None = None
        for hook in ("on_train_batch_start", "on_validation_batch_start", "on_train_epoch_end"):
            monkeypatch.setattr(Checkpoints, hook, self.counted(hook, getattr(Checkpoints, hook)))

    def counted(self, name: str, hook: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> None:
            hook(*arguments, **options)
            self.names.append(name)
            if len(self.names) - 1 == self.kill_at:
                raise Killed

        return call

    def run(self, kill_at: int | None = None) -> None:
        self.names, self.kill_at = [], kill_at


@pytest.fixture
def events(monkeypatch) -> Events:
    return Events(monkeypatch)


def left_by(trained: Trained, folder: Path) -> tuple[Any, ...]:
    """Everything that a training leaves but its duration."""
    weights = [
        parameter.detach().numpy().tobytes()
        for model in (trained.model, trained.selected)
        for parameter in model.parameters()
    ]
    told = (trained.epochs, trained.best_epoch, trained.val_loss, trained.reason)
    return weights, told, (folder / "metrics.csv").read_bytes()


@pytest.mark.parametrize("seconds", [0.0, 1e9], ids=["every step", "every epoch"])
@pytest.mark.parametrize("kind", SETS)
def test_killed_anywhere_it_goes_on_exactly(kind, seconds, events, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("bionn.training.resume.SHARE", 1e9)  # a checkpoint each epoch
    monkeypatch.setattr("bionn.formats.output.sync", lambda path: None)
    options = options_for(kind, checkpoint_seconds=seconds)
    whole = left_by(train(SETS[kind], options, directory=tmp_path / "w"), tmp_path / "w")
    names = events.names
    refit_from = len(names) - 1 - names[::-1].index("on_validation_batch_start")
    chosen = {0, 1, refit_from - 1, refit_from, refit_from + 1, refit_from + 4, len(names) - 1}
    chosen |= {names.index(name) for name in names}
    chosen |= set(np.random.default_rng(0).integers(len(names), size=2).tolist())
    for at in sorted(chosen):
        folder = tmp_path / str(at)
        events.run(kill_at=at)
        with pytest.raises(Killed):
            train(SETS[kind], options, directory=folder)
        events.run()
        again = left_by(train(SETS[kind], options, directory=folder, resume=True), folder)
        assert again == whole, (at, names[at])


def test_killed_again_and_again(events, tmp_path) -> None:
    options = options_for("binary", checkpoint_seconds=0.0)
    whole = left_by(train(SETS["binary"], options, directory=tmp_path / "w"), tmp_path / "w")
    kills = 0
    for _ in range(100):
        events.run(kill_at=7)
        try:
            again = train(SETS["binary"], options, directory=tmp_path / "again", resume=True)
        except Killed:
            kills += 1
        else:
            break
    assert kills > 3
    assert left_by(again, tmp_path / "again") == whole


@pytest.mark.parametrize(
    "given",
    [
        {"min_gradient_norm": 0.9, "batch_size": "full", "patience": None, "max_epochs": 40},
        {"min_loss_change": 0.03, "patience": None, "max_epochs": 40},
        {"learning_rate": 3.0, "patience": 1},
        {"class_weight": "balanced", "refit": False},
        {"sampler": "balanced", "refit": False},
    ],
    ids=lambda given: next(iter(given)),
)
def test_whatever_stops_it_stops_it_again(given, events, tmp_path) -> None:
    """Killed when the last epoch of the first training is saved, or the one before."""
    options = options_for("binary", **given)
    whole = left_by(train(SETS["binary"], options, directory=tmp_path / "w"), tmp_path / "w")
    names = events.names
    last = max(i for i, name in enumerate(names) if name == "on_validation_batch_start") + 1
    assert names[last] == "on_train_epoch_end"
    for at in (last - 2, last):
        events.run(kill_at=at)
        with pytest.raises(Killed):
            train(SETS["binary"], options, directory=tmp_path / str(at))
        events.run()
        again = train(SETS["binary"], options, directory=tmp_path / str(at), resume=True)
        assert left_by(again, tmp_path / str(at)) == whole


def test_a_finished_training_is_not_done_again(events, tmp_path) -> None:
    options = options_for("regression")
    whole = left_by(train(SETS["regression"], options, directory=tmp_path), tmp_path)
    events.run()
    again = train(SETS["regression"], options, directory=tmp_path, resume=True)
    assert left_by(again, tmp_path) == whole
    assert not events.names


def test_without_resume_it_begins_anew(events, tmp_path) -> None:
    options = options_for("regression", refit=False)
    train(SETS["regression"], options, directory=tmp_path)
    other = replace(options, hidden=(5,))
    expected = left_by(train(SETS["regression"], other, directory=tmp_path / "o"), tmp_path / "o")
    again = train(SETS["regression"], other, directory=tmp_path)
    assert left_by(again, tmp_path) == expected


def test_a_damaged_checkpoint_costs_time_and_nothing_else(events, tmp_path) -> None:
    options = options_for("state", checkpoint_seconds=0.0, refit=False)
    whole = left_by(train(SETS["state"], options, directory=tmp_path / "w"), tmp_path / "w")
    for harmed in ((LAST,), (LAST, PREVIOUS)):
        folder = tmp_path / str(len(harmed))
        events.run(kill_at=9)
        with pytest.raises(Killed):
            train(SETS["state"], options, directory=folder)
        for name in harmed:
            raw = (folder / "checkpoints" / name).read_bytes()
            (folder / "checkpoints" / name).write_bytes(raw[: len(raw) // 2])
        events.run()
        with pytest.warns(InputWarning, match="damaged, passed over"):
            again = train(SETS["state"], options, directory=folder, resume=True)
        assert left_by(again, folder) == whole


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGUSR1"])
@pytest.mark.parametrize(
    "hook", ["on_train_batch_end", "on_validation_start", "on_train_epoch_end"]
)
def test_a_signal_ends_the_step_saves_and_stops(name, hook, tmp_path, monkeypatch) -> None:
    options = options_for("binary")
    whole = left_by(train(SETS["binary"], options, directory=tmp_path / "w"), tmp_path / "w")
    calls = iter(range(10**6))

    def send(*_: Any) -> None:
        if next(calls) == 2:
            signal.raise_signal(getattr(signal, name))

    before = [signal.getsignal(getattr(signal, name)) for name in ("SIGTERM", "SIGINT", "SIGUSR1")]
    with monkeypatch.context() as patch:
        patch.setattr(fit.KeepBest, hook, send)
        with pytest.raises(Stopped) as caught:
            train(SETS["binary"], options, directory=tmp_path / "a")
    assert caught.value.saved
    assert caught.value.signal_number == getattr(signal, name)
    after = [signal.getsignal(getattr(signal, name)) for name in ("SIGTERM", "SIGINT", "SIGUSR1")]
    assert after == before
    again = train(SETS["binary"], options, directory=tmp_path / "a", resume=True)
    assert left_by(again, tmp_path / "a") == whole


def test_every_random_state_goes_on() -> None:
    with seeded(3):
        random.random(), np.random.rand(3), torch.randn(5)  # noqa: NPY002
        states = random_states()
        first = random.random(), np.random.rand(4).tolist(), torch.randn(7).tolist()  # noqa: NPY002
        restore_random_states(states)
        again = random.random(), np.random.rand(4).tolist(), torch.randn(7).tolist()  # noqa: NPY002
    assert first == again


@pytest.mark.parametrize("interval", [1.0, 0.5])
@pytest.mark.parametrize("limit", [{"max_epochs": 5}, {"max_steps": 17}], ids=["epochs", "steps"])
def test_in_a_trainer_of_ones_own(limit, interval, events, tmp_path) -> None:
    """Under Lightning's Trainer, with validation within an epoch, or an end within one."""
    data = SETS["binary"]

    def fit_it(folder: Path, start: Path | None = None) -> list[bytes]:
        with seeded(1), loop.quiet_lightning():
            task = loop.build_task(data, options_for("binary"))
            module = ResidentDataModule(lambda: data, batch_size=16, augment=["mask:0.1"])
            trainer = L.Trainer(
                accelerator="cpu",
                callbacks=[Checkpoints(str(folder), seconds=0.0)],
                logger=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                val_check_interval=interval,
                **limit,
            )
            trainer.fit(task, module, ckpt_path=start, weights_only=True)
        return [p.detach().numpy().tobytes() for p in task.parameters()]

    whole = fit_it(tmp_path / "w")
    for at in range(2, len(events.names), 3):
        events.run(kill_at=at)
        with pytest.raises(Killed):
            fit_it(tmp_path / "a")
        events.run()
        assert fit_it(tmp_path / "b", tmp_path / "a" / LAST) == whole
        (tmp_path / "a" / LAST).unlink()
