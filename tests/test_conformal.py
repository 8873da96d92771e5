"""Conformal sets and intervals: coverage in simulations, ranks by hand, the manifest's round trip."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bionn.conformal import (
    LEVELS,
    Conformal,
    average_coverage,
    coverage_of_intervals,
    coverage_of_sets,
    thresholds,
)
from bionn.preprocess.targets import TargetScaler
from tests.support.refusals import refused

CLASSES = ("a", "b", "c")


def classes(rows: int, rng: np.random.Generator, count: int = 3):
    """Probabilities of a model that is too sure of itself, and the truth."""
    logits = rng.normal(size=(rows, count))
    truth = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    odds = np.exp(2.5 * logits)
    chances = odds / odds.sum(axis=1, keepdims=True)
    return (chances[:, 1] if count == 2 else chances), truth


def test_the_threshold_is_the_score_of_that_rank() -> None:
    scores = np.random.default_rng(0).permutation(np.arange(1.0, 100))  # 1 .. 99
    found = dict(zip(LEVELS, thresholds(scores), strict=True))
    # ceil(100 L) is 100 L itself: no rounding error may make it one more.
    assert [found[level] for level in LEVELS] == [round(100 * level) for level in LEVELS]
    few = dict(zip(LEVELS, thresholds(np.arange(1.0, 10)), strict=True))  # 9 rows
    assert few[0.9] == 9
    assert few[0.91] == np.inf
    assert np.isinf(thresholds(np.empty(0))).all()


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("level", [0.6, 0.8, 0.95])
def test_sets_cover_as_they_say_whatever_the_model_is_worth(count: int, level: float) -> None:
    """Over draws of both sets; of n + 1 exchangeable scores the rank of one is uniform."""
    rng, held = np.random.default_rng(1), []
    for _ in range(400):
        val, truth = classes(60, rng, count)
        conformal = Conformal.of_classes(val, truth, CLASSES[:count])
        chances, other = classes(50, rng, count)
        held.append(conformal.sets_of(chances, level)[np.arange(50), other].mean())
    exact = np.ceil(61 * level - 1e-9) / 61
    assert np.mean(held) == pytest.approx(exact, abs=4 * np.std(held) / 20)


def test_sets_of_each_class_cover_each_class() -> None:
    rng, held = np.random.default_rng(2), {False: [], True: []}
    for _ in range(300):
        (val, truth), (chances, other) = (classes(n, rng) for n in (300, 300))
        skewed = [piece * [1, 1, 0.2] for piece in (val, chances)]  # class c is hardly believed in
        val, chances = (piece / piece.sum(axis=1, keepdims=True) for piece in skewed)
        conformal = Conformal.of_classes(val, truth, CLASSES)
        for by_class in held:
            sets = conformal.sets_of(chances, 0.8, by_class=by_class)
            own = sets[np.arange(300), other]
            held[by_class].append([own[other == k].mean() for k in range(3)])
    each = np.mean(held[True], axis=0)
    np.testing.assert_allclose(each, 0.805, atol=0.012)
    assert np.mean(held[False], axis=0)[2] < 0.75


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("level", [0.5, 0.9])
def test_intervals_cover_each_target(level: float, log: bool) -> None:
    rng, held = np.random.default_rng(3), []
    for _ in range(200):
        truth = np.abs(rng.normal(5, 2, size=(160, 2))) * [1, 100]
        values = np.abs(truth * rng.lognormal(0, 0.3, size=truth.shape))
        truth[rng.random(truth.shape) < 0.1] = np.nan
        scaler = TargetScaler.fit(truth, ("x", "y"), "log1p" if log else "zscore")
        conformal = Conformal.of_values(values[:80], truth[:80], ("x", "y"), scaler)
        low, high = conformal.intervals_of(values[80:], level, scaler)
        known = ~np.isnan(truth[80:])
        within = (low <= truth[80:]) & (truth[80:] <= high)
        held.append([within[known[:, t], t].mean() for t in range(2)])
    np.testing.assert_allclose(np.mean(held, axis=0), level + 0.006, atol=0.015)


def test_intervals_are_the_prediction_and_a_residual_in_the_units_of_the_loss() -> None:
    targets = np.array([[10.0], [20], [30], [40]])
    scaler = TargetScaler.fit(targets, ("y",))
    conformal = Conformal.of_values(
        targets + np.array([[1], [-2], [3], [4]]), targets, ("y",), scaler
    )
    low, high = conformal.intervals_of(np.array([[5.0]]), 0.6, scaler)  # third of four residuals
    assert (low.item(), high.item()) == pytest.approx((2, 8))
    scaler = TargetScaler.fit(targets, ("y",), "log1p")
    conformal = Conformal.of_values(2 * (targets + 1) - 1, targets, ("y",), scaler)
    low, high = conformal.intervals_of(np.array([[7.0]]), 0.6, scaler)  # off by a factor of two
    assert (low.item(), high.item()) == pytest.approx((3, 15))


def test_the_manifest_keeps_thresholds_and_never_narrows_them() -> None:
    rng = np.random.default_rng(4)
    chances, truth = classes(80, rng)
    values, targets = rng.normal(size=(2, 40, 2))
    targets[:35, 1] = np.nan
    scaler = TargetScaler.fit(targets, ("x", "y"))
    for conformal in (
        Conformal.of_classes(chances, truth, CLASSES),
        Conformal.of_values(values, targets, ("x", "y"), scaler),
    ):
        again = Conformal.from_manifest(json.loads(json.dumps(conformal.to_manifest())))
        assert (again.names, again.sets) == (conformal.names, conformal.sets)
        np.testing.assert_array_equal(again.rows, conformal.rows)
        for own, other in (
            (conformal.thresholds, again.thresholds),
            (conformal.by_class, again.by_class),
        ):
            if own is not None and other is not None:
                np.testing.assert_allclose(other, own, rtol=2e-5)
                assert (other >= own).all()


def test_levels_without_thresholds_are_refused() -> None:
    rng = np.random.default_rng(5)
    chances, truth = classes(30, rng)
    truth[:] = 0
    truth[:3] = 1
    conformal = Conformal.of_classes(chances, truth, CLASSES)
    for level in (0.3, 0.995, 0.905, 1.0, float("nan")):
        with refused("conformal", ".50, .51, ... .99 needed", f"{level:g}"):
            conformal.at(level)
    with refused("99 validation rows needed", "level 0.99", "30 found"):
        conformal.at(0.99)
    with refused("9 validation rows of 'b' needed", "3 found", "lower level"):
        conformal.at(0.9, by_class=True)
    scaler = TargetScaler.fit(np.array([[1.0], [2]]), ("y",))
    numbers = Conformal.of_values(np.zeros((9, 1)), np.ones((9, 1)), ("y",), scaler)
    with refused("by-class: a model of classes needed"):
        numbers.at(0.9, by_class=True)


def test_what_is_measured_on_test_rows_is_counted() -> None:
    rng = np.random.default_rng(6)
    (val, truth), (chances, other) = (classes(200, rng) for _ in range(2))
    conformal = Conformal.of_classes(val, truth, CLASSES)
    found = coverage_of_sets(conformal, chances, other)
    assert [entry["level"] for entry in found] == [0.8, 0.9, 0.95]
    for entry in found:
        sets = conformal.sets_of(chances, entry["level"])
        held = [other[row] in np.flatnonzero(sets[row]) for row in range(200)]
        assert entry["coverage"] == pytest.approx(np.mean(held))
        assert entry["size"] == pytest.approx(sets.sum() / 200)
        assert entry["empty"] == pytest.approx((~sets.any(axis=1)).mean())
        means = [entry["by_class"][name] * (other == k).sum() for k, name in enumerate(CLASSES)]
        assert sum(means) / 200 == pytest.approx(entry["coverage"])
    few = Conformal.of_classes(val[:12], truth[:12], CLASSES)
    assert [entry["level"] for entry in coverage_of_sets(few, chances, other)] == [0.8, 0.9]


def test_coverage_of_intervals_leaves_gaps_out_and_folds_are_averaged_by_rows() -> None:
    rng = np.random.default_rng(7)
    folds, within = [], []
    for rows in (50, 80):
        targets = rng.normal(size=(rows, 2))
        targets[::4, 1] = np.nan
        values = targets + rng.normal(size=(rows, 2))
        values[np.isnan(values)] = 0
        scaler = TargetScaler.fit(targets, ("x", "y"))
        conformal = Conformal.of_values(values, targets, ("x", "y"), scaler)
        folds.append(coverage_of_intervals(conformal, values, targets, scaler))
        low, high = conformal.intervals_of(values, 0.9, scaler)
        known = ~np.isnan(targets[:, 1])
        within.append(((low <= targets) & (targets <= high))[known, 1])
    own = [entry for entry in folds[0] if (entry["level"], entry["target"]) == (0.9, "y")]
    assert own[0]["coverage"] == pytest.approx(within[0].mean())
    assert own[0]["n"] == len(within[0])
    both = [e for e in average_coverage(folds) if (e["level"], e["target"]) == (0.9, "y")]
    assert both[0]["coverage"] == pytest.approx(np.concatenate(within).mean())
