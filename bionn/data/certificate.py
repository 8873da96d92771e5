"""What a split promises, checked on the rows themselves: the contents of ``split.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bionn.data.samples import DataOptions, Samples
from bionn.data.splits import Split
from bionn.data.targets import Targets
from bionn.data.together import distinct_inputs
from bionn.sequences.alphabet import alphabet_named
from bionn.sequences.families import MEASURE
from bionn.sequences.nearest import SYMBOLS, Nearest, nearest_outside

PARTS = ("train", "val", "test")

LEVELS = (0.8, 0.9, 1.0)
"""Test rows are counted whose most alike row in training or validation reaches these identities."""


EQUAL_ROWS = "equal rows of features"


def certify(
    samples: Samples,
    targets: Targets,
    splits: Sequence[Split],
    options: DataOptions,
    *,
    distinct: np.ndarray | None = None,
    nearest: Nearest | None = None,
) -> dict[str, Any]:
    """How the split was made, what its parts hold, and what of the test rows was seen in training.

    Args:
        samples: as they are used.
        targets: theirs.
        splits: theirs; with folds, the test rows of all folds are counted together.
        options: how the split was asked for.
        distinct: :func:`distinct_inputs` of the samples, where known already.
        nearest: :func:`nearest_to_test_rows`, likewise.
    """
    first = splits[0]
    distinct = distinct_inputs(samples, options) if distinct is None else distinct
    once = [split for split in splits if split.repeat == 0]
    used = sum(len(getattr(first, part)) for part in PARTS)
    if nearest is None:
        nearest = nearest_to_test_rows(samples, splits, options, distinct=distinct)
    certificate: dict[str, Any] = {
        "split": first.name,
        "seed": options.seed,
        "parts": {part: _contents(getattr(first, part), targets) for part in PARTS},
    }
    if len(splits) > 1:
        certificate |= {
            "folds": [{part: len(getattr(split, part)) for part in PARTS} for split in splits],
            "repeats": splits[-1].repeat + 1,
        }
    tested = np.concatenate([split.test for split in once])
    if nearest is not None and targets.task != "regression":
        same_class = _same_class(nearest, tested, targets)
    else:
        same_class = {}
    certificate |= {
        "measure": MEASURE if nearest is not None else EQUAL_ROWS,
        "test": _test_rows(samples, tested, once, distinct, nearest) | same_class,
        "val": {
            "rows": sum(len(split.val) for split in once),
            "equal_in_train": _equal(distinct, once, "val", ("train",)),
        }
        | _nearest_pairs(samples, once, options, distinct),
        "dropped": len(samples) - used,
        "left_out": [note for note in samples.notes if "left out" in note],
        "not_checked": _not_checked(nearest, folds=len(once), repeats=splits[-1].repeat + 1),
        "search": {} if nearest is None else nearest.facts.get("search", {}),
        "made_from": dict(first.facts),
    }
    if (groups := samples.column("group")) is not None:
        certificate["groups"] = {
            "number": len(set(groups)),
            "in_several_parts": torn_groups(np.asarray(groups), once),
        }
    return certificate


def torn_groups(groups: np.ndarray, splits: Sequence[Split]) -> int:
    """How many groups have rows in the test part and in another one, of any of the splits."""
    torn: set[Any] = set()
    for split in splits:
        seen = np.concatenate([groups[split.train], groups[split.val]])
        torn |= set(groups[split.test].tolist()) & set(seen.tolist())
    return len(torn)


def certificate_note(certificate: dict[str, Any]) -> str:
    """The certificate in one sentence, for a terminal."""
    test = certificate["test"]
    largest = test["largest"]
    if largest is None:
        alike = "equal" if certificate["measure"] == EQUAL_ROWS else "alike"
        return f"certificate: none of {test['rows']} test rows was found {alike} to one of train or val"
    counts = test["identity_at_least"]
    alike = ", ".join(f"{counts[level]} of {level} or more" for level in counts if level != "1")
    return (
        f"certificate: largest identity of a test row with train or val {largest['identity']:.3f} "
        f"({largest['test']['id']}, {largest['other']['id']}); of {test['rows']} test rows "
        + (f"{alike}, " if alike else "")
        + f"{counts['1']} equal"
    )


def _contents(rows: np.ndarray, targets: Targets) -> dict[str, Any]:
    found: dict[str, Any] = {"rows": len(rows)}
    if targets.task == "regression":
        columns = zip(targets.names, targets.values[rows].T, strict=True)
        found["target_means"] = {
            name: float(known.mean()) if len(known := column[np.isfinite(column)]) else None
            for name, column in columns
        }
    else:
        counts = np.bincount(targets.values[rows], minlength=len(targets.classes))
        found["classes"] = dict(zip(targets.classes, counts.tolist(), strict=True))
    return found


def _equal(distinct: np.ndarray, splits: Sequence[Split], part: str, others: Sequence[str]) -> int:
    """Rows of a part whose input stands in one of the other parts too, over all the splits."""
    count = 0
    for split in splits:
        seen = np.concatenate([distinct[getattr(split, other)] for other in others])
        count += int(np.isin(distinct[getattr(split, part)], seen).sum())
    return count


def nearest_to_test_rows(
    samples: Samples,
    splits: Sequence[Split],
    options: DataOptions,
    *,
    distinct: np.ndarray | None = None,
) -> Nearest | None:
    """For each test row the most alike row of train and val; None for features.

    Of folds that were made several times, those of the first time. ``distinct`` is
    :func:`distinct_inputs` of the samples, where known already.
    """
    if samples.features is not None:
        return None
    splits = [split for split in splits if split.repeat == 0]
    labels = np.full(len(samples), -1, dtype=np.int32)
    asking = np.zeros(len(samples), dtype=bool)
    for number, split in enumerate(splits):
        if len(splits) == 1:  # with folds, the train and val rows are the others' test rows
            labels[split.train] = labels[split.val] = number + 1
        labels[split.test] = number
        asking[split.test] = True
    alphabet = alphabet_named(options.alphabet)
    return nearest_outside(samples.sequences, labels, asking, alphabet, distinct=distinct)


def _nearest_pairs(
    samples: Samples, splits: Sequence[Split], options: DataOptions, distinct: np.ndarray
) -> dict[str, Any]:
    """The most alike pairs of a val row with a train row, and with a test row; of one split alone."""
    if samples.features is not None or len(splits) > 1:
        return {}
    (split,), found = splits, {}
    for other in ("train", "test"):
        labels = np.full(len(samples), -1, dtype=np.int8)
        labels[split.val], labels[getattr(split, other)] = 0, 1
        nearest = nearest_outside(
            samples.sequences,
            labels,
            labels == 0,
            alphabet_named(options.alphabet),
            distinct=distinct,
        )
        pair = None
        if not np.isnan(nearest.identity).all():
            row = int(np.nanargmax(nearest.identity))
            pair = {
                "identity": float(nearest.identity[row]),
                "val": _place(samples, row),
                "other": _place(samples, int(nearest.other[row])),
            }
        found[f"largest_in_{other}"] = pair
    return found


def _test_rows(
    samples: Samples,
    tested: np.ndarray,
    splits: Sequence[Split],
    distinct: np.ndarray,
    nearest: Nearest | None,
) -> dict[str, Any]:
    counts = {
        f"equal_in_{name}": _equal(distinct, splits, "test", parts)
        for name, parts in (("train", PARTS[:1]), ("val", PARTS[1:2]), ("either", PARTS[:2]))
    }
    found: dict[str, Any] = {"rows": len(tested), **counts}
    if nearest is None:
        found["identity_at_least"] = {"1": counts["equal_in_either"]}
        found["largest"] = None
        if counts["equal_in_either"]:
            found["largest"] = _equal_pair(samples, splits, distinct)
        return found
    identity = nearest.identity[tested]
    found["identity_at_least"] = {
        f"{level:g}": int((identity >= level - 1e-9).sum()) for level in LEVELS
    }
    found["largest"] = None
    if not np.isnan(identity).all():
        row = int(tested[np.nanargmax(identity)])
        other = int(nearest.other[row])
        found["largest"] = _pair(samples, splits, row, other, float(nearest.identity[row]))
    return found


def _same_class(nearest: Nearest, tested: np.ndarray, targets: Targets) -> dict[str, Any]:
    """How many of the alike test rows have the class of the row that they are like."""
    found = {}
    for level in LEVELS:
        alike = tested[nearest.identity[tested] >= level - 1e-9]
        own, other = targets.values[alike], targets.values[nearest.other[alike]]
        found[f"{level:g}"] = int((own == other).sum())
    return {"of_same_class": found}


def _equal_pair(
    samples: Samples, splits: Sequence[Split], distinct: np.ndarray
) -> dict[str, Any] | None:
    for split in splits:
        seen = np.concatenate([split.train, split.val])
        shared = split.test[np.isin(distinct[split.test], distinct[seen])]
        if len(shared):
            other = seen[np.argmax(distinct[seen] == distinct[shared[0]])]
            return _pair(samples, splits, int(shared[0]), int(other), 1.0)
    return None


def _pair(
    samples: Samples, splits: Sequence[Split], row: int, other: int, identity: float
) -> dict[str, Any]:
    own = next(split for split in splits if row in split.test)
    part = own.parts(len(samples), np.array([other]))[0]
    return {
        "identity": identity,
        "test": _place(samples, row),
        "other": _place(samples, other) | {"part": part},
    }


def _place(samples: Samples, row: int) -> dict[str, str]:
    return {"id": str(samples.table["id"].iloc[row]), "where": samples.where(row)}


def _not_checked(nearest: Nearest | None, *, folds: int, repeats: int) -> list[str]:
    """What the certificate cannot say, a sentence each."""
    sentences = []
    if repeats > 1:
        sentences.append(f"repetitions 2 to {repeats} of the folds: counts are of the first")
    if nearest is None:
        return [*sentences, "rows of features that are alike but not equal were not looked for"]
    if folds > 1:
        sentences.append("val rows were compared with train rows for equal sequences only")
    if not nearest.facts["alike"]:
        return [
            *sentences,
            f"more than {SYMBOLS} symbols: equal sequences were looked for, alike ones were not",
        ]
    search = nearest.facts.get("search")
    if search is None:
        return sentences
    length, identity = search["of_length_and_identity"]
    sentences.append(
        f"alike pairs are found by the seeds that they share: at length {length} and identity "
        f"{identity:g} {100 * search['chance_to_find_a_pair']:.1f}% of the pairs (simulated, "
        "substitutions only), fewer below; of seeds that many sequences have, "
        f"{search['compared_per_seed']} others are compared"
    )
    sentences += [f"{count} {what}" for what, count in search["may_be_missed"].items() if count]
    return sentences
