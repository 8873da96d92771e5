"""Train several networks, each from a seed of its own, and average them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console

from bionn.data.prepared import Prepared
from bionn.errors import InputError
from bionn.formats.output import replacing
from bionn.models.ensemble import Ensemble
from bionn.training.fit import Trained, train
from bionn.training.options import TrainingOptions

MOST = 100
"""Members that an ensemble may have."""


def check_size(size: int) -> None:
    """Refuse a number of members that cannot be.

    Raises:
        InputError: below 1, or above :data:`MOST`.
    """
    if not 1 <= size <= MOST:
        raise InputError(f"ensemble: a number of networks from 1 to {MOST} needed, {size} found")


def member_seed(seed: int, member: int) -> int:
    """The seed of a member: the first has the run's own, so that it is the network without an ensemble.

    Args:
        seed: of the run.
        member: counted from 0.

    Example:
        >>> member_seed(7, 0)
        7
    """
    return int(np.random.SeedSequence([seed, member]).generate_state(1)[0]) if member else seed


def train_ensemble(
    prepared: Prepared,
    options: TrainingOptions,
    *,
    directory: Path | None = None,
    console: Console | None = None,
    resume: bool = False,
) -> Trained:
    """Train ``options.ensemble`` networks, or just one; see :func:`bionn.training.fit.train`.

    Members differ in initial weights, in the order of rows, and in what dropout and augmentation draw;
    each has the epoch that was best for it.

    Args:
        prepared: the data.
        options: settled options.
        directory: gets a folder ``members/k`` each, and ``metrics.csv`` with the epochs of all.
        console: where the progress is drawn.
        resume: go on from the checkpoints that the same training left in the directory.

    Returns:
        The ensemble of the members' networks, and in ``members`` how the training of each went. Epochs
        and seconds are sums, the validation loss is a mean.
    """
    check_size(options.ensemble)
    if options.ensemble == 1:
        return train(prepared, options, directory=directory, console=console, resume=resume)
    members: list[Trained] = []
    for number in range(options.ensemble):
        if console is not None:
            console.print(f"network {number + 1} of {options.ensemble}")
        own = None if directory is None else directory / "members" / str(number)
        seeded = replace(options, seed=member_seed(options.seed, number))
        members.append(train(prepared, seeded, directory=own, console=console, resume=resume))
    if directory is not None:
        _join_logs(directory, len(members))
    kind = prepared.targets.task
    model = Ensemble([member.model for member in members], kind).eval()
    refitted = any(member.model is not member.selected for member in members)
    selected = Ensemble([m.selected for m in members], kind).eval() if refitted else model
    return Trained(
        model,
        selected,
        epochs=sum(member.epochs for member in members),
        best_epoch=round(float(np.mean([member.best_epoch for member in members]))),
        val_loss=float(np.mean([member.val_loss for member in members])),
        seconds=sum(member.seconds for member in members),
        seconds_before=sum(member.seconds_before for member in members),
        reason=f"{len(members)} networks trained",
        health=tuple(
            f"network {k}: {note}" for k, member in enumerate(members, 1) for note in member.health
        ),
        members=tuple(members),
    )


def _join_logs(directory: Path, members: int) -> None:
    """``metrics.csv`` of all members, told apart by a first column ``member``."""
    logs = [pd.read_csv(directory / "members" / str(k) / "metrics.csv") for k in range(members)]
    for number, log in enumerate(logs):
        log.insert(0, "member", number)
    with replacing(directory / "metrics.csv") as file:
        pd.concat(logs).to_csv(file, index=False, float_format="%.6g")
