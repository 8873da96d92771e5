"""Scores of subgroups against scikit-learn on the rows that belong to them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

import bionn
from bionn.data.modules import load_prepared
from bionn.data.samples import DataOptions
from bionn.models import MLP
from bionn.models.layers import set_code_table
from bionn.predict import Predictor
from bionn.subgroups import IDENTITY_NAMES, average_subgroups, identity_bins, subgroups
from tests.small_sets import expression, sequences


def found_for(frame: Any, **options: Any):
    """Subgroups of an untrained network, its set, and its outputs for the test rows."""
    data = load_prepared(frame, DataOptions(fractions=(0.4, 0.1, 0.5), **options))
    model = MLP(data.encoder.input_shape, (), data.targets.num_outputs, init="xavier_normal")
    if data.code_table is not None:
        set_code_table(model, data.code_table)
    predictor = Predictor(model, data.manifest())
    identity = np.where(np.arange(len(frame)) % 3 == 0, np.nan, np.linspace(0.5, 1, len(frame)))
    outputs = predictor.outputs(data.inputs[data.split.test])
    return subgroups(predictor, data, identity=identity), data, outputs, identity


def of(found: list[dict[str, Any]], by: str) -> dict[str, dict[str, Any]]:
    return {entry["group"]: entry for entry in found if entry["by"] == by}


def test_subgroups_of_sequences_have_the_scores_of_their_rows() -> None:
    frame = sequences(400, letters="ACGT")[["id", "sequence", "label"]]
    lengths = np.arange(400) % 7 + 5
    frame["sequence"] = [t[:n] for t, n in zip(frame["sequence"], lengths, strict=True)]
    found, data, chances, identity = found_for(frame, target="label", align="left")
    rows = data.split.test
    truth, texts = data.targets.values[rows], frame["sequence"].to_numpy()[rows]
    called = chances > 0.5

    def check(entry: dict[str, Any], mask: np.ndarray) -> None:
        assert entry["n"] == mask.sum()
        accuracy = sk.accuracy_score(truth[mask], called[mask])
        assert entry["scores"]["accuracy"] == pytest.approx(accuracy)
        if entry["by"] != "class":
            auroc = sk.roc_auc_score(truth[mask], chances[mask])
            assert entry["scores"]["auroc"] == pytest.approx(auroc)
            low, high = entry["intervals"]["auroc"]
            assert low < auroc < high

    for name, entry in of(found, "class").items():
        check(entry, truth == data.targets.classes.index(name))
    counted = [len(text) for text in texts]
    shares = [(text.count("G") + text.count("C")) / len(text) for text in texts]
    for by, values in (("length", counted), ("GC", np.round(shares, 2))):
        ends = [tuple(map(float, name.split(" to "))) for name in of(found, by)]
        assert ends == sorted(ends)
        assert 3 <= len(ends) <= 4
        for (low, high), entry in zip(ends, of(found, by).values(), strict=True):
            check(entry, (np.array(values) >= low) & (np.array(values) <= high))
    bins = np.array(IDENTITY_NAMES)[identity_bins(identity[rows])]
    assert list(of(found, "identity")) == [name for name in IDENTITY_NAMES if name in bins]
    for name, entry in of(found, "identity").items():
        check(entry, bins == name)
    for by in ("class", "length", "GC", "identity"):
        assert sum(entry["n"] for entry in of(found, by).values()) == len(rows)


def test_identities_are_cut_where_the_names_say() -> None:
    values = np.array([0.1, 0.799, 0.8, 0.899999, 0.9, 0.99, 1.0, np.nan])
    names = np.array(IDENTITY_NAMES)[identity_bins(values)]
    expected = ["below 0.8"] * 2 + ["0.8 to 0.9"] * 2 + ["0.9 to 1"] * 2 + ["equal", "none found"]
    assert names.tolist() == expected


def test_groups_that_are_large_enough_are_told_the_largest_first() -> None:
    frame = expression(600)[["id", "gene1", "gene3", "y1"]]
    frame["plate"] = ["a"] * 100 + ["b"] * 300 + ["c"] * 190 + ["d"] * 10
    options = {"target": "y1", "features": ["gene1", "gene3"], "batch_column": "plate"}
    found, data, values, _ = found_for(frame, **options)
    rows, told = data.split.test, of(found, "batch")
    assert list(told) == ["b", "c", "a"]
    for name, entry in told.items():
        mask = (frame["plate"] == name).to_numpy()[rows]
        truth = data.targets.values[rows, 0][mask]
        assert entry["n"] == mask.sum()
        assert entry["scores"]["r2"] == pytest.approx(sk.r2_score(truth, values[mask, 0]))


def test_rows_of_one_class_have_an_accuracy_alone() -> None:
    """An MCC of 0 beside an accuracy of 1 would say that the network fails there."""
    frame = expression(600)[["id", "gene1", "gene3"]]
    frame["label"] = np.where(frame["gene1"] > frame["gene1"].median(), "yes", "no")
    frame["plate"] = np.where(frame["label"] == "yes", "a", "b")
    frame.loc[:90, "plate"] = "c"
    options = {"target": "label", "features": ["gene1", "gene3"], "batch_column": "plate"}
    found, *_ = found_for(frame, **options)
    told = of(found, "batch")
    assert {name: set(entry["scores"]) for name, entry in told.items()} == {
        "a": {"accuracy"},
        "b": {"accuracy"},
        "c": {"accuracy", "auroc", "mcc"},
    }
    assert all(set(entry["intervals"]) == set(entry["scores"]) for entry in told.values())


def test_rows_of_one_class_have_no_auroc_and_folds_average_what_is_defined() -> None:
    one = {"by": "GC", "group": "x", "n": 10, "scores": {"accuracy": 0.5, "auroc": float("nan")}}
    two = {"by": "GC", "group": "x", "n": 30, "scores": {"accuracy": 0.9, "auroc": 0.7}}
    three = {"by": "GC", "group": "y", "n": 5, "scores": {"accuracy": 1.0, "auroc": float("nan")}}
    four = {"by": "GC", "group": "z", "n": 10, "scores": {"accuracy": 0.5}}
    five = {"by": "GC", "group": "z", "n": 30, "scores": {"accuracy": 0.9, "auroc": 0.7}}
    found = average_subgroups([[one, four], [two, three, five]])
    assert found[0] == {"by": "GC", "group": "x", "n": 40, "scores": found[0]["scores"]}
    assert found[0]["scores"] == pytest.approx({"accuracy": 0.8, "auroc": 0.7})
    by_name = {entry["group"]: entry["scores"] for entry in found}
    assert np.isnan(by_name["y"]["auroc"])
    assert by_name["z"] == pytest.approx({"accuracy": 0.8, "auroc": 0.7})


def test_a_run_tells_its_subgroups(tmp_path) -> None:
    frame = sequences()[["id", "sequence", "label"]]
    small = {"max_epochs": 1, "hidden": [8], "device": "cpu", "progress": False, "explain": False}
    found = bionn.run(
        frame, target="label", out=tmp_path / "run", baselines=False, folds=3, **small
    )
    told = found.metrics["subgroups"]
    for by in ("class", "GC", "identity"):
        assert sum(entry["n"] for entry in told if entry["by"] == by) == 90
    own = [entry for fold in found.metrics["folds"] for entry in fold["subgroups"]]
    assert all(set(entry["intervals"]) == set(entry["scores"]) for entry in own)
