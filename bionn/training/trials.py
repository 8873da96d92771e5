"""The trials of a search: Optuna's study in its file, and trainings that it learns from."""

from __future__ import annotations

import math
import signal
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import lightning as L
import numpy as np

from bionn.errors import InputError, Stopped
from bionn.training.fit import train
from bionn.training.search import Search, suggest
from bionn.validation import calibrated_loss

if TYPE_CHECKING:
    import optuna

STUDY = "study.db"
"""The file, in the folder of a search, in which its trials are kept."""

MILESTONES = 20
"""Parts of a training at whose ends trials are compared: trainings differ in their number of epochs."""

STARTUP_TRIALS = 8
"""Trials that are drawn at random and run to their end, before the search learns from them."""

Report = Callable[[int, float, float], None]
"""Told of each finished trial: its number, its validation loss, the smallest so far."""


class Judge(Protocol):
    """What a training asks at each milestone."""

    def __call__(self, loss: float, milestone: int) -> bool:
        """Whether a trial of this validation loss is given up there."""
        ...


def open_study(directory: Path) -> optuna.Study:
    """The study in the folder, made if there is none.

    Raises:
        InputError: Optuna is not installed.
    """
    try:
        import optuna
    except ModuleNotFoundError:
        raise InputError(
            "tune: the package optuna is needed; install it with: pip install 'bionn[tune]'"
        ) from None

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = optuna.storages.RDBStorage(
        f"sqlite:///{directory / STUDY}", engine_kwargs={"connect_args": {"timeout": 60}}
    )
    return optuna.create_study(
        study_name="bionn",
        storage=storage,
        pruner=optuna.pruners.MedianPruner(
            n_startup_trials=STARTUP_TRIALS, n_warmup_steps=MILESTONES // 4
        ),
        load_if_exists=True,
    )


def seed_next(study: optuna.Study, seed: int, worker: int = 0) -> None:
    """Let the next trial's draws follow from seeds and the number of trials made, nothing else.

    A search that was interrupted and goes on then draws what it would have drawn.
    """
    import optuna

    draws = np.random.SeedSequence([seed, worker, len(made(study))]).generate_state(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.sampler = optuna.samplers.TPESampler(
            seed=int(draws[0]),
            n_startup_trials=STARTUP_TRIALS,
            multivariate=True,
            constant_liar=True,
        )


def search_on(
    search: Search,
    study: optuna.Study,
    *,
    trials: int | None,
    deadline: float | None,
    worker: int = 0,
    report: Report | None = None,
) -> None:
    """Trial by trial, until there are enough or the time is up.

    Args:
        search: what is searched.
        study: gets the trials.
        trials: the most that it is to hold, those of other processes included.
        deadline: when the time is up, as ``time.monotonic`` tells it; None: never.
        worker: the number of this process among those that search.
        report: told of each trial.
    """
    from optuna.trial import TrialState

    def told(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        if report is not None and trial.state == TrialState.COMPLETE:
            report(trial.number, trial.values[0], study.best_value)

    tried = False
    while wanted(study, trials, deadline, tried=tried):
        seed_next(study, search.training.seed, worker)
        study.optimize(
            lambda trial: _objective(search, trial, deadline),
            n_trials=1,
            catch=(InputError,),
            callbacks=[told],
        )
        tried = True


def wanted(study: optuna.Study, trials: int | None, deadline: float | None, *, tried: bool) -> bool:
    """Whether another trial is to begin; one is made even if the time is up, where there is none."""
    if trials is not None and len(made(study)) + len(running(study)) >= trials:
        return False
    return deadline is None or time.monotonic() < deadline or not (tried or complete(study))


def _objective(search: Search, trial: optuna.Trial, deadline: float | None) -> float:
    """The validation loss of a trial's best epoch."""

    def judge(loss: float, milestone: int) -> bool:
        trial.report(loss, milestone)
        return trial.should_prune()

    late = Late(deadline, lambda: bool(complete(trial.study)))
    try:
        loss, facts = train_trial(search, suggest(trial, search.space), judge, late)
    except InputError as error:
        trial.set_user_attr("error", str(error))
        raise
    for name, value in facts.items():
        trial.set_user_attr(name, value)
    return loss


class Late:
    """Whether a trial is to end because the time is up.

    Args:
        deadline: when it is, as ``time.monotonic`` tells it; None: never.
        others: whether any other trial came to its end; if none did, this one does.
    """

    def __init__(self, deadline: float | None, others: Callable[[], bool]) -> None:
        self.deadline = deadline
        self.others = others

    def __call__(self) -> bool:
        """Ask, after an epoch."""
        return self.deadline is not None and time.monotonic() > self.deadline and self.others()


def train_trial(
    search: Search, values: dict[str, Any], judge: Judge, late: Late
) -> tuple[float, dict[str, Any]]:
    """Train with these values.

    Returns:
        The validation loss of the best epoch, a classifier's with the temperature that a run would
        apply, and ``epochs``, ``best_epoch`` and ``seconds``.

    Raises:
        TrialPruned: the trial was given up.
        InputError: it failed.
        Stopped: a signal came.
    """
    data, training = search.settle(values)
    prepared = search.prepare(data)
    try:
        trained = train(prepared, replace(training, refit=False), callbacks=[GiveUp(judge, late)])
    except KeyboardInterrupt:  # Optuna would take it for a failure, and the trial for made
        raise Stopped(signal.SIGINT) from None
    facts = {"epochs": trained.epochs, "best_epoch": trained.best_epoch}
    loss = trained.val_loss
    if prepared.targets.task != "regression" and math.isfinite(loss):
        loss = calibrated_loss(trained.selected, prepared, calibrate=training.calibrate)
    return loss, facts | {"seconds": round(trained.seconds, 3)}


class GiveUp(L.Callback):
    """Gives a trial up that does worse than most others did, or for which there is no time.

    Args:
        judge: asked at each milestone.
        late: asked after each epoch.
    """

    def __init__(self, judge: Judge, late: Late) -> None:
        self.judge = judge
        self.late = late
        self._milestone = 0

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Report the validation loss at each milestone; raise ``TrialPruned`` to end the trial."""
        import optuna

        del pl_module
        milestone = MILESTONES * (trainer.current_epoch + 1) // (trainer.max_epochs or 1)
        if milestone > self._milestone:
            self._milestone = milestone
            if self.judge(float(trainer.callback_metrics["val_loss"]), milestone):
                raise optuna.TrialPruned
        if self.late():
            raise optuna.TrialPruned


def complete(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """The trials that came to their end."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def running(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """The trials that some process is at, or was when it was cut short."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def made(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """The trials that are over, but for those that were cut short by a crash."""
    from optuna.trial import TrialState

    over = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    trials = study.get_trials(deepcopy=False, states=over)
    return [t for t in trials if t.state != TrialState.FAIL or "error" in t.user_attrs]


def minutes_spent(directory: Path) -> float:
    """What the trials of a study took that one process made, but for any that was cut short.

    Args:
        directory: of the search; 0 if it holds none.
    """
    if not (directory / STUDY).is_file():
        return 0.0
    took = [trial.duration for trial in made(open_study(directory))]
    return sum(duration.total_seconds() for duration in took if duration is not None) / 60
