"""Class order and target scaling: natural sorting, standard units and back."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bionn.preprocess.targets import ClassEncoder, TargetScaler, natural_key


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
