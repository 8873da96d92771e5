"""Every call that needs the disk fails once, or the disk is full from there on: nothing half is left.

The run is as small as one can be that trains, saves between steps, trains again and writes its page.
"""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from tests.faults.harness import (
    FULL,
    ONCE,
    Fault,
    Figures,
    chosen,
    contents,
    finished,
    one_line,
    weights_of,
)
from tests.small_sets import sequences

NEVER = 1 << 60
ALL = 1 << 30
RUN = ["run", "s.csv", "--target", "label", "--out", "run", "--hidden", "4", "--dropout", "0.3"]
RUN += ["--batch-size", "full", "--checkpoint-seconds", "0", "--device", "cpu"]
RUN += ["--no-baselines", "--no-explain", "--max-epochs"]


def test(folder: Path, *, short: bool) -> Figures:
    """Predictions over an earlier file, then a run over an earlier run."""
    figures = Figures()
    sequences()[["id", "sequence", "label"]].to_csv(folder / "s.csv", index=False)
    ended = finished([*RUN, "1", "--seed", "9"], folder)
    if not figures.check(ended.code == 0, f"no run to begin with: {ended.error[-500:]}"):
        return figures
    _predictions(folder, figures)
    _runs(folder, *((6, 3) if short else (ALL, 40)), figures)
    return figures


def _faults(number: int, once: int, full: int) -> list[Fault]:
    """At most so many calls fail once, and at most so many are where the disk becomes full."""
    failing = [Fault(ONCE, at, errno.EIO) for at in chosen(number, once)]
    return failing + [Fault(FULL, at, errno.ENOSPC) for at in chosen(number, full)]


def _predictions(folder: Path, figures: Figures) -> None:
    """``bionn predict --overwrite``: the old file or the new one."""
    command = ["predict", "run", "s.csv", "--out", "new.tsv", "--overwrite"]
    finished(command, folder)
    new = (folder / "new.tsv").read_bytes()
    old = b"an earlier file\n"
    calls = finished(command, folder, Fault(ONCE, NEVER)).calls
    figures.count("calls that need the disk in a prediction", calls)
    before = set(contents(folder))
    for fault in _faults(calls, ALL, ALL):
        (folder / "new.tsv").write_bytes(old)
        ended = finished(command, folder, fault)
        figures.count("calls failed under predict")
        found = (folder / "new.tsv").read_bytes()
        figures.check(found in (old, new), f"predict, {fault}: half a file")
        figures.check(
            (ended.code == 0) == (found == new), f"predict, {fault}: exit code {ended.code}"
        )
        figures.check(
            ended.code == 0 or (ended.code == 2 and one_line(ended)),
            f"predict, {fault}: code {ended.code}, {ended.error[-400:]}",
        )
        figures.check(set(contents(folder)) == before, f"predict, {fault}: files left behind")


def _runs(folder: Path, once: int, full: int, figures: Figures) -> None:
    """``bionn run --overwrite``: the old run or the new one, and what was saved can be gone on with."""
    command = [*RUN, "2", "--overwrite"]
    old = weights_of(folder / "run")
    shutil.copytree(folder / "run", folder / "old")
    calls = finished(command, folder, Fault(ONCE, NEVER)).calls
    new = weights_of(folder / "run")
    figures.count("calls that need the disk in a run", calls)
    for fault in _faults(calls, once, full):
        shutil.rmtree(folder / "run")
        shutil.copytree(folder / "old", folder / "run")
        ended = finished(command, folder, fault)
        figures.count("calls failed under run")
        found = weights_of(folder / "run")
        moving = found is None and (folder / ".run.unfinished").exists()
        figures.check(
            found in (old, new) or moving, f"run, {fault}: neither the old model nor the new"
        )
        figures.check(
            ended.code == 0 or (ended.code == 2 and one_line(ended)),
            f"run, {fault}: code {ended.code}, {ended.error[-400:]}",
        )
        again = finished([*command, "--resume"], folder)
        same = again.code == 0 and weights_of(folder / "run") == new
        if figures.check(
            same, f"run, {fault}: gone on with code {again.code}, {again.error[-400:]}"
        ):
            figures.count("runs whole and bit-equal after going on")
        left = [path.name for path in folder.iterdir() if path.name.startswith(".run")]
        figures.check(not left, f"run, {fault}: left behind {left}")
