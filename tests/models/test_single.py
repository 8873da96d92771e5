"""One-layer models: shapes, zero weights at first, and the closed-form optimum of least squares."""

import pytest
import torch

from bionn.models import LinearRegression, LogisticRegression, SoftmaxRegression

CASES = [
    (LinearRegression, {}, 1),
    (LinearRegression, {"out_features": 3}, 3),
    (LogisticRegression, {}, 1),
    (SoftmaxRegression, {"num_classes": 5}, 5),
]


@pytest.mark.parametrize(("cls", "arguments", "width"), CASES)
@pytest.mark.parametrize("in_features", [7, (4, 6)])
def test_logits_have_one_column_an_output_and_begin_at_zero(cls, arguments, width, in_features):
    model = cls(in_features, **arguments)
    shape = (8, 7) if in_features == 7 else (8, 6)
    inputs = torch.randn(shape) if in_features == 7 else torch.ones(shape, dtype=torch.uint8)
    assert torch.equal(model(inputs), torch.zeros(8, width))
    assert sorted(model.state_dict()) == ["linear.bias", "linear.weight"]


def test_the_gradient_vanishes_at_the_least_squares_solution() -> None:
    torch.manual_seed(0)
    inputs = torch.randn(50, 3, dtype=torch.float64)
    targets = torch.randn(50, 2, dtype=torch.float64)
    ones = torch.ones(50, 1, dtype=torch.float64)
    solution = torch.linalg.lstsq(torch.cat([inputs, ones], 1), targets).solution
    model = LinearRegression(3, 2).double()
    model.load_state_dict({"linear.weight": solution[:3].T, "linear.bias": solution[3]})
    torch.nn.functional.mse_loss(model(inputs), targets).backward()
    for parameter in model.parameters():
        torch.testing.assert_close(parameter.grad, torch.zeros_like(parameter))
