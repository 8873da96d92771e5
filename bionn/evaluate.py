"""A trained model against the truth: loss, scores, their uncertainty, and the table of predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from pandas.api.extensions import ExtensionArray

from bionn.baselines.choosing import Baseline
from bionn.bootstrap import Resampled, Resamples, Weighted, resample, weighted_scores
from bionn.calibration import average_reports, calibration_report
from bionn.comparison import (
    LEVEL,
    compare_all,
    intervals,
    over_folds,
    part_intervals,
    strongest,
)
from bionn.conformal import average_coverage, coverage_of_intervals, coverage_of_sets
from bionn.data.prepared import Prepared
from bionn.data.splits import PARTS
from bionn.formats.output import AT_ONCE
from bionn.formats.texts import TEXT, text_array
from bionn.metrics import CLASSIFICATION, REGRESSION, main_score
from bionn.models.decision import Decision, called
from bionn.models.heads import TaskKind, objective
from bionn.predict import Predictor

PLAIN = ("accuracy", "mcc", "f1", "confusion")
"""Scores that the decision has a say in: reported with and without."""


def evaluate(predictor: Predictor, prepared: Prepared, rows: np.ndarray) -> dict[str, Any]:
    """Loss and scores over some rows.

    Args:
        predictor: the trained model.
        prepared: the set it is tested on.
        rows: row numbers.

    Returns:
        ``loss``, unweighted (a regression's is in standardised units), the scores of
        :func:`bionn.metrics.scores` in the targets' own units, and, where the most probable class
        is not always the prediction, in ``plain`` what the scores would be if it were.
    """
    index = torch.from_numpy(rows)
    logits = predictor.tempered(predictor.logits(prepared.inputs, rows))
    loss = objective(predictor.task, logits, prepared.outputs[index]).item()
    outputs, decision = predictor.linked(logits), predictor.decision
    found = {"loss": loss} | prepared.score(outputs, rows, decision)
    if decision is not None and not decision.is_plain:
        plain = prepared.score(outputs, rows)
        found["plain"] = {name: plain[name] for name in PLAIN}
    return found


def row_losses(task: TaskKind, logits: torch.Tensor, targets: torch.Tensor) -> np.ndarray:
    """The loss of each row ``(N,)``, or of each row and target ``(N, T)``, NaN where one is missing."""
    if task == "regression":
        return ((logits - targets) ** 2).double().numpy()
    return objective(task, logits, targets, reduction="none").double().numpy()


def uncertainty(
    predictor: Predictor,
    prepared: Prepared,
    test: dict[str, Any],
    baselines: Mapping[str, Baseline],
    *,
    seed: int = 0,
) -> tuple[dict[str, Any], dict[str, Resampled]]:
    """What the test scores are worth: intervals of the network's and the baselines', and their test.

    Args:
        predictor: the trained model.
        prepared: the data, with what was kept whole by the split: that is drawn as a whole.
        test: the network's test scores; ``per_class`` or ``per_target`` in it get intervals.
        baselines: the fitted baselines by name.
        seed: of the resamples.

    Returns:
        The keys of ``metrics.json`` (``intervals``, ``baselines``, ``comparison``, ``bootstrap``), and
        the resampled scores by model, the network's as ``network``.
    """
    split, targets = prepared.split, prepared.targets
    truth = targets.values[split.test]
    logits = predictor.logits(prepared.inputs, split.test)
    logits = predictor.tempered(logits)
    losses = row_losses(predictor.task, logits, prepared.outputs[torch.from_numpy(split.test)])

    def weighted(
        outputs: np.ndarray, decision: Decision | None, losses: np.ndarray | None = None
    ) -> Weighted:
        named = None if targets.task == "regression" else called(outputs, decision)
        return weighted_scores(targets.task, outputs, truth, called=named, losses=losses)

    models = {"network": weighted(predictor.linked(logits), predictor.decision, losses)}
    models |= {name: weighted(each.test, each.decision) for name, each in baselines.items()}
    units = None if split.units is None else split.units[split.test]
    resamples = Resamples(len(split.test), units=units, outputs=targets.num_outputs, seed=seed)
    resampled = resample(models, resamples)

    entries = {
        name: each.scores(prepared) | {"intervals": intervals(resampled[name])}
        for name, each in baselines.items()
    }
    for key in ("per_class", "per_target"):
        for part, own in enumerate(test.get(key, {}).values()):
            own["intervals"] = part_intervals(resampled["network"], part)
    found = {
        "intervals": intervals(resampled["network"]),
        "bootstrap": {
            "level": LEVEL,
            "resamples": resamples.count,
            "unit": split.unit,
            "units": len(split.test) if units is None else len(np.unique(units)),
        },
        "baselines": entries,
    }
    return found | compared(targets.task, test, entries, resampled), resampled


def trust(predictor: Predictor, prepared: Prepared) -> dict[str, Any]:
    """``calibration`` and ``conformal`` of ``metrics.json``, measured on the test rows.

    Args:
        predictor: the trained model with what its manifest says of both.
        prepared: the data.
    """
    rows = prepared.split.test
    truth = prepared.targets.values[rows]
    logits = predictor.logits(prepared.inputs, rows)
    outputs, conformal = predictor.outputs_of(logits), predictor.conformal
    assert conformal is not None
    scaler, calibration = predictor.target_scaler, predictor.calibration
    if scaler is not None:
        return {"conformal": coverage_of_intervals(conformal, outputs, truth, scaler)}
    before, after = (
        predictor.linked(logits / divisor) for divisor in (1.0, calibration.temperature)
    )
    return {
        "calibration": calibration_report(calibration, before, after, truth),
        "conformal": coverage_of_sets(conformal, outputs, truth),
    }


def compared(
    task: str,
    test: dict[str, Any],
    entries: dict[str, dict[str, Any]],
    resampled: Mapping[str, Resampled],
) -> dict[str, Any]:
    """``comparison`` with the baseline that is best on validation rows; each baseline gets its own."""
    score = main_score(task)
    found = compare_all(score, test, entries, resampled)
    for name, comparison in found.items():
        entries[name]["comparison"] = comparison
    best = strongest(score, {name: entries[name] for name in found})
    return {} if best is None else {"comparison": {"baseline": best} | found[best]}


def prediction_tables(
    predictor: Predictor, prepared: Prepared, *, selected: Predictor | None = None
) -> Iterator[pd.DataFrame]:
    """``id split target prediction ...`` for the rows of the split, some at a time, in file order.

    Args:
        predictor: the model to use.
        prepared: the data.
        selected: the model for the validation rows, where ``predictor`` was refitted on them.
    """
    samples, targets = prepared.samples, prepared.targets
    parts = prepared.split.numbers(len(samples))
    ids = samples.ids.held
    kept = np.flatnonzero(parts != PARTS.index("drop"))
    for start in range(0, len(kept), AT_ONCE):
        rows = kept[start : start + AT_ONCE]
        outputs = predictor.outputs(prepared.inputs, rows)
        in_val = parts[rows] == PARTS.index("val")
        if selected is not None and in_val.any():
            outputs[in_val] = selected.outputs(prepared.inputs, rows[in_val])
        frame = predictor.frame(ids.take(pa.array(rows)), outputs)
        frame.insert(1, "split", _words(PARTS, parts[rows]))
        if targets.task == "regression":
            for column, name in enumerate(targets.names):
                label = "target" if len(targets.names) == 1 else f"target_{name}"
                frame.insert(2 + column, label, targets.values[rows, column])
        else:
            frame.insert(2, "target", _words(targets.classes, targets.values[rows]))
        yield frame


def _words(names: Sequence[str], numbers: np.ndarray) -> ExtensionArray:
    """Names by their numbers, as a column of texts."""
    return text_array(pa.chunked_array([names], type=TEXT).take(pa.array(numbers)))


def average_folds(
    results: list[dict[str, Any]],
    resampled: Sequence[Mapping[str, Resampled]],
    repeats: int = 1,
) -> dict[str, Any]:
    """Means and standard deviations over folds, and the folds themselves.

    Args:
        results: the ``metrics.json`` of every fold.
        resampled: the resampled scores of every fold; see :func:`uncertainty`.
        repeats: how many times the folds were made; with several, ``test_std_of_repeats`` is the
            standard deviation of the repetitions' means, which tells what the choice of folds does.
    """
    task = results[0]["task"]
    names = ("loss", *(REGRESSION if task == "regression" else CLASSIFICATION))

    def averaged(parts: list[dict[str, Any]], statistic: Any) -> dict[str, float]:
        return {
            name: float(statistic([part[name] for part in parts if name in part]))
            for name in names
            if name in parts[0]
        }

    means: dict[str, dict[str, Any]] = {
        part: averaged([result[part] for result in results], np.mean) for part in ("test", "val")
    }
    for part in means:
        if "plain" in results[0][part]:
            plain = [result[part]["plain"] for result in results]
            means[part] |= {"plain": averaged(plain, np.mean)}
    ways = np.array_split(np.arange(len(results)), repeats)
    own = [averaged([results[k]["test"] for k in way.tolist()], np.mean) for way in ways]
    spread = {"repeats": repeats, "test_std_of_repeats": averaged(own, np.std)}
    draws = {name: over_folds([fold[name] for fold in resampled], repeats) for name in resampled[0]}
    entries = {
        name: {
            part: averaged([result["baselines"][name][part] for result in results], np.mean)
            for part in ("test", "val")
        }
        | {
            "setting": "; ".join(
                dict.fromkeys(result["baselines"][name]["setting"] for result in results)
            ),
            "intervals": intervals(draws[name]),
        }
        for name in results[0]["baselines"]
    }
    more: dict[str, Any] = {}
    if "calibration" in results[0]:
        more["calibration"] = average_reports([result["calibration"] for result in results])
    if "conformal" in results[0]:
        more["conformal"] = average_coverage([result["conformal"] for result in results])
    ill = [f"fold {k}: {s}" for k, fold in enumerate(results) for s in fold.get("health", ())]
    if ill:
        more["health"] = ill
    return {
        "task": task,
        "n": {part: [result["n"][part] for result in results] for part in ("train", "val", "test")},
        **means,
        "test_std": averaged([result["test"] for result in results], np.std),
        **(spread if repeats > 1 else {}),
        "intervals": intervals(draws["network"]),
        "bootstrap": results[0]["bootstrap"] | {"of": "the mean over folds"},
        "baselines": entries,
        **compared(task, means["test"], entries, draws),
        **more,
        "folds": results,
        "seconds": {"train": round(sum(result["seconds"]["train"] for result in results), 3)},
    }
