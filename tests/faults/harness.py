"""What every fault test needs: bionn's commands in processes of their own, with faults in them.

The process that holds this module has all of bionn imported and no thread at work; each command is a
child of it made by fork, so that hundreds of them need no hundreds of imports. The shim (``shim.c``) is
preloaded.
"""

from __future__ import annotations

import ctypes
import errno
import faulthandler
import gc
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DATA = ROOT / "data" / "promoters_simulated"
OFF, ONCE, FULL, SHORT = range(4)
"""Nothing fails; one call fails; from one call on the disk is full; every write is cut short."""

PATIENCE = 1200.0
"""Seconds after which a command hangs, and is ended so that it tells where; many, as a loaded machine is
no fault of it."""

ROOMS = ("pipeline", "cli.run", "cli.predict", "cli.fit", "cli.data", "data.obtain", "loading")
"""What imports all that the commands need."""


@dataclass
class Figures:
    """What a section counted: numbers by name, and what broke a promise."""

    numbers: dict[str, int] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def count(self, name: str, number: int = 1) -> None:
        """Add to a number."""
        self.numbers[name] = self.numbers.get(name, 0) + number

    def check(self, holds: bool, sentence: str) -> bool:
        """Note a promise that does not hold."""
        if not holds:
            self.broken.append(sentence)
        return holds


class Ended(NamedTuple):
    """A command that is over: its exit code (negative: the signal), and what it printed."""

    code: int
    output: str
    error: str
    calls: int


class Fault(NamedTuple):
    """What the shim is told before a command begins."""

    mode: int = OFF
    at: int = 0
    error: int = errno.ENOSPC
    clock: bool = False


def preload() -> None:
    """Start this process again with the shim before the C library, and import what commands need."""
    if "BIONN_SHIM" in os.environ:
        for room in ROOMS:
            import_module(f"bionn.{room}")
        gc.freeze()  # the children are to leave these pages as they are
        return
    library = Path(tempfile.mkdtemp(prefix="bionn-shim-")) / "shim.so"
    source = str(HERE / "shim.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), source], check=True)
    settings = {"BIONN_SHIM": str(library), "LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1"}
    arguments = [sys.executable, "-m", "tests.faults", *sys.argv[1:]]
    os.execve(sys.executable, arguments, os.environ | settings)


def shim() -> ctypes.CDLL:
    """The shim that stands in this process."""
    library = ctypes.CDLL(os.environ["BIONN_SHIM"])
    library.calls.restype = ctypes.c_long
    library.arm.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_long, ctypes.c_int]
    return library


class Command:
    """A command of bionn in a process of its own.

    Args:
        arguments: as after ``bionn``; or a function to call instead.
        folder: its working folder, below which faults are injected.
        fault: which.
        real: start the installed program instead of forking this process; without faults.
    """

    def __init__(
        self,
        arguments: Sequence[str] | Callable[[], object],
        folder: Path,
        fault: Fault | None = None,
        *,
        real: bool = False,
    ) -> None:
        self.files = [tempfile.TemporaryFile("w+b") for _ in range(3)]  # noqa: SIM115 (ended closes)
        if real:
            assert not callable(arguments)
            settings = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
            settings |= {"PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "1"}
            self.pid = subprocess.Popen(
                [sys.executable, "-m", "bionn.cli.main", *arguments],
                cwd=folder,
                env=settings,
                stdout=self.files[0],
                stderr=self.files[1],
            ).pid
            return
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            code = 70
            try:
                code = self._child(arguments, folder, fault or Fault())
            finally:
                os._exit(code)

    def _child(
        self, arguments: Sequence[str] | Callable[[], object], folder: Path, fault: Fault
    ) -> int:
        """What the child does; 70 for an exception that nobody caught."""
        from bionn.cli.main import main

        os.dup2(self.files[0].fileno(), 1)
        os.dup2(self.files[1].fileno(), 2)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        faulthandler.enable(sys.stderr)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(folder)
        os.environ["TMPDIR"] = str(folder)
        library = shim()
        library.arm(str(folder).encode(), fault.mode, fault.at, fault.error)
        library.turn_clock(int(fault.clock))
        try:
            code = main(arguments) if not callable(arguments) else int(str(arguments() or 0))
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        except BaseException:
            import traceback

            traceback.print_exc()
            code = 70
        os.write(self.files[2].fileno(), str(library.calls()).encode())
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        return code

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def running(self) -> bool:
        """Whether it has not ended; leaves it to :meth:`ended` to say how."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def ended(self) -> Ended:
        """Wait for the end."""
        deadline = time.monotonic() + PATIENCE
        while self.running():
            if time.monotonic() > deadline:
                self.kill(signal.SIGABRT)  # it writes the stacks of its threads, and ends
                deadline = math.inf
            time.sleep(0.005)
        _, status = os.waitpid(self.pid, 0)
        texts = []
        for file in self.files:
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
            file.close()
        return Ended(os.waitstatus_to_exitcode(status), texts[0], texts[1], int(texts[2] or 0))


def finished(
    arguments: Sequence[str] | Callable[[], object], folder: Path, fault: Fault | None = None
) -> Ended:
    """Run a command to its end."""
    return Command(arguments, folder, fault).ended()


def small_run(out: str, *more: str) -> list[str]:
    """A run of a few seconds on the simulated promoters, with everything random that training has."""
    return [
        "run",
        str(DATA / "promoters.fasta"),
        "--labels",
        str(DATA / "labels.csv"),
        *["--out", out, "--hidden", "8", "--dropout", "0.3", "--max-epochs", "6"],
        *["--augment", "reverse-complement", "--no-baselines", "--no-explain", "--device", "cpu"],
        *more,
    ]


def weights_of(run: Path) -> str | None:
    """The sha256 of a run's weights, if the model is whole."""
    from bionn import artifact
    from bionn.errors import InputError

    try:
        return artifact.load(run)[1]["weights_sha256"]
    except InputError:
        return None


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def one_line(ended: Ended) -> bool:
    """Whether a refusal is told in a line, without a traceback."""
    lines = [line for line in ended.error.splitlines() if line and not line.startswith("note:")]
    return len(lines) == 1 and ": error: " in lines[0]


def chosen(number: int, most: int, seed: int = 0) -> list[int]:
    """At most so many of ``range(number)``, the first and the last among them."""
    if number <= most:
        return list(range(number))
    inner = random.Random(seed).sample(range(1, number - 1), most - 2)
    return [0, *sorted(inner), number - 1]


def as_json(results: dict[str, Figures]) -> str:
    """The figures for a program."""
    return json.dumps({n: {"numbers": f.numbers, "broken": f.broken} for n, f in results.items()})
