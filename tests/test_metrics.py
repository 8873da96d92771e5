"""Scores against scikit-learn and SciPy: ties, absent classes, constant guesses, large sets."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn import metrics as sk

from bionn.metrics import (
    CLASSIFICATION,
    REGRESSION,
    Scores,
    binary_scores,
    multiclass_scores,
    regression_scores,
    scores,
)

CLASSES = ("EI", "IE", "N")


def binary_set(rows: int, seed: int, *, levels: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that know a little of the targets; with ``levels``, full of ties."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 2, rows)
    targets[:2] = 0, 1  # both classes, however few rows
    probabilities = 0.3 * targets + 0.7 * rng.random(rows)
    if levels:
        probabilities = np.round(probabilities * levels) / levels
    return probabilities.astype(np.float32), targets


def multiclass_set(rows: int, seed: int, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Rows that sum to 1 and know a little of the targets."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, classes, rows)
    logits = rng.normal(size=(rows, classes)) + 1.5 * np.eye(classes)[targets]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return probabilities.astype(np.float32), targets


def binary(probabilities: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
    return binary_scores(torch.from_numpy(probabilities), torch.from_numpy(targets))


def multiclass(probabilities: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
    names = [str(k) for k in range(probabilities.shape[1])]
    return multiclass_scores(torch.from_numpy(probabilities), torch.from_numpy(targets), names)


@pytest.mark.parametrize("levels", [0, 4], ids=["untied", "tied"])
@pytest.mark.parametrize("rows", [7, 200, 50_000])
def test_binary_scores_are_those_of_scikit_learn(rows: int, levels: int) -> None:
    probabilities, targets = binary_set(rows, seed=rows, levels=levels)
    called = (probabilities > 0.5).astype(int)
    truth = {
        "accuracy": sk.accuracy_score(targets, called),
        "auroc": sk.roc_auc_score(targets, probabilities),
        "auprc": sk.average_precision_score(targets, probabilities),
        "mcc": sk.matthews_corrcoef(targets, called),
        "f1": sk.f1_score(targets, called, zero_division=0),
    }
    result = binary(probabilities, targets)
    assert {name: result[name] for name in CLASSIFICATION} == pytest.approx(truth, abs=2e-6)
    assert result["confusion"] == sk.confusion_matrix(targets, called).tolist()


@pytest.mark.parametrize("target", [0, 1])
def test_one_class_alone_cannot_be_ranked(target: int) -> None:
    probabilities, _ = binary_set(20, seed=1)
    result = binary(probabilities, np.full(20, target))
    assert math.isnan(result["auroc"])
    assert math.isnan(result["auprc"])
    assert result["accuracy"] == pytest.approx(((probabilities > 0.5) == target).mean())


@pytest.mark.parametrize("positives", [0, 1, 8, 10])
@pytest.mark.parametrize("guess", [0.1, 0.9])
def test_a_constant_guess_has_no_correlation(positives: int, guess: float) -> None:
    targets = np.arange(10) < positives
    result = binary(np.full(10, guess, dtype=np.float32), targets.astype(np.int64))
    assert result["mcc"] == 0
    if 0 < positives < 10:
        assert result["auroc"] == 0.5
    one_hot = np.eye(3, dtype=np.float32)[np.zeros(10, dtype=int)]
    assert multiclass(one_hot, targets.astype(np.int64))["mcc"] == 0


@pytest.mark.parametrize("flip", [False, True])
def test_a_perfect_and_a_reversed_guess_are_at_the_ends_of_every_scale(flip: bool) -> None:
    targets = np.array([0, 1, 1, 0, 1])
    result = binary(abs(targets - flip).astype(np.float32), targets)
    assert (result["mcc"], result["auroc"]) == ((-1, 0) if flip else (1, 1))


def multiclass_truth(probabilities: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """scikit-learn's scores, each class against the rest, averaged over the classes present."""
    called, present = probabilities.argmax(axis=1), np.unique(targets)
    against = {k: (targets == k, probabilities[:, k]) for k in present}
    return {
        "accuracy": sk.accuracy_score(targets, called),
        "auroc": np.mean([sk.roc_auc_score(*pair) for pair in against.values()]),
        "auprc": np.mean([sk.average_precision_score(*pair) for pair in against.values()]),
        "mcc": sk.matthews_corrcoef(targets, called),
        "f1": sk.f1_score(targets, called, labels=present, average="macro", zero_division=0),
    }


