"""What is in a set of samples and what is wrong with it: the contents of ``audit.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bionn.data.advice import advice_on, warnings_on
from bionn.data.certificate import certify, torn_groups
from bionn.data.composition import sequence_facts
from bionn.data.id_groups import agreement, find_id_groups
from bionn.data.samples import DataOptions, Samples
from bionn.data.splits import Split
from bionn.data.suspects import find_suspects
from bionn.data.targets import Targets
from bionn.data.together import distinct_inputs
from bionn.sequences.alphabet import alphabet_named
from bionn.sequences.distinct import number_distinct_texts, stand_again
from bionn.sequences.nearest import Nearest

_EXAMPLES = 5


def audit(
    samples: Samples,
    targets: Targets,
    splits: Sequence[Split],
    options: DataOptions,
    *,
    distinct: np.ndarray | None = None,
    nearest: Nearest | None = None,
) -> dict[str, Any]:
    """Everything that is counted, the split's certificate, and warnings worded with what to do.

    The keys are explained in the README of this folder.

    Args:
        samples: as they are used.
        targets: theirs.
        splits: theirs.
        options: how all was read.
        distinct: :func:`bionn.data.together.distinct_inputs` of the samples, where known already.
        nearest: :func:`bionn.data.certificate.nearest_to_test_rows`, likewise.
    """
    distinct = distinct_inputs(samples, options) if distinct is None else distinct
    found: dict[str, Any] = {"samples": len(samples), "task": targets.task}
    if samples.features is None:
        alphabet = alphabet_named(options.alphabet)
        found["sequences"] = sequence_facts(samples.sequences, alphabet, targets)
    else:
        found["features"] = _feature_facts(samples.features, targets)
    found["duplicates"] = _duplicates(samples, targets, distinct)
    if targets.task == "regression":
        found["targets"] = {
            name: _spread(column)
            for name, column in zip(targets.names, targets.values.T, strict=True)
        }
    else:
        counts = np.bincount(targets.values, minlength=len(targets.classes))
        found["classes"] = dict(zip(targets.classes, counts.tolist(), strict=True))
    found["groups"] = _groups(samples, targets, splits)
    found["split"] = certify(samples, targets, splits, options, distinct=distinct, nearest=nearest)
    found["notes"] = list(samples.notes)
    found["warnings"] = warnings_on(found)
    found["advice"] = advice_on(found, options.encoding)
    return found


def _spread(column: np.ndarray) -> dict[str, Any]:
    known = column[np.isfinite(column)]
    return {
        "mean": float(known.mean()),
        "std": float(known.std()),
        "lowest": float(known.min()),
        "highest": float(known.max()),
        "missing": len(column) - len(known),
    }


def _feature_facts(features: pd.DataFrame, targets: Targets) -> dict[str, Any]:
    """Gaps, columns that tell nothing or the same, and those that tell too much."""
    gaps = (features.isna() | (features == "")).sum()
    constant = features.nunique(dropna=True) <= 1
    first: dict[bytes, str] = {}
    twins = []
    for name, column in features.items():
        twin = first.setdefault(_bytes(column), str(name))
        if twin != name:
            twins.append([twin, str(name)])
    numbers = features.select_dtypes("float")
    return {
        "count": features.shape[1],
        "missing_values": int(gaps.sum()),
        "with_missing_values": {str(name): int(count) for name, count in gaps.items() if count},
        "constant": [str(name) for name in features.columns[constant]],
        "equal_columns": twins,
        "suspicious": [suspect._asdict() for suspect in find_suspects(numbers, targets)],
    }


def _bytes(column: pd.Series) -> bytes:
    """Equal for equal columns; -0.0 is 0.0."""
    if column.dtype.kind == "f":
        return (column.to_numpy() + 0.0).tobytes()
    return "\0".join(column).encode()


def _duplicates(samples: Samples, targets: Targets, distinct: np.ndarray) -> dict[str, Any]:
    """Rows whose input stands before, and equal inputs of different classes or targets."""
    count = len(samples) - (int(distinct.max(initial=-1)) + 1)
    found: dict[str, Any] = {"rows": count, "on_the_other_strand": 0}
    rows = np.flatnonzero(stand_again(distinct))
    if samples.features is None and len(rows):
        texts = number_distinct_texts(text.upper() for text in samples.sequences[rows])
        found["on_the_other_strand"] = count - (len(rows) - (int(texts.max()) + 1))
    by_input = pd.DataFrame(targets.values.reshape(len(samples), -1)[rows]).groupby(distinct[rows])
    several = by_input.nunique() > 1
    inputs = several.index[several.any(axis=1)].to_numpy()
    examples = [np.flatnonzero(distinct == number).tolist() for number in inputs[:_EXAMPLES]]
    found["conflicting"] = {
        "inputs": len(inputs),
        "rows": int(np.isin(distinct[rows], inputs).sum()),
        "examples": [
            [{"id": samples.ids[row], "where": samples.where(row)} for row in own[:_EXAMPLES]]
            for own in examples
        ],
    }
    return found


def _groups(samples: Samples, targets: Targets, splits: Sequence[Split]) -> dict[str, Any] | None:
    """Groups that were named, else those that the ids seem to tell; None if there are none."""
    once = [split for split in splits if split.repeat == 0]
    named = samples.column("group")
    if named is not None:
        labels, names = pd.factorize(np.asarray(named, dtype=object))
        facts: dict[str, Any] = {"from": "options", "number": len(names)}
    else:
        apparent = find_id_groups(samples.ids)
        if apparent is None:
            return None
        labels = apparent.labels
        facts = {
            "from": "ids",
            "number": apparent.number,
            "pattern": apparent.pattern,
            "example": list(apparent.example),
        }
    facts["largest"] = int(np.bincount(labels).max())
    facts["in_several_parts"] = torn_groups(labels, once)
    if targets.task != "regression":
        within, overall = agreement(labels, targets.values)
        facts |= {"same_class_within": within, "same_class_overall": overall}
    return facts
