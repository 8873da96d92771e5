"""What is in a set of samples, counted: the contents of ``audit.json``."""

from __future__ import annotations

from typing import Any

import numpy as np

from bionn.data.samples import Samples
from bionn.data.targets import Targets


def audit(samples: Samples, targets: Targets) -> dict[str, Any]:
    """Counts of samples, lengths, duplicates, classes and missing values, and the reader's notes.

    Args:
        samples: as they are used.
        targets: theirs.
    """
    found: dict[str, Any] = {"samples": len(samples), "notes": list(samples.notes)}
    if samples.features is None:
        lengths = np.fromiter(map(len, samples.sequences), dtype=np.int64)
        folded = {sequence.upper() for sequence in samples.sequences}
        found["sequences"] = {
            "shortest": int(lengths.min()),
            "longest": int(lengths.max()),
            "duplicates": len(samples) - len(folded),
        }
    else:
        missing = samples.features.isna().sum()
        found["features"] = {
            "count": samples.features.shape[1],
            "missing_values": int(missing.sum()),
            "with_missing_values": {str(name): int(n) for name, n in missing[missing > 0].items()},
        }
    if targets.task == "regression":
        found["targets"] = {
            name: {"mean": float(column.mean()), "std": float(column.std())}
            for name, column in zip(targets.names, targets.values.T, strict=True)
        }
    else:
        counts = np.bincount(targets.values, minlength=len(targets.classes))
        found["classes"] = dict(zip(targets.classes, counts.tolist(), strict=True))
    return found
