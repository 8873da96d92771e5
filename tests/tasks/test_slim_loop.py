"""The slim loop against Lightning's own: the same hooks in the same order, counters and weights."""

from __future__ import annotations

from typing import Any

import lightning as L
import pytest
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.profilers import SimpleProfiler

from bionn.data.batches import Batch, ResidentBatches
from bionn.data.resident import ResidentDataModule
from bionn.models import MLP
from bionn.tasks import Classifier
from bionn.tasks.slim_loop import TOLD, TRANSFER, SlimEpochLoop, slim_down
from tests.small_sets import prepared

STEPS = 5
"""Of an epoch."""

QUIET: dict[str, Any] = {
    "accelerator": "cpu",
    "max_epochs": 3,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


def note(who: Any, name: str, *args: Any) -> None:
    """Note a hook, what it was given, and where training stands."""
    module: Witness = next((a for a in args if isinstance(a, Witness)), who)
    trainer = module.trainer
    losses = [a["loss"] for a in args if isinstance(a, dict) and "loss" in a]
    losses += [a for a in args if isinstance(a, torch.Tensor)]
    module.seen.append(
        (
            type(who).__name__,
            name,
            module._current_fx_name,
            (torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"), torch.get_default_dtype()),
            [float(loss) for loss in losses],
            [a for a in args if isinstance(a, int)],
            trainer.is_last_batch,
            trainer.fit_loop.epoch_loop.state_dict(),
            sorted(trainer.callback_metrics),
        )
    )


def noting(name: str, *, calls: bool) -> Any:
    """A hook that notes itself, and then does what its base does."""

    def hook(self: Any, *args: Any, **options: Any) -> Any:
        note(self, name, *args)
        return getattr(L.LightningModule, name)(self, *args, **options) if calls else None

    return hook


class Eager(Callback):
    """Has a hook of its own at every place of a step."""


class Idle(Callback):
    """Has none."""


class Forgetful(torch.optim.SGD):
    """Calls its closure with gradients off."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = closure()
        super().step()
        return loss


class Witness(L.LightningModule):
    """A network that notes its hooks."""

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = torch.nn.Linear(3, 1)
        self.settings = settings
        self.seen: list[Any] = []
        self.was_slim: set[bool] = set()

    def setup(self, stage: str) -> None:
        slim_down(self.trainer)

    def training_step(self, batch: Batch, batch_idx: int) -> Any:
        loop = self.trainer.fit_loop.epoch_loop
        self.was_slim.add(isinstance(loop, SlimEpochLoop) and loop._step is not None)
        if batch_idx == self.settings.get("nothing_at"):
            return None
        loss = (self.network(batch.inputs) - batch.targets[:, None]).square().mean()
        if self.settings.get("logs"):
            self.log("step_loss", loss, on_step=True, on_epoch=True)
        return {"loss": loss, "more": loss.detach()} if self.settings.get("dict") else loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.seen.append("validation")
        self.log("val_loss", self.network(batch.inputs).mean())

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> int | None:
        note(self, "on_train_batch_start", batch_idx)
        return -1 if batch_idx == self.settings.get("enough_at") else None

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        note(self, "on_train_batch_end", outputs, batch_idx)
        if (self.current_epoch, batch_idx) == self.settings.get("stop_at"):
            self.trainer.should_stop = True

    def configure_optimizers(self) -> Any:
        optimizer = self.settings.get("optimizer", torch.optim.SGD)(self.parameters(), lr=0.1)
        interval = self.settings.get("schedule")
        if interval is None:
            return optimizer
        if interval == "plateau":
            schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
            told = {"scheduler": schedule, "interval": "epoch", "monitor": "val_loss"}
        else:
            schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
            told = {"scheduler": schedule, "interval": interval, "frequency": 2}
        return {"optimizer": optimizer, "lr_scheduler": told}


for _name in TOLD:
    setattr(Eager, _name, noting(_name, calls=False))
for _name in (*TRANSFER, *TOLD[1:-1], "optimizer_zero_grad", "lr_scheduler_step"):
    setattr(Witness, _name, noting(_name, calls=True))


def batches() -> ResidentBatches:
    generator = torch.Generator().manual_seed(1)
    inputs, targets = torch.randn(14, 3, generator=generator), torch.arange(14.0)
    return ResidentBatches(inputs, targets, torch.arange(14), batch_size=3, shuffle=True)


def fitted(options: dict[str, Any], settings: dict[str, Any]) -> tuple[Witness, L.Trainer]:
    module = Witness(**settings)
    trainer = L.Trainer(callbacks=[Idle(), Eager()], **(QUIET | {"logger": False} | options))
    trainer.fit(module, batches(), batches())
    return module, trainer


CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "clipped": ({"gradient_clip_val": 0.1}, {}),
    "logging": ({"log_every_n_steps": 2}, {"logs": True}),
    "more than a loss": ({}, {"dict": True}),
    "a step without a loss": ({}, {"nothing_at": 1}),
    "an epoch given up": ({}, {"enough_at": 3}),
    "stopped in an epoch": ({}, {"stop_at": (1, 2)}),
    "steps counted": ({"max_steps": 7, "max_epochs": -1}, {}),
    "half validated": ({"val_check_interval": 0.5}, {}),
    "seldom validated": ({"val_check_interval": 4, "check_val_every_n_epoch": None}, {}),
    "few batches": ({"limit_train_batches": 2}, {}),
    "autocast": ({"precision": "bf16-mixed"}, {}),
    "half precision": ({"precision": "bf16-true"}, {}),
    "double precision": ({"precision": "64-true"}, {}),
    "gradients off": ({}, {"optimizer": Forgetful}),
    "a schedule of steps": ({}, {"schedule": "step"}),
    "a schedule of epochs": ({}, {"schedule": "epoch"}),
    "a schedule of losses": ({}, {"schedule": "plateau"}),
}

LONG: dict[str, dict[str, Any]] = {
    "steps of two batches": {"accumulate_grad_batches": 2},
    "a profiler": {"profiler": SimpleProfiler()},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", [*CASES, *LONG])
def test_all_is_as_under_lightnings_own_loop(
    case: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    options, settings = CASES.get(case) or (LONG[case], {})
    if case == "logging":
        options = options | {"logger": CSVLogger(tmp_path / "ours")}
    ours, our_trainer = fitted(options, settings)
    assert ours.was_slim == {case in CASES}
    monkeypatch.setattr("bionn.tasks.slim_loop.KNOWN", "another")
    if case == "logging":
        options = options | {"logger": CSVLogger(tmp_path / "theirs")}
    theirs, their_trainer = fitted(options, settings)
    assert theirs.was_slim == {False}
    assert len(ours.seen) > 2 * STEPS
    for one, other in zip(ours.seen, theirs.seen, strict=True):
        assert one == other
    assert our_trainer.fit_loop.state_dict() == their_trainer.fit_loop.state_dict()
    assert our_trainer.callback_metrics == their_trainer.callback_metrics
    assert our_trainer.logged_metrics == their_trainer.logged_metrics
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(one, other)
    if case == "logging":
        files = [next((tmp_path / who).rglob("metrics.csv")) for who in ("ours", "theirs")]
        assert files[0].read_text() == files[1].read_text()


def test_a_task_brings_the_loop_along() -> None:
    data = prepared("binary")
    module = ResidentDataModule(lambda: data, batch_size=10)
    task = Classifier(MLP(module.input_shape, (8,), 1), classes=module.classes)
    slim: list[bool] = []

    class Look(Callback):
        def on_train_batch_start(self, trainer: L.Trainer, *_: Any) -> None:
            loop = trainer.fit_loop.epoch_loop
            slim.append(isinstance(loop, SlimEpochLoop) and loop._step is not None)

    L.Trainer(callbacks=[Look()], logger=False, **QUIET).fit(task, module)
    assert len(slim) > STEPS
    assert all(slim)


def test_what_hangs_on_the_loop_stays() -> None:
    trainer = L.Trainer(logger=False, max_steps=9, min_steps=2, **(QUIET | {"max_epochs": -1}))
    before = trainer.fit_loop.epoch_loop
    slim_down(trainer)
    after = trainer.fit_loop.epoch_loop
    assert type(after) is SlimEpochLoop
    assert after.val_loop is before.val_loop
    assert (after.max_steps, after.min_steps) == (9, 2)
    slim_down(trainer)
    assert trainer.fit_loop.epoch_loop is after


class Lazy(Witness):
    """Steps without the closure."""

    def optimizer_step(self, *args: Any) -> None:
        args[2].step()


def test_a_step_that_never_calls_its_closure_is_told() -> None:
    trainer = L.Trainer(logger=False, **QUIET)
    with pytest.raises(MisconfigurationException, match="optimizer_step has to call"):
        trainer.fit(Lazy(), batches(), batches())


class Halving(Witness):
    """Derives in a way of its own."""

    def backward(self, loss: torch.Tensor, *args: Any, **options: Any) -> None:
        self.seen.append("backward")
        super().backward(loss / 2, *args, **options)


def test_a_backward_of_its_own_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    modules = []
    for known in ("2.6.", "another"):
        monkeypatch.setattr("bionn.tasks.slim_loop.KNOWN", known)
        module = Halving()
        L.Trainer(logger=False, **QUIET).fit(module, batches(), batches())
        modules.append(module)
    ours, theirs = modules
    assert ours.was_slim == {True}
    assert theirs.was_slim == {False}
    assert ours.seen.count("backward") > STEPS
    assert ours.seen == theirs.seen
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(one, other)
