"""Train a network on a prepared set: Lightning's loop, the best epoch kept, a line an epoch written."""

from __future__ import annotations

import math
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason
from rich.console import Console
from rich.markup import escape

from bionn.data.augment import Augmentation
from bionn.data.batches import resolve_batch_size
from bionn.data.prepared import Prepared
from bionn.data.resident import ResidentDataModule, pack
from bionn.errors import InputError
from bionn.models.decision import class_weights
from bionn.models.heads import find_objective
from bionn.training.callbacks import (
    EpochLog,
    EpochProgress,
    KeepBest,
    StopAfter,
    StopOnGradientNorm,
    StopOnLossChange,
)
from bionn.training.checkpoints import LAST, NEXT, PREVIOUS, clear
from bionn.training.dead_units import dead_layers
from bionn.training.health import Diverged, Watch
from bionn.training.loop import build_task, fit_once, make_trainer, quiet_lightning
from bionn.training.options import TrainingOptions
from bionn.training.resume import Checkpoints
from bionn.training.seeds import seeded


@dataclass(frozen=True)
class Trained:
    """What training leaves.

    Attributes:
        model: the network to use, on the CPU.
        selected: the network whose epoch was chosen on the validation rows: the same one, unless
            the training was repeated on training and validation rows together.
        epochs: epochs run before the choice.
        best_epoch: the epoch chosen, counted from 1.
        val_loss: its validation loss.
        seconds: wall time, that before an interruption included.
        seconds_before: how much of it was before the interruption.
        reason: why training stopped.
        health: what was wrong in training, a sentence each.
        members: of an ensemble, how the training of each network went.
    """

    model: torch.nn.Module
    selected: torch.nn.Module
    epochs: int
    best_epoch: int
    val_loss: float
    seconds: float
    seconds_before: float
    reason: str
    health: tuple[str, ...] = ()
    members: tuple[Trained, ...] = ()


def check(prepared: Prepared, options: TrainingOptions) -> None:
    """Refuse what :func:`train` would refuse, before anything is written.

    Args:
        prepared: the data.
        options: settled options; see :func:`bionn.training.options.choose`.

    Raises:
        InputError: a number out of its range, an unknown name, or a device or precision that is not
            to be had.
    """
    for name, least, most in (
        ("max_epochs", 1, math.inf),
        ("patience", 0, math.inf),
        ("seed", 0, 2**32 - 1),
        ("learning_rate", 0, sys.float_info.max),
        ("weight_decay", 0, sys.float_info.max),
        ("gradient_clip", 0, sys.float_info.max),
        ("min_gradient_norm", 0, sys.float_info.max),
        ("min_loss_change", 0, sys.float_info.max),
    ):
        value, shown = getattr(options, name), name.replace("_", "-")
        if value is not None and not least <= value <= most:
            bound = f"to {most}" if name == "seed" else "on"
            raise InputError(
                f"{shown}: a number from {least} {bound} needed, {value:g} found; choose one"
            )
    if any(width < 1 for width in options.hidden or ()):
        raise InputError(
            f"hidden: widths from 1 on needed, {', '.join(map(str, options.hidden or ()))} found; write "
            "512,128 for two hidden layers"
        )
    assert options.batch_size is not None
    resolve_batch_size(options.batch_size, len(prepared.split.train))
    find_objective(prepared.targets.task, options.objective)
    if options.augment:
        Augmentation.parse(options.augment, prepared.encoder)
    if options.packed:
        pack(prepared)
    _check_imbalance(prepared, options)
    with seeded(options.seed), quiet_lightning():
        build_task(prepared, options)
        device = make_trainer(options, [], enable_checkpointing=False).strategy.root_device
    if options.cuda_graphs and device.type != "cuda":
        raise InputError(
            f"cuda-graphs: a GPU of NVIDIA needed, device {device.type} found; leave it out"
        )


def _check_imbalance(prepared: Prepared, options: TrainingOptions) -> None:
    """Refuse weights, sampler and threshold that do not fit each other or the targets."""
    ResidentDataModule(lambda: prepared, sampler=options.sampler)
    targets, counts, threshold = prepared.targets, prepared.class_counts, options.threshold
    asked = {
        "class-weight": options.class_weight != "none",
        "sampler": options.sampler != "uniform",
        "threshold": threshold is not None,
        "calibrate": bool(options.calibrate),
    }
    if counts is None:
        for name, given in asked.items():
            if given:
                raise InputError(f"{name}: classes needed, a regression found; leave it out")
        return
    class_weights(options.class_weight, targets.classes, counts)
    if asked["class-weight"] and asked["sampler"]:
        raise InputError(
            "class-weight: not together with sampler balanced, which would count the imbalance "
            "twice; choose one of them"
        )
    if threshold is not None and targets.task != "binary":
        raise InputError(
            f"threshold: 2 classes needed, {len(targets.classes)} found; leave it out, or weigh the "
            "classes with class-weight"
        )
    if threshold not in (None, "auto") and not 0 < _share(threshold) < 1:
        raise InputError(
            f"threshold: auto or a number between 0 and 1 needed, {threshold!r} found; choose one"
        )


