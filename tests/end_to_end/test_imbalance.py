"""One class in ten: weights, balanced drawing and thresholds, from the options to the files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression

import bionn
from bionn.baselines.choosing import Rules
from bionn.baselines.linear import linear
from bionn.data.modules import load_prepared
from bionn.data.samples import DataOptions
from bionn.models.decision import best_threshold
from tests.support.refusals import refused

GENES = ["g1", "g2", "g3"]
SMALL: dict[str, Any] = {
    "hidden": [8],
    "max_epochs": 8,
    "learning_rate": 0.03,
    "weight_decay": 0.01,
    "input_dropout": 0.0,
    "refit": False,
    "device": "cpu",
    "progress": False,
}


def table(rows: int = 1200) -> pd.DataFrame:
    """Two genes that make a sample ill now and then, and one that does not."""
    rng = np.random.default_rng(0)
    genes = rng.normal(size=(rows, 3))
    chance = 1 / (1 + np.exp(3.4 - 1.5 * genes[:, 0] - genes[:, 1]))
    state = np.where(rng.random(rows) < chance, "ill", "healthy")
    frame = pd.DataFrame(genes, columns=GENES)
    return frame.assign(id=[f"s{n}" for n in range(rows)], state=state)


WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "weighted": {"class_weight": "balanced"},
    "drawn": {"sampler": "balanced"},
    "auto": {"threshold": "auto"},
    "given": {"threshold": 0.2, "class_weight": "ill=3"},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, tuple[dict[str, Any], pd.DataFrame, Path]]:
    """``metrics.json``, ``predictions.tsv`` and the folder of a run each way."""
    root, found = tmp_path_factory.mktemp("imbalance"), {}
    for name, options in WAYS.items():
        bionn.run(table(), target="state", features=GENES, out=root / name, **SMALL, **options)
        metrics = json.loads((root / name / "metrics.json").read_text())
        predictions = pd.read_csv(root / name / "predictions.tsv", sep="\t")
        found[name] = (metrics, predictions, root / name)
    return found


@pytest.mark.parametrize("way", WAYS)
def test_scores_are_those_of_the_predictions_with_and_without_the_decision(runs, way: str) -> None:
    metrics, predictions, _ = runs[way]
    assert ("decision" in metrics) is (way != "plain")
    for part in ("val", "test"):
        rows = predictions[predictions["split"] == part]
        truth, chance = rows["target"] == "ill", rows["prob_ill"]
        threshold = metrics["decision"]["threshold"] if way != "plain" else 0.5
        called = rows["prediction"] == "ill"
        np.testing.assert_array_equal(called, chance > threshold)
        shown = {"accuracy": sk.accuracy_score, "mcc": sk.matthews_corrcoef, "f1": sk.f1_score}
        for name, metric in shown.items():
            assert metrics[part][name] == pytest.approx(metric(truth, called))
            if way != "plain":
                assert metrics[part]["plain"][name] == pytest.approx(metric(truth, chance > 0.5))
        assert metrics[part]["loss"] == pytest.approx(sk.log_loss(truth, chance), rel=1e-3)


@pytest.mark.parametrize("way", WAYS)
def test_probabilities_are_those_of_classes_as_they_come(runs, way: str) -> None:
    """Without the correction, weighting would make a tenth of ill samples about a third."""
    _, predictions, _ = runs[way]
    rows = predictions[predictions["split"] == "test"]
    assert rows["prob_ill"].mean() == pytest.approx((table()["state"] == "ill").mean(), abs=0.05)


def test_each_way_decides_as_it_says(runs) -> None:
    shares = (table()["state"] == "ill").mean()
    for way in ("weighted", "drawn"):
        decision = runs[way][0]["decision"]
        assert decision["threshold"] == pytest.approx(shares, abs=0.005)
        assert runs[way][0]["test"]["f1"] > runs["plain"][0]["test"]["f1"]
    assert runs["given"][0]["decision"]["threshold"] == pytest.approx(0.2)
    metrics, predictions, _ = runs["auto"]
    val = predictions[predictions["split"] == "val"]
    best = best_threshold(val["prob_ill"].to_numpy(), (val["target"] == "ill").to_numpy())
    assert metrics["decision"]["threshold"] == pytest.approx(best, abs=1e-4)
    assert metrics["val"]["mcc"] >= metrics["val"]["plain"]["mcc"]


def test_the_saved_model_decides_as_the_run_did(runs) -> None:
    for way, (_, predictions, directory) in runs.items():
        found = bionn.load(directory).predict(table())
        assert found["prediction"].tolist() == predictions["prediction"].tolist(), way
        np.testing.assert_allclose(found["prob_ill"], predictions["prob_ill"], rtol=1e-4)


def test_folds_report_the_scores_without_the_decision_too(tmp_path: Path) -> None:
    options = SMALL | {"max_epochs": 2, "folds": 3, "threshold": "auto"}
    found = bionn.run(
        table(300), target="state", features=GENES, out=tmp_path / "run", **options
    ).metrics
    plain = [fold["test"]["plain"]["mcc"] for fold in found["folds"]]
    assert found["test"]["plain"]["mcc"] == pytest.approx(np.mean(plain))


@pytest.mark.parametrize("asked", [None, "auto", 0.2])
def test_the_linear_model_is_weighted_corrected_and_cut_alike(asked: Any) -> None:
    data = load_prepared(table(), DataOptions(target="state", features=GENES))
    train, val, test = data.split.train, data.split.val, data.split.test
    found = linear(data, Rules(class_weight="balanced", threshold=asked)).scores(data)
    inputs, truth = data.inputs.numpy(), data.targets.values
    penalty = float(found["setting"].split(", ")[1].split()[-1])
    model = LogisticRegression(C=penalty, class_weight="balanced", max_iter=1000)
    model.fit(inputs[train], truth[train])
    odds = np.exp(model.decision_function(inputs)) * truth[train].mean()
    odds /= 1 - truth[train].mean()
    chances = odds / (1 + odds)
    implied = truth[train].mean()
    threshold = {"auto": best_threshold(chances[val], truth[val]), None: implied}.get(asked, asked)
    called = chances[test] > threshold
    assert found["test"]["mcc"] == pytest.approx(sk.matthews_corrcoef(truth[test], called))
    assert f"threshold {threshold:.3g}" in found["setting"]


@pytest.mark.parametrize(
    ("options", "facts"),
    [
        ({"class_weight": "il=2"}, ["class-weight", "'il=2'", "did you mean 'ill'"]),
        ({"class_weight": "balanced", "sampler": "balanced"}, ["class-weight", "twice"]),
        ({"sampler": "even"}, ["sampler", "'even'"]),
        ({"threshold": "best"}, ["threshold", "'best'"]),
        ({"threshold": 1.5}, ["threshold", "1.5"]),
        ({"target": "g1", "features": GENES[1:], "threshold": "auto"}, ["threshold", "regression"]),
        ({"target": "g1", "features": GENES[1:], "sampler": "balanced"}, ["sampler", "regression"]),
        (
            {"target": "g1", "features": GENES[1:], "class_weight": "balanced"},
            ["class-weight", "regression"],
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(
    options: dict[str, Any], facts: list[str], tmp_path: Path
) -> None:
    with refused(*facts):
        bionn.run(
            table(200),
            out=tmp_path / "run",
            **({"target": "state", "features": GENES} | SMALL | options),
        )
    assert not list(tmp_path.iterdir())


def test_a_threshold_needs_two_classes(tmp_path: Path) -> None:
    frame = table(200).assign(kind=["a", "b", "c", "c"] * 50)
    with refused("threshold", "3 found", "class-weight"):
        bionn.run(frame, target="kind", features=GENES, out=tmp_path / "run", threshold="auto")
    found = bionn.run(
        frame, target="kind", features=GENES, out=tmp_path / "run", class_weight="balanced", **SMALL
    )
    decision = found.metrics["decision"]
    np.testing.assert_allclose(
        np.array(decision["weights"]) / decision["weights"][0], [1, 1, 0.5], rtol=0.1
    )
    assert decision["threshold"] is None
    assert set(found.metrics["test"]["plain"]) == {"accuracy", "mcc", "f1", "confusion"}
