"""Search the design space on validation rows: Optuna's study, its trials and its workers."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning as L
import numpy as np
import torch

from bionn.data.prepared import Prepared, prepare
from bionn.data.samples import DataOptions, Samples
from bionn.data.splits import Split
from bionn.data.targets import Targets
from bionn.errors import InputError
from bionn.training.fit import check, train
from bionn.training.options import TrainingOptions, choose
from bionn.training.search import Space, settle, starting_point, suggest

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


@dataclass(frozen=True)
class Search:
    """What is searched; plain data, so that other processes can take part.

    Attributes:
        samples: the samples.
        targets: their targets.
        split: trials are trained on its training rows and judged on its validation rows; its test
            rows are not looked at.
        data: the options of the data.
        training: options of the network; those that are not searched are to be as they are here.
        space: the dimensions; see :mod:`bionn.training.search`.
    """

    samples: Samples
    targets: Targets
    split: Split
    data: DataOptions
    training: TrainingOptions
    space: Space
    _prepared: dict[str, Prepared] = field(default_factory=dict, repr=False, compare=False)

    def prepare(self, data: DataOptions) -> Prepared:
        """The set as these options encode it; made once for each encoding."""
        if data.encoding not in self._prepared:
            found = prepare(self.samples, self.targets, self.split, data)
            self._prepared[data.encoding] = found
        return self._prepared[data.encoding]

    def settle(self, values: dict[str, Any]) -> tuple[DataOptions, TrainingOptions]:
        """The options that a trial's values mean; what is neither given nor searched is chosen."""
        first = choose(self.training, self.prepare(self.data))
        data, given = settle(values, self.data, replace(self.training, hidden=first.hidden))
        if not {"depth", "width", "taper"} & set(values):
            given = replace(given, hidden=self.training.hidden)
        return data, choose(given, self.prepare(data))

    def digest(self) -> str:
        """sha256 over the data, the split, the options and the space."""
        first = self.prepare(self.data)
        told = [first.data_hash(), first.split_hash(), asdict(self.data), asdict(self.training)]
        told.append({name: asdict(dimension) for name, dimension in self.space.items()})
        text = json.dumps(told, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Tuned:
    """What a search found.

    Attributes:
        study: all of its trials.
        values: the best trial's value of each dimension.
        val_loss: its validation loss.
        data: the options of the data with those values in them.
        training: the settled options of the network with those values in them.
    """

    study: optuna.Study
    values: dict[str, Any]
    val_loss: float
    data: DataOptions
    training: TrainingOptions


def tune(
    search: Search,
    directory: Path,
    *,
    trials: int | None = None,
    minutes: float | None = None,
    workers: int = 1,
    report: Report | None = None,
) -> Tuned:
    """Search until there are so many trials, or the time is up; continue the study that is there.

    The first trial has the options' own settings, so that the best one is no worse. Trials whose
    validation loss is above the median of the others' at the same share of their training are given
    up (Akiba et al. 2019, "Optuna"); so is, when the time is up, the trial that is running, unless it
    is the only one. With one worker and a bound on trials alone the outcome follows from the seed.

    Args:
        search: what is searched.
        directory: an existing folder; its ``study.db`` is continued.
        trials: the most trials that the study is to hold in the end.
        minutes: the time to take now.
        workers: processes that search side by side.
        report: told of each trial of this process.

    Raises:
        InputError: no bound, a number out of its range, a study of other data or options, or no trial
            that came to an end.
    """
    _check(trials, minutes, workers)
    check(search.prepare(search.data), choose(search.training, search.prepare(search.data)))
    study = _open(search, directory)
    deadline = None if minutes is None else time.time() + 60 * minutes
    others = multiprocessing.get_context("spawn")
    jobs = [
        others.Process(
            target=_work,
            args=(replace(search, _prepared={}), directory, trials, deadline, number, workers),
        )
        for number in range(1, workers)
    ]
    for job in jobs:
        job.start()
    try:
        _search(search, study, trials, deadline, report)
        for job in jobs:
            job.join()
    finally:
        for job in jobs:
            job.terminate()
    if not _complete(study):
        raise InputError(
            "tune: no trial ended with a finite validation loss; lower the learning rate, or look for "
            "extreme values in the data"
        )
    values = dict(study.best_params)
    data, training = search.settle(values)
    return Tuned(study, values, study.best_value, data, training)


def _check(trials: int | None, minutes: float | None, workers: int) -> None:
    if trials is None and minutes is None:
        raise InputError("tune: a bound needed; give trials or minutes")
    for name, value in (("trials", trials), ("minutes", minutes), ("workers", workers)):
        if value is not None and not value > 0:
            raise InputError(f"{name}: a number above 0 needed, {value:g} found")


def _open(search: Search, directory: Path) -> optuna.Study:
    """The study in the folder; a trial that was cut short by a crash is to be made again."""
    study = _study(directory, search.training.seed)
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
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params)
    return study


