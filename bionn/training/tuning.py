"""Search the design space on validation rows, by one worker or several that share a study."""

from __future__ import annotations

import math
import multiprocessing
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from bionn.data.samples import DataOptions
from bionn.errors import InputError, did_you_mean
from bionn.training.fit import check
from bionn.training.options import TrainingOptions, choose
from bionn.training.search import Search, starting_point
from bionn.training.trials import STUDY, Report, complete, open_study, running, search_on

if TYPE_CHECKING:
    import optuna

ENGINES = ("local", "ray")
"""Where workers are: processes of this machine, or of a Ray cluster."""


@dataclass(frozen=True)
class Tuned:
    """What a search found.

    Attributes:
        study: all of its trials.
        values: the best trial's value of each dimension.
        val_loss: its validation loss.
        first: the values that the options have without a search, as far as they are in the space.
        first_loss: the validation loss of the options without a search; NaN if that trial failed.
        data: the options of the data with the best values in them.
        training: the settled options of the network with the best values in them.
    """

    study: optuna.Study
    values: dict[str, Any]
    val_loss: float
    first: dict[str, Any]
    first_loss: float
    data: DataOptions
    training: TrainingOptions


def tune(
    search: Search,
    directory: Path,
    *,
    trials: int | None = None,
    minutes: float | None = None,
    workers: int = 1,
    engine: str = "local",
    report: Report | None = None,
) -> Tuned:
    """Search until there are so many trials, or the time is up; continue the study that is there.

    The first trial has the options' own settings, so that the best one is no worse. Trials whose
    validation loss is above the median of the others' at the same share of their training are given
    up (Akiba et al. 2019, "Optuna"); so is, when the time is up, the trial that is running, unless it
    is the only one. With one worker and a bound on trials alone the outcome follows from the seed,
    whether the search was interrupted or not.

    Args:
        search: what is searched.
        directory: an existing folder; its ``study.db`` is continued.
        trials: the most trials that the study is to hold in the end.
        minutes: the time to take now.
        workers: processes that search side by side.
        engine: where they are; ``ray`` needs no disk that all of them see.
        report: told of each trial; with local workers, of those of this process.

    Raises:
        InputError: no bound, a number out of its range, no such engine, a study of other data or
            options, or no trial that came to an end.
    """
    _check(trials, minutes, workers, engine)
    check(search.prepare(search.data), choose(search.training, search.prepare(search.data)))
    study = _open(search, directory)
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    if engine == "ray":
        from bionn.training.ray_search import search_on_ray

        search_on_ray(
            search, directory, trials=trials, deadline=deadline, workers=workers, report=report
        )
    else:
        _search_here(search, study, directory, trials, deadline, workers, report)
    if not complete(study):
        raise InputError(
            "tune: no trial ended with a finite validation loss; lower the learning rate, or look for "
            "extreme values in the data"
        )
    values = dict(study.best_params)
    first = starting_point(search.space, *search.settle({}))
    own = (trial.values[0] for trial in complete(study) if first.items() <= trial.params.items())
    return Tuned(
        study, values, study.best_value, first, next(own, math.nan), *search.settle(values)
    )


def _check(trials: int | None, minutes: float | None, workers: int, engine: str) -> None:
    if engine not in ENGINES:
        raise InputError(
            f"engine: one of {', '.join(ENGINES)} needed, {engine!r} found"
            f"{did_you_mean(engine, ENGINES)}"
        )
    if trials is None and minutes is None:
        raise InputError("tune: a bound needed; give trials or minutes")
    for name, value in (("trials", trials), ("minutes", minutes), ("workers", workers)):
        if value is not None and not value > 0:
            raise InputError(f"{name}: a number above 0 needed, {value:g} found")


def _open(search: Search, directory: Path) -> optuna.Study:
    """The study in the folder; a trial that was cut short by a crash is to be made again."""
    study = open_study(directory)
    from optuna.trial import TrialState  # now that it is known to be there

    told, known = search.digest(), study.user_attrs.get("digest")
    if known not in (None, told):
        raise InputError(
            f"{directory / STUDY}: a study of other data, options or dimensions; choose another out, "
            "or pass --overwrite"
        )
    if known is None:
        study.set_user_attr("digest", told)
        first = search.settle({})
        study.enqueue_trial(starting_point(search.space, *first))
    for trial in running(study):
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params)
    return study


def _search_here(
    search: Search,
    study: optuna.Study,
    directory: Path,
    trials: int | None,
    deadline: float | None,
    workers: int,
    report: Report | None,
) -> None:
    """This process and others beside it, which share the file of the study."""
    bounds: dict[str, Any] = {"trials": trials, "deadline": deadline}
    others = multiprocessing.get_context("spawn")
    jobs = [
        others.Process(
            target=_work,
            args=(search, directory, workers),
            kwargs=bounds | {"worker": number},
        )
        for number in range(1, workers)
    ]
    for job in jobs:
        job.start()
    try:
        search_on(search, study, **bounds, report=report)
        for job in jobs:
            job.join()
    finally:
        for job in jobs:
            job.terminate()


def _work(search: Search, directory: Path, workers: int, **bounds: Any) -> None:
    """What another process does."""
    torch.set_num_threads(max(1, torch.get_num_threads() // workers))
    search_on(search, open_study(directory), **bounds)
