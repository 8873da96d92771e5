"""What is in a set of samples, counted: the contents of ``audit.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bionn.data.samples import Samples
from bionn.data.splits import Split
from bionn.data.targets import Targets


def audit(
    samples: Samples, targets: Targets, splits: Sequence[Split] | None = None
) -> dict[str, Any]:
    """Counts of samples, lengths, duplicates, classes and missing values, and the reader's notes.

    Args:
        samples: as they are used.
        targets: theirs.
        splits: theirs; rows shared between the parts are counted in the first.
    """
    found: dict[str, Any] = {"samples": len(samples), "notes": list(samples.notes)}
    if samples.features is None:
        lengths = samples.sequences.lengths
        found["sequences"] = {
            "shortest": int(lengths.min()),
            "longest": int(lengths.max()),
            "duplicates": len(samples) - 1 - int(samples.contents().max()),
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
            name: {
                "mean": float(np.nanmean(column)),
                "std": float(np.nanstd(column)),
                "missing": int(np.isnan(column).sum()),
            }
            for name, column in zip(targets.names, targets.values.T, strict=True)
        }
    else:
        counts = np.bincount(targets.values, minlength=len(targets.classes))
        found["classes"] = dict(zip(targets.classes, counts.tolist(), strict=True))
    if splits:
        found["shared_between_parts"] = _shared(samples.contents(), splits[0])
    return found


def leakage_note(samples: Samples, splits: Sequence[Split]) -> str | None:
    """A sentence on inputs that stand in two parts, and what to do; None if there are none.

    Args:
        samples: as they are used.
        splits: theirs; with folds, the rows of all test folds are counted together.
    """
    contents = samples.contents()
    shared = [_shared(contents, split) for split in splits]
    for part, key, others in (
        ("test", "test_rows_also_in_train_or_val", "train or val"),
        ("val", "val_rows_also_in_train", "train"),
    ):
        count = sum(counts[key] for counts in shared)
        if count:
            rows = sum(len(getattr(split, part)) for split in splits)
            what = "a sequence" if samples.features is None else "a row of features"
            return (
                f"{count} of {rows} {part} rows have {what} that also stands in {others}; scores may "
                "be too good: drop the duplicates, or keep them in one part (split-column) or in one "
                "group (group-column)"
            )
    return None


def _shared(contents: np.ndarray, split: Split) -> dict[str, int]:
    """How many rows of one part have an input that stands in another part as well."""
    train, val, test = (contents[getattr(split, part)] for part in ("train", "val", "test"))
    return {
        "test_rows_also_in_train_or_val": int(np.isin(test, np.concatenate([train, val])).sum()),
        "val_rows_also_in_train": int(np.isin(val, train).sum()),
    }
