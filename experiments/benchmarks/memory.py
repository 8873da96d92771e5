"""What ``bionn run`` holds in memory, stage by stage, above the same run on a few hundred sequences.

Generated sequences of two classes are a FASTA file each, or one file beside a table of labels. Each run
is a process of its own. Before a stage the kernel's record of the process's largest resident size is
reset (``/proc/self/clear_refs``: Linux alone), and read after it; what a small run needs in the same
stage, libraries above all, is taken off.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import torch

from bionn import pipeline
from bionn.cli.parser import integers
from experiments.benchmarks.ops import commit, write_csv
from experiments.benchmarks.predict import write_fasta

STAGES = {
    "read": "read_samples",
    "targets": "find_targets",
    "equal inputs": "distinct_inputs",
    "split": "make_splits",
    "nearest": "nearest_to_test_rows",
    "audit": "audit",
    "encode": "prepare",
    "splits.tsv": "write_splits",
    "train": "train_ensemble",
    "validation": "learned_on_validation",
    "baselines": "fit_baselines",
    "scores": "score",
    "subgroups": "subgroups",
    "predictions.tsv": "write_table",
    "explain": "write_explanations",
    "page": "write_page",
}
"""Functions of :mod:`bionn.pipeline` by the names that the table gives them."""

ELSE = "all else"
SMALL = 400
"""Sequences of the run whose memory is taken off."""

KINDS = ("files", "table")


class Peaks:
    """The largest resident size of this process in each stage, in MB."""

    def __init__(self) -> None:
        self.of: dict[str, float] = {}

    def note(self, stage: str) -> None:
        """Put down what was largest since the last note as a stage's, and begin anew."""
        lines = Path("/proc/self/status").read_text().splitlines()
        found = next(line for line in lines if line.startswith("VmHWM"))
        self.of[stage] = max(self.of.get(stage, 0.0), int(found.split()[1]) * 1024 / 1e6)
        Path("/proc/self/clear_refs").write_text("5")

    def watching(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, what it needs put down as the stage's."""

        @wraps(function)
        def watched(*args: Any, **options: Any) -> Any:
            self.note(ELSE)
            try:
                return function(*args, **options)
            finally:
                self.note(stage)

        return watched


def write_inputs(
    folder: Path, kind: str, records: int, length: int
) -> tuple[list[str], str | None]:
    """Random DNA of two classes: two files, or one and a table of labels."""
    first = folder / "one.fa"
    if kind == "files":
        write_fasta(first, records // 2, length)
        write_fasta(folder / "two.fa", records - records // 2, length, begin=records // 2)
        return [str(first), str(folder / "two.fa")], None
    write_fasta(first, records, length)
    labels = folder / "labels.tsv"
    with labels.open("w") as file:
        file.write("id\tlabel\n")
        file.writelines(f"read{n:08d}\t{'ab'[n % 7 % 2]}\n" for n in range(records))
    return [str(first)], str(labels)


def child(out: str, settings: dict[str, Any], inputs: list[str]) -> None:
    """What a process does: run, and print the peaks."""
    peaks = Peaks()
    for stage, name in STAGES.items():
        setattr(pipeline, name, peaks.watching(stage, getattr(pipeline, name)))
    pipeline.run(inputs, out=out, progress=False, **settings)
    peaks.note(ELSE)
    print(json.dumps(peaks.of))


def measured(folder: Path, kind: str, records: int, given: argparse.Namespace) -> dict[str, float]:
    """The peaks of a run of so many sequences in a process of its own."""
    inputs, labels = write_inputs(folder, kind, records, given.length)
    settings = {"labels": labels, "hidden": given.hidden, "max_epochs": given.epochs}
    settings["baselines"] = given.baselines
    command = [sys.executable, "-m", "experiments.benchmarks.memory"]
    command += ["--threads", str(given.threads)]
    command += ["--child", str(folder / "run"), json.dumps(settings), *inputs]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure the small and the large run of each kind, print a table, write a CSV."""
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmarks.memory")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--length", type=int, default=200)
    parser.add_argument("--hidden", type=integers, default=[32])
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--baselines", action="store_true", help="the baselines too")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/memory.csv"))
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.child:
        child(given.child[0], json.loads(given.child[1]), given.child[2:])
        return
    bases = given.records * given.length
    print(
        f"{given.records} x {given.length} bp, hidden {','.join(map(str, given.hidden))}; "
        f"{platform.machine()}, {given.threads} thread(s), torch {torch.__version__}, commit {commit()}"
    )
    rows: list[dict[str, Any]] = []
    for kind in given.kinds or KINDS:
        found = []
        for records in (SMALL, given.records):
            with tempfile.TemporaryDirectory() as folder:
                found.append(measured(Path(folder), kind, records, given))
        small, large = found
        small["all"], large["all"] = max(small.values()), max(large.values())
        print(f"\n| {kind} | small run, MB | above it, MB | bytes a base |\n|---|---|---|---|")
        for stage, peak in large.items():
            above = peak - small[stage]
            rows.append(
                {
                    "inputs": kind,
                    "stage": stage,
                    "small_mb": round(small[stage]),
                    "above_mb": round(above),
                    "bytes_a_base": round(above * 1e6 / bases, 2),
                }
            )
            print("| " + " | ".join(str(v) for v in list(rows[-1].values())[1:]) + " |", flush=True)
    write_csv(rows, given.out)


if __name__ == "__main__":
    main()
