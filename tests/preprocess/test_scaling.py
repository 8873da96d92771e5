"""Standardisation and normal scores against scikit-learn, to the last digits of float64."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from bionn.preprocess.scaling import MOST_LANDMARKS, NormalScores, Standardisation
from bionn.preprocess.steps import Features

NAMES = ("a", "b", "c")


def skewed(rows: int, seed: int) -> Features:
    rng = np.random.default_rng(seed)
    values = np.exp(rng.normal([5, -3, 0], [1, 0.3, 2], (rows, 3)))
    return Features(values, NAMES)


def test_standardisation_is_scikit_learns() -> None:
    train, new = skewed(40, 0), skewed(15, 1)
    twin, step = StandardScaler().fit(train.numbers), Standardisation.fit(train)
    for data in (train, new):
        np.testing.assert_allclose(step.transform(data).numbers, twin.transform(data.numbers))


@pytest.mark.parametrize("rows", [10, 99, 1000])
def test_quantiles_are_scikit_learns_kept_half_a_rank_from_the_ends(rows: int) -> None:
    train, new = skewed(rows, 0), skewed(300, 1)
    twin = QuantileTransformer(n_quantiles=min(rows, MOST_LANDMARKS), subsample=None)
    twin.fit(train.numbers)
    step = NormalScores.fit(train)
    for data in (train, new):
        shares = twin.transform(data.numbers).clip(0.5 / rows, 1 - 0.5 / rows)
        found = step.transform(data).numbers
        np.testing.assert_allclose(found, stats.norm.ppf(shares), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("rows", [2, 10, 100])
def test_equal_values_get_their_middle_rank(rows: int) -> None:
    values = np.random.default_rng(0).poisson(0.7, (rows, 1)).astype(float)
    train = Features(values, ("spikes",))
    shares = (stats.rankdata(values[:, 0]) - 1) / (rows - 1)
    expected = stats.norm.ppf(shares.clip(0.5 / rows, 1 - 0.5 / rows))
    found = NormalScores.fit(train).transform(train).numbers[:, 0]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_normal_scores_know_ranks_only() -> None:
    train, new = skewed(60, 0), skewed(60, 1)
    step = NormalScores.fit(train)
    bent = NormalScores.fit(train.with_numbers(train.numbers**3))
    np.testing.assert_allclose(
        step.transform(train).numbers,
        bent.transform(train.with_numbers(train.numbers**3)).numbers,
        atol=1e-9,
    )
    extreme = new.with_numbers(new.numbers * 1e9)
    assert np.abs(step.transform(extreme).numbers).max() <= stats.norm.ppf(1 - 0.5 / 60) + 1e-12
