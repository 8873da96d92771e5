"""SIGKILL at random moments: the run is resumed, and ends with the weights of one that nobody killed."""

from __future__ import annotations

import random
import time
from pathlib import Path

from tests.faults.harness import Command, Figures, finished, small_run, weights_of

SAME = ("predictions.tsv", "splits.tsv", "metrics.csv", "audit.json", "config.yaml")
OFTEN = ("--checkpoint-seconds", "0.05")

MOST = 3
"""Kills of one run; then it is left alone, and must become whole."""


def test(folder: Path, *, short: bool) -> Figures:
    """Kill, resume, perhaps kill again, until the run is whole; then compare."""
    figures, rng = Figures(), random.Random(0)
    begin = time.monotonic()
    ended = finished(small_run("whole", *OFTEN), folder)
    lasts = time.monotonic() - begin
    if not figures.check(ended.code == 0, f"no run to compare with: {ended.error[-500:]}"):
        return figures
    kills, number = 4 if short else 50, 0
    while figures.numbers.get("kills", 0) < kills and len(figures.broken) < 5:
        _one(folder, f"killed_{number}", lasts, rng, figures, real=not short and number % 5 == 0)
        number += 1
    return figures


def _one(
    folder: Path, out: str, lasts: float, rng: random.Random, figures: Figures, *, real: bool
) -> None:
    """One run, killed once or more. Every second one replaces an earlier run, which it may not harm."""
    figures.count("runs")
    earlier = None
    if rng.random() < 0.5:
        ended = finished(small_run(out, "--seed", "9", "--max-epochs", "1"), folder)
        earlier = weights_of(folder / out)
        figures.check(ended.code == 0 and earlier is not None, f"{out}: no earlier run")
    command = small_run(out, *OFTEN, *(["--overwrite"] if earlier else []))
    for attempt in range(MOST + 1):
        running = Command([*command, *(["--resume"] if attempt else [])], folder, real=real)
        kill = attempt < MOST and (attempt == 0 or rng.random() < 0.5)
        if kill:
            until = time.monotonic() + rng.random() * lasts * (3 if real else 1)
            while time.monotonic() < until and running.running():
                time.sleep(0.002)
            running.kill()
        ended = running.ended()
        if ended.code == 0:
            break
        what = f"{out}, attempt {attempt + 1}, {'killed' if kill else 'left alone'}"
        if not figures.check(
            kill and ended.code == -9, f"{what}: ended with {ended.code}: {ended.error[-2000:]}"
        ):
            return
        figures.count("kills")
        there = weights_of(folder / out)
        whole = weights_of(folder / "whole")
        figures.check(there in (earlier, whole, None), f"{what}: a model of neither run")
        if earlier and there is None:
            figures.count("kills in the moment in which a run takes the place of an earlier one")
    same = weights_of(folder / out) == weights_of(folder / "whole")
    if figures.check(same, f"{out}: other weights than those of the run nobody killed"):
        figures.count("runs ended with bit-equal weights")
    for name in SAME:
        mine, other = ((folder / run / name).read_bytes() for run in (out, "whole"))
        figures.check(mine == other, f"{out}: another {name}")
    left = [p.name for p in folder.iterdir() if p.name.startswith(f".{out}")]
    left += [p.name for p in (folder / out).iterdir() if p.name.startswith(".")]
    figures.check(not left, f"{out}: left behind {left}")
