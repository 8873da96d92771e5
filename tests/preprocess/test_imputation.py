"""Imputation against scikit-learn, and the model's expectation against regression in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, MissingIndicator, SimpleImputer
from sklearn.linear_model import LinearRegression

from bionn.preprocess.imputation import (
    MOST_FEATURES,
    Indicators,
    Medians,
    NoGaps,
    Regressions,
)
from bionn.preprocess.steps import Features, RowError
from tests.support.refusals import refused


def named(values: np.ndarray) -> Features:
    names = tuple(f"g{n}" for n in range(values.shape[1]))
    return Features(values, names, {}, np.empty((len(values), 0)))


def correlated(rows: int, seed: int = 0, genes: int = 8) -> np.ndarray:
    """Genes in own units that two hidden factors drive."""
    loadings = np.random.default_rng(99).normal(size=(2, genes))
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, 2)) @ loadings + 0.3 * rng.normal(size=(rows, genes))
    return values * np.logspace(-2, 3, genes) + np.logspace(3, -1, genes)


def with_gaps(values: np.ndarray, share: float = 0.15, seed: int = 1) -> np.ndarray:
    return np.where(np.random.default_rng(seed).random(values.shape) < share, np.nan, values)


def test_medians_are_scikit_learns() -> None:
    train, new = with_gaps(correlated(40)), with_gaps(correlated(30, seed=5))
    twin, step = SimpleImputer(strategy="median").fit(train), Medians.fit(named(train))
    np.testing.assert_array_equal(step.transform(named(new)).numbers, twin.transform(new))


def test_indicators_are_scikit_learns() -> None:
    train, new = with_gaps(correlated(40), 0.02), with_gaps(correlated(30, seed=5), 0.3)
    twin = MissingIndicator(features="missing-only", error_on_new=False).fit(train)
    step = Indicators.fit(named(train))
    found = step.transform(named(new))
    np.testing.assert_array_equal(found.flags, twin.transform(new))
    assert found.flag_names == tuple(f"g{n} is missing" for n in twin.features_)
    assert 0 < len(step.names) < 8


def test_without_shrinkage_the_model_is_least_squares_on_what_is_there() -> None:
    """With whole training rows, many of them, each gap is what its own regression predicts."""
    train = correlated(100_000)
    step = Regressions.fit(named(train))
    new = correlated(20, seed=3)
    gaps = np.zeros(8, dtype=bool)
    gaps[[1, 6]] = True
    twin = LinearRegression().fit(train[:, ~gaps], train[:, gaps])
    holed = np.where(gaps, np.nan, new)
    found = step.transform(named(holed)).numbers
    np.testing.assert_array_equal(found[:, ~gaps], new[:, ~gaps])
    spread = train[:, gaps].std(axis=0)
    np.testing.assert_allclose(
        found[:, gaps] / spread, twin.predict(new[:, ~gaps]) / spread, atol=2e-3
    )


def test_a_row_without_any_value_is_the_mean() -> None:
    train = correlated(50)
    found = Regressions.fit(named(train)).transform(named(np.full((1, 8), np.nan))).numbers
    np.testing.assert_allclose(found[0], train.mean(axis=0), rtol=1e-9)


@pytest.mark.parametrize("rows", [30, 300])
def test_the_model_is_better_than_medians_and_as_good_as_chained_regressions(rows: int) -> None:
    train, truth = with_gaps(correlated(rows)), correlated(400, seed=7)
    holed, spread = with_gaps(truth, 0.2, seed=8), correlated(10_000).std(axis=0)

    def error(filled: np.ndarray) -> float:
        gaps = np.isnan(holed)
        return float(np.sqrt((((filled - truth) / spread)[gaps] ** 2).mean()))

    model = error(Regressions.fit(named(train)).transform(named(holed)).numbers)
    chained = error(
        IterativeImputer(max_iter=50, random_state=0, tol=1e-2).fit(train).transform(holed)
    )
    medians = error(Medians.fit(named(train)).transform(named(holed)).numbers)
    assert model < 0.6 * medians
    assert model < 1.1 * chained


def test_fewer_rows_than_features_and_constant_columns_do_not_upset_the_model() -> None:
    train = with_gaps(correlated(12, genes=40), 0.2)
    train[:, 3] = np.where(np.isnan(train[:, 3]), np.nan, 5.0)
    train[0, 3] = 5.0
    found = Regressions.fit(named(train)).transform(named(train)).numbers
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[:, 3], 5)
    assert (np.abs(found - np.nanmean(train, axis=0)) <= 10 * np.nanstd(train, axis=0) + 1e-9).all()


def test_each_row_is_filled_by_itself() -> None:
    step, new = Regressions.fit(named(with_gaps(correlated(60)))), with_gaps(correlated(25, seed=4))
    together = step.transform(named(new)).numbers
    alone = np.vstack([step.transform(named(row[None])).numbers for row in new])
    np.testing.assert_allclose(alone, together, rtol=1e-12)


def test_too_many_features_for_a_model_are_refused() -> None:
    with refused("impute", f"at most {MOST_FEATURES}", "top-genes"):
        Regressions.fit(named(np.random.default_rng(0).normal(size=(3, MOST_FEATURES + 1))))


def test_a_gap_can_be_refused_with_row_and_gene() -> None:
    values = correlated(10)
    assert NoGaps().transform(named(values)).numbers is values
    values[6, 2] = np.nan
    with pytest.raises(RowError, match=r"'g2'.*1 missing") as error:
        NoGaps().transform(named(values))
    assert error.value.row == 6
