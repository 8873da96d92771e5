"""A wall clock that jumps by years to either side whenever it is looked at changes no result."""

from __future__ import annotations

import time
from pathlib import Path

from tests.faults.harness import DATA, Fault, Figures, finished, small_run, weights_of


def test(folder: Path, *, short: bool) -> Figures:
    """Train and predict under both clocks."""
    figures = Figures()
    for trial in range(1 if short else 5):
        outs = [f"steady_{trial}", f"jumping_{trial}"]
        for out, clock in zip(outs, (False, True), strict=True):
            commands = [
                small_run(out, "--seed", str(trial)),
                ["predict", out, str(DATA / "promoters.fasta"), "--out", f"{out}.tsv"],
            ]
            for command in commands:
                ended = finished(command, folder, Fault(clock=clock))
                figures.count("looks at a jumping clock", ended.calls * clock)
                figures.check(
                    ended.code == 0, f"{command[0]} ended with {ended.code}: {ended.error}"
                )
        if figures.broken:
            break
        figures.count("runs compared")
        steady, jumping = (folder / out for out in outs)
        figures.check(weights_of(steady) == weights_of(jumping), f"seed {trial}: other weights")
        for name in ("predictions.tsv", "splits.tsv", "metrics.csv"):
            same = (steady / name).read_bytes() == (jumping / name).read_bytes()
            figures.check(same, f"seed {trial}: another {name}")
        tables = [(folder / f"{out}.tsv").read_bytes() for out in outs]
        figures.check(tables[0] == tables[1], f"seed {trial}: other predictions")
    years = [float(word) for word in finished(_look, folder, Fault(clock=True)).output.split()]
    figures.check(max(years) - min(years) > 1, f"the clock did not jump: {years}")
    return figures


def _look() -> int:
    """What the clock says, in years, as the commands would see it."""
    print(*(time.time() / 3.15e7 for _ in range(20)))
    return 0
