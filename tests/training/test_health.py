"""What goes wrong in training is named right: step, records, layer; dead units are counted."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch

from bionn.data.batches import EpochOrder
from bionn.errors import InputError
from bionn.models import MLP
from bionn.models.layers import set_code_table
from bionn.training.checkpoints import LAST, read_checkpoint
from bionn.training.dead_units import dead_layers, dead_units
from bionn.training.ensemble import train_ensemble
from bionn.training.fit import train
from bionn.training.loop import fit_once
from bionn.training.options import TrainingOptions, choose
from tests.small_sets import prepared

REGRESSION, BINARY = prepared("regression"), prepared("binary")
ROWS = 9
"""A batch; six of them in an epoch of 54 rows."""


def options_for(data=REGRESSION, **given: Any) -> TrainingOptions:
    small = {"hidden": (8,), "max_epochs": 4, "device": "cpu", "batch_size": ROWS, "refit": False}
    return choose(TrainingOptions(**(small | given)), data)


class Poison(L.Callback):
    """Makes the gradient of one step infinite."""

    def __init__(self, epoch: int, step: int) -> None:
        self.at = epoch, step

    def on_before_optimizer_step(self, trainer, pl_module: Any, optimizer) -> None:
        del optimizer
        if (trainer.current_epoch, trainer.fit_loop.epoch_loop.batch_idx) == self.at:
            pl_module.model.layers[0].weight.grad.fill_(torch.inf)


def ids_of(epoch: int, step: int, data=REGRESSION, seed: int = 0) -> list[str]:
    """The ids of a batch, by the order that the epoch's rows have."""
    order = EpochOrder(torch.from_numpy(data.split.train), shuffle=True, seed=seed)
    order.set_epoch(epoch)
    return [str(data.samples.ids[row]) for row in order.indices().split(ROWS)[step].tolist()]


def test_the_record_and_the_layer_of_an_overflow_are_named() -> None:
    inputs = REGRESSION.inputs.clone()
    row = int(REGRESSION.split.train[7])
    inputs[row] = 3e38
    step = next(s for s in range(6) if str(REGRESSION.samples.ids[row]) in ids_of(0, s))
    with pytest.raises(InputError) as caught:
        train(replace(REGRESSION, inputs=inputs), options_for(input_dropout=0.0))
    message = str(caught.value)
    assert message.startswith(f"training: epoch 1, step {step + 1}: the loss is ")
    assert f"first in layers.0, records {REGRESSION.samples.ids[row]}; lower --learn" in message
    assert "\n" not in message


def test_infinite_targets_are_named() -> None:
    outputs = REGRESSION.outputs.clone()
    rows = REGRESSION.split.train[[3, 11]]
    outputs[torch.from_numpy(rows)] = torch.inf
    ids = {str(REGRESSION.samples.ids[row]) for row in rows.tolist()}
    step = next(s for s in range(6) if ids & set(ids_of(0, s)))
    with pytest.raises(InputError) as caught:
        train(replace(REGRESSION, outputs=outputs), options_for())
    message = str(caught.value)
    assert f"step {step + 1}: the loss is inf, first in the targets, records " in message
    assert f"records {', '.join(i for i in ids_of(0, step) if i in ids)}; lower" in message


def test_a_learning_rate_that_blows_up_is_told_with_the_batch() -> None:
    options = options_for(learning_rate=1e30, gradient_clip=None, weight_decay=0.0)
    with pytest.raises(InputError, match=r"training: epoch 1, step (\d): the loss is") as caught:
        train(REGRESSION, options)
    step = int(str(caught.value).split("step ")[1][0]) - 1
    assert step > 0  # the first loss is that of the initial weights
    assert f"records {', '.join(ids_of(0, step)[:5])} and {ROWS - 5} more; " in str(caught.value)
    assert "lower --learning-rate, set --gradient-clip, or look" in str(caught.value)


