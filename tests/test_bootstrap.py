"""Scores by weights against the same scores of rows drawn out, and intervals that cover the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from bionn import bootstrap as module
from bionn.bootstrap import Resampled, Resamples, resample, weighted_scores
from bionn.comparison import interval
from bionn.metrics import CLASSIFICATION, REGRESSION, scores

CLASSES = ("a", "b", "c", "d")


def classification(rows: int, classes: int, *, tied: bool, seed: int = 0) -> Any:
    """Outputs that know a little of the targets, the targets, and calls at uneven weights."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, rows)
    logits = rng.normal(size=(rows, classes)) + 1.2 * np.eye(classes)[truth]
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    if tied:
        chances = np.round(chances * 6) / 6
    weights = np.linspace(1, 2, classes)
    called = (chances * weights).argmax(axis=1)
    return (chances[:, 1] if classes == 2 else chances), truth, called, weights


def numbers(rows: int, *, tied: bool, gaps: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(rows, 2)) * [1, 30] + [1e6, 0]
    values = truth + rng.normal(size=(rows, 2)) * [0.7, 40]
    if tied:
        truth, values = np.round(truth), np.round(values)
    if gaps:
        truth[rng.random(truth.shape) < 0.2] = np.nan
    return values, truth


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("rows", [12, 300])
@pytest.mark.parametrize("classes", [2, 4])
def test_scores_of_classes_are_those_of_the_rows_drawn_out(
    classes: int, rows: int, tied: bool
) -> None:
    outputs, truth, called, weights = classification(rows, classes, tied=tied)
    task = "binary" if classes == 2 else "multiclass"
    model = weighted_scores(task, outputs, truth, called=called, losses=np.arange(float(rows)))
    for counts in Resamples(rows, count=8):
        found = model(counts)
        for b, own in enumerate(counts.astype(int)):
            drawn = np.repeat(np.arange(rows), own)
            pair = torch.from_numpy(outputs[drawn]), torch.from_numpy(truth[drawn])
            expected = scores(task, *pair, CLASSES[:classes], weights=weights.tolist())
            for name in CLASSIFICATION:
                assert found.scores[name][b] == pytest.approx(expected[name], abs=3e-6, nan_ok=True)
            assert found.scores["loss"][b] == pytest.approx(drawn.mean())
            for k, name in enumerate(CLASSES[: classes if classes > 2 else 0]):
                for part, values in found.parts.items():
                    per_class = expected["per_class"][name][part]
                    assert values[b, k] == pytest.approx(per_class, abs=3e-6, nan_ok=True)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("rows", [12, 300])
def test_scores_of_numbers_are_those_of_the_rows_drawn_out(
    rows: int, gaps: bool, tied: bool
) -> None:
    values, truth = numbers(rows, tied=tied, gaps=gaps)
    losses = (values - truth) ** 2
    model = weighted_scores("regression", values, truth, losses=losses)
    for counts in Resamples(rows, count=8):
        found = model(counts)
        for b, own in enumerate(counts.astype(int)):
            drawn = np.repeat(np.arange(rows), own)
            pair = torch.from_numpy(values[drawn]), torch.from_numpy(truth[drawn])
            expected = scores("regression", *pair, ("x", "y"))
            for name in REGRESSION:
                assert found.scores[name][b] == pytest.approx(expected[name], rel=1e-4, abs=1e-6)
                for t, target in enumerate(("x", "y")):
                    own_score = expected["per_target"][target][name]
                    assert found.parts[name][b, t] == pytest.approx(own_score, rel=1e-4, abs=1e-6)
            assert found.scores["loss"][b] == pytest.approx(np.nanmean(losses[drawn]))


def test_what_is_not_defined_in_a_resample_is_nan_and_nothing_warns() -> None:
    outputs = np.array([0.1, 0.6, 0.9])
    counts = np.array([[3.0, 0, 0], [1, 1, 1], [0, 2, 1]])
    found = weighted_scores("binary", outputs, np.array([0, 1, 1]), called=np.array([0, 1, 1]))
    np.testing.assert_array_equal(np.isnan(found(counts).scores["auroc"]), [True, False, True])
    flat = weighted_scores("regression", np.full((3, 1), 2.0), np.array([[1.0], [2], [4]]))
    scored = flat(counts).scores
    np.testing.assert_array_equal(np.isnan(scored["r2"]), [True, False, False])
    assert np.isnan(scored["pearson"]).all()
    assert np.isnan(scored["spearman"]).all()


