"""Training a prepared set: reproducible, the best epoch kept, stopped for the reason it tells."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from bionn.data.modules import load_prepared
from bionn.data.samples import DataOptions
from bionn.errors import InputError
from bionn.models import MLP
from bionn.tasks import Classifier, Regressor
from bionn.training.fit import check, train
from bionn.training.loop import build_task
from bionn.training.options import TrainingOptions, choose
from tests.small_sets import prepared, sequences

BINARY, REGRESSION = prepared("binary"), prepared("regression")


def options_for(data=BINARY, **given: Any) -> TrainingOptions:
    small = {"hidden": (8,), "max_epochs": 3, "device": "cpu", "batch_size": 16, "refit": False}
    return choose(TrainingOptions(**(small | given)), data)


def weights(**given: Any) -> torch.Tensor:
    trained = train(BINARY, options_for(**given))
    return torch.cat([p.detach().flatten() for p in trained.model.parameters()])


def test_one_seed_one_network_another_seed_another() -> None:
    torch.manual_seed(1)
    one = weights(seed=5, dropout=0.3, input_dropout=0.3)
    torch.manual_seed(2)
    assert torch.equal(one, weights(seed=5, dropout=0.3, input_dropout=0.3))
    assert not torch.equal(one, weights(seed=6, dropout=0.3, input_dropout=0.3))


def test_packed_codes_train_the_same_network() -> None:
    frame = sequences(letters="ACGT")[["id", "sequence", "label"]]
    data = load_prepared(frame, DataOptions(target="label", fractions=(0.6, 0.2, 0.2)))
    trained = [train(data, options_for(data, packed=packed)).model for packed in (True, False)]
    for one, other in zip(*(model.parameters() for model in trained), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(InputError, match=r"packed: nothing but A, C, G, T fits"):
        check(BINARY, options_for(packed=True))
    with pytest.raises(InputError, match="packed: sequences needed"):
        check(REGRESSION, options_for(REGRESSION, packed=True))


def test_the_callers_random_states_are_left_alone() -> None:
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    weights()
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[2])


def test_the_network_has_the_best_epochs_validation_loss(tmp_path: Path) -> None:
    options = options_for(REGRESSION, max_epochs=15, learning_rate=1.0, patience=15)
    trained = train(REGRESSION, options, directory=tmp_path)
    log = pd.read_csv(tmp_path / "metrics.csv")
    assert log["epoch"].tolist() == list(range(1, 16))
    assert trained.best_epoch == log["epoch"][log["val_loss"].idxmin()]
    assert trained.best_epoch < 15
    rows = torch.from_numpy(REGRESSION.split.val)
    with torch.no_grad():
        loss = ((trained.selected(REGRESSION.inputs[rows]) - REGRESSION.outputs[rows]) ** 2).mean()
    assert loss.item() == pytest.approx(trained.val_loss, rel=1e-5)
    assert log["val_loss"].min() == pytest.approx(trained.val_loss, rel=1e-5)
    assert not trained.model.training
    assert (tmp_path / "checkpoints" / "last.ckpt").is_file()


def test_nothing_is_written_where_no_directory_is_named(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    train(BINARY, options_for())
    assert not list(tmp_path.iterdir())


def test_patience_counts_epochs_without_a_better_loss(tmp_path: Path) -> None:
    options = options_for(REGRESSION, max_epochs=60, learning_rate=1.0, patience=3)
    trained = train(REGRESSION, options, directory=tmp_path)
    loss = pd.read_csv(tmp_path / "metrics.csv")["val_loss"].tolist()
    since = 0
    for epoch in range(len(loss)):
        since = 0 if epoch == 0 or loss[epoch] < min(loss[:epoch]) else since + 1
        if since == 3:
            break
    assert trained.epochs == len(loss) == epoch + 1 < 60
    assert trained.reason == "validation loss no better for 3 epochs"


@pytest.mark.parametrize(
    ("given", "epochs", "reason"),
    [
        ({}, 3, "all epochs run"),
        ({"min_gradient_norm": 1e6}, 1, "gradient norm below 1e+06"),
        ({"min_loss_change": 1e6}, 2, "loss changed by less than 1e+06"),
    ],
)
def test_it_tells_why_it_stopped(given: dict, epochs: int, reason: str) -> None:
    trained = train(BINARY, options_for(**given))
    assert (trained.epochs, trained.reason) == (epochs, reason)


def test_refitting_is_training_on_both_parts_for_the_chosen_epochs() -> None:
    options = options_for(max_epochs=6, dropout=0.0, input_dropout=0.0, refit=True)
    trained = train(BINARY, options)
    first = train(BINARY, replace(options, refit=False))
    for one, other in zip(trained.selected.parameters(), first.model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert trained.best_epoch == first.best_epoch
    assert any(
        not torch.equal(one, other)
        for one, other in zip(
            trained.model.parameters(), trained.selected.parameters(), strict=True
        )
    )
    assert first.model is first.selected


def test_a_validation_loss_that_is_never_finite_is_an_error() -> None:
    outputs = REGRESSION.outputs.clone()
    outputs[torch.from_numpy(REGRESSION.split.val)] = torch.inf
    with pytest.raises(InputError, match="never a finite number; lower the learning rate"):
        train(replace(REGRESSION, outputs=outputs), options_for(REGRESSION))


@pytest.mark.parametrize(
    ("kind", "cls", "width"),
    [("binary", Classifier, 1), ("multiclass", Classifier, 3), ("regression", Regressor, 2)],
)
def test_the_task_fits_the_data(kind: str, cls: type, width: int) -> None:
    data = prepared(kind)
    task = build_task(data, options_for(data, activation="tanh", dropout=0.25))
    assert type(task) is cls
    assert task.kind == kind
    assert isinstance(task.model, MLP)
    assert task.model.arguments["activation"] == "tanh"
    assert task.model.arguments["dropout"] == 0.25
    assert task.model.layers[-1].out_features == width


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_epochs": 0}, "max-epochs: a number from 1 on needed, 0 found"),
        ({"patience": -1}, "patience: .* -1 found"),
        ({"seed": -1}, "seed: a number from 0 to 4294967295 needed, -1 found"),
        ({"learning_rate": -0.1}, "learning-rate: .* -0.1 found"),
        ({"learning_rate": float("nan")}, "learning-rate: .* nan found"),
        ({"weight_decay": -1.0}, "weight-decay: .* -1 found"),
        ({"gradient_clip": -1.0}, "gradient-clip: .* -1 found"),
        ({"batch_size": 0}, "batch-size: 'full' or a number from 1 needed, 0 found"),
        ({"hidden": (8, 0)}, "hidden: widths from 1 on needed, 8, 0 found"),
        ({"dropout": 1.5}, "dropout: a share"),
        ({"activation": "rellu"}, "did you mean 'relu'"),
        ({"init": "zero"}, "did you mean 'zeros'"),
        ({"precision": "8-true"}, "precision: one of 32-true, .*8-true"),
        ({"device": "abacus"}, "device: abacus .*choose device cpu or auto"),
    ],
)
def test_options_out_of_range_are_refused(given: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check(BINARY, options_for(**given))


def test_the_objective_is_what_training_minimises() -> None:
    logits, truth = torch.randn(7, 1), torch.arange(7) % 2
    chances = torch.sigmoid(logits.squeeze(1))
    expected = {
        "squared-error": ((chances - truth) ** 2).mean(),
        "cross-entropy": torch.nn.functional.binary_cross_entropy(chances, truth.float()),
    }
    for name, value in (*expected.items(), ("auto", expected["cross-entropy"])):
        task = build_task(BINARY, options_for(objective=name))
        torch.testing.assert_close(task.loss(logits, truth), value)
    with pytest.raises(InputError, match="objective: one of auto, squared-error"):
        check(REGRESSION, options_for(REGRESSION, objective="cross-entropy"))
