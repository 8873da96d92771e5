"""The learning curve: rows drawn as said, and each point the training that it claims to be."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bionn
from bionn.data.prepared import prepare
from bionn.data.splits import Split
from bionn.data.targets import Targets
from bionn.errors import Stopped
from bionn.evaluate import evaluate
from bionn.predict import Predictor
from bionn.training import learning_curve as module
from bionn.training.fit import train
from bionn.training.learning_curve import drawn, learning_curve
from bionn.training.options import TrainingOptions, choose
from tests.small_sets import expression, prepared

SMALL = TrainingOptions(max_epochs=2, hidden=[8], device="cpu")


def split_of(rows: int, units: np.ndarray | None = None) -> Split:
    ends = np.arange(rows, rows + 2)
    return Split(np.arange(rows), ends[:1], ends[1:], "test", units=units)


def classes(values: list[int]) -> Targets:
    names = tuple(map(str, range(max(values) + 1)))
    return Targets("multiclass", np.array(values), names, ("y",))


@pytest.mark.parametrize("seed", range(5))
def test_fewer_rows_are_among_the_more_and_all_rows_are_all(seed: int) -> None:
    targets = classes([0] * 95 + [1] * 5 + [0, 1])
    before: set[int] = set()
    for rows in (10, 30, 100):
        found = drawn(split_of(100), targets, rows, seed=seed)
        assert len(found) == rows
        assert before <= set(found.tolist())
        assert 1 in targets.values[found]
        before = set(found.tolist())
    assert not np.array_equal(
        drawn(split_of(100), targets, 10, seed=seed), drawn(split_of(100), targets, 10, seed=9)
    )


def test_groups_are_drawn_whole() -> None:
    units = np.append(np.repeat(np.arange(20), 5), [98, 99])
    targets = Targets("regression", np.zeros((102, 1)), (), ("y",))
    found = drawn(split_of(100, units), targets, 42, seed=0)
    assert len(found) == 45
    assert (np.unique(units[found], return_counts=True)[1] == 5).all()


def test_every_row_is_as_likely_to_be_drawn() -> None:
    targets = Targets("regression", np.zeros((42, 1)), (), ("y",))
    times = np.zeros(40)
    for seed in range(2000):
        times[drawn(split_of(40), targets, 10, seed=seed)] += 1
    np.testing.assert_allclose(times / 2000, 0.25, atol=0.05)


def test_a_point_is_the_mean_of_trainings_on_so_many_rows(monkeypatch) -> None:
    monkeypatch.setattr(module, "FRACTIONS", (0.1, 0.5))
    monkeypatch.setattr(module, "DRAWS", 2)
    data = prepared("state")
    found = learning_curve(data.samples, data.targets, data.split, data.options, SMALL)
    assert [point["n"] for point in found] == [27]  # a tenth of 54 rows is too little
    losses = []
    for draw in range(2):
        rows = drawn(data.split, data.targets, 27, seed=draw)
        part = prepare(data.samples, data.targets, replace(data.split, train=rows), data.options)
        options = choose(replace(SMALL, refit=False, seed=draw), part)
        predictor = Predictor(train(part, options).model, part.manifest())
        losses.append(evaluate(predictor, part, data.split.test)["loss"])
    assert found[0]["test"]["loss"] == pytest.approx(np.mean(losses))
    assert found[0]["test_std"]["loss"] == pytest.approx(np.std(losses))


def test_a_run_tells_its_curve_where_asked(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "FRACTIONS", (0.5, 1.0))
    monkeypatch.setattr(module, "DRAWS", 1)
    frame: Any = expression()[["id", "gene1", "gene3", "y1"]]
    options = {"max_epochs": 2, "hidden": [8], "device": "cpu", "progress": False, "explain": False}
    run = bionn.run(
        frame, target="y1", out=tmp_path / "r", baselines=False, learning_curve=True, **options
    )
    assert [point["n"] for point in run.metrics["learning_curve"]] == [36, 72]
    whole = bionn.run(
        frame, target="y1", out=tmp_path / "w", refit=False, baselines=False, **options
    )
    last = run.metrics["learning_curve"][-1]
    assert last["test"]["r2"] == pytest.approx(whole.metrics["test"]["r2"])
    assert "learning_curve" not in whole.metrics


def test_a_run_stopped_in_its_curve_keeps_the_network_and_the_points_before(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(module, "FRACTIONS", (0.5, 1.0))
    monkeypatch.setattr(module, "DRAWS", 2)
    frame: Any = expression()[["id", "gene1", "gene3", "y1"]]
    options: dict[str, Any] = {"max_epochs": 2, "hidden": [8], "device": "cpu"}
    options |= {"progress": False, "explain": False}
    options |= {"target": "y1", "baselines": False, "learning_curve": True}
    whole = bionn.run(frame, out=tmp_path / "whole", **options)
    trained: list[int] = []
    stops = True

    def training(prepared, asked):
        if stops and len(trained) == 3:
            raise Stopped(signal.SIGTERM)
        trained.append(len(prepared.split.train))
        return train(prepared, asked)

    monkeypatch.setattr(module, "train", training)
    with pytest.raises(Stopped) as stop:
        bionn.run(frame, out=tmp_path / "killed", **options)
    assert stop.value.saved
    stops = False
    monkeypatch.setattr("bionn.pipeline.train_and_test", None)  # the network is not trained again
    resumed = bionn.run(frame, out=tmp_path / "killed", resume=True, **options)
    assert trained == [36, 36, 72, 72]
    assert resumed.metrics["learning_curve"] == whole.metrics["learning_curve"]
    assert resumed.metrics["test"] == whole.metrics["test"]
    assert not list((tmp_path / "killed").rglob(".learning_curve.json"))
