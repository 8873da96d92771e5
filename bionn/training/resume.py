"""Going on exactly where training ended: what checkpoints hold beyond Lightning's, and when they come.

Lightning keeps weights, optimiser, schedule, counters and callbacks. Missing for a run whose weights
are bit-equal to those of one that was never interrupted: the random states, whether training had
just been told to stop, and counters that stand exactly between two steps.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.trainer.states import TrainerFn
from torch.utils._pytree import tree_leaves

from bionn.data.batches import ResidentBatches
from bionn.data.resident import ResidentDataModule
from bionn.errors import InputError, Stopped
from bionn.training.checkpoints import GOOD, NEXT, WholeFiles, clear, hold, keep
from bionn.training.health import Watch, weights_finite
from bionn.training.seeds import random_states, restore_random_states

SECONDS = 60.0
"""Seconds between two checkpoints of a long epoch."""

SHARE = 0.1
"""Share of the time that checkpoints at the ends of short epochs may take."""

SIGNALS = ("SIGTERM", "SIGINT", "SIGUSR1")
"""Asked to stop: by a scheduler, by Ctrl-C, by Slurm ahead of the time limit or a preemption."""

LOOK_EVERY = 8
"""Steps from one look to the next of several processes at what the others were asked."""

KEY = "bionn"
"""Where a checkpoint holds what Lightning's does not."""


class Checkpoints(Checkpoint):
    """Saves what training needs to go on exactly, and stops it in good order when a signal comes.

    A checkpoint is made between two steps when the last one is ``seconds`` old, and at the end of each
    epoch; of epochs so short that this would take more than a tenth of the time, not of each, but
    always of the last. ``last.ckpt`` and ``previous.ckpt`` are kept; weights that are not finite never
    take the place of good ones. Where gradients explode, though all is finite, ``good.ckpt`` from before
    is kept beside them.

    After SIGTERM, SIGINT or SIGUSR1 the step in hand is ended and saved, and :class:`Stopped` raised;
    a second one does not wait. Several processes look every :data:`LOOK_EVERY` steps whether any of
    them was sent one, or whether it is time, and then stop together; the first one writes.

    Args:
        directory: where; ``checkpoints`` in the logger's folder when None.
        seconds: between two checkpoints.

    Attributes:
        restored_seconds: how long the training went on before it was taken up again.
        watch: what finds that gradients explode; None: nothing does.
    """

    def __init__(self, directory: str | None = None, *, seconds: float = SECONDS) -> None:
        self.directory = directory
        self.seconds = seconds
        self.restored_seconds = 0.0
        self.watch: Watch | None = None
        self._restored: dict[str, Any] | None = None
        self._handlers: dict[int, Any] = {}
        self._data: dict[str, Any] = {}
        self._asked: int | None = None
        self._step: int | None = None
        self._has_saved = False
        self._last = self._begun = time.monotonic()
        self._cost = 0.0

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Have checkpoints written whole, and remove what a killed process left half-written."""
        del pl_module
        strategy = trainer.strategy
        if type(strategy.checkpoint_io) is TorchCheckpointIO:
            strategy.checkpoint_io = WholeFiles()
        if stage == "fit":
            self._data = data_of(trainer)
            folder = self._folder(trainer)  # asked for by every process
            if trainer.is_global_zero:
                clear(folder)

    def on_load_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Take what is to be put back when training begins."""
        del pl_module
        self._restored = checkpoint.get(KEY)
        if self._restored is not None and trainer.state.fn == TrainerFn.FITTING:
            refuse_other_data(self._restored["data"], self._data)
            trainer.should_stop = self._restored["should_stop"]
            self.restored_seconds = self._restored["seconds"]
            self._has_saved = True

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the random states of every process, and set the counters between two steps."""
        del pl_module
        states: list[Any] = [random_states()]
        if trainer.world_size > 1:
            states *= trainer.world_size
            torch.distributed.all_gather_object(states, states[0])
        step = self._step
        if step is None:  # somebody else's checkpoint, after a batch or after the last of an epoch
            step = trainer.fit_loop.epoch_loop.batch_progress.state_dict()["current"]["processed"]
        checkpoint[KEY] = {
            "random": states,
            "step": step % max(int(trainer.num_training_batches), 1),
            "should_stop": bool(trainer.should_stop),
            "data": self._data,
            "seconds": self.restored_seconds + time.monotonic() - self._begun,
        }
        if self._step is not None:
            between_steps(checkpoint["loops"]["fit_loop"], self._step)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Go on with the random numbers, and listen for signals in Lightning's place."""
        del pl_module
        self._begun = self._last = time.monotonic()
        if self._restored is not None:
            states = self._restored["random"]
            restore_random_states(states[min(trainer.global_rank, len(states) - 1)])
            # Lightning asked for the batches, to count them, before it knew where they go on.
            for batches in tree_leaves(trainer.train_dataloader):
                if isinstance(batches, ResidentBatches):
                    batches.resume_at(self._restored["step"])
        if threading.current_thread() is threading.main_thread():
            for name in SIGNALS:
                number = getattr(signal, name, None)
                if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                    self._handlers[number] = signal.signal(number, self._ask)

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Save between two steps if it is time."""
        del pl_module, batch
        if trainer.world_size > 1 and batch_idx % LOOK_EVERY:
            return
        asked, due = self._agreed(trainer, self.seconds)
        if batch_idx and (asked or due):
            self._save(trainer, batch_idx)
        if asked and self._has_saved:
            raise Stopped(asked, saved=True)

    def on_validation_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Do not end a long validation when asked to stop: the steps before it are soon repeated."""
        del pl_module, batch, batch_idx, dataloader_idx
        if self._handlers and self._has_saved and (asked := self._agreed(trainer)[0]):
            raise Stopped(asked, saved=True)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save when all other callbacks have seen the epoch."""
        del pl_module
        asked, due = self._agreed(trainer, min(self._cost / SHARE, self.seconds))
        if asked or due or _is_last(trainer):
            self._save(trainer, 0)
            self._hold_good(trainer)
        if asked:
            raise Stopped(asked, saved=self._has_saved)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Leave signals to those who had them before; tell where the state before an explosion is."""
        del pl_module
        self._leave()
        good = self._folder(trainer) / GOOD  # asked for by every process
        if self.watch is None or not trainer.is_global_zero:
            return
        if self.watch.exploded is None:
            good.unlink(missing_ok=True)
        elif good.exists():
            self.watch.kept = good

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Leave signals to those who had them before."""
        del trainer, pl_module, exception
        self._leave()

    def _leave(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()

    def _ask(self, number: int, frame: object) -> None:
        """Remember the signal; the second one ends the step in hand."""
        del frame
        if self._asked is not None:
            raise Stopped(number, saved=self._has_saved)
        self._asked = number

    def _agreed(self, trainer: L.Trainer, seconds: float = math.inf) -> tuple[int | None, bool]:
        """The signal that any process was sent, and whether the first one finds a checkpoint due."""
        due = time.monotonic() - self._last >= seconds
        if trainer.world_size == 1:
            return self._asked, due
        votes = torch.tensor([self._asked or 0, due and trainer.is_global_zero])
        votes = trainer.strategy.reduce(votes.to(trainer.strategy.root_device), reduce_op="max")
        asked, due = votes.tolist()
        return asked or None, bool(due)

    def _folder(self, trainer: L.Trainer) -> Path:
        if self.directory is not None:
            return Path(self.directory)
        return Path(trainer.log_dir or trainer.default_root_dir) / "checkpoints"

    def _hold_good(self, trainer: L.Trainer) -> None:
        """Remember an epoch's end as good, until gradients explode."""
        folder = self._folder(trainer)
        if self.watch is not None and self.watch.exploded is None and trainer.is_global_zero:
            hold(folder)

    def _save(self, trainer: L.Trainer, step: int) -> None:
        if not weights_finite(trainer.lightning_module):
            return
        begun, folder = time.monotonic(), self._folder(trainer)
        self._step = step
        try:
            trainer.save_checkpoint(folder / NEXT)
        finally:
            self._step = None
        if trainer.is_global_zero:
            keep(folder)
        self._has_saved = True
        self._last = time.monotonic()
        self._cost = self._last - begun


