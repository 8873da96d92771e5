"""Gradient descent step by step against a loop written out in torch; what stops it and what stays."""

import csv
import math
from functools import partial
from itertools import pairwise
from pathlib import Path

import lightning as L
import pytest
import torch
from torch import Tensor

from bionn import artifact
from bionn.data.resident import ResidentDataModule
from bionn.models import MLP
from bionn.tasks import Regressor
from bionn.training.callbacks import (
    EpochLog,
    KeepBest,
    SaveModel,
    StopAfter,
    StopOnGradientNorm,
    StopOnLossChange,
)
from tests.small_sets import prepared

RATE = 0.3
SETTINGS = {
    "accelerator": "cpu",
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
}


class History(L.Callback):
    """The weights after each epoch and its validation loss."""

    def __init__(self) -> None:
        self.weights: list[list[Tensor]] = []
        self.val: list[float] = []

    def on_validation_end(self, trainer, pl_module) -> None:
        self.weights.append([p.detach().clone() for p in pl_module.parameters()])
        self.val.append(float(trainer.callback_metrics["val_loss"]))


def descend(epochs: int, *callbacks: L.Callback, rate: float = RATE) -> tuple[Regressor, L.Trainer]:
    """Full-batch gradient descent at a constant rate."""
    data = prepared("regression")
    module = ResidentDataModule(lambda: data, batch_size="full")
    torch.manual_seed(0)
    model = MLP(data.encoder.input_shape, (6,), 2, activation="tanh")
    task = Regressor(
        model,
        target_names=data.targets.names,
        optimizer=partial(torch.optim.SGD, lr=rate),
        schedule="constant",
    )
    trainer = L.Trainer(max_epochs=epochs, callbacks=list(callbacks), **SETTINGS)
    trainer.fit(task, module)
    return task, trainer


def by_hand(epochs: int, rate: float = RATE) -> tuple[list[list[Tensor]], list[float], list[float]]:
    """The same in plain torch: weights after each step, losses and gradient norms before it."""
    data = prepared("regression")
    rows = torch.from_numpy(data.split.train)
    inputs, targets = data.inputs[rows], data.outputs[rows]
    torch.manual_seed(0)
    model = MLP(data.encoder.input_shape, (6,), 2, activation="tanh")
    w1, b1, w2, b2 = (p.detach().clone().requires_grad_() for p in model.parameters())
    parameters, weights, losses, norms = [w1, b1, w2, b2], [], [], []
    for _ in range(epochs):
        output = torch.tanh(inputs @ w1.T + b1) @ w2.T + b2
        loss = ((output - targets) ** 2).mean()
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter -= rate * gradient
        weights.append([p.detach().clone() for p in parameters])
        losses.append(loss.item())
        norms.append(math.sqrt(sum(float(g.square().sum()) for g in gradients)))
    return weights, losses, norms


def test_full_batch_training_is_gradient_descent(tmp_path: Path) -> None:
    history = History()
    descend(12, history, EpochLog(tmp_path / "metrics.csv"))
    weights, losses, _ = by_hand(12)
    for own, other in zip(history.weights, weights, strict=True):
        for a, b in zip(own, other, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == list(range(1, 13))
    assert [float(row["train_loss"]) for row in rows] == pytest.approx(losses, rel=1e-4)
    assert [float(row["val_loss"]) for row in rows] == pytest.approx(history.val, rel=1e-4)
    assert {float(row["learning_rate"]) for row in rows} == {RATE}


def test_a_new_log_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,train_loss\n9,9\n")
    descend(2, EpochLog(path))
    assert [line.split(",")[0] for line in path.read_text().splitlines()] == ["epoch", "1", "2"]


def test_keep_best_puts_back_the_weights_of_the_best_epoch() -> None:
    history, best = History(), KeepBest()
    task, _ = descend(12, history, best, rate=1.5)  # too long a step: the loss goes up and down
    epoch = min(range(12), key=history.val.__getitem__)
    assert 0 < epoch < 11
    assert (best.epoch, best.best) == (epoch, history.val[epoch])
    for own, kept in zip(task.parameters(), history.weights[epoch], strict=True):
        assert torch.equal(own, kept)


def test_keep_best_goes_on_from_its_state() -> None:
    one, other = KeepBest(), KeepBest()
    descend(3, one)
    other.load_state_dict(one.state_dict())
    assert (other.best, other.epoch) == (one.best, one.epoch)
    task, _ = descend(1, other)  # worse than what it remembers
    assert torch.equal(
        next(task.parameters()), one.state_dict()["weights"]["model.layers.0.weight"]
    )


@pytest.mark.parametrize("wanted", [2, 9])
def test_stop_on_gradient_norm_stops_after_the_first_small_gradient(wanted: int) -> None:
    _, _, norms = by_hand(20)
    threshold = norms[wanted] * 1.001
    assert min(norms[:wanted]) > threshold
    _, trainer = descend(20, StopOnGradientNorm(threshold))
    assert trainer.current_epoch == wanted + 1


@pytest.mark.parametrize("wanted", [2, 9])
def test_stop_on_loss_change_stops_after_the_first_small_change(wanted: int) -> None:
    _, losses, _ = by_hand(20)
    changes = [abs(a - b) for a, b in pairwise(losses)]
    threshold = changes[wanted - 1] * 1.001
    assert min(changes[: wanted - 1]) > threshold
    _, trainer = descend(20, StopOnLossChange(threshold))
    assert trainer.current_epoch == wanted + 1


def test_stop_after() -> None:
    assert descend(20, StopAfter(4))[1].current_epoch == 4


def test_save_model_writes_the_trained_network(tmp_path: Path, capsys) -> None:
    task, _ = descend(2, SaveModel(str(tmp_path / "model")))
    model, manifest = artifact.load(tmp_path / "model")
    assert torch.equal(model.layers[0].weight, task.model.layers[0].weight)
    assert manifest["targets"] == ["y1", "y2"]
    assert str(tmp_path / "model") in capsys.readouterr().out