def _share(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return math.nan


def train(
    prepared: Prepared,
    options: TrainingOptions,
    *,
    directory: Path | None = None,
    console: Console | None = None,
    callbacks: Sequence[L.Callback] = (),
    resume: bool = False,
) -> Trained:
    """Train on the training rows and choose the epoch on the validation rows; refit if asked to.

    Both trainings go on where their checkpoints in the directory end, if asked to: what they leave is
    what they would have left without the interruption, bit by bit.

    Args:
        prepared: the data.
        options: settled options; see :func:`bionn.training.options.choose`.
        directory: where ``metrics.csv`` and ``checkpoints/`` go; nowhere when None.
        console: where the progress bar is drawn; nowhere when None.
        callbacks: more of Lightning's callbacks for the training that chooses the epoch.
        resume: go on from the checkpoints that the same training left in the directory.

    Raises:
        InputError: see :func:`check`; or there was no epoch before the loss was no longer finite.
        Stopped: a signal came; where there is a directory, what was done so far is saved in it.
    """
    check(prepared, options)
    start = time.perf_counter()
    saved = _checkpoints(directory, options, resume=resume)
    best = KeepBest()
    watch = Watch(best)
    watching: list[L.Callback] = [best, watch, *callbacks]
    if options.patience is not None:
        watching.append(EarlyStopping("val_loss", patience=options.patience, check_finite=True))
    if options.min_gradient_norm is not None:
        watching.append(StopOnGradientNorm(options.min_gradient_norm))
    if options.min_loss_change is not None:
        watching.append(StopOnLossChange(options.min_loss_change))
    if directory is not None:
        watching.append(EpochLog(directory / "metrics.csv"))
    if console is not None:
        watching.append(EpochProgress(console))
    selected, trainer = fit_once(prepared, options, watching, saved[0])
    if best.epoch is None:
        raise InputError(
            "training: the validation loss was never a finite number; lower the learning rate, or "
            "look for extreme values in the data"
        )
    model, epoch = selected, best.epoch + 1
    health = watch.notes
    if options.refit:
        everything = np.union1d(prepared.split.train, prepared.split.val)
        joined = replace(prepared, split=replace(prepared.split, train=everything))
        refitting: list[L.Callback] = [StopAfter(epoch), Watch()]
        if console is not None:
            refitting.append(EpochProgress(console, "refitting", epochs=epoch))
        try:
            model, _ = fit_once(joined, options, refitting, saved[1], validate=False)
        except Diverged as error:
            health.append(f"refit left out, the network of epoch {epoch} is used: {error}")
    health += dead_layers(model, prepared)
    reason = _reason(trainer, options) if watch.found is None else "loss no longer finite"
    before = sum(checkpoints.restored_seconds for checkpoints in saved if checkpoints)
    if console is not None:
        again = ", refitted" if model is not selected else ""
        console.print(f"trained: {trainer.current_epoch} epochs, {reason}")
        console.print(f"  best: epoch {epoch}, validation loss {best.best:.4f}{again}")
        for note in health:
            console.print(f"  note: {escape(note)}", style="yellow")
    return Trained(
        model,
        selected,
        epochs=trainer.current_epoch,
        best_epoch=epoch,
        val_loss=best.best,
        seconds=time.perf_counter() - start + before,
        seconds_before=before,
        reason=reason,
        health=tuple(health),
    )


def _checkpoints(
    directory: Path | None, options: TrainingOptions, *, resume: bool
) -> tuple[Checkpoints | None, Checkpoints | None]:
    """Where the training and its repetition are saved; what is there is removed, or gone on from."""
    if directory is None:
        return None, None
    folders = (directory / "checkpoints", directory / "checkpoints" / "refit")
    for folder in folders if not resume else ():
        clear(folder, NEXT, LAST, PREVIOUS)
    first, second = (Checkpoints(str(f), seconds=options.checkpoint_seconds) for f in folders)
    return first, second


def tidy(directory: Path) -> None:
    """Leave but the last checkpoint of trainings that are over and whose model is saved."""
    for folder in (directory / "checkpoints", *directory.glob("members/*/checkpoints")):
        clear(folder, NEXT, PREVIOUS)
        shutil.rmtree(folder / "refit", ignore_errors=True)


def _reason(trainer: L.Trainer, options: TrainingOptions) -> str:
    if trainer.current_epoch >= (options.max_epochs or 0):
        return "all epochs run"
    for callback in trainer.callbacks:  # pyright: ignore[reportAttributeAccessIssue]
        if isinstance(callback, EarlyStopping):
            if callback.stopping_reason == EarlyStoppingReason.NON_FINITE_METRIC:
                return "validation loss no longer finite"
            if callback.stopped_epoch:
                return f"validation loss no better for {options.patience} epochs"
        if isinstance(callback, StopOnGradientNorm) and callback.norm < callback.threshold:
            return f"gradient norm below {callback.threshold:g}"
    return (
        f"loss changed by less than {options.min_loss_change:g}"
        if options.min_loss_change
        else "stopped"
    )
