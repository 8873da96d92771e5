"""An epoch of training over sizes: sequence length, hidden width, rows a step, rows, and tables.

The contenders and the check of their equality are those of :mod:`experiments.benchmarks.training`. One
size varies at a time; ``--full`` crosses lengths, widths and batches (hours). Results go to
``results/sizes.csv``, where a size that is measured again takes the place of what was there, and
``results/sizes.svg`` is drawn of all of them.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import itertools
import logging
import platform
import resource
import subprocess
import sys
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure

from experiments.benchmarks.ops import commit, write_csv
from experiments.benchmarks.training import CONTENDERS, ROUNDS, Setting, make_data, measure

HERE = Path(__file__).resolve().parent
OURS, LOOP = "bionn, Lightning", "torch.nn, bare loop"
COLORS = dict(
    zip(CONTENDERS, ("#0072b2", "#d55e00", "#e69f00", "#009e73", "#cc79a7", "#888888"), strict=True)
)

GROUPS: dict[str, list[Setting]] = {
    "length": [Setting(1024, length, (512,), 512) for length in (41, 70, 200, 1000)],
    "hidden": [Setting(1024, 200, (hidden,), 512) for hidden in (64, 256, 512, 2048)],
    "batch": [
        Setting(128, 200, (512,), 1),
        Setting(1024, 200, (512,), 32),
        Setting(2048, 200, (512,), 512),
        Setting(8192, 200, (512,), 8192, epochs=1),
    ],
    "rows": [Setting(rows, 70, (128,), 256) for rows in (1024, 4096, 16384, 65536)],
    "tables": [
        Setting(1000, 50, (256, 128), 32, table=True),
        Setting(10000, 200, (256, 128), 128, table=True),
        Setting(20000, 1000, (256, 128), 256, table=True, epochs=1),
    ],
    "largest table": [Setting(100000, 1000, (256, 128), 256, table=True, epochs=1)],
}
"""What varies, and its sizes; in the last group ours meets the bare loop alone, as it takes long."""

FULL = [
    Setting(max(2048, batch), length, (hidden,), batch)
    for length, hidden, batch in itertools.product(
        (41, 70, 200, 1000), (64, 256, 512, 2048), (1, 32, 512, 8192)
    )
]


def rows_of(group: str, setting: Setting, rounds: int) -> list[dict[str, object]]:
    """Measure a size of a group: a row each contender."""
    contenders = [OURS, LOOP] if group == "largest table" else list(CONTENDERS)
    about = {
        "group": group,
        "rows": setting.rows,
        "length": setting.length,
        "hidden": "-".join(map(str, setting.hidden)),
        "batch": setting.batch,
    }
    machine = {
        "rounds": rounds,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "commit": commit(),
        "date": datetime.date.today().isoformat(),
    }
    measured = measure(setting, contenders, rounds)
    ratios = " | ".join(str(row["ratio"]) for row in measured)
    print(f"| {group} | {setting.name} | {ratios} |", flush=True)
    return [
        {**about, **{k: v for k, v in row.items() if k != "setting"}, **machine} for row in measured
    ]


def memory(setting: Setting, contender: str) -> float:
    """Megabytes that a process needs for data and an epoch, above what it held after its imports."""
    command = [sys.executable, "-m", "experiments.benchmarks.sizes", "--child", contender]
    command += [
        str(value) for value in (setting.rows, setting.length, setting.hidden[0], setting.batch)
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.strip().splitlines()[-1])


def child(contender: str, sizes: list[int]) -> None:
    """What that process does: each contender holds no other form of the data than its own."""
    rows, length, hidden, batch = sizes
    setting = Setting(rows, length, (hidden,), batch, epochs=1)
    small = setting._replace(rows=2 * batch)
    CONTENDERS[contender](small, make_data(small))  # libraries and kernels are loaded
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    codes = torch.zeros((rows, length), dtype=torch.uint8)
    codes[:] = torch.arange(length) % 4
    classes = torch.arange(rows) % 2
    onehot = codes
    if contender != OURS:
        onehot = torch.zeros((rows, 4 * length))
        onehot[:, ::5] = 1.0
        codes = onehot
    data = make_data(small)._replace(codes=codes, onehot=onehot, classes=classes)
    CONTENDERS[contender](setting, data)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 1e6)


def measure_memory() -> list[dict[str, object]]:
    """Peak memory of training 100,000 sequences of several lengths."""
    found: list[dict[str, object]] = []
    print("\n| memory of 100,000 sequences | MB | bytes a base |\n|---|---|---|")
    for length, contender in itertools.product(
        (41, 200, 1000), (OURS, "torch.nn, Lightning, DataLoader", "scikit-learn")
    ):
        setting = Setting(100_000 if length < 1000 else 20_000, length, (64,), 512)
        megabytes = memory(setting, contender)
        bases = setting.rows * length
        found.append(
            {
                "rows": setting.rows,
                "length": length,
                "contender": contender,
                "memory_mb": round(megabytes, 1),
                "bytes_a_base": round(megabytes * 1e6 / bases, 2),
                "torch": torch.__version__,
                "commit": commit(),
            }
        )
        print(
            f"| {length} bp, {contender} | {megabytes:.0f} | {found[-1]['bytes_a_base']} |",
            flush=True,
        )
    return found


def growth(rows: list[dict[str, str]], group: str, column: str, contender: str) -> float:
    """The exponent p of ``time ~ size^p`` over the sizes of a group, by least squares."""
    own = [row for row in rows if row["group"] == group and row["contender"] == contender]
    sizes, times = ([float(row[name]) for row in own] for name in (column, "epoch_s"))
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])


def draw(rows: list[dict[str, str]], path: Path) -> None:
    """Each contender's time over ours, against what varies; above 1 it is slower."""
    matplotlib.rcParams["svg.fonttype"] = "none"
    panels = [
        ("length", "length", "sequence length, bp"),
        ("hidden", "hidden", "hidden units"),
        ("batch", "batch", "rows a step"),
        ("tables", "rows", "rows of the table"),
    ]
    groups_there = {row["group"] for row in rows}
    panels = [panel for panel in panels if panel[0] in groups_there]
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    all_axes = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
    for axes, (group, column, label) in zip(all_axes, panels, strict=True):
        for contender, color in COLORS.items():
            groups = (group, "largest table") if group == "tables" else (group,)
            own = [r for r in rows if r["group"] in groups and r["contender"] == contender]
            axes.plot(
                [float(row[column]) for row in own],
                [float(row["ratio"]) for row in own],
                marker="o",
                markersize=3,
                linestyle="--" if contender.startswith("dense") else "-",
                color=color,
                label=contender,
            )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_yticks([0.5, 1, 2, 5, 10], ["0.5", "1", "2", "5", "10"], minor=False)
        axes.set_yticks([], minor=True)
        axes.set_xlabel(label)
        axes.spines[["top", "right"]].set_visible(False)
    all_axes[0].set_ylabel("time of an epoch / bionn's")
    handles, names = all_axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=6, frameon=False, fontsize=8)
    figure.savefig(path)
    print(f"drawn: {path}")