def _study(directory: Path, seed: int) -> optuna.Study:
    """The study in the folder, made if there is none."""
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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=STARTUP_TRIALS, multivariate=True, constant_liar=True
        )
    return optuna.create_study(
        study_name="bionn",
        storage=storage,
        sampler=sampler,
        pruner=optuna.pruners.MedianPruner(
            n_startup_trials=STARTUP_TRIALS, n_warmup_steps=MILESTONES // 4
        ),
        load_if_exists=True,
    )


def _work(
    search: Search,
    directory: Path,
    trials: int | None,
    deadline: float | None,
    number: int,
    workers: int,
) -> None:
    """What another process does."""
    seed = int(np.random.SeedSequence([search.training.seed, number]).generate_state(1)[0])
    torch.set_num_threads(max(1, torch.get_num_threads() // workers))
    _search(search, _study(directory, seed), trials, deadline, None)


def _search(
    search: Search,
    study: optuna.Study,
    trials: int | None,
    deadline: float | None,
    report: Report | None,
) -> None:
    """Trial by trial, until there are enough or the time is up."""
    from optuna.study import MaxTrialsCallback
    from optuna.trial import TrialState

    begun = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING)
    if trials is not None and len(study.get_trials(deepcopy=False, states=begun)) >= trials:
        return

    def told(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        if report is not None and trial.state == TrialState.COMPLETE:
            report(trial.number, trial.values[0], study.best_value)

    callbacks: list[Any] = [told]
    if trials is not None:
        callbacks.append(MaxTrialsCallback(trials, states=begun))
    optimize = partial(
        study.optimize,
        lambda trial: _train(search, trial, deadline),
        catch=(InputError,),
        callbacks=callbacks,
    )
    if deadline is None:
        optimize()
        return
    if not _complete(study):
        optimize(n_trials=1)
    optimize(timeout=max(0.0, deadline - time.time()))


def _train(search: Search, trial: optuna.Trial, deadline: float | None) -> float:
    """The validation loss of a trial's best epoch."""
    data, training = search.settle(suggest(trial, search.space))
    prepared = search.prepare(data)
    training = replace(training, refit=False)
    watch = Watch(trial, deadline)
    try:
        trained = train(prepared, training, callbacks=[watch])
    except InputError as error:
        trial.set_user_attr("error", str(error))
        raise
    trial.set_user_attr("epochs", trained.epochs)
    trial.set_user_attr("best_epoch", trained.best_epoch)
    trial.set_user_attr("seconds", round(trained.seconds, 3))
    return trained.val_loss


class Watch(L.Callback):
    """Gives a trial up that does worse than most others did, or for which there is no time.

    Args:
        trial: the trial.
        deadline: when the time is up, as ``time.time`` tells it; None: never.
    """

    def __init__(self, trial: optuna.Trial, deadline: float | None) -> None:
        self.trial = trial
        self.deadline = deadline
        self._milestone = 0

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Report the validation loss at each milestone; raise ``TrialPruned`` to end the trial."""
        import optuna

        del pl_module
        milestone = MILESTONES * (trainer.current_epoch + 1) // (trainer.max_epochs or 1)
        if milestone > self._milestone:
            self._milestone = milestone
            self.trial.report(float(trainer.callback_metrics["val_loss"]), milestone)
            if self.trial.should_prune():
                raise optuna.TrialPruned
        if (
            self.deadline is not None
            and time.time() > self.deadline
            and _complete(self.trial.study)
        ):
            raise optuna.TrialPruned


def _complete(study: optuna.Study) -> bool:
    """Whether any trial came to its end."""
    from optuna.trial import TrialState

    return bool(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))
