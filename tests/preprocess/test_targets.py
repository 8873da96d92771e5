"""Class order and target scaling: natural sorting, standard units and back."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bionn.preprocess.targets import ClassEncoder, TargetScaler, natural_key
from tests.support.refusals import refused


@pytest.mark.parametrize(
    "ordered",
    [
        ["0", "1"],
        ["-1", "1"],
        ["-2", "-1.5", "0", "3", "10", "20.5"],
        ["no", "yes"],
        ["Day2", "day10"],
        ["9", "10", "a"],
        ["EI", "IE", "N"],
        ["False", "True"],
        ["c-CS-m", "c-CS-s", "t-SC-s"],
        ["Yes", "yes"],  # capitals first
        ["01", "1"],
        ["1²", "²"],
    ],
)
def test_classes_sort_naturally_whatever_their_order_in_the_file(ordered: list[str]) -> None:
    for seed in range(5):
        labels = ordered * 2
        random.Random(seed).shuffle(labels)
        assert list(ClassEncoder.fit(labels).classes) == ordered


@given(st.lists(st.text(max_size=5)))
def test_any_texts_can_be_sorted(texts: list[str]) -> None:
    assert sorted(texts, key=natural_key) is not None


def test_codes_are_positions_in_the_order_given() -> None:
    labels = ["b", "a", "b", "c"]
    encoder = ClassEncoder.fit(labels, order=["c", "b", "a"])
    codes = encoder.encode(labels)
    assert codes.dtype == np.int64
    assert [encoder.classes[code] for code in codes] == labels


def test_targets_become_standard_units_and_come_back() -> None:
    values = np.random.default_rng(0).normal([3, -1e5], [1e-3, 2e4], (60, 2))
    scaler = TargetScaler.fit(values, ["a", "b"])
    scaled = scaler.transform(values)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=1e-6)
    back = scaler.inverse(scaled)
    assert back.dtype == np.float64
    np.testing.assert_allclose(back - values, 0, atol=1e-6 * values.std(axis=0).max())


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 / 3])
def test_a_constant_target_keeps_its_unit(value: float) -> None:
    scaler = TargetScaler.fit(np.full((7, 1), value), ["a"])
    np.testing.assert_allclose(scaler.transform(np.array([[value + 2]])), [[2]], rtol=1e-6)
    np.testing.assert_allclose(scaler.inverse(np.array([[2.0]])), [[value + 2]])


def test_a_manifest_gives_an_equal_scaler() -> None:
    values = np.random.default_rng(0).normal(size=(9, 2))
    scaler = TargetScaler.fit(values, ["a", "b"])
    again = TargetScaler.from_manifest(json.loads(json.dumps(scaler.to_manifest())))
    assert again.names == ("a", "b")
    np.testing.assert_array_equal(again.transform(values), scaler.transform(values))


def test_missing_targets_stay_missing_and_do_not_count() -> None:
    values = np.random.default_rng(0).normal([3, -1e5], [1e-3, 2e4], (60, 2))
    holed = np.where(np.random.default_rng(1).random(values.shape) < 0.3, np.nan, values)
    scaler = TargetScaler.fit(holed, ["a", "b"])
    for t in range(2):
        column = holed[~np.isnan(holed[:, t]), t]
        np.testing.assert_allclose([scaler.mean[t], scaler.std[t]], [column.mean(), column.std()])
    np.testing.assert_array_equal(np.isnan(scaler.transform(holed)), np.isnan(holed))


@pytest.mark.parametrize("transform", ["zscore", "log1p", "none"])
def test_each_scale_comes_back_to_the_targets_own_units(transform: str) -> None:
    values = np.random.default_rng(0).lognormal(3, 1, (50, 2))
    scaler = TargetScaler.fit(values, ["a", "b"], transform)
    scaled = scaler.transform(values)
    expected = {
        "zscore": (values - values.mean(axis=0)) / values.std(axis=0),
        "log1p": stats.zscore(np.log(1 + values), axis=0),
        "none": values,
    }[transform]
    np.testing.assert_allclose(scaled, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(scaler.inverse(scaled), values, rtol=1e-5)
    again = TargetScaler.from_manifest(json.loads(json.dumps(scaler.to_manifest())))
    np.testing.assert_array_equal(again.inverse(scaled), scaler.inverse(scaled))


def test_an_unknown_target_transform_offers_the_nearest() -> None:
    with refused("target-transform", "'log'", "did you mean 'log1p'"):
        TargetScaler.fit(np.ones((3, 1)), ["a"], "log")