def keep(found: list[dict[str, object]], path: Path) -> list[dict[str, str]]:
    """Put rows into the table of results in the place of those of the same size; give all of it."""
    known: list[dict[str, str]] = []
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            known = list(csv.DictReader(file))
    fresh = [{key: str(value) for key, value in row.items()} for row in found]
    sizes = ("group", "rows", "length", "hidden", "batch")
    replaced = {tuple(row[key] for key in sizes) for row in fresh}
    rows = [row for row in known if tuple(row[key] for key in sizes) not in replaced] + fresh
    order = [*GROUPS, "full"]
    rows.sort(key=lambda row: (order.index(row["group"]), *(float(row[k]) for k in sizes[1:3])))
    write_csv(rows, path)
    return rows


def main() -> None:
    """Measure groups, print their ratios, keep and draw them."""
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmarks.sizes")
    parser.add_argument(
        "groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}; memory"
    )
    parser.add_argument("--full", action="store_true", help="every length, width and batch crossed")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "sizes.csv")
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    if given.child:
        child(given.child[0], [int(value) for value in given.child[1:]])
        return
    groups = given.groups or [*GROUPS, "memory"]
    print(
        f"{platform.machine()}, {given.threads} thread(s), torch {torch.__version__}, commit "
        f"{commit()}\nratios of an epoch's time to bionn's; above 1: slower than bionn\n\n"
        f"| varies | size | {' | '.join(CONTENDERS)} |\n|---|---|{'---|' * len(CONTENDERS)}"
    )
    chosen = [(group, setting) for group in groups for setting in GROUPS.get(group, ())]
    chosen += [("full", setting) for setting in FULL if given.full]
    rows: list[dict[str, str]] = []
    for group, setting in chosen:
        rows = keep(rows_of(group, setting, given.rounds), given.out)
    if rows:
        draw(rows, given.out.with_suffix(".svg"))
        for group, column in (("rows", "rows"), ("length", "length"), ("hidden", "hidden")):
            if group in groups:
                powers = (
                    f"{name} {growth(rows, group, column, name):.2f}" for name in (OURS, LOOP)
                )
                print(f"time grows as {group} to the power: {', '.join(powers)}")
    if "memory" in groups:
        write_csv(measure_memory(), given.out.with_name("memory.csv"))


if __name__ == "__main__":
    main()