def data_of(trainer: L.Trainer) -> dict[str, Any]:
    """What decides which rows a step has; nothing for a data module that is not ours."""
    data = getattr(trainer, "datamodule", None)
    if not isinstance(data, ResidentDataModule):
        return {}
    return {
        "batch_size": data.batch_size,
        "seed": data.seed,
        "augment": list(data.augment),
        "sampler": data.sampler,
        "split": data.prepared.split_hash(),
        "data": data.prepared.data_hash(),
    }


def refuse_other_data(before: dict[str, Any], now: dict[str, Any]) -> None:
    """Refuse to go on in the middle of other batches.

    Raises:
        InputError: names what differs.
    """
    for name, value in before.items():
        if name in now and now[name] != value:
            what = "" if name in ("split", "data") else f" ({value!r}, now {now[name]!r})"
            raise InputError(
                f"ckpt_path: the {name} differs from that of the training{what}; leave it as it was, or "
                "train anew without ckpt_path"
            )


def _is_last(trainer: L.Trainer) -> bool:
    """Whether no epoch comes after the one that ends."""
    epochs, steps = trainer.max_epochs or -1, trainer.max_steps
    return (
        trainer.should_stop
        or 0 < epochs <= trainer.current_epoch + 1
        or 0 < steps <= trainer.global_step
    )


def between_steps(loop: dict[str, Any], step: int) -> None:
    """Set Lightning's counters of the fit loop as they stand before a step of an epoch has begun.

    Args:
        loop: the loop's state, which is changed.
        step: steps of this epoch that are done; 0: the last epoch is done and no other begun.
    """
    for count in ("total", "current"):
        epochs = loop["epoch_progress"][count]
        done = epochs["processed"]
        begun = done + (step > 0)
        epochs.update(ready=begun, started=begun, processed=done, completed=done)
    batches = loop["epoch_loop.batch_progress"]
    before = batches["total"]["processed"]
    batches["total"].update(ready=before, started=before, processed=before, completed=before)
    batches["current"].update(ready=step, started=step, processed=step, completed=step)
    batches["is_last_batch"] = False
