"""Links and objectives against torch's own functions."""

from typing import Any

import pytest
import torch
from torch.nn import functional as TF

from bionn.errors import InputError
from bionn.models.heads import TaskKind, evidence, find_objective, link, objective, squared_error

LOGITS = torch.randn(9, 3)
CLASSES = torch.arange(9) % 3
VALUES = torch.randn(9, 3)
ONE = LOGITS[:, :1]


@pytest.mark.parametrize(
    ("task", "logits", "expected"),
    [
        ("binary", ONE, torch.sigmoid(ONE[:, 0])),
        ("multiclass", LOGITS, torch.softmax(LOGITS, 1)),
        ("regression", LOGITS, LOGITS),
    ],
)
def test_link(task, logits, expected) -> None:
    torch.testing.assert_close(link(task, logits), expected)


@pytest.mark.parametrize(
    ("task", "logits", "targets", "expected"),
    [
        (
            "binary",
            ONE,
            CLASSES % 2,
            TF.binary_cross_entropy_with_logits(ONE[:, 0], (CLASSES % 2).float()),
        ),
        ("multiclass", LOGITS, CLASSES, TF.cross_entropy(LOGITS, CLASSES)),
        ("regression", LOGITS, VALUES, ((LOGITS - VALUES) ** 2).mean()),
    ],
)
def test_objective(task, logits, targets, expected) -> None:
    torch.testing.assert_close(objective(task, logits, targets), expected)


def test_options_reach_the_loss() -> None:
    smooth = objective("multiclass", LOGITS, CLASSES, label_smoothing=0.1)
    torch.testing.assert_close(smooth, TF.cross_entropy(LOGITS, CLASSES, label_smoothing=0.1))


def test_missing_targets_have_no_part_in_the_loss_and_no_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(7, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    targets = torch.randn(7, 3, generator=generator, dtype=torch.float64)
    missing = torch.rand(7, 3, generator=generator) < 0.4
    loss = objective("regression", logits, targets.masked_fill(missing, float("nan")))
    expected = ((logits - targets)[~missing] ** 2).mean()
    torch.testing.assert_close(loss, expected)
    (found,), (truth,) = (torch.autograd.grad(value, logits) for value in (loss, expected))
    torch.testing.assert_close(found, truth)
    assert (found[missing] == 0).all()


def test_targets_that_are_all_missing_teach_nothing() -> None:
    logits = torch.ones(2, 2, requires_grad=True)
    loss = objective("regression", logits, torch.full((2, 2), float("nan")))
    assert loss.item() == 0
    assert (torch.autograd.grad(loss, logits)[0] == 0).all()
    assert evidence(torch.tensor([[1.0, float("nan")]])) == 1
    assert evidence(torch.tensor([0, 1, 1])) == 3


@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 2.0, 1.0])])
def test_squared_error_is_the_brier_score(weights) -> None:
    each = torch.ones(9) if weights is None else weights[CLASSES]
    differences = (torch.softmax(LOGITS, 1) - torch.eye(3)[CLASSES]) ** 2
    torch.testing.assert_close(
        squared_error("multiclass", LOGITS, CLASSES, class_weight=weights),
        (differences.sum(dim=1) * each).mean(),
    )
    binary = CLASSES % 2
    each = torch.ones(9) if weights is None else weights[binary]
    torch.testing.assert_close(
        squared_error("binary", ONE, binary, class_weight=weights),
        ((torch.sigmoid(ONE[:, 0]) - binary) ** 2 * each).mean(),
    )


def test_each_task_has_its_objectives() -> None:
    assert find_objective("binary", "auto") == "cross-entropy"
    assert find_objective("regression", "auto") == "squared-error"
    assert find_objective("multiclass", "squared-error") == "squared-error"
    wrong: list[tuple[TaskKind, str]] = [("regression", "cross-entropy"), ("binary", "hinge")]
    for task, name in wrong:
        with pytest.raises(InputError, match=f"needed for {task}, '{name}' found"):
            find_objective(task, name)


@pytest.mark.parametrize("minimised", [objective, squared_error])
@pytest.mark.parametrize(("task", "width"), [("binary", 1), ("multiclass", 3), ("regression", 2)])
def test_no_rows_have_no_loss_and_teach_nothing(minimised, task: Any, width) -> None:
    """What a process has where the others have all that is left of an epoch."""
    layer = torch.nn.Linear(4, width)
    targets = torch.zeros(0, 2) if task == "regression" else torch.zeros(0, dtype=torch.int64)
    loss = minimised(task, layer(torch.zeros(0, 4)), targets)
    loss.backward()
    assert loss == 0
    assert all(p.grad is not None and not p.grad.any() for p in layer.parameters())
