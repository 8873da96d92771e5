"""The baseline that looks at no input: the training shares of the classes, or the training means."""

from __future__ import annotations

import numpy as np

from bionn.baselines.choosing import Baseline
from bionn.data.prepared import Prepared


def constant(prepared: Prepared) -> Baseline:
    """The training shares of the classes, or the training means of the targets, for every row."""
    targets, split = prepared.targets, prepared.split
    if targets.task == "regression":
        value, setting = (
            np.nanmean(targets.values[split.train], axis=0),
            "mean of the training rows",
        )
    else:
        counts = np.bincount(targets.values[split.train], minlength=len(targets.classes))
        shares = counts / counts.sum()
        value = shares[1] if targets.task == "binary" else shares
        setting = "shares of the classes in the training rows"

    def repeated(rows: np.ndarray) -> np.ndarray:
        return np.broadcast_to(value, (len(rows), *np.shape(value))).copy()

    return Baseline(setting, repeated(split.val), repeated(split.test))
