"""``bionn fit --engine ray``: the same training in workers of a Ray cluster, resumed when one dies."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch import Callback, Trainer

from bionn.cli.fit import Command, run_command
from bionn.cluster import ray_cluster
from bionn.errors import BionnError, InputError, Stopped
from bionn.training.checkpoints import LAST, mark_of

SETTINGS = {
    "RAY_TRAIN_V2_ENABLED": "1",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "600",  # workers import much, from a busy disk perhaps
}
"""Of Ray Train, unless the environment tells otherwise."""


class _Look(Command):
    """Reads and checks the configuration, and does nothing about it."""

    seen: dict[str, Any]
    marks: frozenset[bytes]

    def _parse_ckpt_path(self) -> None:
        type(self).seen = self.config[self.config["subcommand"]]
        given = type(self).seen
        root = Path(given["trainer"].get("default_root_dir") or ".")
        own = given["checkpoints"].get("directory")
        there = [*root.glob("*/version_*/checkpoints/*.ckpt"), *root.glob("checkpoints/*.ckpt")]
        there += [] if own is None else Path(own).glob("*.ckpt")
        type(self).marks = frozenset(map(mark_of, there))

    def instantiate_classes(self) -> None:
        """Leave it to the workers."""

    def _run_subcommand(self, subcommand: str) -> None:
        """Leave it to the workers."""


@dataclass(frozen=True)
class Job:
    """What a worker needs to know.

    Attributes:
        arguments: of ``bionn fit``.
        folder: where it was started; the workers see the same files there.
        notes: where the first worker leaves what it says, and any of them an error.
        marks: of the checkpoints that were there before: not to be gone on from by itself.
    """

    arguments: tuple[str, ...]
    folder: str
    notes: str
    marks: frozenset[bytes]


def fit_on_ray(arguments: Sequence[str], *, workers: int, restarts: int) -> int:
    """Train in workers of the cluster that ``RAY_ADDRESS`` names, or of this machine.

    When a worker dies, all begin again at the last checkpoint, which they must all be able to read.

    Args:
        arguments: of ``bionn fit``.
        workers: how many; each has one processor and, where the cluster has as many, one GPU.
        restarts: how often at the most.

    Raises:
        InputError: bad input, no Ray, too small a cluster, or more failures than restarts.
        Stopped: a signal came; tells whether there is a checkpoint to go on from.
    """
    run_command("fit", arguments, _Look)
    seen = _Look.seen
    root = Path(seen["trainer"].get("default_root_dir") or ".").absolute()
    root.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=".ray-", dir=root) as notes,
        ray_cluster(processes=workers) as ray,
    ):
        here = ray.cluster_resources()
        gpus = seen["trainer"].get("accelerator") != "cpu" and here.get("GPU", 0) >= workers
        if here.get("CPU", 0) < workers:
            raise InputError(
                f"workers: a cluster of {workers} processors needed, {here.get('CPU', 0):g} found; take "
                "fewer"
            )
        job = Job(tuple(arguments), os.getcwd(), notes, _Look.marks)
        failure = _train(job, workers, restarts, gpus=bool(gpus))
        _tell(Path(notes), failure)
    return 0


def _train(job: Job, workers: int, restarts: int, *, gpus: bool) -> BaseException | None:
    """Let Ray Train do it; what it failed of at last, if it did."""
    os.environ |= SETTINGS | {name: v for name, v in os.environ.items() if name in SETTINGS}
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    trainer = TorchTrainer(
        work,
        train_loop_config={"job": job},
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=gpus),
        run_config=RunConfig(
            name="fit",
            storage_path=job.notes,
            failure_config=FailureConfig(max_failures=restarts),
        ),
    )
    try:
        trainer.fit()
    except Stopped as stop:
        fresh = any(mark_of(path) not in job.marks for path in Path(job.folder).rglob(LAST))
        raise Stopped(stop.signal_number, saved=fresh) from None
    except Exception as error:
        return error
    return None


def _tell(notes: Path, failure: BaseException | None) -> None:
    """Say what the first worker said.

    Raises:
        InputError: a worker came to an error, or the workers failed too often.
    """
    for name, stream in (("out", sys.stdout), ("err", sys.stderr)):
        if (notes / name).exists():
            print((notes / name).read_text(encoding="utf-8"), end="", file=stream)
    if (notes / "error").exists():
        raise InputError((notes / "error").read_text(encoding="utf-8"))
    if failure is not None:
        reason = (str(failure).strip().splitlines() or [type(failure).__name__])[-1]
        raise InputError(
            f"engine ray: the workers failed too often, at last of: {reason}; the last checkpoint "
            "stands: --ckpt_path last goes on from it"
        ) from failure


def work(config: dict[str, Any]) -> None:
    """What each worker does: ``bionn fit``, as one of Lightning's processes."""
    import ray.train

    job: Job = config["job"]
    os.chdir(job.folder)
    notes = Path(job.notes)
    if (notes / "error").exists():  # of a worker that failed alone: all would only fail again
        return
    rank_zero_only.rank = ray.train.get_context().get_world_rank()
    try:
        with _noted(notes, first=not rank_zero_only.rank):
            run_command("fit", job.arguments, _on_ray(job.marks))
    except BionnError as error:  # not to be tried again: this worker is done
        (notes / "error").write_text(str(error), encoding="utf-8")
        if torch.distributed.is_initialized():  # and the others are not to wait for it
            torch.distributed.destroy_process_group()


@contextlib.contextmanager
def _noted(notes: Path, *, first: bool) -> Iterator[None]:
    """Keep what the first worker says."""
    if not first:
        yield
        return
    with (
        (notes / "out").open("a", encoding="utf-8") as out,
        (notes / "err").open("a", encoding="utf-8") as err,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        yield


def _on_ray(marks: frozenset[bytes]) -> type[Command]:
    """The command in a worker, which knows of Ray."""
    from ray.train.lightning import RayDDPStrategy, RayFSDPStrategy, RayLightningEnvironment

    class OnRay(Command):
        """Goes on from a checkpoint of its own; finds the other workers by Ray."""

        def _parse_ckpt_path(self) -> None:
            found = self.last_checkpoint
            if found is not None and mark_of(found) not in marks:
                self.config[self.config["subcommand"]]["ckpt_path"] = str(found)
            super()._parse_ckpt_path()

        def _instantiate_trainer(
            self, config: dict[str, Any], callbacks: list[Callback]
        ) -> Trainer:
            wide = str(config.get("strategy")).startswith("fsdp")
            config["strategy"] = RayFSDPStrategy() if wide else RayDDPStrategy()
            config["plugins"] = [*(config.get("plugins") or []), RayLightningEnvironment()]
            config["devices"] = "auto"
            return super()._instantiate_trainer(config, callbacks)

    return OnRay
