"""Links and objectives against torch's own functions."""

import pytest
import torch
from torch.nn import functional as TF

from bionn.models.heads import link, objective

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
