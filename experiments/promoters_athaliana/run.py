"""TATA-less promoters of Arabidopsis thaliana against other sequence, 251 bp: one-hot and k-mers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bionn.formats.fasta import read_fasta
from experiments.common import Score, folds_of, main, run_seeds, score

NAME = "promoters_athaliana"
CLASSES = {"Arabidopsis_non_prom_big.fa": "background", "Arabidopsis_non_tata.fa": "promoter"}

ENCODINGS = (
    ("onehot", "onehot", 0.755),
    ("kmer", "kmer:5", 0.83),
    ("both", "onehot+kmer:5", 0.83),
)
"""A folder, an encoding and the score to reach with it."""


def experiment(
    data: Path,
    out: Path,
    seeds: Sequence[int],
    more: Mapping[str, Any] | None = None,
    only: Sequence[str] = tuple(folder for folder, _, _ in ENCODINGS),
) -> list[Score]:
    """Five folds a seed, by ``only`` some of the encodings; folds are by sequence, so that no duplicate
    is in two.
    """
    folds, pieces = folds_of(NAME), []
    for file, label in CLASSES.items():
        records = read_fasta(data / NAME / file)
        fold_of = dict(folds.loc[folds["file"] == file, ["row", "fold"]].to_numpy())
        rows = [str(row) for row in range(len(records.ids))]
        columns = {
            "id": [f"{label}_{row}" for row in rows],
            "sequence": records.sequences,
            "fold": [fold_of[row] for row in rows],
        }
        pieces.append(pd.DataFrame(columns).assign(label=label))
    path = out / "promoters.tsv"
    pd.concat(pieces).to_csv(path, sep="\t", index=False)
    return [
        score(
            run_seeds(
                NAME,
                path,
                out / folder,
                seeds=seeds,
                more=more,
                options=lambda seed, encoding=encoding: {"encoding": encoding},
            ),
            "mcc",
            label=f"mcc, {encoding}",
            to_reach=to_reach,
            published="convolutional network .86, its split unknown (PLoS ONE 2017)",
        )
        for folder, encoding, to_reach in ENCODINGS
        if folder in only
    ]


if __name__ == "__main__":
    main(NAME, experiment, parts=[folder for folder, _, _ in ENCODINGS])
