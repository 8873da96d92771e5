"""Every call that needs the disk fails once, or the disk is full from there on: nothing half is left."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from tests.faults.harness import (
    DATA,
    FULL,
    ONCE,
    Fault,
    Figures,
    chosen,
    contents,
    finished,
    one_line,
    small_run,
    weights_of,
)

NEVER = 1 << 60


def test(folder: Path, *, short: bool) -> Figures:
    """Predictions over an earlier file, then a run over an earlier run."""
    figures = Figures()
    ended = finished(small_run("run", "--max-epochs", "1", "--seed", "9"), folder)
    if not figures.check(ended.code == 0, f"no run to begin with: {ended.error[-500:]}"):
        return figures
    _predictions(folder, 12 if short else 1000, figures)
    _runs(folder, 6 if short else 60, figures)
    return figures


def _faults(number: int, most: int) -> list[Fault]:
    once = [Fault(ONCE, at, errno.EIO) for at in chosen(number, most)]
    return once + [Fault(FULL, at, errno.ENOSPC) for at in chosen(number, max(2, most // 2))]


def _predictions(folder: Path, most: int, figures: Figures) -> None:
    """``bionn predict --overwrite``: the old file or the new one."""
    command = ["predict", "run", str(DATA / "promoters.fasta"), "--out", "new.tsv", "--overwrite"]
    finished(command, folder)
    new = (folder / "new.tsv").read_bytes()
    old = b"an earlier file\n"
    calls = finished(command, folder, Fault(ONCE, NEVER)).calls
    before = set(contents(folder))
    for fault in _faults(calls, most):
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


def _runs(folder: Path, most: int, figures: Figures) -> None:
    """``bionn run --overwrite``: the old run or the new one, and what was saved can be gone on with."""
    command = small_run("run", "--overwrite", "--checkpoint-seconds", "0", "--max-epochs", "2")
    old = weights_of(folder / "run")
    shutil.copytree(folder / "run", folder / "old")
    calls = finished(command, folder, Fault(ONCE, NEVER)).calls
    new = weights_of(folder / "run")
    figures.count("calls that need the disk in a run", calls)
    for fault in _faults(calls, most):
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
