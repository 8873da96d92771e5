"""One training of a prepared set: the task that data and options call for, under Lightning's loop."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.profilers import PassThroughProfiler

from bionn.data.batches import resolve_batch_size
from bionn.data.prepared import Prepared
from bionn.data.resident import ResidentDataModule
from bionn.errors import InputError, Stopped, did_you_mean
from bionn.models.decision import take_off
from bionn.models.mlp import MLP
from bionn.tasks.base import Task
from bionn.tasks.classifier import Classifier
from bionn.tasks.regressor import Regressor
from bionn.training.checkpoints import newest
from bionn.training.options import TrainingOptions
from bionn.training.resume import Checkpoints
from bionn.training.seeds import seeded

PRECISIONS = ("32-true", "64-true", "16-true", "16-mixed", "bf16-true", "bf16-mixed")
"""Lightning's, of weights throughout or of matrix products alone."""

SMALL_STEP = 2**26
"""Multiply-adds of a forward pass below which a second thread does not pay."""


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


def fit_once(
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
        trainer = make_trainer(
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
    model = task.model.cpu().float().eval()  # what predicts is fed float32
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


class Unprofiled(PassThroughProfiler):
    """Lightning's profiler that measures nothing, at no cost: it is asked thirty times in a step.

    Any ``Trainer(profiler=Unprofiled())`` gains by it where its steps are Lightning's own, see
    :mod:`bionn.tasks.slim_loop`, the more the smaller they are.
    """

    _nothing = contextlib.nullcontext()

    def profile(self, action_name: str) -> contextlib.AbstractContextManager[Any]:
        """A context in which nothing is done."""
        del action_name
        return self._nothing


def make_trainer(
    options: TrainingOptions, callbacks: list[L.Callback], **settings: Any
) -> L.Trainer:
    """A quiet trainer on one device.

    Raises:
        InputError: the device is not here, or there is no such precision.
    """
    _check_precision(options.precision)
    try:
        return L.Trainer(
            accelerator=options.device,
            devices=1,
            precision=options.precision,  # pyright: ignore[reportArgumentType]
            max_epochs=options.max_epochs,
            gradient_clip_val=options.gradient_clip,
            deterministic=options.deterministic or None,
            callbacks=callbacks,
            logger=False,
            profiler=Unprofiled(),
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            **settings,
        )
    except (ValueError, MisconfigurationException) as error:
        raise InputError(
            f"device: {options.device} with precision {options.precision} is not to be had here "
            f"({str(error).splitlines()[0].rstrip('.')}); choose device cpu or auto"
        ) from None


def _check_precision(precision: str) -> None:
    if str(precision) not in (*PRECISIONS, "16", "32", "64", "bf16"):  # Lightning's short names
        raise InputError(
            f"precision: one of {', '.join(PRECISIONS)} needed, {str(precision)!r} found"
            f"{did_you_mean(str(precision), PRECISIONS)}; choose one"
        )


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
            # of an output of ours that is a view: nothing is done to it in place
            warnings.filterwarnings("ignore", message="FSDP2-wrapped module")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