@pytest.mark.parametrize("absent", [None, 0, 2])
@pytest.mark.parametrize("tied", [False, True])
def test_multiclass_scores_are_those_of_scikit_learn(absent: int | None, tied: bool) -> None:
    probabilities, targets = multiclass_set(400, seed=3, classes=4)
    if tied:
        probabilities = np.round(probabilities * 5) / 5
        probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    if absent is not None:
        probabilities, targets = probabilities[targets != absent], targets[targets != absent]
    result = multiclass(probabilities, targets)
    truth = multiclass_truth(probabilities, targets)
    assert {name: result[name] for name in CLASSIFICATION} == pytest.approx(truth, abs=2e-6)
    called = probabilities.argmax(axis=1)
    assert result["confusion"] == sk.confusion_matrix(targets, called, labels=range(4)).tolist()
    precision, recall, f1, sizes = sk.precision_recall_fscore_support(
        targets, called, labels=range(4), zero_division=0
    )
    for k in range(4):
        own = result["per_class"][str(k)]
        assert own["n"] == sizes[k]
        if k == absent:
            assert all(math.isnan(own[s]) for s in ("precision", "recall", "f1", "auroc"))
        else:
            auroc = sk.roc_auc_score(targets == k, probabilities[:, k])
            expected = {"precision": precision[k], "recall": recall[k], "f1": f1[k]}
            assert own == pytest.approx(expected | {"auroc": auroc, "n": sizes[k]}, abs=2e-6)


def test_a_single_class_present_keeps_its_precision_but_has_no_ranking() -> None:
    probabilities, _ = multiclass_set(30, seed=0)
    result = multiclass(probabilities, np.ones(30, dtype=np.int64))
    hits = (probabilities.argmax(axis=1) == 1).mean()
    assert result["per_class"]["1"]["recall"] == pytest.approx(hits)
    assert result["f1"] == pytest.approx(2 * hits / (1 + hits))
    assert math.isnan(result["auroc"])
    assert math.isnan(result["auprc"])


