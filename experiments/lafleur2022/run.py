"""Transcription rate of designed E. coli promoters from their sequence, 61-85 bp."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.common import Score, folds_of, main, run_seeds, score

NAME = "lafleur2022"


def experiment(
    data: Path, out: Path, seeds: Sequence[int], more: Mapping[str, Any] | None = None
) -> list[Score]:
    """Five folds a seed. Only sequence and target are kept: other columns give the answer away."""
    columns = ["Promoter Sequence", "Observed log(TX/Txref)"]
    table = pd.read_csv(data / NAME / "La_Fleur_et_al.csv")[columns]
    path = out / "lafleur.csv"
    table.assign(fold=folds_of(NAME)["fold"]).to_csv(path, index=False)
    results = run_seeds(NAME, path, out, seeds=seeds, more=more)
    return [
        score(
            results,
            "r2",
            to_reach=0.845,
            published="Promoter Calculator on these rows .747 (Nature Communications 2022)",
        )
    ]


if __name__ == "__main__":
    main(NAME, experiment)
