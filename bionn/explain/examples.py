"""Some test sequences of each kind of success and failure, explained letter by letter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from bionn.data.prepared import Prepared
from bionn.explain.trained import SequenceExplainer, output_weights
from bionn.predict import Predictor
from bionn.preprocess.sequences import SequenceEncoder

MOST = 24
"""Examples at most."""

MOST_LETTERS = 24_000
"""Letters of the examples together: what a page can show, and what a moment suffices for."""

MOST_WORK = 2**36
"""Multiplications of the examples' mutagenesis where every mutant is run: some seconds."""

RIGHT = "most confident right"
WRONG = "worst error"
NEAR = "near the threshold"
HIGH = "highest prediction"
LOW = "lowest prediction"


class Choice(NamedTuple):
    """A row worth a look.

    Attributes:
        row: its number.
        output: the name of what is explained of it.
        why: what it is an example of.
    """

    row: int
    output: str
    why: str


def examples(
    predictor: Predictor, prepared: Prepared, explainer: SequenceExplainer | None = None
) -> list[dict[str, Any]]:
    """Test sequences with their attributions and mutagenesis, as ``explain/examples.json`` holds them.

    Args:
        predictor: a model of sequences.
        prepared: its data; test rows are shown.
        explainer: by what method; the default one when None.

    Returns:
        A dict an example: ``id``, ``target``, ``prediction``, ``probability`` of the predicted class
        or ``value`` of the target explained, ``class``: the output explained, ``sequence``, ``start``:
        where it begins among the encoded positions, ``attribution`` ``[L]``, ``hypothetical`` and
        ``mutagenesis`` ``[L][A]``, ``method`` and ``why``.
    """
    encoder, rows = predictor.encoder, prepared.split.test
    assert isinstance(encoder, SequenceEncoder)
    if not len(rows):
        return []
    explainer = SequenceExplainer(predictor) if explainer is None else explainer
    codes, outputs = prepared.inputs, predictor.outputs(prepared.inputs, rows)
    targets = prepared.targets
    if predictor.task == "regression":
        choices = _of_numbers(outputs, targets.values[rows], targets.names)
    else:
        choices = _of_classes(predictor, outputs, targets.values[rows])
    most, letters, found = MOST, 0, []
    if explainer.method == "mutagenesis":
        most = max(2, min(MOST, MOST_WORK // max(explainer.work(codes.shape[1]), 1)))
    for choice in choices:
        letters += codes.shape[1]
        if len(found) == most or (found and letters > MOST_LETTERS):
            break
        shown = {"id": prepared.samples.ids[int(rows[choice.row])]}
        if predictor.task == "regression":
            column = targets.names.index(choice.output)
            shown["target"] = targets.values[rows[choice.row], column]
            shown["prediction"] = shown["value"] = outputs[choice.row, column]
        else:
            chances = _chances(outputs[choice.row : choice.row + 1])[0]
            assert predictor.decision is not None
            made = int(predictor.decision.classes_of(outputs[choice.row : choice.row + 1])[0])
            shown["target"] = predictor.classes[targets.values[rows[choice.row]]]
            shown["prediction"] = predictor.classes[made]
            shown["probability"] = chances[made]
        shown["class"] = choice.output
        explained = explain_row(explainer, codes[rows[choice.row]], choice.output)
        found.append(shown | explained | {"why": choice.why})
    return found


def explain_row(explainer: SequenceExplainer, codes: torch.Tensor, output: str) -> dict[str, Any]:
    """The part of an example that tells of its letters, for codes ``(L,)``."""
    encoder = explainer.encoder
    weights = output_weights(explainer.predictor, output)
    there = np.flatnonzero((codes != encoder.symbols.padding_code).numpy())
    first, end = (int(there[0]), int(there[-1]) + 1) if len(there) else (0, 0)
    effects = explainer.effects(codes.unsqueeze(0), weights)
    scores = explainer.scores(codes.unsqueeze(0), weights, effects=effects)
    return {
        "sequence": encoder.symbols.decode(codes[first:end].unsqueeze(0).numpy())[0],
        "start": first,
        "attribution": _rounded(scores.contributions[0, first:end]),
        "hypothetical": _rounded(scores.hypothetical[0, :, first:end].T),
        "mutagenesis": _rounded(effects[0, :, first:end].T),
        "method": explainer.method,
    }


def _rounded(values: torch.Tensor) -> Any:
    """Nested lists of numbers with 4 significant digits."""
    exact = values.double().numpy()
    flat = [float(f"{value:.4g}") for value in exact.ravel()]
    return np.array(flat).reshape(exact.shape).tolist()


def _chances(outputs: np.ndarray) -> np.ndarray:
    """Probabilities of every class, ``(N, K)``."""
    return np.column_stack([1 - outputs, outputs]) if outputs.ndim == 1 else outputs


def _of_classes(predictor: Predictor, outputs: np.ndarray, targets: np.ndarray) -> list[Choice]:
    """For each class in turn the surest right row, the surest error and the least sure row, twice."""
    decision = predictor.decision
    assert decision is not None
    chances = _chances(outputs)
    weighted = chances * np.array(decision.weights)
    weighted /= weighted.sum(axis=1, keepdims=True)
    made, own = decision.classes_of(outputs), weighted[np.arange(len(targets)), targets]
    best_two = np.sort(weighted, axis=1)[:, -2:]
    doubt = best_two[:, 1] - best_two[:, 0]

    def ranked(kind: str, number: int) -> np.ndarray:
        rows = np.flatnonzero(targets == number)
        if kind == NEAR:
            return rows[np.argsort(doubt[rows], kind="stable")]
        rows = rows[(made[rows] == number) == (kind == RIGHT)]
        sign = -1 if kind == RIGHT else 1
        return rows[np.argsort(sign * own[rows], kind="stable")]

    order = {
        (kind, number): iter(ranked(kind, number).tolist())
        for kind in (RIGHT, WRONG, NEAR)
        for number in range(len(predictor.classes))
    }
    names = predictor.classes
    chosen: dict[int, Choice] = {}
    for _ in range(2):
        for (kind, _number), rows in order.items():
            row = next((row for row in rows if row not in chosen), None)
            if row is not None:
                output = names[-1] if predictor.task == "binary" else names[int(made[row])]
                chosen[row] = Choice(row, output, kind)
    return sorted(chosen.values(), key=lambda choice: (RIGHT, WRONG, NEAR).index(choice.why))


def _of_numbers(outputs: np.ndarray, targets: np.ndarray, names: tuple[str, ...]) -> list[Choice]:
    """For each target in turn the highest and lowest predictions and the largest errors."""

    def ranked() -> Iterator[tuple[str, str, np.ndarray]]:
        for column, name in enumerate(names):
            value, error = outputs[:, column], np.abs(outputs[:, column] - targets[:, column])
            yield name, HIGH, np.argsort(-value, kind="stable")
            yield name, LOW, np.argsort(value, kind="stable")
            yield name, WRONG, np.argsort(-np.nan_to_num(error, nan=-1.0), kind="stable")

    order = [(name, why, iter(rows.tolist())) for name, why, rows in ranked()]
    chosen: dict[int, Choice] = {}
    for _ in range(3):
        for name, why, rows in order:
            row = next((row for row in rows if row not in chosen), None)
            if row is not None:
                chosen[row] = Choice(row, name, why)
    return list(chosen.values())