def one_regression(prediction: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """The scores of one target by scikit-learn and SciPy."""
    return {
        "r2": sk.r2_score(target, prediction),
        "pearson": stats.pearsonr(target, prediction)[0],
        "spearman": stats.spearmanr(target, prediction)[0],
        "mse": sk.mean_squared_error(target, prediction),
        "mae": sk.mean_absolute_error(target, prediction),
        "n": len(target),
    }


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("offset", [0.0, 1e6, 1e9])
def test_regression_scores_are_those_of_scikit_learn_and_scipy(tied: bool, offset: float) -> None:
    rng = np.random.default_rng(5)
    targets = rng.normal(size=(150, 2)) * [1, 20]
    predictions = targets + rng.normal(size=(150, 2)) * [0.5, 40]
    if tied:
        targets, predictions = np.round(targets), np.round(predictions)
    targets, predictions = targets + offset, predictions + offset
    result = regression_scores(
        torch.from_numpy(predictions), torch.from_numpy(targets), ["recA", "lexA"]
    )
    truth = [one_regression(predictions[:, t], targets[:, t]) for t in range(2)]
    assert result["per_target"]["recA"] == pytest.approx(truth[0], rel=1e-5)
    assert result["per_target"]["lexA"] == pytest.approx(truth[1], rel=1e-5)
    means = {name: (truth[0][name] + truth[1][name]) / 2 for name in REGRESSION}
    assert {name: result[name] for name in REGRESSION} == pytest.approx(means, rel=1e-5)


@pytest.mark.parametrize("constant", ["target", "prediction", "one row"])
def test_regression_scores_without_variation_are_undefined(constant: str) -> None:
    values, same = torch.tensor([[1.0], [2.0], [4.0]]), torch.full((3, 1), 2.0)
    predictions, targets = {
        "target": (values, same),
        "prediction": (same, values),
        "one row": (values[:1], same[:1]),
    }[constant]
    result = regression_scores(predictions, targets, ["y"])
    assert math.isnan(result["pearson"])
    assert math.isnan(result["spearman"])
    assert math.isnan(result["r2"]) is (constant != "prediction")
    assert result["mse"] == pytest.approx(float(((predictions - targets) ** 2).mean()))


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("sizes", [[100], [1, 64, 35]])
def test_scores_gathered_in_batches_are_those_of_all_rows_at_once(
    task: str, sizes: list[int]
) -> None:
    if task == "binary":
        names, (predictions, targets) = ("no", "yes"), binary_set(100, seed=9)
    elif task == "multiclass":
        names, (predictions, targets) = CLASSES, multiclass_set(100, seed=9)
    else:
        rng = np.random.default_rng(9)
        names, predictions, targets = ("y",), rng.normal(size=(100, 1)), rng.normal(size=(100, 1))
    pair = torch.from_numpy(predictions), torch.from_numpy(targets)
    gathered = Scores(task, names)
    for _ in range(2):  # and again after a reset
        for batch in zip(*(tensor.split(sizes) for tensor in pair), strict=True):
            gathered.update(*batch)
        assert gathered.compute() == scores(task, *pair, names)
        gathered.reset()


def test_missing_targets_have_no_part_in_their_own_targets_scores() -> None:
    rng = np.random.default_rng(3)
    targets = rng.normal(size=(60, 3))
    predictions = targets + rng.normal(size=(60, 3))
    holed = np.where(rng.random((60, 3)) < [0.3, 0.1, 1.1], np.nan, targets)
    result = regression_scores(torch.from_numpy(predictions), torch.from_numpy(holed), list("abc"))
    truth = []
    for column, name in enumerate("ab"):
        rows = ~np.isnan(holed[:, column])
        truth.append(one_regression(predictions[rows, column], targets[rows, column]))
        assert result["per_target"][name] == pytest.approx(truth[-1], rel=1e-5)
    assert result["per_target"]["c"]["n"] == 0
    assert math.isnan(result["per_target"]["c"]["r2"])
    means = {name: (truth[0][name] + truth[1][name]) / 2 for name in REGRESSION}
    assert {name: result[name] for name in REGRESSION} == pytest.approx(means, rel=1e-5)


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.8])
def test_binary_scores_at_a_threshold_are_those_of_scikit_learn(threshold: float) -> None:
    chances, targets = binary_set(200, seed=4)
    weights = (threshold, 1 - threshold)
    pair = torch.from_numpy(chances), torch.from_numpy(targets)
    found = scores("binary", *pair, ("no", "yes"), weights=weights)
    called = chances > threshold
    assert found["confusion"] == sk.confusion_matrix(targets, called).tolist()
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(targets, called))
    assert found["mcc"] == pytest.approx(sk.matthews_corrcoef(targets, called))
    assert found["f1"] == pytest.approx(sk.f1_score(targets, called))
    plain = scores("binary", *pair, ("no", "yes"))
    assert (found["auroc"], found["auprc"]) == (plain["auroc"], plain["auprc"])


def test_multiclass_scores_of_weighted_decisions_are_those_of_scikit_learn() -> None:
    chances, targets = multiclass_set(200, seed=4)
    weights = np.array([1.0, 4.0, 0.5, 2.0])[: chances.shape[1]]
    pair = torch.from_numpy(chances), torch.from_numpy(targets)
    found = scores("multiclass", *pair, CLASSES, weights=weights.tolist())
    called = (chances * weights).argmax(axis=1)
    assert found["confusion"] == sk.confusion_matrix(targets, called).tolist()
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(targets, called))
    assert found["mcc"] == pytest.approx(sk.matthews_corrcoef(targets, called))
    assert found["f1"] == pytest.approx(sk.f1_score(targets, called, average="macro"))
    assert found["auroc"] == scores("multiclass", *pair, CLASSES)["auroc"]
