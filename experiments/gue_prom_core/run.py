"""Human core promoters, 70 bp: the published train, dev and test files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.common import Score, main, run_seeds, score

NAME = "gue_prom_core"


def experiment(
    data: Path, out: Path, seeds: Sequence[int], more: Mapping[str, Any] | None = None
) -> list[Score]:
    """The files as published: 43 test rows also stand in train; 54 dev rows do; 8 are in both."""
    folder = data / NAME
    files = {"val": str(folder / "dev.csv"), "test": str(folder / "test.csv")}
    results = run_seeds(
        NAME, folder / "train.csv", out, seeds=seeds, more=more, options=lambda seed: files
    )
    return [
        score(
            results,
            "auroc",
            to_reach=0.890,
            published="frozen embeddings .831-.875 (Nature Communications 2025)",
        )
    ]


if __name__ == "__main__":
    main(NAME, experiment)