@pytest.mark.parametrize("step", [1, 5])
def test_after_a_good_epoch_training_ends_with_its_weights(step: int, tmp_path: Path) -> None:
    options = options_for(checkpoint_seconds=0.0)
    trained = train(REGRESSION, options, directory=tmp_path, callbacks=[Poison(2, step)])
    assert trained.reason == "loss no longer finite"
    assert trained.epochs == 3
    assert trained.best_epoch <= 2
    assert all(torch.isfinite(p).all() for p in trained.model.parameters())
    ids = ids_of(
        2, min(step + 1, 5)
    )  # the loss after it, or the last step, whose loss was still one
    assert f"epoch 3, step {min(step + 2, 6)}: " in trained.health[0]
    assert ("weights are not finite afterwards" in trained.health[0]) == (step == 5)
    assert f"records {', '.join(ids[:5])} and {ROWS - 5} more" in trained.health[0]
    saved = read_checkpoint(tmp_path / "checkpoints" / LAST)["state_dict"]
    assert all(torch.isfinite(tensor).all() for tensor in saved.values())
    same = train(REGRESSION, options, callbacks=[Poison(2, step)])
    for one, other in zip(trained.model.parameters(), same.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_refit_that_diverges_leaves_the_chosen_network(monkeypatch) -> None:
    def poisoned(prepared, options, callbacks, saved, **given):
        if given:  # the refit, which has no validation
            callbacks = [*callbacks, Poison(0, 1)]
        return fit_once(prepared, options, callbacks, saved, **given)

    plain = train(REGRESSION, options_for(refit=True))
    assert plain.model is not plain.selected
    monkeypatch.setattr("bionn.training.fit.fit_once", poisoned)
    trained = train(REGRESSION, options_for(refit=True))
    assert trained.model is trained.selected
    assert trained.reason == plain.reason
    assert (
        f"refit left out, the network of epoch {trained.best_epoch} is used: " in trained.health[0]
    )
    for one, other in zip(trained.model.parameters(), plain.selected.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("data", [BINARY, REGRESSION])
def test_dead_units_are_those_with_a_planted_bias(data) -> None:
    torch.manual_seed(0)
    model: Any = MLP(data.encoder.input_shape, (10, 6), 2).eval()
    if data.code_table is not None:
        set_code_table(model, data.code_table)
    with torch.no_grad():
        alive = model.layers[0].bias.fill_(100.0)
        alive[:7] = -1e6
        model.layers[2].bias.fill_(1e4)[:3] = -1e6
    assert dead_units(model, data) == {"layers.1": (7, 10), "layers.3": (3, 6)}
    (note,) = dead_layers(model, data)
    assert note.startswith("layers.1: 7 of 10 ReLU units are 0 for every training row looked at; ")
    model = MLP(data.encoder.input_shape, (10,), 2, activation="tanh")
    assert dead_units(model, data) == {}


class Kill(L.Callback):
    """Plants the bias in the first epoch, and holds it there."""

    def on_train_batch_start(self, trainer, pl_module: Any, batch, batch_idx) -> None:
        del trainer, batch, batch_idx
        with torch.no_grad():
            pl_module.model.layers[0].bias[:5] = -1e6


def test_training_tells_dead_layers() -> None:
    trained = train(REGRESSION, options_for(), callbacks=[Kill()])
    assert [note.split(" units")[0] for note in trained.health] == ["layers.1: 5 of 8 ReLU"]
    assert train(REGRESSION, options_for()).health == ()


def test_members_of_an_ensemble_are_named(monkeypatch) -> None:
    told = iter([[], ["layers.1: dead"]])
    monkeypatch.setattr("bionn.training.fit.dead_layers", lambda *_: next(told))
    trained = train_ensemble(REGRESSION, options_for(ensemble=2, max_epochs=1))
    assert trained.health == ("network 2: layers.1: dead",)


def test_deterministic_training_repeats_and_leaves_torch_as_it_was() -> None:
    seen: list[bool] = []

    class Look(L.Callback):
        def on_train_start(self, trainer, pl_module) -> None:
            seen.append(torch.are_deterministic_algorithms_enabled())

    runs = [
        train(BINARY, options_for(BINARY, deterministic=True), callbacks=[Look()]) for _ in "ab"
    ]
    assert seen == [True, True]
    assert not torch.are_deterministic_algorithms_enabled()
    weights = [
        np.concatenate([p.detach().numpy().ravel() for p in r.model.parameters()]) for r in runs
    ]
    assert (weights[0] == weights[1]).all()


def test_an_explosion_is_named_with_its_first_step_layer_and_records() -> None:
    class Inflate(L.Callback):
        """Multiplies the last layer's weights by a thousand in the third epoch."""

        def on_train_batch_start(self, trainer, pl_module: Any, batch, batch_idx) -> None:
            del batch
            if (trainer.current_epoch, batch_idx) == (2, 2):
                with torch.no_grad():
                    pl_module.model.layers[-1].weight *= 1000.0

    options = options_for(dropout=0.0)
    trained = train(REGRESSION, options, callbacks=[Inflate()])
    (note,) = trained.health
    assert note.startswith("epoch 3, step 3: gradients explode: a norm of ")
    assert (
        "longest in layers.0.weight, the loss " in note
    )  # that layer's is by the inflated weights
    assert f"records {', '.join(ids_of(2, 2)[:5])} and {ROWS - 5} more; lower --learning" in note
    assert trained.reason == "all epochs run"
    assert trained.best_epoch <= 2  # the last good state is what is kept


@pytest.mark.parametrize("clip", [1.0, None])
def test_the_norms_that_are_kept_are_those_before_clipping(clip: float | None) -> None:
    seen: list[list[float]] = []
    kept: list[torch.Tensor] = []

    class Look(L.Callback):
        def on_before_optimizer_step(self, trainer, pl_module: Any, optimizer) -> None:
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            seen.append([float(p.grad.norm()) for p in parameters])

        def on_train_epoch_end(self, trainer, pl_module: Any) -> None:
            names, norms = pl_module.gradient_norms.of_epoch()
            assert names[:2] == ["layers.0.weight", "layers.3.weight"]
            kept.append(norms)

    train(REGRESSION, options_for(gradient_clip=clip, max_epochs=2), callbacks=[Look()])
    torch.testing.assert_close(torch.cat(kept), torch.tensor(seen))


@pytest.mark.parametrize("clip", [0.01, 1.0])
def test_clipping_is_torchs(clip: float, monkeypatch) -> None:
    ours = train(REGRESSION, options_for(gradient_clip=clip)).model
    monkeypatch.delattr("bionn.tasks.base.Task.configure_gradient_clipping")
    lightnings = train(REGRESSION, options_for(gradient_clip=clip)).model
    for one, other in zip(ours.parameters(), lightnings.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_resumed_training_tells_the_same_of_an_explosion(tmp_path: Path) -> None:
    class Inflate(L.Callback):
        def on_train_batch_start(self, trainer, pl_module: Any, batch, batch_idx) -> None:
            if (trainer.current_epoch, batch_idx) == (1, 1):
                with torch.no_grad():
                    pl_module.model.layers[-1].weight *= 1000.0

    class Break(L.Callback):
        def on_train_batch_start(self, trainer, pl_module: Any, batch, batch_idx) -> None:
            if (trainer.current_epoch, batch_idx) == (1, 4):
                raise KeyboardInterrupt

    options = options_for(checkpoint_seconds=0.0)
    whole = train(REGRESSION, options, callbacks=[Inflate()])
    with pytest.raises(BaseException, match="SIGINT"):
        train(REGRESSION, options, directory=tmp_path, callbacks=[Inflate(), Break()])
    resumed = train(REGRESSION, options, directory=tmp_path, resume=True)
    assert whole.health == resumed.health
    assert "epoch 2, step 2: gradients explode" in resumed.health[0]
