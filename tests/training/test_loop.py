"""The trainer that is made: as Lightning's own, but for what it costs."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from lightning.pytorch.profilers import PassThroughProfiler

from bionn.data.resident import ResidentDataModule
from bionn.models import MLP
from bionn.tasks import Classifier
from bionn.training.loop import Unprofiled
from tests.small_sets import prepared


class Witness(L.Callback):
    """Notes every hook of a batch that is called, and where."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def on_train_batch_start(self, trainer: L.Trainer, module: Any, *_: Any) -> None:
        self.seen.append(f"{module._current_fx_name} {trainer.global_step}")

    def on_train_batch_end(self, trainer: L.Trainer, module: Any, *_: Any) -> None:
        self.seen.append(f"{module._current_fx_name} {trainer.global_step}")


def test_without_profiler_the_same_hooks_are_called_and_the_same_network_comes_out() -> None:
    left = []
    for profiler in (PassThroughProfiler(), Unprofiled()):
        data = prepared("binary")
        witness = Witness()
        module = ResidentDataModule(lambda data=data: data, batch_size=10)
        torch.manual_seed(0)
        task = Classifier(MLP(module.input_shape, (8,), 1), classes=module.classes)
        L.Trainer(
            accelerator="cpu",
            max_epochs=2,
            callbacks=[witness],
            profiler=profiler,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        ).fit(task, module)
        left.append((witness.seen, list(task.parameters())))
    (seen, weights), (seen_without, weights_without) = left
    assert seen == seen_without
    assert len(seen) > 4
    assert all(torch.equal(a, b) for a, b in zip(weights, weights_without, strict=True))


def test_a_task_registers_what_is_set_on_it_as_any_module_does() -> None:
    task = Classifier(MLP(3, (8,), 1), classes="AB")
    task.extra = torch.nn.Linear(2, 1)
    task._current_fx_name = "training_step"
    assert "extra.weight" in task.state_dict()
    assert task._current_fx_name == "training_step"
