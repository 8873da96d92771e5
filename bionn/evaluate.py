"""A trained model against the truth: loss, scores and the table of predictions of each part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from bionn.data.prepared import Prepared
from bionn.metrics import CLASSIFICATION, REGRESSION
from bionn.models.heads import objective
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
    logits = predictor.logits(prepared.inputs[index])
    loss = objective(predictor.task, logits, prepared.outputs[index]).item()
    outputs, decision = predictor.outputs_of(logits), predictor.decision
    found = {"loss": loss} | prepared.score(outputs, rows, decision)
    if decision is not None and not decision.is_plain:
        plain = prepared.score(outputs, rows)
        found["plain"] = {name: plain[name] for name in PLAIN}
    return found


def prediction_table(
    predictor: Predictor, prepared: Prepared, *, selected: Predictor | None = None
) -> pd.DataFrame:
    """``id split target prediction ...`` for every row of the split, in file order.

    Args:
        predictor: the model to use.
        prepared: the data.
        selected: the model for the validation rows, where ``predictor`` was refitted on them.
    """
    parts = np.array(prepared.split.parts(len(prepared.samples)))
    rows = np.flatnonzero(parts != "drop")
    ids = np.array(prepared.samples.ids, dtype=object)[rows]
    inputs = prepared.inputs[torch.from_numpy(rows)]
    outputs = predictor.outputs(inputs)
    if selected is not None:
        in_val = parts[rows] == "val"
        outputs[in_val] = selected.outputs(inputs[torch.from_numpy(in_val)])
    frame = predictor.frame(list(ids), outputs)
    frame.insert(1, "split", parts[rows])
    targets = prepared.targets
    if targets.task == "regression":
        for column, name in enumerate(targets.names):
            label = "target" if len(targets.names) == 1 else f"target_{name}"
            frame.insert(2 + column, label, targets.values[rows, column])
    else:
        names = np.asarray(targets.classes, dtype=object)
        frame.insert(2, "target", names[targets.values[rows]])
    return frame


def average_folds(results: list[dict[str, Any]], repeats: int = 1) -> dict[str, Any]:
    """Means and standard deviations over folds, and the folds themselves.

    Args:
        results: the ``metrics.json`` of every fold.
        repeats: how many times the folds were made; with several, ``test_std_of_repeats`` is the
            standard deviation of the repetitions' means, which tells what the choice of folds does.
    """
    task = results[0]["task"]
    names = ("loss", *(REGRESSION if task == "regression" else CLASSIFICATION))

    def over_folds(parts: list[dict[str, Any]], statistic: Any) -> dict[str, float]:
        return {
            name: float(statistic([part[name] for part in parts if name in part]))
            for name in names
            if name in parts[0]
        }

    means: dict[str, dict[str, Any]] = {
        part: over_folds([result[part] for result in results], np.mean) for part in ("test", "val")
    }
    for part in means:
        if "plain" in results[0][part]:
            plain = [result[part]["plain"] for result in results]
            means[part] |= {"plain": over_folds(plain, np.mean)}
    ways = np.array_split(np.arange(len(results)), repeats)
    own = [over_folds([results[k]["test"] for k in way.tolist()], np.mean) for way in ways]
    spread = {"repeats": repeats, "test_std_of_repeats": over_folds(own, np.std)}
    return {
        "task": task,
        "n": {part: [result["n"][part] for result in results] for part in ("train", "val", "test")},
        **means,
        "test_std": over_folds([result["test"] for result in results], np.std),
        **(spread if repeats > 1 else {}),
        "baselines": {
            name: {
                part: over_folds([result["baselines"][name][part] for result in results], np.mean)
                for part in ("test", "val")
            }
            for name in results[0]["baselines"]
        },
        "folds": results,
        "seconds": {"train": round(sum(result["seconds"]["train"] for result in results), 3)},
    }
