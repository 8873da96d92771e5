"""Methylation sites made rare: what weights, balanced drawing and thresholds do to the scores."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.common import HERE, data_folder, run_seeds, write_result

NAME = "imbalance"
SEEDS = (0, 1, 2)
OTHERS = {"train": 4000, "test": 8000}
SHARE = 1 / 20
SCORES = ("mcc", "f1", "loss", "auroc", "auprc")
WAYS: dict[str, dict[str, Any]] = {
    "at the best threshold": {"threshold": "auto"},
    "classes weighted": {"class_weight": "balanced"},
    "classes drawn alike": {"sampler": "balanced"},
}


def rare_sites(data: Path) -> pd.DataFrame:
    """The first rows of both files, one site in twenty; each tenth training row is for validation."""
    parts = []
    for part, others in OTHERS.items():
        table = pd.read_csv(data / "6ma_athaliana" / f"{part}.tsv", sep="\t")
        sites = round(others * SHARE / (1 - SHARE))
        chosen = [table[table["label"] == 0].head(others), table[table["label"] == 1].head(sites)]
        for rows in chosen:
            split = np.where((np.arange(len(rows)) % 10 == 0) & (part == "train"), "val", part)
            parts.append(rows.assign(split=split, id=[f"{part}_{n}" for n in rows["index"]]))
    return pd.concat(parts).loc[:, ["id", "text", "label", "split"]]


def row(name: str, tests: Sequence[dict[str, Any]]) -> str:
    """A line of the table: mean and standard deviation of each score."""
    cells = (
        f"{np.mean(values):.3f} ± {np.std(values):.3f}"
        for values in ([test[score] for test in tests] for score in SCORES)
    )
    return f"| {name} | {' | '.join(cells)} |"


def table(out: Path, seeds: Sequence[int]) -> str:
    """Train each way for each seed; the scores of the test rows as a Markdown table."""
    path = out / "rare.tsv"
    rare_sites(data_folder("6ma_athaliana")).to_csv(path, sep="\t", index=False)
    lines = [f"| network | {' | '.join(SCORES)} |", "|---" * (len(SCORES) + 1) + "|"]
    linear: list[dict[str, Any]] = []
    for name, options in WAYS.items():
        results = run_seeds(
            NAME,
            path,
            out / name.replace(" ", "_"),
            seeds=seeds,
            options=lambda seed, options=options: options,
        )
        tests = [result["test"] for result in results]
        if options.get("threshold"):  # the same networks, without it
            lines.append(row("above .5", [test | test["plain"] for test in tests]))
            linear = [r["baselines"]["linear"]["test"] for r in results if r["baselines"]]
        lines.append(row(name, tests))
    cells = [f"{np.mean([test[name] for test in linear]):.3f}" for name in SCORES if name != "loss"]
    cells.insert(SCORES.index("loss"), "-")
    lines.append(f"| logistic regression at its best threshold | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run it, print the table, write it into the README."""
    parser = argparse.ArgumentParser(prog=f"python -m experiments.{NAME}.run")
    parser.add_argument("--out", type=Path, default=Path("runs/experiments") / NAME)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    text = table(arguments.out, arguments.seeds)
    print(text)
    if tuple(arguments.seeds) == SEEDS:
        write_result(HERE / NAME / "README.md", text)


if __name__ == "__main__":
    main()
