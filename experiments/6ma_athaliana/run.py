"""N6-methyladenine sites in Arabidopsis thaliana, from 41 bp around the base."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.common import Score, main, run_seeds, score

NAME = "6ma_athaliana"


def experiment(
    data: Path, out: Path, seeds: Sequence[int], more: Mapping[str, Any] | None = None
) -> list[Score]:
    """The published train and test files; validation rows cut from train by a hash."""
    train, test = (pd.read_csv(data / NAME / f"{part}.tsv", sep="\t") for part in ("train", "test"))
    train["split"] = ["val" if is_validation(text) else "train" for text in train["text"]]
    both = pd.concat([train, test.assign(split="test")])
    both["id"] = [
        f"{part}_{index}" for part, index in zip(both["split"], both["index"], strict=True)
    ]
    path = out / "6ma.tsv"
    both[["id", "text", "label", "split"]].to_csv(path, sep="\t", index=False)
    results = run_seeds(NAME, path, out, seeds=seeds, more=more)
    return [
        score(results, "accuracy", to_reach=0.850, published="-"),
        score(results, "auroc", to_reach=0.925, published="-"),
    ]


def is_validation(sequence: str) -> bool:
    """Every tenth sequence, by the hash that also made the folds of the other sets."""
    return int(hashlib.sha1(sequence.upper().encode()).hexdigest()[:8], 16) % 10 == 8


if __name__ == "__main__":
    main(NAME, experiment)
