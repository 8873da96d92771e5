"""Eight classes of mice from 77 protein levels, no mouse in two parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.common import Score, folds_of, main, run_seeds, score

NAME = "mice_protein"


def experiment(
    data: Path, out: Path, seeds: Sequence[int], more: Mapping[str, Any] | None = None
) -> list[Score]:
    """Each seed has folds of its own, by mouse: five repetitions of five folds."""
    table = pd.read_csv(data / NAME / "Data_Cortex_Nuclear.csv", encoding="utf-8-sig")
    proteins = [column for column in table if str(column).endswith("_N")]
    folds = folds_of(NAME).drop(columns=["row", "mouse"])
    path = out / "mice.csv"
    pd.concat([table[["MouseID", *proteins, "class"]], folds], axis=1).to_csv(path, index=False)
    results = run_seeds(
        NAME,
        path,
        out,
        seeds=seeds,
        more=more,
        options=lambda seed: {"fold_column": f"rep{seed}", "features": proteins},
        baselines=lambda seed: True,
    )
    return [
        score(
            results,
            "accuracy",
            to_reach=0.61,
            published="rows split at random .99: the same mice in train and test",
        )
    ]


if __name__ == "__main__":
    main(NAME, experiment)
