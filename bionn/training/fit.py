"""Train a network on a prepared set: Lightning's loop, the best epoch kept, a line an epoch written."""

from __future__ import annotations

import contextlib
import logging
import math
import shutil
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason
from rich.console import Console

from bionn.data.augment import Augmentation
from bionn.data.batches import resolve_batch_size
from bionn.data.prepared import Prepared
from bionn.data.resident import ResidentDataModule, pack
from bionn.errors import InputError, Stopped
from bionn.models.decision import class_weights, take_off
from bionn.models.heads import find_objective
from bionn.models.mlp import MLP
from bionn.tasks.base import Task
from bionn.tasks.classifier import Classifier
from bionn.tasks.regressor import Regressor
from bionn.training.callbacks import (
    EpochLog,
    EpochProgress,
    KeepBest,
    StopAfter,
    StopOnGradientNorm,
    StopOnLossChange,
)
from bionn.training.checkpoints import LAST, NEXT, PREVIOUS, clear, newest
from bionn.training.options import TrainingOptions
from bionn.training.resume import Checkpoints
from bionn.training.seeds import seeded

SMALL_STEP = 2**26
"""Multiply-adds of a forward pass below which a second thread does not pay."""


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
    members: tuple[Trained, ...] = ()


def build_task(prepared: Prepared, options: TrainingOptions) -> Task:
    """The MLP that the data and the options call for, inside its Lightning module."""
    assert options.hidden is not None
    targets = prepared.targets
    model = MLP(
        prepared.encoder.input_shape,
        options.hidden,
        targets.num_outputs,
        activation=options.activation,
        dropout=options.dropout or 0.0,
        input_dropout=options.input_dropout or 0.0,
        init=options.init,
    )
    if targets.task == "regression":
        make_task = partial(Regressor, target_names=targets.names)
    else:
        weight = None if options.class_weight == "none" else options.class_weight
        make_task = partial(
            Classifier, classes=targets.classes, class_weight=weight, objective=options.objective
        )
    assert options.learning_rate is not None
    assert options.weight_decay is not None
    return make_task(
        model,
        learning_rate=options.learning_rate,
        weight_decay=options.weight_decay,
        compile=options.compile,
        cuda_graphs=options.cuda_graphs,
    )


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
            raise InputError(f"{shown}: a number from {least} {bound} needed, {value:g} found")
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
        device = _trainer(options, [], enable_checkpointing=False).strategy.root_device
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
        InputError: see :func:`check`; or the loss was never finite.
        Stopped: a signal came; where there is a directory, what was done so far is saved in it.
    """
    check(prepared, options)
    start = time.perf_counter()
    saved = _checkpoints(directory, options, resume=resume)
    best = KeepBest()
    watching: list[L.Callback] = [best, *callbacks]
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
    selected, trainer = _fit(prepared, options, watching, saved[0])
    if best.epoch is None:
        raise InputError(
            "training: the validation loss was never a finite number; lower the learning rate, or "
            "look for extreme values in the data"
        )
    model, epoch = selected, best.epoch + 1
    if options.refit:
        everything = np.union1d(prepared.split.train, prepared.split.val)
        joined = replace(prepared, split=replace(prepared.split, train=everything))
        refitting: list[L.Callback] = [StopAfter(epoch)]
        if console is not None:
            refitting.append(EpochProgress(console, "refitting", epochs=epoch))
        model, _ = _fit(joined, options, refitting, saved[1], validate=False)
    reason = _reason(trainer, options)
    before = sum(checkpoints.restored_seconds for checkpoints in saved if checkpoints)
    if console is not None:
        again = ", refitted" if options.refit else ""
        console.print(f"trained: {trainer.current_epoch} epochs, {reason}")
        console.print(f"  best: epoch {epoch}, validation loss {best.best:.4f}{again}")
    return Trained(
        model,
        selected,
        epochs=trainer.current_epoch,
        best_epoch=epoch,
        val_loss=best.best,
        seconds=time.perf_counter() - start + before,
        seconds_before=before,
        reason=reason,
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


def _fit(
    prepared: Prepared,
    options: TrainingOptions,
    callbacks: list[L.Callback],
    saved: Checkpoints | None,
    *,
    validate: bool = True,
) -> tuple[torch.nn.Module, L.Trainer]:
    """One training from the seed, or a checkpoint, on; the network on the CPU in evaluation mode, and
    the trainer.

    Its logits are those of the classes as they come, whatever their weights in training.
    """
    assert options.batch_size is not None
    with seeded(options.seed), quiet_lightning():
        task = build_task(prepared, options)
        data = ResidentDataModule(
            lambda: prepared,
            batch_size=options.batch_size,
            seed=options.seed,
            augment=options.augment,
            sampler=options.sampler,
            packed=options.packed,
        )
        trainer = _trainer(
            options,
            callbacks if saved is None else [*callbacks, saved],
            limit_val_batches=None if validate else 0,
            enable_checkpointing=saved is not None,
        )
        start = None if saved is None else newest(Path(saved.directory or "."))
        before = signal.getsignal(signal.SIGINT)
        try:
            with threads_for(
                task, resolve_batch_size(options.batch_size, len(prepared.split.train))
            ):
                trainer.fit(task, data, ckpt_path=start, weights_only=True)
        except SystemExit:  # what Lightning makes of SIGINT and SIGTERM
            number = signal.SIGTERM if trainer.received_sigterm else signal.SIGINT
            raise Stopped(number) from None
        except _compiler_errors(options) as error:
            reason = str(getattr(error, "inner_exception", error)).strip().splitlines()[0]
            raise InputError(f"compile: {reason}; leave it out, or mend that") from error
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, before)
    model = task.model.cpu().eval()
    if task.logit_shift is not None:
        fits = take_off(model, task.logit_shift.cpu().double().numpy())
        assert fits, "an MLP's last layer has a bias"
    return model, trainer


def _compiler_errors(options: TrainingOptions) -> tuple[type[Exception], ...]:
    """What goes wrong where ``torch.compile`` lacks something, a C++ compiler for one."""
    if not (options.compile or options.cuda_graphs):
        return ()
    from torch._dynamo.exc import TorchDynamoException

    return (TorchDynamoException,)


def _trainer(options: TrainingOptions, callbacks: list[L.Callback], **settings: Any) -> L.Trainer:
    """A quiet trainer on one device."""
    try:
        return L.Trainer(
            accelerator=options.device,
            devices=1,
            precision=options.precision,  # pyright: ignore[reportArgumentType]
            max_epochs=options.max_epochs,
            gradient_clip_val=options.gradient_clip,
            callbacks=callbacks,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            **settings,
        )
    except (ValueError, MisconfigurationException) as error:
        raise InputError(f"device, precision: {str(error).splitlines()[0]}") from None


@contextlib.contextmanager
def threads_for(network: torch.nn.Module, batch_size: int) -> Iterator[None]:
    """One thread for the block if a step is so small that waking a second one costs more than it does.

    Args:
        network: what is trained.
        batch_size: rows a step.
    """
    before = torch.get_num_threads()
    if batch_size * sum(parameter.numel() for parameter in network.parameters()) < SMALL_STEP:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def quiet_lightning() -> Iterator[None]:
    """Silence Lightning's greetings and advice for the block; errors still come through."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


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
