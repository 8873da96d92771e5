"""Two processes of a training take the steps of one, and each row has its part in them once."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from torch.distributed.tensor import DTensor

from bionn.data.prepared import Prepared
from bionn.data.resident import ResidentDataModule
from bionn.models import MLP
from bionn.tasks.base import Task
from bionn.tasks.classifier import Classifier
from bionn.tasks.processes import in_order, process_count, process_rank, summed
from bionn.tasks.regressor import Regressor
from bionn.tasks.sharding import gathered
from bionn.training.loop import quiet_lightning
from bionn.training.seeds import seeded
from tests.small_sets import prepared
from tests.support.processes import WORLD, needs_gloo, together

CASES: dict[str, dict[str, Any]] = {
    "binary": {"kind": "binary"},
    "one row is left": {"kind": "binary", "batch_size": 17},  # 52 = 3 * 17 + 1
    "weighted": {"kind": "binary", "class_weight": "balanced"},
    "balanced": {"kind": "state", "sampler": "balanced"},
    "brier": {"kind": "state", "objective": "squared-error"},
    "full batch": {"kind": "state", "batch_size": "full"},
    "augmented": {"kind": "binary", "augment": ["reverse-complement", "mask:0.2"]},
    "gaps": {"kind": "regression", "gaps": True},
}
TRAIN = 52


def data_of(kind: str, *, gaps: bool = False) -> Prepared:
    """A small set of 52 training rows; its targets with gaps if asked for."""
    data = prepared(kind)
    split = data.split
    train, more = split.train[:TRAIN], split.train[TRAIN:]
    data = replace(data, split=replace(split, train=train, test=np.union1d(split.test, more)))
    if gaps:
        data.outputs[torch.from_numpy(train[::3]), 0] = torch.nan
        data.outputs[torch.from_numpy(train[:40]), 1] = torch.nan
    return data


class Seen(L.Callback):
    """Notes the rows of each step, and the gradient that the optimiser is given."""

    def __init__(self) -> None:
        self.rows: dict[str, list[list[int]]] = {"train": [], "val": [], "test": []}
        self.gradients: list[torch.Tensor] = []
        self.losses: list[torch.Tensor] = []
        self.draw = math.nan

    def on_train_start(self, trainer, pl_module) -> None:
        self.draw = float(torch.rand(1))

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        self.rows["train"].append(batch.ids.tolist())

    def on_validation_batch_start(
        self, trainer, pl_module, batch, batch_idx, dataloader_idx=0
    ) -> None:
        self.rows["val"].append(batch.ids.tolist())

    def on_test_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0) -> None:
        self.rows["test"].append(batch.ids.tolist())

    def on_before_optimizer_step(self, trainer, pl_module, optimizer) -> None:
        grads = [whole(p.grad).flatten() for p in pl_module.parameters() if p.grad is not None]
        self.gradients.append(torch.cat(grads).clone())

    def on_train_epoch_end(self, trainer, pl_module) -> None:
        assert isinstance(pl_module, Task)
        self.losses.append(pl_module.losses_of_epoch())


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor that may be shared out among processes."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def task_of(data: Prepared, case: dict[str, Any]) -> Task:
    model = MLP(data.encoder.input_shape, (8, 6), data.targets.num_outputs, activation="tanh")
    if data.targets.task == "regression":
        return Regressor(model, target_names=data.targets.names, learning_rate=0.01)
    return Classifier(
        model,
        classes=data.targets.classes,
        class_weight=case.get("class_weight"),
        objective=case.get("objective", "cross-entropy"),
        learning_rate=0.01,
    )


def results(case: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """Everything that a training of two epochs, a test and a prediction give, in double precision."""
    data, seen = data_of(case["kind"], gaps=case.get("gaps", False)), Seen()
    settings = {"precision": "64-true"} | settings
    with seeded(3), quiet_lightning():
        task = task_of(data, case)
        module = ResidentDataModule(
            lambda: data,
            batch_size=case.get("batch_size", 16),
            seed=5,
            sampler=case.get("sampler", "uniform"),
            augment=case.get("augment"),
        )
        trainer = L.Trainer(
            accelerator="cpu",
            max_epochs=2,
            callbacks=[seen],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            **settings,
        )
        trainer.fit(task, module)
        logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
        logged |= trainer.test(task, module, verbose=False)[0]
        predicted = torch.cat(trainer.predict(task, module))  # pyright: ignore
    weights = torch.cat([whole(p.detach()).flatten() for p in task.parameters()])
    return {
        "rows": seen.rows,
        "draw": seen.draw,
        "gradients": torch.stack(seen.gradients),
        "losses": torch.stack(seen.losses),
        "logged": logged,
        "predicted": predicted,
        "weights": weights,
        "model": gathered(task.model).state_dict(),
    }


def of_each_process(folder: Path) -> Any:
    """What each of the two processes is to do; and sums of its own."""
    own = summed(torch.tensor([process_rank() + 1.0])) if process_count() > 1 else None
    assert own is None
    found = {
        name: results(case, strategy="ddp", devices=WORLD, num_nodes=1)
        for name, case in CASES.items()
    }
    wide = ModelParallelStrategy(data_parallel_size=WORLD, tensor_parallel_size=1)
    found["sharded"] = results(CASES["binary"], strategy=wide, devices=WORLD, precision="32-true")
    share = torch.arange(7.0).reshape(7, 1)[process_rank() :: WORLD]
    return found, summed(torch.tensor([process_rank() + 1.0])), in_order(share)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    return together(of_each_process, tmp_path_factory.mktemp("two"))


pytestmark = needs_gloo


@pytest.mark.parametrize("name", CASES)
def test_two_processes_give_the_gradients_losses_and_weights_of_one(two, name) -> None:
    one = results(CASES[name], devices=1)
    assert one["gradients"].abs().max() > 1e-3
    for found, *_ in two:
        for part in ("gradients", "losses", "weights", "predicted"):
            torch.testing.assert_close(found[name][part], one[part], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_logged_losses_and_scores_are_those_of_one(two, name) -> None:
    one = results(CASES[name], devices=1)["logged"]
    assert {"train_loss", "val_loss", "test_loss"} < one.keys()
    for found, *_ in two:
        assert found[name]["logged"] == pytest.approx(one, rel=1e-6, nan_ok=True)


@pytest.mark.parametrize("name", CASES)
def test_every_row_is_in_one_process_once(two, name) -> None:
    """Each step's rows of both processes are those of one process's step."""
    one = results(CASES[name], devices=1)["rows"]
    first, second = (found[name]["rows"] for found, *_ in two)
    for part, steps in one.items():
        both = [a + b for a, b in zip(first[part], second[part], strict=True)]
        assert list(map(sorted, both)) == list(map(sorted, steps))


def test_a_network_that_is_shared_out_takes_the_steps_of_a_whole_one(two) -> None:
    """By FSDP, under Lightning's strategy for it."""
    one = results(CASES["binary"], devices=1, precision="32-true")
    for found, *_ in two:
        for part in ("gradients", "losses", "weights", "predicted"):
            torch.testing.assert_close(found["sharded"][part], one[part], rtol=1e-4, atol=1e-6)
        assert found["sharded"]["logged"] == pytest.approx(one["logged"], rel=1e-5)
        for name, weight in one["model"].items():
            gathered_weight = found["sharded"]["model"][name]
            torch.testing.assert_close(gathered_weight, weight, rtol=1e-4, atol=1e-6)


def test_a_step_of_one_row_leaves_a_process_without(two) -> None:
    first, second = (found["one row is left"]["rows"]["train"] for found, *_ in two)
    assert (len(first[3]), len(second[3])) == (1, 0)


def test_sums_and_order(two) -> None:
    for _, total, rows in two:
        assert total.tolist() == [3.0]
        assert rows.flatten().tolist() == list(range(7))


def test_each_process_draws_dropout_of_its_own(two) -> None:
    one = results(CASES["binary"], devices=1)["draw"]
    first, second = (found["binary"]["draw"] for found, *_ in two)
    assert first == one
    assert second != one
