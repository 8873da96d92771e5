"""Nine genes of the SOS response in E. coli, each from the other eight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from experiments.common import Score, folds_of, main, run_seeds

NAME = "m3d_sos"
GENES = ("lexA", "dinI", "umuDC", "recA", "ssb", "recF", "rpoS", "rpoH", "rpoD")


def experiment(
    data: Path, out: Path, seeds: Sequence[int], more: Mapping[str, Any] | None = None
) -> list[Score]:
    """Five folds a seed, R2 of the predictions pooled over folds; ridge on the same folds."""
    table = pd.read_csv(data / NAME / "SOS_data.csv", header=None, names=list(GENES))
    folds = folds_of(NAME).drop(columns="row")
    path = out / "sos.csv"
    pd.concat([table, folds], axis=1).to_csv(path, index=False)
    network: dict[str, list[float]] = {}
    linear: dict[str, list[float]] = {}
    for gene in GENES:
        others = [name for name in GENES if name != gene]
        run_seeds(
            NAME,
            path,
            out / gene,
            seeds=seeds,
            more=more,
            options=lambda seed, gene=gene, others=others: {
                "fold_column": f"rep{seed}",
                "target": gene,
                "features": others,
            },
            baselines=lambda seed: False,
        )
        network[gene] = [pooled_r2(out / gene / f"seed_{seed}") for seed in seeds]
        linear[gene] = [
            ridge_r2(table, gene, folds[f"rep{seed}"].astype(int).to_numpy()) for seed in seeds
        ]
    mean = Score(
        "mean r2",
        [float(np.mean([network[gene][i] for gene in GENES])) for i in range(len(seeds))],
        [float(np.mean([linear[gene][i] for gene in GENES])) for i in range(len(seeds))],
        0.69,
        "-",
    )
    genes = [
        Score(f"r2 {gene}", network[gene], linear[gene], float(np.mean(linear[gene])), "-")
        for gene in GENES
    ]
    return [mean, *genes]


def pooled_r2(run: Path) -> float:
    """R2 over the test predictions of all folds together."""
    predictions = pd.read_csv(run / "predictions.tsv", sep="\t")
    return float(r2_score(predictions["target"], predictions["prediction"]))


def ridge_r2(table: pd.DataFrame, gene: str, folds: np.ndarray) -> float:
    """The same for ridge regression, fitted on all rows outside the fold."""
    inputs, target = table.drop(columns=gene).to_numpy(), table[gene].to_numpy()
    predictions = np.empty(len(table))
    for fold in np.unique(folds):
        model = make_pipeline(StandardScaler(), RidgeCV(alphas=np.logspace(-3, 3, 13)))
        model.fit(inputs[folds != fold], target[folds != fold])
        predictions[folds == fold] = model.predict(inputs[folds == fold])
    return float(r2_score(target, predictions))


if __name__ == "__main__":
    main(NAME, experiment)
