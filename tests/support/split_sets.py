"""Made-up samples to split, and what any split must obey."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bionn.data.reading import read_samples
from bionn.data.samples import DataOptions, Samples
from bionn.data.splits import Split, make_splits
from bionn.data.targets import Targets, find_targets

FRACTIONS = (0.8, 0.1, 0.1)
PARTS = ("train", "val", "test")


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def data(rows: int = 100, **columns: Any) -> pd.DataFrame:
    """One feature, three classes of 60, 30 and 10 per cent, ten groups of differing sizes."""
    labels = np.repeat(["a", "b", "c"], [rows * 6 // 10, rows * 3 // 10, rows // 10])
    groups = [f"g{int(n**0.5)}" for n in range(rows)]
    shuffled = rng(0).permutation(labels)
    frame = pd.DataFrame({"x": np.arange(rows) / 2, "label": shuffled, "group": groups})
    return frame.assign(**columns)


def splits_of(frame: pd.DataFrame, **options: Any) -> tuple[list[Split], Samples, Targets]:
    given = DataOptions(**({"target": "label", "features": ["x"]} | options))
    samples, targets = find_targets(read_samples(frame, given), given)
    return make_splits(samples, targets, given), samples, targets


def assert_partition(split: Split, rows: int, dropped: int = 0) -> None:
    """No row in two parts, all but the dropped in one, each part ascending."""
    joined = np.concatenate([split.train, split.val, split.test])
    assert len(joined) == rows - dropped
    assert len(set(joined.tolist())) == len(joined)
    assert all((np.diff(getattr(split, part)) > 0).all() for part in PARTS)
    assert split.parts(rows).count("drop") == dropped


def sequences(distinct: int, copies: int) -> pd.DataFrame:
    """Each of so many sequences in so many copies, in upper and lower case, in a random order."""
    texts = ["".join(rng(n).choice(list("ACGT"), 20)) for n in range(distinct)]
    rows = rng(0).permutation(np.tile(np.arange(distinct), copies))
    cases = [str.lower if n % 2 else str.upper for n in range(len(rows))]
    return pd.DataFrame(
        {
            "sequence": [case(texts[row]) for row, case in zip(rows, cases, strict=True)],
            "label": [("a", "b")[row % 2] for row in rows],
            "y": rows / 7,
        }
    )
