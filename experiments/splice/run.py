"""Splice junctions: exon-intron, intron-exon or neither, from 60 bp around the site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bionn.formats.table import read_table
from experiments.common import Score, folds_of, main, run_seeds, score

NAME = "splice"


def experiment(
    data: Path, out: Path, seeds: Sequence[int], more: Mapping[str, Any] | None = None
) -> list[Score]:
    """Five folds a seed; the fold column leaves out duplicates and the conflicting pair."""
    table = read_table(data / NAME / "splice.data", names=["class", "id", "sequence"])
    path = out / "splice.tsv"
    table.frame.assign(fold=folds_of(NAME)["fold"]).to_csv(path, sep="\t", index=False)
    results = run_seeds(NAME, path, out, seeds=seeds, more=more)
    return [
        score(
            results,
            "accuracy",
            to_reach=0.956,
            published="error % N/EI/IE, 10 folds: KBANN 4.62/7.56/8.47 (data set's notes)",
        )
    ]


if __name__ == "__main__":
    main(NAME, experiment)
