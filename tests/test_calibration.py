"""Temperatures against logistic regression, calibration errors against torchmetrics and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression
from torchmetrics.functional.classification import (
    binary_calibration_error,
    multiclass_calibration_error,
)

from bionn.calibration import (
    BINS,
    Calibration,
    average_reports,
    brier,
    calibration_report,
    expected_error,
    log_loss,
    reliability,
)


def logits_of(classes: int, heat: float, rows: int = 4000, seed: int = 0):
    """Honest log-odds times ``heat``, and classes drawn with the honest probabilities."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(size=(rows, 1 if classes == 2 else classes)) * 1.5
    if classes == 2:
        truth = (rng.random(rows) < 1 / (1 + np.exp(-honest[:, 0]))).astype(np.int64)
    else:
        truth = (honest + rng.gumbel(size=honest.shape)).argmax(axis=1)
    return honest * heat, truth


def chances_of(logits: np.ndarray) -> np.ndarray:
    if logits.shape[1] == 1:
        return 1 / (1 + np.exp(-logits[:, 0]))
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("heat", [0.4, 1.0, 3.0])
@pytest.mark.parametrize("classes", [2, 4])
def test_the_temperature_undoes_what_made_the_logits_too_large(classes: int, heat: float) -> None:
    logits, truth = logits_of(classes, heat)
    found = Calibration.fit(logits, truth)
    assert found.temperature == pytest.approx(heat, rel=0.06)
    assert found.applied is (heat != 1)
    assert found.divisor == (found.temperature if heat != 1 else 1)
    assert found.rows == len(truth)


@pytest.mark.parametrize("heat", [0.3, 2.0])
def test_the_inverse_temperature_is_the_slope_of_a_logistic_regression(heat: float) -> None:
    logits, truth = logits_of(2, heat, rows=500)
    model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10)
    slope = model.fit(logits, truth).coef_.item()
    assert Calibration.fit(logits, truth).temperature == pytest.approx(1 / slope, rel=1e-3)


def test_what_is_asked_for_goes_before_the_test() -> None:
    logits, truth = logits_of(2, 3.0)
    assert not Calibration.fit(logits, truth, asked=False).applied
    logits, truth = logits_of(2, 1.0)
    assert Calibration.fit(logits, truth, asked=True).applied


def test_honest_logits_are_left_alone_in_nineteen_of_twenty_cases() -> None:
    applied = np.mean(
        [Calibration.fit(*logits_of(3, 1.0, rows=200, seed=seed)).applied for seed in range(200)]
    )
    assert applied == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 200))


def test_separable_rows_have_a_temperature_within_bounds() -> None:
    found = Calibration.fit(np.array([[-1.0], [1.0]]), np.array([0, 1]))
    assert 1 / 20 <= found.temperature <= 20


@pytest.mark.parametrize("classes", [2, 5])
def test_losses_and_errors_are_those_of_scikit_learn_and_torchmetrics(classes: int) -> None:
    logits, truth = logits_of(classes, 2.0, rows=700)
    chances = chances_of(logits)
    assert log_loss(logits, truth) == pytest.approx(sk.log_loss(truth, chances))
    pair = torch.from_numpy(chances), torch.from_numpy(truth)
    if classes == 2:
        expected = binary_calibration_error(*pair, n_bins=BINS)
        assert brier(chances, truth) == pytest.approx(sk.brier_score_loss(truth, chances))
    else:
        expected = multiclass_calibration_error(*pair, num_classes=classes, n_bins=BINS)
        squares = ((chances - np.eye(classes)[truth]) ** 2).sum(axis=1)
        assert brier(chances, truth) == pytest.approx(squares.mean())
    assert expected_error(reliability(chances, truth)) == pytest.approx(expected.item(), abs=1e-5)


def test_the_reliability_of_each_bin_is_counted() -> None:
    chances = np.array([0.02, 0.04, 0.55, 0.58, 0.51, 1.0])
    curve = reliability(chances, np.array([0, 1, 1, 1, 0, 1]))
    assert [point["n"] for point in curve] == [2, 3, 1]
    assert [point["low"] for point in curve] == [0, 0.5, 0.9]
    assert [point["frequency"] for point in curve] == pytest.approx([0.5, 2 / 3, 1])
    assert [point["confidence"] for point in curve] == pytest.approx([0.03, 0.5466667, 1])
    error = (2 * 0.47 + 3 * (2 / 3 - 0.5466667) + 0) / 6
    assert expected_error(curve) == pytest.approx(error)
    assert np.isnan(expected_error([]))


def test_a_report_of_folds_is_that_of_all_their_rows() -> None:
    reports, pieces = [], []
    for seed in range(3):
        logits, truth = logits_of(2, 2.0, rows=300 + seed, seed=seed)
        found = Calibration.fit(logits, truth)
        before, after = chances_of(logits), chances_of(logits / found.temperature)
        reports.append(calibration_report(found, before, after, truth))
        pieces.append((before, truth))
        assert reports[-1]["after"]["loss"] < reports[-1]["before"]["loss"]
        assert reports[-1]["after"]["ece"] < reports[-1]["before"]["ece"]
    found = average_reports(reports)
    whole = reliability(*(np.concatenate(part) for part in zip(*pieces, strict=True)))
    for own, expected in zip(found["reliability"]["before"], whole, strict=True):
        assert own == pytest.approx(expected)
    losses = [report["before"]["loss"] for report in reports]
    assert found["before"]["loss"] == pytest.approx(np.mean(losses))
    assert found["temperature"] == [report["temperature"] for report in reports]
