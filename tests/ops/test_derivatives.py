"""First and second derivatives of the activations and losses against their closed forms."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from bionn import functional as F

# torch goes against its own advice where it loads forward mode.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.*is deprecated.*")

Z = torch.tensor([-4.0, -1.3, -0.2, 0.3, 0.9, 3.5], dtype=torch.float64)
ON = (Z > 0).double()
SIGMA = 1 / (1 + torch.exp(-Z))
TANH = 1 - 2 / (torch.exp(2 * Z) + 1)
DENSITY = torch.exp(-Z * Z / 2) / math.sqrt(2 * math.pi)
PHI = (1 + torch.erf(Z / math.sqrt(2))) / 2
STEEP = 1 / (1 + torch.exp(-3 * Z))


@pytest.mark.parametrize(
    ("function", "first", "second"),
    [
        (F.sigmoid, SIGMA * (1 - SIGMA), SIGMA * (1 - SIGMA) * (1 - 2 * SIGMA)),
        (F.tanh, 1 - TANH**2, -2 * TANH * (1 - TANH**2)),
        (F.relu, ON, 0 * Z),
        (lambda z: F.leaky_relu(z, 0.2), ON + (1 - ON) * 0.2, 0 * Z),
        (F.elu, ON + (1 - ON) * Z.exp(), (1 - ON) * Z.exp()),
        (lambda z: F.elu(z, 0.5), ON + (1 - ON) * Z.exp() / 2, (1 - ON) * Z.exp() / 2),
        (lambda z: F.softplus(z, 3), STEEP, 3 * STEEP * (1 - STEEP)),
        (F.gelu, PHI + Z * DENSITY, (2 - Z * Z) * DENSITY),
        (F.silu, SIGMA * (1 + Z * (1 - SIGMA)), SIGMA * (1 - SIGMA) * (2 + Z * (1 - 2 * SIGMA))),
    ],
    ids=["sigmoid", "tanh", "relu", "leaky", "elu", "elu .5", "softplus", "gelu", "silu"],
)
def test_activations_have_the_derivatives_of_the_table(
    function: Callable[[Tensor], Tensor], first: Tensor, second: Tensor
) -> None:
    z = Z.clone().requires_grad_()
    (slope,) = torch.autograd.grad(function(z).sum(), z, create_graph=True)
    torch.testing.assert_close(slope.detach(), first)
    (curvature,) = torch.autograd.grad(slope.sum(), z)
    torch.testing.assert_close(curvature, second)


def test_softmax_has_the_jacobian_of_a_multinomial() -> None:
    y = torch.softmax(Z, 0)
    expected = torch.diag(y) - torch.outer(y, y)
    jacobian = torch.func.jacrev(lambda z: F.softmax(z, 0))(Z)
    torch.testing.assert_close(jacobian, expected)


def test_log_softmax_has_minus_that_jacobian_as_second_derivative_of_each_entry() -> None:
    y = torch.softmax(Z, 0)
    expected = -(torch.diag(y) - torch.outer(y, y))
    for k in range(len(Z)):
        hessian = torch.func.hessian(lambda z, k=k: F.log_softmax(z, 0)[k])(Z)
        torch.testing.assert_close(hessian, expected)


def test_cross_entropy_has_prediction_minus_target_and_the_same_hessian_for_any_label() -> None:
    y = torch.softmax(Z, 0)
    for label in range(len(Z)):

        def loss(z: Tensor, label: int = label) -> Tensor:
            return F.cross_entropy(z, torch.tensor(label))

        residual = y - torch.eye(len(Z), dtype=torch.float64)[label]
        torch.testing.assert_close(torch.func.grad(loss)(Z), residual)
        hessian = torch.func.hessian(loss)(Z)
        torch.testing.assert_close(hessian, torch.diag(y) - torch.outer(y, y))


@pytest.mark.parametrize("pos_weight", [1.0, 2.5])
def test_binary_cross_entropy_with_logits_has_its_closed_derivatives(pos_weight: float) -> None:
    target = torch.linspace(0, 1, len(Z), dtype=torch.float64)
    p = torch.tensor(pos_weight, dtype=torch.float64)
    z = Z.clone().requires_grad_()
    loss = F.binary_cross_entropy_with_logits(z, target, reduction="sum", pos_weight=p)
    (slope,) = torch.autograd.grad(loss, z, create_graph=True)
    expected = (1 - target) * SIGMA - pos_weight * target * (1 - SIGMA)
    torch.testing.assert_close(slope.detach(), expected)
    (curvature,) = torch.autograd.grad(slope.sum(), z)
    expected = ((1 - target) + pos_weight * target) * SIGMA * (1 - SIGMA)
    torch.testing.assert_close(curvature, expected)


def test_binary_cross_entropy_has_its_closed_derivatives() -> None:
    y = SIGMA.clone().requires_grad_()
    target = torch.linspace(0, 1, len(Z), dtype=torch.float64)
    (slope,) = torch.autograd.grad(
        F.binary_cross_entropy(y, target, reduction="sum"), y, create_graph=True
    )
    torch.testing.assert_close(slope.detach(), -target / SIGMA + (1 - target) / (1 - SIGMA))
    (curvature,) = torch.autograd.grad(slope.sum(), y)
    torch.testing.assert_close(curvature, target / SIGMA**2 + (1 - target) / (1 - SIGMA) ** 2)
