"""The published split beside splits of the same rows: at random, and by homology."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from bionn.sequences.alphabet import DNA
from bionn.sequences.nearest import nearest_outside
from experiments.common import HERE, failing_in_one_line, parse, run_seeds, write_result

NAME = "gue_prom_core"
SEEDS = (0, 1, 2)
WAYS = {
    "as published": None,
    "at random, equal sequences together": "stratified",
    "by homology, identity .8": "homology",
}


def experiment(data: Path, out: Path, seeds: list[int]) -> str:
    """A line for each way to split, over seeds; a seed decides the new splits as well."""
    folder = data / NAME
    files = [folder / f"{part}.csv" for part in ("train", "dev", "test")]
    published = {"val": str(files[1]), "test": str(files[2])}
    lines = [
        "| split | network, mean ± sd over seeds | linear baseline, seed 0 | test rows .8 alike or more "
        "| of the same class | equal | largest identity |",
        "|---|---|---|---|---|---|---|",
    ]
    for way, kind in WAYS.items():
        options: dict[str, Any] = published if kind is None else {"split": kind}
        own = out / (kind or "published")
        inputs = files[0] if kind is None else files
        results = run_seeds(NAME, inputs, own, seeds=seeds, options=lambda seed, o=options: o)
        scores = [result["test"]["auroc"] for result in results]
        linear = results[0]["baselines"]["linear"]["test"]["auroc"]
        certificate = json.loads((own / f"seed_{seeds[0]}" / "split.json").read_text())
        test = certificate["test"]
        alike, equal = (test["identity_at_least"][level] for level in ("0.8", "1"))
        same = test["of_same_class"]["0.8"]
        lines.append(
            f"| {way} | **{np.mean(scores):.3f}** ± {np.std(scores):.3f} | {linear:.3f} | "
            f"{alike} of {test['rows']} | {same} | {equal} | {test['largest']['identity']:.3f} |"
        )
    return "\n".join([*lines, "", *kinship(files, out / "published" / f"seed_{seeds[0]}")])


def kinship(files: list[Path], run: Path) -> list[str]:
    """The published split's AUROC on test rows with and without a relative in train or dev."""
    frame = pd.concat([pd.read_csv(path) for path in files], ignore_index=True)
    labels = np.repeat([0, 0, 1], [len(pd.read_csv(path)) for path in files])
    found = nearest_outside(frame["sequence"].tolist(), labels, labels == 1, DNA)
    identity = found.identity[labels == 1]
    table = pd.read_csv(run / "predictions.tsv", sep="\t")
    table = table[table["split"] == "test"]
    lines = [
        "| test rows of the published split, seed 0 | rows | of the class of the relative | AUROC |",
        "|---|---|---|---|",
    ]
    classes = frame["label"].to_numpy()
    same = classes[labels == 1] == classes[found.other[labels == 1]]
    close = identity >= 0.8 - 1e-9
    for name, rows in (("with a relative of .8 or more", close), ("without", ~close)):
        area = roc_auc_score(table["target"][rows], table["prob_1"][rows])
        share = f"{same[rows].mean():.0%}" if name != "without" else "-"
        lines.append(f"| {name} | {rows.sum()} | {share} | {area:.3f} |")
    return lines


if __name__ == "__main__":
    arguments, data = parse(f"{NAME}.homology", SEEDS)
    with failing_in_one_line(f"python -m experiments.{NAME}.homology"):
        table = experiment(data, arguments.out, arguments.seeds)
    print(table)
    if tuple(arguments.seeds) == SEEDS:
        write_result(HERE / NAME / "README.md", table, name="homology")
