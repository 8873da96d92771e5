"""Weights, the correction of what they do to probabilities, and thresholds, against brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import matthews_corrcoef
from sklearn.utils.class_weight import compute_class_weight

from bionn.models import MLP, LogisticRegression, SoftmaxRegression
from bionn.models.decision import (
    Decision,
    best_threshold,
    choose_decision,
    class_weights,
    logit_shift,
    take_off,
)
from bionn.models.heads import objective
from tests.support.refusals import refused

COUNTS = np.array([70, 20, 10])
CLASSES = ["a", "b", "c=d"]


def test_balanced_weights_are_scikit_learns() -> None:
    labels = np.repeat([0, 1, 2], COUNTS)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    found = class_weights("balanced", CLASSES, COUNTS)
    assert found is not None
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize(
    ("asked", "ratio"),
    [("b=5", [1, 5, 1]), ("a=2, c=d=0.5,b=1", [2, 1, 0.5]), ([1, 2, 3], [1, 2, 3])],
)
def test_named_weights_keep_their_ratios_and_weigh_one_row_on_average(asked, ratio) -> None:
    found = class_weights(asked, CLASSES, COUNTS)
    assert found is not None
    np.testing.assert_allclose(found / found[0], np.array(ratio) / ratio[0])
    assert found @ COUNTS == pytest.approx(COUNTS.sum())
    assert class_weights("none", CLASSES, COUNTS) is None


@pytest.mark.parametrize(
    ("asked", "facts"),
    [
        ("balnced", ["'balnced'", "did you mean 'balanced'", "the classes are a, b, c=d"]),
        ("bb=2", ["'bb=2'", "did you mean 'b'"]),
        ("b=much", ["number for class 'b'", "'much'"]),
        ("b=0", ["above 0", "'b=0'"]),
        ("b=inf", ["above 0"]),
        ([1, 2], ["each of the 3 classes"]),
    ],
)
def test_weights_that_make_no_sense_are_refused(asked, facts) -> None:
    with refused("class-weight", *facts):
        class_weights(asked, CLASSES, COUNTS)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_a_weighted_loss_is_the_loss_of_rows_repeated(task: str) -> None:
    """Weights 1, 3 (and 2) are as good as each row of a class standing so many times."""
    generator = torch.Generator().manual_seed(0)
    times = torch.tensor([1, 3] if task == "binary" else [1, 3, 2])
    targets = torch.arange(20) % len(times)
    outputs = 1 if task == "binary" else 3
    logits = torch.randn(20, outputs, generator=generator, dtype=torch.float64, requires_grad=True)
    weights = class_weights(
        times.tolist(), CLASSES[: len(times)], np.bincount(targets, minlength=len(times))
    )
    assert weights is not None
    loss = objective(task, logits, targets, class_weight=torch.from_numpy(weights))
    rows = torch.repeat_interleave(torch.arange(20), times[targets])
    expected = objective(task, logits[rows], targets[rows])
    torch.testing.assert_close(loss, expected)
    (found,), (truth,) = (torch.autograd.grad(value, logits) for value in (loss, expected))
    torch.testing.assert_close(found, truth)


@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities_learned_under_weights_are_put_right(classes: int) -> None:
    """Of weighted shares a softmax (or sigmoid) gives, the correction makes the true ones."""
    rng = np.random.default_rng(0)
    true = rng.dirichlet(np.ones(classes), 50)
    weights = rng.uniform(0.2, 9, classes)
    learned = true * weights / (true * weights).sum(axis=1, keepdims=True)
    logits = np.log(learned)
    if classes == 2:
        logit = logits[:, 1] - logits[:, 0] - logit_shift(weights)
        np.testing.assert_allclose(1 / (1 + np.exp(-logit)), true[:, 1])
    else:
        found = np.exp(logits - logit_shift(weights))
        np.testing.assert_allclose(found / found.sum(axis=1, keepdims=True), true)


def test_weighted_training_and_correction_are_unweighted_training_where_the_model_is_true() -> None:
    """Logistic regression on data that follow it: both ways reach the same probabilities."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(40_000, 2, generator=generator)
    chances = torch.sigmoid(inputs @ torch.tensor([1.5, -1.0]) - 3)
    targets = (torch.rand(40_000, generator=generator) < chances).long()
    weights = class_weights("balanced", ["no", "yes"], np.bincount(targets))
    assert weights is not None
    model = LogisticRegression(2)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=50)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = objective("binary", model(inputs), targets, class_weight=torch.from_numpy(weights))
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        weighted = torch.sigmoid(model(inputs)[:, 0]).mean()
        assert take_off(model, logit_shift(weights))
        corrected = torch.sigmoid(model(inputs)[:, 0])
    assert weighted > 2 * chances.mean()
    assert float((corrected - chances).abs().mean()) < 0.005


