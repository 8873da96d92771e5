"""The random forest against scikit-learn's own on the same rows, with weights, gaps and a refit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from bionn.baselines import forest as module
from bionn.baselines.choosing import Rules
from bionn.baselines.forest import LEAVES, Forest, forest
from tests.small_sets import prepared


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TREES", 20)


def twin(kind: type, leaf: int, features: int, seed: int = 0, **options):
    return kind(20, min_samples_leaf=leaf, max_features=features, random_state=seed, **options)


def test_classes_are_those_of_scikit_learns_forest_with_the_better_leaves() -> None:
    data = prepared("state")
    train, val, test = data.split.train, data.split.val, data.split.test
    inputs, truth = data.inputs.numpy(), data.targets.values
    losses, chances = {}, {}
    for leaf in LEAVES:
        model = twin(RandomForestClassifier, leaf, 2).fit(inputs[train], truth[train])
        chances[leaf] = (model.predict_proba(inputs)[:, 1] * 20 + 0.5) / 21
        losses[leaf] = sk.log_loss(truth[val], chances[leaf][val])
    best = min(losses, key=losses.__getitem__)
    found = forest(data)
    np.testing.assert_allclose(found.val, chances[best][val])
    np.testing.assert_allclose(found.test, chances[best][test])
    assert f"leaves of {best} row" in found.setting


def test_a_refit_grows_on_training_and_validation_rows_and_tests_that() -> None:
    data = prepared("regression")
    found = forest(data, Rules(refit=True, seed=3))
    leaf = 1 if "leaves of 1 row" in found.setting else 5
    inputs, truth = data.inputs.numpy(), data.targets.values
    rows = np.union1d(data.split.train, data.split.val)
    for fitted, asked, expected in (
        (data.split.train, data.split.val, found.val),
        (rows, data.split.test, found.test),
    ):
        model = twin(RandomForestRegressor, leaf, 2, seed=3).fit(inputs[fitted], truth[fitted])
        np.testing.assert_allclose(expected, model.predict(inputs[asked]))


def test_each_target_is_grown_on_the_rows_that_have_it() -> None:
    whole = prepared("regression")
    values = whole.targets.values.copy()
    values[::3, 0] = np.nan
    data = replace(whole, targets=replace(whole.targets, values=values))
    found = forest(data)
    leaf = 1 if "leaves of 1 row" in found.setting else 5
    inputs = data.inputs.numpy()
    for t in range(2):
        rows = data.split.train[~np.isnan(values[data.split.train, t])]
        model = twin(RandomForestRegressor, leaf, 2).fit(inputs[rows], values[rows, t])
        np.testing.assert_allclose(found.test[:, t], model.predict(inputs[data.split.test]))


def test_weighted_classes_give_probabilities_as_they_come() -> None:
    data = prepared("state")
    weights = np.array([0.5, 2.0])
    fitted = Forest(data, 5, weights, 0).fit(data.split.train)
    inputs, truth = data.inputs.numpy(), data.targets.values
    model = twin(RandomForestClassifier, 5, 2, class_weight={0: 0.5, 1: 2.0})
    model.fit(inputs[data.split.train], truth[data.split.train])
    learned = (model.predict_proba(inputs[data.split.test]) * 20 + 0.5) / 21
    odds = learned[:, 1] / learned[:, 0] * 0.5 / 2
    np.testing.assert_allclose(fitted.outputs(data.split.test), odds / (1 + odds))


@pytest.mark.parametrize(
    ("kind", "count", "expected"),
    [
        ("state", 5, 2),
        ("state", 400, 20),
        ("regression", 5, 2),
        ("regression", 90, 30),
        ("regression", 600, 64),
        ("regression", 10_000, 100),
    ],
)
def test_a_split_is_chosen_from_so_many_features(kind: str, count: int, expected: int) -> None:
    data = prepared(kind)
    wide = replace(data, inputs=data.inputs[:, :1].expand(-1, count))
    assert Forest(wide, 1, None, 0).split_features == expected


def test_trees_of_large_sets_are_grown_on_some_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TREE_ROWS", 10)
    data = prepared("regression")
    inputs, truth = data.inputs.numpy(), data.targets.values
    model = twin(RandomForestRegressor, 5, 2, max_samples=10)
    model.fit(inputs[data.split.train], truth[data.split.train])
    found = Forest(data, 5, None, 0).fit(data.split.train).outputs(data.split.test)
    np.testing.assert_allclose(found, model.predict(inputs[data.split.test]))
