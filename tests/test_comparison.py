"""The paired test against McNemar's and DeLong's, its size under the null, and its verdicts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bionn.bootstrap import Resampled, Resamples, resample, weighted_scores
from bionn.comparison import compare, interval, intervals, over_folds, part_intervals, strongest


def paired(rng: np.random.Generator, rows: int, better: float) -> tuple[np.ndarray, ...]:
    """Truth and two models' values that share most of their error; the first is better by so much."""
    truth = rng.integers(0, 2, rows)
    shared = rng.normal(size=rows)
    one = (1 + better) * truth + shared + 0.6 * rng.normal(size=rows)
    two = truth + shared + 0.6 * rng.normal(size=rows)
    return truth, one, two


def bootstrapped(truth: np.ndarray, one: np.ndarray, two: np.ndarray, score: str, seed: int = 0):
    models = {
        name: weighted_scores("binary", values, truth, called=(values > 0.5).astype(int))
        for name, values in (("one", one), ("two", two))
    }
    found = resample(models, Resamples(len(truth), seed=seed))
    once = {
        name: model(np.ones((1, len(truth)))).scores[score][0] for name, model in models.items()
    }
    own, other = (found[name].scores[score] for name in ("one", "two"))
    return compare(own, other, once["one"] - once["two"])


def delong(truth: np.ndarray, one: np.ndarray, two: np.ndarray) -> tuple[float, float]:
    """The difference of two AUROCs and its standard error (DeLong et al. 1988), pair by pair."""
    positive = truth == 1
    wins = [
        (v[positive][:, None] > v[~positive]).astype(float)
        + 0.5 * (v[positive][:, None] == v[~positive])
        for v in (one, two)
    ]
    gaps = wins[0] - wins[1]
    rows, columns = gaps.mean(axis=1), gaps.mean(axis=0)
    variance = rows.var(ddof=1) / len(rows) + columns.var(ddof=1) / len(columns)
    return float(gaps.mean()), float(np.sqrt(variance))


@pytest.mark.parametrize("better", [0.0, 0.15, 0.4])
def test_the_interval_of_an_auroc_difference_is_that_of_delong(better: float) -> None:
    truth, one, two = paired(np.random.default_rng(3), 800, better)
    found = bootstrapped(truth, one, two, "auroc")
    difference, error = delong(truth, one, two)
    assert found["difference"] == pytest.approx(difference)
    low, high = found["interval"]
    assert low == pytest.approx(difference - 1.96 * error, abs=0.35 * error)
    assert high == pytest.approx(difference + 1.96 * error, abs=0.35 * error)
    p_value = 2 * stats.norm.sf(abs(difference / error))
    assert found["p_value"] == pytest.approx(p_value, abs=0.06)


@pytest.mark.parametrize("better", [0.0, 0.3])
def test_the_test_of_accuracies_agrees_with_mcnemars(better: float) -> None:
    """McNemar's looks at the rows on which the two disagree: a binomial of a half."""
    for seed in range(5):
        truth, one, two = paired(np.random.default_rng(seed), 1000, better)
        right = [((v > 0.5) == truth) for v in (one, two)]
        first, second = (right[0] & ~right[1]).sum(), (right[1] & ~right[0]).sum()
        exact = stats.binomtest(int(first), int(first + second)).pvalue
        found = bootstrapped(truth, one, two, "accuracy", seed)
        assert found["difference"] == pytest.approx((first - second) / 1000)
        assert found["p_value"] == pytest.approx(exact, abs=0.1)


def test_models_that_are_as_good_are_told_apart_in_a_twentieth_of_cases() -> None:
    times = 200
    found = [
        bootstrapped(*paired(np.random.default_rng(seed), 200, 0.0), "auroc", seed)
        for seed in range(times)
    ]
    wrong = np.mean([one["verdict"] != "tie" for one in found])
    assert wrong == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / times))
    assert np.mean([one["p_value"] < 0.5 for one in found]) == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize(("gap", "verdict"), [(0.2, "better"), (-0.2, "worse"), (0.01, "tie")])
def test_verdicts_go_by_the_interval(gap: float, verdict: str) -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(0.7, 0.02, 1000)
    found = compare(base + gap + rng.normal(0, 0.02, 1000), base, gap)
    assert found["verdict"] == verdict
    assert (found["p_value"] < 0.05) is (verdict != "tie")
    assert compare(base, base, 0.0)["p_value"] == 1


def test_intervals_leave_out_what_is_not_defined_and_say_so_where_most_is_not() -> None:
    values = np.append(np.arange(101.0), [np.nan] * 50)
    assert interval(values) == pytest.approx([2.5, 97.5])
    assert np.isnan(interval(np.append(np.arange(10.0), [np.nan] * 11))).all()
    resampled = Resampled({"a": values}, {"a": np.column_stack([values, 2 * values])})
    assert intervals(resampled)["a"] == pytest.approx([2.5, 97.5])
    assert part_intervals(resampled, 1)["a"] == pytest.approx([5, 195])


def test_folds_are_averaged_draw_by_draw_and_repetitions_stand_side_by_side() -> None:
    rng = np.random.default_rng(1)
    folds = [Resampled({"r2": rng.normal(0.5, 0.1, 1000)}, {}) for _ in range(6)]
    once = over_folds(folds[:3]).scores["r2"]
    np.testing.assert_allclose(once, np.mean([fold.scores["r2"] for fold in folds[:3]], axis=0))
    twice = over_folds(folds, 2).scores["r2"]
    assert len(twice) == 2000
    np.testing.assert_allclose(twice[:1000], once)
    # Six folds of the same rows tested twice are no surer than three.
    assert twice.std() == pytest.approx(once.std(), rel=0.1)


def test_the_strongest_is_the_best_on_validation_rows() -> None:
    entries = {
        "a": {"val": {"r2": 0.5}, "test": {"r2": 0.9}},
        "b": {"val": {"r2": 0.6}, "test": {"r2": 0.1}},
        "c": {"val": {"r2": float("nan")}, "test": {"r2": 0.95}},
    }
    assert strongest("r2", entries) == "b"
    assert strongest("r2", {"c": entries["c"]}) is None