@pytest.mark.parametrize(
    "model",
    [MLP(5, (4,), 3), MLP((4, 6), (), 3), SoftmaxRegression(5, 3), SoftmaxRegression((4, 6), 3)],
)
def test_a_shift_is_taken_off_by_the_last_bias(model: torch.nn.Module) -> None:
    inputs = torch.randn(7, 5) if "(4, 6)" not in str(model.arguments["in_features"]) else None
    inputs = torch.randn(7, 4, 6) if inputs is None else inputs
    shift = np.array([0.5, -1.0, 2.0])
    model.eval()
    with torch.no_grad():
        before = model(inputs)
        assert take_off(model, shift)
        torch.testing.assert_close(model(inputs), before - torch.tensor(shift).float())


def test_a_network_without_a_last_bias_is_left_as_it_is() -> None:
    model = MLP(5, (4,), 3, bias=False)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    assert not take_off(model, np.ones(3))
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=25))
def test_no_threshold_is_better_than_the_best(rows: list[tuple[int, bool]]) -> None:
    chances = np.array([chance / 8 for chance, _ in rows])
    truth = np.array([label for _, label in rows], dtype=int)

    def mcc(threshold: float) -> float:
        called = (chances > threshold).astype(int)
        if len(set(truth)) < 2 or len(set(called)) < 2:
            return 0.0
        return matthews_corrcoef(truth, called)

    found = best_threshold(chances, truth)
    ends = sorted(set(chances))
    middles = [(a + b) / 2 for a, b in itertools.pairwise(ends)]
    best = max([0.0, *map(mcc, middles)])
    if best <= 0:
        assert found == 0.5
        return
    assert mcc(found) == pytest.approx(best, abs=1e-9)
    as_good = [m for m in middles if mcc(m) >= best - 1e-9]
    assert abs(found - 0.5) == pytest.approx(min(abs(m - 0.5) for m in as_good), abs=1e-12)


def test_decisions_follow_what_was_asked_for() -> None:
    chances, truth = np.array([0.1, 0.3, 0.35, 0.8]), np.array([0, 1, 0, 1])
    plain = choose_decision(None, None, chances, truth)
    assert plain.is_plain
    assert plain.classes_of(chances).tolist() == [0, 0, 0, 1]
    given_ = choose_decision(0.32, np.array([1.0, 9.0]), chances, truth)
    assert given_.threshold == pytest.approx(0.32)
    assert given_.classes_of(chances).tolist() == [0, 0, 1, 1]
    weighted = choose_decision(None, np.array([0.5, 4.5]), chances, truth)
    assert weighted.threshold == pytest.approx(0.1)
    assert weighted.classes_of(chances).tolist() == [0, 1, 1, 1]
    auto = choose_decision("auto", None, chances, truth)
    assert auto.threshold == best_threshold(chances, truth)
    assert not any(d.is_plain for d in (given_, weighted, auto))
    for decision in (plain, given_, weighted, auto):
        assert Decision.from_manifest(decision.to_manifest()) == decision


def test_of_three_classes_the_largest_weighted_probability_is_chosen() -> None:
    chances = np.array([[0.6, 0.3, 0.1], [0.5, 0.3, 0.2]])
    weights = np.array([1.0, 1.5, 3.0])
    decision = choose_decision(None, weights, chances, np.array([0, 1]))
    assert decision.threshold is None
    assert decision.classes_of(chances).tolist() == [0, 2]
    assert Decision.plain(3).classes_of(chances).tolist() == [0, 0]
