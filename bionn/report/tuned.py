"""The settings of each split of a run that tunes: searched in the split's folder, and kept there."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.markup import escape

from bionn.data.prepared import Prepared
from bionn.errors import InputError, did_you_mean
from bionn.formats.output import write_json
from bionn.report.tuning import outcome, shown_value, write_search
from bionn.training.options import TrainingOptions
from bionn.training.search import EVERYWHERE, Search
from bionn.training.trials import minutes_spent
from bionn.training.tuning import tune

FOLDER = "tuning"
"""In a run's folder, or a fold's: ``study.db``, and when the search is over the tables and figures."""

OUTCOME = "outcome.json"
"""What was found: the last file of a search."""

CHOICES = (*EVERYWHERE, "objective", "encoding")
"""Everything that can be tuned."""


class Settled(NamedTuple):
    """How a split is trained.

    Attributes:
        prepared: its data.
        training: its settings.
        told: what the search found, for ``metrics.json``; None where nothing was searched.
    """

    prepared: Prepared
    training: TrainingOptions
    told: dict[str, Any] | None = None


def searched(search: Search, own: Path, *, minutes: float, console: Console) -> Settled:
    """Search on the split's training and validation rows, unless that is done; or go on.

    Args:
        search: what is searched.
        own: the folder of the split.
        minutes: the time for it, that before an interruption included.
        console: where the progress is told.
    """
    folder = own / FOLDER
    if not (folder / OUTCOME).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        spent = minutes_spent(folder)
        going_on = f", {spent:.1f} of them spent before" if spent else ""
        console.print(f"tuning: {len(search.space)} choices in {minutes:g} minutes{going_on}")

        def report(number: int, loss: float, best: float) -> None:
            if loss <= best:
                console.print(f"  trial {number}: validation loss {loss:.4f}, the best so far")

        left = max(minutes - spent, 1e-9)
        tuned = tune(search, folder, minutes=left, report=report)
        write_search(tuned, search.space, folder)
        write_json(outcome(tuned) | {"minutes": minutes}, folder / OUTCOME)
    told = json.loads((folder / OUTCOME).read_text(encoding="utf-8"))
    console.print(escape(chosen_note(told)))
    return as_found(search, told["values"], told)


def as_found(
    search: Search, values: Mapping[str, Any], told: dict[str, Any] | None = None
) -> Settled:
    """The settings with values that a search found."""
    data, training = search.settle(values)
    return Settled(search.prepare(data), training, told)


def what_is_tuned(
    minutes: float | None,
    tuned: Sequence[Mapping[str, Any]] | None,
    space: Collection[str],
    splits: int,
) -> dict[str, Any]:
    """What must be the same to go on with a run, beside its other options.

    Args:
        minutes: the time for a search; None: nothing is searched.
        tuned: the values that a search found for each split; None: there was none.
        space: the names of what would be searched.
        splits: how many splits there are.

    Raises:
        InputError: no time, nothing to search, both of them, or values that are not those of a search
            over so many splits.
    """
    if minutes is not None and tuned is not None:
        raise InputError("tune: not together with tuned, which a search has found; leave one out")
    if minutes is not None and not minutes > 0:
        raise InputError(f"tune: minutes above 0 needed, {minutes:g} found; choose more")
    if minutes is not None and not space:
        raise InputError(
            "tune: something to search needed, but every choice is given as an option; leave some out"
        )
    if minutes is not None:
        return {"tune": minutes, "searched": list(space)}
    if tuned is None:
        return {}
    if len(tuned) != splits or not all(isinstance(values, Mapping) for values in tuned):
        raise InputError(
            f"tuned: the values of {splits} splits needed, {len(tuned)} found; leave it out, or take it "
            "from the config.yaml of a run over these folds"
        )
    for name in (str(name) for values in tuned for name in values):
        if name not in CHOICES:
            raise InputError(
                f"tuned: one of {', '.join(CHOICES)} needed, {name!r} found"
                f"{did_you_mean(name, CHOICES)}"
            )
    return {"tuned": [dict(values) for values in tuned]}


def chosen_note(told: Mapping[str, Any]) -> str:
    """What was chosen, by which validation loss beside that of the settings taken otherwise.

    Example:
        >>> told = {"trials": {"complete": 9, "pruned": 3}, "val_loss": 0.25, "first_val_loss": 0.5,
        ...         "values": {"dropout": 0.1, "width": 64}, "first": {"dropout": 0.2, "width": 64}}
        >>> print(chosen_note(told))
        tuned in 12 trials: validation loss 0.2500, 0.5000 with the defaults
          dropout 0.1 (0.2)
    """
    first = told["first_val_loss"]
    beside = "" if first is None else f", {first:.4f} with the defaults"
    changed = [
        f"{name.replace('_', ' ')} {shown_value(value)} ({shown_value(told['first'].get(name))})"
        for name, value in told["values"].items()
        if value != told["first"].get(name)
    ]
    count = sum(told["trials"].values())
    lines = [f"tuned in {count} trials: validation loss {told['val_loss']:.4f}{beside}"]
    return "\n  ".join([*lines, *(changed or ["the defaults were the best"])])
