"""Where a network does well and where it does not: test scores by class, length, group, likeness."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bionn.bootstrap import RESAMPLES, Resamples, resample, weighted_scores
from bionn.comparison import interval
from bionn.data.prepared import Prepared
from bionn.formats.output import AT_ONCE
from bionn.models.decision import called
from bionn.predict import Predictor
from bionn.preprocess.sequences import SequenceEncoder
from bionn.sequences.packed import lengths_of

SCORES = {
    "binary": ("accuracy", "auroc", "mcc"),
    "multiclass": ("accuracy", "auroc", "mcc"),
    "regression": ("r2", "pearson", "mae"),
}
"""What is told of a subgroup; where its rows are of one class the accuracy, which is its recall."""

DRAWS = RESAMPLES // 4
"""Resamples of a subgroup: its interval is for reading, not for a test."""

PIECES = 4
"""Lengths and shares are cut at so many quantiles of all samples."""

GROUP_ROWS = 20
"""A named group has at least so many test rows to be told of."""

MOST_GROUPS = 10
"""Of more such groups the largest are told of."""

IDENTITIES = (0.8, 0.9, 1.0)
"""Where identities with the most alike row in training or validation are cut."""

IDENTITY_NAMES = ("below 0.8", "0.8 to 0.9", "0.9 to 1", "equal", "none found")
"""What the bins between them are called, and the one of rows that are like no other."""


def subgroups(
    predictor: Predictor,
    prepared: Prepared,
    *,
    identity: np.ndarray | None = None,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """``subgroups`` of ``metrics.json``.

    Args:
        predictor: the trained model.
        prepared: the data.
        identity: of each of the N samples with the most alike one that it was not tested with, ``(N,)``,
            NaN where none was found.
        seed: of the resamples.

    Returns:
        For each subgroup of test rows ``by`` (what it is a part of), ``group``, ``n``, ``scores`` and
        their ``intervals``.
    """
    rows, targets = prepared.split.test, prepared.targets
    outputs = predictor.outputs(prepared.inputs, rows)
    calls = None if targets.task == "regression" else called(outputs, predictor.decision)
    found = []
    for by, names, places in _divisions(prepared, identity):
        for place in np.unique(places[rows][places[rows] >= 0]).tolist():
            part = np.flatnonzero(places[rows] == place)
            truth = targets.values[rows[part]]
            shown = SCORES[targets.task]
            if targets.task != "regression" and len(np.unique(truth)) == 1:
                shown = shown[:1]
            model = weighted_scores(
                targets.task,
                outputs[part],
                truth,
                called=None if calls is None else calls[part],
            )
            scores = model(np.ones((1, len(part)))).scores
            units = None if prepared.split.units is None else prepared.split.units[rows[part]]
            resamples = Resamples(len(part), units=units, count=DRAWS, seed=seed)
            drawn = resample({"network": model}, resamples)["network"].scores
            found.append(
                {
                    "by": by,
                    "group": names[place],
                    "n": len(part),
                    "scores": {name: float(scores[name][0]) for name in shown},
                    "intervals": {name: interval(drawn[name]) for name in shown},
                }
            )
    return found


Division = tuple[str, Sequence[str], np.ndarray]
"""What divides the samples, the names of the pieces, and the piece of each sample, -1 in none."""


def _divisions(prepared: Prepared, identity: np.ndarray | None) -> Iterator[Division]:
    targets, samples = prepared.targets, prepared.samples
    if targets.task != "regression":
        yield "class", targets.classes, targets.values
    if isinstance(prepared.encoder, SequenceEncoder):
        lengths = lengths_of(samples.sequences)
        if len(np.unique(lengths)) > 1:
            yield "length", *_pieces(lengths, "{:.0f}")
        if prepared.encoder.symbols.letters in ("ACGT", "ACGU"):
            yield "GC", *_pieces(_strong_share(prepared.inputs.numpy()), "{:.2f}")
    for role in ("group", "batch"):
        column = samples.column(role)
        if column is not None:
            names, places = _largest(np.asarray(column, dtype=object), prepared.split.test)
            if len(names) > 1:
                yield role, names, places
    if identity is not None:
        yield "identity", IDENTITY_NAMES, identity_bins(identity)


def _strong_share(codes: np.ndarray) -> np.ndarray:
    """The share of C and G, codes 1 and 2, among the four letters of each row ``(N, L)``.

    Example:
        >>> _strong_share(np.array([[0, 1, 2, 4], [3, 3, 3, 2]], dtype=np.uint8)).tolist()
        [0.6666666666666666, 0.25]
    """
    shares = np.empty(len(codes))
    for start in range(0, len(codes), AT_ONCE):
        some = codes[start : start + AT_ONCE]
        strong = np.count_nonzero((some == 1) | (some == 2), axis=1)
        shares[start : start + AT_ONCE] = strong / np.count_nonzero(some < 4, axis=1).clip(min=1)
    return shares


def _pieces(values: np.ndarray, form: str) -> tuple[list[str], np.ndarray]:
    """Values cut at their quantiles; equal values are in one piece.

    Example:
        >>> _pieces(np.array([5, 5, 6, 7, 9, 9, 9, 9]), "{:.0f}")[0]
        ['5 to 5', '6 to 7', '9 to 9']
    """
    cuts = np.unique(np.quantile(values, np.arange(1, PIECES) / PIECES, method="lower"))
    places = np.zeros(len(values), dtype=np.int8)
    for cut in cuts:
        places += values > cut
    there = np.unique(places)
    ends = [(values[places == k].min(), values[places == k].max()) for k in there]
    number = np.zeros(len(cuts) + 1, dtype=np.int8)
    number[there] = np.arange(len(there))
    return [f"{form.format(low)} to {form.format(high)}" for low, high in ends], number[places]


def _largest(column: np.ndarray, test: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The names with the most test rows, and which of them each sample has."""
    names, counts = np.unique(column[test], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_GROUPS]
    told = [str(names[k]) for k in order if counts[k] >= GROUP_ROWS]
    number = {name: place for place, name in enumerate(told)}
    return told, np.array([number.get(name, -1) for name in column])


def identity_bins(identity: np.ndarray) -> np.ndarray:
    """The place in :data:`IDENTITY_NAMES` of each identity ``(N,)``, NaN where none was found."""
    known = np.searchsorted(IDENTITIES, np.nan_to_num(identity) + 1e-9, side="right")
    return np.where(np.isnan(identity), len(IDENTITIES) + 1, known)


def average_subgroups(folds: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The subgroups of several folds as one list: means over their rows, where a score is defined."""
    keys = dict.fromkeys((e["by"], e["group"]) for fold in folds for e in fold)
    found = []
    for by, group in keys:
        own = [e for fold in folds for e in fold if (e["by"], e["group"]) == (by, group)]
        scores = {}
        for name in dict.fromkeys(name for e in own for name in e["scores"]):
            known = [
                (e["scores"][name], e["n"])
                for e in own
                if not np.isnan(e["scores"].get(name, np.nan))
            ]
            values, rows = zip(*known, strict=True) if known else ((np.nan,), (1,))
            scores[name] = float(np.average(values, weights=rows))
        rows = sum(e["n"] for e in own)
        found.append({"by": by, "group": group, "n": rows, "scores": scores})
    return found
