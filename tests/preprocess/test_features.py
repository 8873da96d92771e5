"""The feature scaler against scikit-learn: imputation by the median, standardisation, constants."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bionn.preprocess.features import FeatureScaler
from tests.support.refusals import refused

NAMES = ["a", "b", "c"]


def gappy(rows: int, seed: int) -> np.ndarray:
    """Three features on three scales, a fifth of the values missing."""
    rng = np.random.default_rng(seed)
    values = rng.normal([5, -1e4, 1e-13], [1, 300, 1e-14], (rows, 3))
    return np.where(rng.random((rows, 3)) < 0.2, np.nan, values)


def test_it_does_what_scikit_learn_does() -> None:
    train, new = gappy(40, 0), gappy(15, 1)
    twin = make_pipeline(SimpleImputer(strategy="median"), StandardScaler()).fit(train)
    scaler = FeatureScaler.fit(train, NAMES)
    for values in (train, new):
        result = scaler.transform(values)
        assert result.dtype == np.float32
        truth = (twin[0].transform(values) - twin[1].mean_) / np.sqrt(twin[1].var_)
        np.testing.assert_allclose(result, truth, rtol=1e-5, atol=1e-5)
    assert scaler.input_shape == 3


@pytest.mark.parametrize("value", [0.0, 0.1, 1e-13, 1e20])
def test_a_constant_feature_becomes_zero_whatever_comes_later(value: float) -> None:
    scaler = FeatureScaler.fit(np.full((7, 1), value), ["a"])
    new = np.array([[value], [value + 5], [np.nan]])
    np.testing.assert_array_equal(scaler.transform(new), np.zeros((3, 1)))


def test_tiny_units_are_not_constants() -> None:
    values = np.random.default_rng(0).normal(0, 1e-15, (50, 1))
    scaled = FeatureScaler.fit(values, ["molar"]).transform(values)
    np.testing.assert_allclose([scaled.mean(), scaled.std()], [0, 1], atol=1e-5)


def test_a_feature_without_any_value_is_refused() -> None:
    values = gappy(10, 0)
    values[:, 1] = np.nan
    with refused("'b'", "no value in any training row", "features"):
        FeatureScaler.fit(values, NAMES)


def test_a_manifest_gives_an_equal_scaler() -> None:
    scaler = FeatureScaler.fit(gappy(40, 0), NAMES)
    again = FeatureScaler.from_manifest(json.loads(json.dumps(scaler.to_manifest())))
    assert again.names == scaler.names
    new = gappy(15, 1)
    np.testing.assert_array_equal(again.transform(new), scaler.transform(new))