def test_draws_are_as_many_as_rows_independent_of_blocks_and_fixed_by_the_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = np.concatenate(list(Resamples(50, count=40, seed=3)))
    assert whole.shape == (40, 50)
    assert (whole.sum(axis=1) == 50).all()
    monkeypatch.setattr(module, "_BLOCK", 170)
    np.testing.assert_array_equal(np.concatenate(list(Resamples(50, count=40, seed=3))), whole)
    assert not np.array_equal(np.concatenate(list(Resamples(50, count=40, seed=4))), whole)
    # How often a row is drawn is binomial.
    many = np.concatenate(list(Resamples(50, count=4000)))
    for times in range(4):
        expected = stats.binom.pmf(times, 50, 1 / 50)
        assert (many == times).mean() == pytest.approx(expected, abs=0.005)


def test_groups_are_drawn_whole_and_as_many_as_there_are() -> None:
    units = np.array(list("aabbbcdddd"), dtype=object)
    for counts in Resamples(10, units=units, count=30):
        for own in counts:
            each = [set(own[units == name]) for name in "abcd"]
            assert all(len(times) == 1 for times in each)
            assert sum(times.pop() for times in each) == 4


def test_large_sets_are_drawn_less_often_but_not_too_rarely() -> None:
    assert Resamples(1000).count == module.RESAMPLES
    assert Resamples(10_000, outputs=20).count == module.CELLS // 200_000
    assert Resamples(10**7).count == module.FEWEST
    assert Resamples(0).count == module.RESAMPLES


def test_models_are_scored_on_the_same_resamples() -> None:
    outputs, truth, called, _ = classification(60, 2, tied=False)
    model = weighted_scores("binary", outputs, truth, called=called)
    found = resample({"one": model, "other": model}, Resamples(60))
    for name, values in found["one"].scores.items():
        np.testing.assert_array_equal(values, found["other"].scores[name])
        assert len(values) == module.RESAMPLES


def covered(draw: Any, truth: float, *, times: int = 300) -> float:
    """How often the interval of a score holds its true value."""
    held = 0
    for seed in range(times):
        model, units, name = draw(np.random.default_rng(seed))
        rows = len(units)
        found: Resampled = resample(
            {"m": model}, Resamples(rows, units=units, count=300, seed=seed)
        )["m"]
        low, high = interval(found.scores[name])
        held += low <= truth <= high
    return held / times


def test_intervals_of_auroc_cover_the_truth() -> None:
    """Two normal populations a distance d apart have AUROC Phi(d / sqrt 2)."""

    def draw(rng: np.random.Generator) -> Any:
        truth = rng.integers(0, 2, 150)
        values = rng.normal(size=150) + truth
        called = (values > 0.5).astype(int)
        return weighted_scores("binary", values, truth, called=called), np.arange(150), "auroc"

    share = covered(draw, stats.norm.cdf(1 / np.sqrt(2)))
    assert share == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / 300))


def test_intervals_of_grouped_rows_cover_only_where_groups_are_drawn() -> None:
    """Rows of a group are right or wrong together: drawn as rows the interval is far too narrow."""

    def draw(rng: np.random.Generator, *, grouped: bool) -> Any:
        units = np.repeat(np.arange(60), 6)
        right = np.repeat(rng.random(60) < 0.7, 6)
        truth = rng.integers(0, 2, 360)
        called = np.where(right, truth, 1 - truth)
        model = weighted_scores("binary", called.astype(float), truth, called=called)
        return model, units if grouped else np.arange(360), "accuracy"

    together = covered(lambda rng: draw(rng, grouped=True), 0.7)
    apart = covered(lambda rng: draw(rng, grouped=False), 0.7)
    assert together == pytest.approx(0.95, abs=0.05)
    assert apart < 0.75
