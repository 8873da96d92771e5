"""A search by workers of a Ray cluster: the study stays here, settings go out, losses come back."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bionn.cluster import ray_cluster
from bionn.errors import InputError
from bionn.training.search import Search, suggest
from bionn.training.trials import (
    Late,
    Report,
    complete,
    open_study,
    seed_next,
    train_trial,
    wanted,
)

RESTARTS = 3
"""How often a worker is begun anew whose machine is lost."""


class Keeper:
    """Keeps the study for workers that see neither its file nor each other; lives where the file is.

    Args:
        search: what is searched.
        directory: where the study is.
        trials: the most trials that it is to hold in the end.
        deadline: when the time is up, as ``time.monotonic`` tells it; None: never.
    """

    def __init__(
        self, search: Search, directory: Path, trials: int | None, deadline: float | None
    ) -> None:
        self.search, self.study = search, open_study(directory)
        self.trials, self.deadline = trials, deadline
        self.open: dict[int, Any] = {}  # the trial that each worker is at
        self.ended: list[tuple[int, float, float]] = []
        self.tried = False

    def ask(self, worker: int) -> tuple[dict[str, Any], float | None] | None:
        """Values to try next, and the seconds left; None if there is nothing left to do.

        A worker that asks with a trial open was lost in between: that trial is to be made again.
        """
        from optuna.trial import TrialState

        lost = self.open.pop(worker, None)
        if lost is not None:
            self.study.tell(lost, state=TrialState.FAIL)
            self.study.enqueue_trial(lost.params)
        if not wanted(self.study, self.trials, self.deadline, tried=self.tried):
            return None
        seed_next(self.study, self.search.training.seed, worker)
        self.open[worker] = trial = self.study.ask()
        self.tried = True
        left = None if self.deadline is None else self.deadline - time.monotonic()
        return suggest(trial, self.search.space), left

    def judge(self, worker: int, loss: float, milestone: int) -> bool:
        """Whether the worker's trial is given up."""
        self.open[worker].report(loss, milestone)
        return self.open[worker].should_prune()

    def any_complete(self) -> bool:
        """Whether any trial came to its end."""
        return bool(complete(self.study))

    def tell(self, worker: int, loss: float | None, facts: dict[str, Any]) -> None:
        """How the worker's trial ended: with a loss, given up, or with an ``error`` among the facts."""
        from optuna.trial import TrialState

        trial = self.open.pop(worker)
        for name, value in facts.items():
            trial.set_user_attr(name, value)
        if loss is None:
            state = TrialState.FAIL if "error" in facts else TrialState.PRUNED
            self.study.tell(trial, state=state)
        else:
            self.study.tell(trial, loss)
            self.ended.append((trial.number, loss, self.study.best_value))

    def news(self) -> list[tuple[int, float, float]]:
        """What to report of the trials that came to their end since this was asked last."""
        found, self.ended = self.ended, []
        return found


def work(search: Search, keeper: Any, worker: int) -> None:
    """What a worker does: ask, train, tell, until there is nothing left to do."""
    import optuna
    import ray

    def judge(loss: float, milestone: int) -> bool:
        return ray.get(keeper.judge.remote(worker, loss, milestone))

    while (asked := ray.get(keeper.ask.remote(worker))) is not None:
        values, left = asked
        deadline = None if left is None else time.monotonic() + left  # this machine's clock
        late = Late(deadline, lambda: ray.get(keeper.any_complete.remote()))
        loss, facts = None, {}
        try:
            loss, facts = train_trial(search, values, judge, late)
        except optuna.TrialPruned:
            pass
        except InputError as error:
            facts = {"error": str(error)}
        ray.get(keeper.tell.remote(worker, loss, facts))


def search_on_ray(
    search: Search,
    directory: Path,
    *,
    trials: int | None,
    deadline: float | None,
    workers: int,
    report: Report | None,
) -> None:
    """Search with so many workers, each on a processor of its own, wherever in the cluster that is.

    Args:
        search: what is searched.
        directory: where the study is, on this machine.
        trials: the most trials that it is to hold in the end.
        deadline: when the time is up, as ``time.monotonic`` tells it; None: never.
        workers: how many.
        report: told of each trial.

    Raises:
        InputError: Ray is not installed, or no cluster answers.
    """
    with ray_cluster(processes=workers) as ray:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        keeper = (
            ray.remote(Keeper)
            .options(num_cpus=0, scheduling_strategy=here)
            .remote(search, directory.resolve(), trials, deadline)
        )
        shared = ray.put(search)
        task = ray.remote(work).options(num_cpus=1, max_retries=RESTARTS)
        jobs = [task.remote(shared, keeper, number) for number in range(workers)]
        while jobs:
            over, jobs = ray.wait(jobs, timeout=0.5)
            if report is not None:
                for news in ray.get(keeper.news.remote()):
                    report(*news)
            ray.get(over)
