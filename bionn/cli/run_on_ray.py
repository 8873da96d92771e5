"""``bionn run --engine ray``: the command on one machine of a cluster, gone on with if that is lost."""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, NoReturn

from bionn.cluster import ray_cluster
from bionn.errors import InputError, Stopped
from bionn.report.unfinished import can_go_on

RESTARTS = 3
"""How often a run is gone on with whose process or machine was lost."""

LOOK_EVERY = 0.2
"""Seconds from one look to the next at what the other side has written."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


@dataclass(frozen=True)
class Job:
    """What the other machine needs to know.

    Attributes:
        arguments: of ``bionn run``.
        folder: where it was started; the same files are seen there.
        notes: a folder for what is said (``out``, ``err``), and for the signal to stop (``stop``).
    """

    arguments: tuple[str, ...]
    folder: str
    notes: Path


def run_on_ray(
    arguments: Sequence[str], directory: Path, *, device: str, overwrite: bool = False
) -> int:
    """Run where the cluster that ``RAY_ADDRESS`` names has most processors, or here without one.

    The machine is taken whole, and must see the inputs and the run's folder. A signal is passed on.

    Args:
        arguments: of ``bionn run``.
        directory: the run's folder.
        device: as the option; a machine with a GPU is taken for ``auto`` and ``gpu`` if there is one.
        overwrite: as the option: a whole run that is there is none to go on with.

    Returns:
        The exit code of the command there.

    Raises:
        InputError: no Ray, no cluster, or the machine was lost too often.
        Stopped: a second signal came before the first one was followed.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    given = (*arguments, "--engine", "local", "--out", str(directory))
    with (
        tempfile.TemporaryDirectory(prefix=".ray-", dir=directory.parent) as folder,
        ray_cluster(processes=len(os.sched_getaffinity(0))) as ray,
    ):
        notes = Path(folder).absolute()
        task = ray.remote(work).options(max_retries=0, **_machine(ray, device))
        failure: Exception | None = None
        for attempt in range(RESTARTS + 1):
            # a run that is to be replaced would be taken for one that is done
            goes_on = attempt and (not overwrite or can_go_on(directory))
            more = ("--resume",) if goes_on else ()
            running = task.remote(Job((*given, *more), os.getcwd(), notes))
            try:
                with _passed_on(notes / "stop", directory), _shown(notes) as show:
                    while not ray.wait([running], timeout=LOOK_EVERY)[0]:
                        show()
                return ray.get(running)
            except ray.exceptions.RayTaskError:  # an error of bionn's own, not of the machine
                raise
            except ray.exceptions.RayError as error:
                failure = error
                if (notes / "stop").exists():
                    break
        kept = "; what was saved is kept: go on with resume" if can_go_on(directory) else ""
        reason = (str(failure).strip().splitlines() or [type(failure).__name__])[0]
        raise InputError(f"engine ray: the run's process was lost: {reason.rstrip('.')}{kept}")


def _machine(ray: ModuleType, device: str) -> dict[str, float]:
    """The processors and GPUs of the largest machine, of those with a GPU if one is wanted."""
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    able = [machine for machine in machines if machine.get("GPU", 0) >= 1]
    gpu = device in ("auto", "gpu", "cuda") and bool(able)
    return {
        "num_cpus": max(machine.get("CPU", 0) for machine in (able if gpu else machines)),
        "num_gpus": int(gpu),
    }


@contextlib.contextmanager
def _passed_on(stop: Path, directory: Path) -> Iterator[None]:
    """Write a signal's number into a file; a second one does not wait."""

    def ask(number: int, frame: FrameType | None) -> None:
        del frame
        if stop.exists():
            raise Stopped(number, saved=can_go_on(directory))
        stop.write_text(str(number))

    before = {number: signal.signal(number, ask) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _shown(notes: Path) -> Iterator[Any]:
    """A function that prints what has been said since it was called last; called at the end as well."""
    for name in ("out", "err"):
        (notes / name).write_bytes(b"")
    with (
        (notes / "out").open(encoding="utf-8") as out,
        (notes / "err").open(encoding="utf-8") as err,
    ):

        def show() -> None:
            for said, stream in ((out, sys.stdout), (err, sys.stderr)):
                print(said.read(), end="", file=stream, flush=True)

        try:
            yield show
        finally:
            show()


def work(job: Job) -> int:
    """What the other machine does."""
    from bionn.cli.main import main

    os.chdir(job.folder)
    before = {number: signal.signal(number, _raise_stopped) for number in SIGNALS}
    over = threading.Event()
    threading.Thread(target=_heed, args=(job.notes / "stop", over), daemon=True).start()
    with (
        (job.notes / "out").open("a", encoding="utf-8", buffering=1) as out,
        (job.notes / "err").open("a", encoding="utf-8", buffering=1) as err,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            return main(["run", *job.arguments])
        finally:
            over.set()
            for number, handler in before.items():
                signal.signal(number, handler)


def _heed(stop: Path, over: threading.Event) -> None:
    """Pass on the signal whose number a file holds to the main thread, as Ray blocks real ones."""
    while not over.wait(LOOK_EVERY):
        if stop.exists() and (number := stop.read_text()):
            _thread.interrupt_main(signal.Signals(int(number)))
            return


def _raise_stopped(number: int, frame: FrameType | None) -> NoReturn:
    raise Stopped(number)
