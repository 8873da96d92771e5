"""Accuracy in float32 where the plain formula loses its digits, against 50-digit arithmetic."""

import math
from collections.abc import Callable

import mpmath
import pytest
import torch

from bionn import functional as F

mpmath.mp.dps = 50


def ulps(actual: torch.Tensor, exact: list[mpmath.mpf]) -> float:
    """Largest distance to the exact numbers, in units of the last float32 place."""
    worst = 0.0
    for value, truth in zip(actual.detach().tolist(), exact, strict=True):
        place = 2.0 ** (math.floor(math.log2(abs(float(truth)))) - 23)
        worst = max(worst, abs(float(mpmath.mpf(value) - truth)) / place)
    return worst


def log_softmax_exact(row: torch.Tensor) -> list[mpmath.mpf]:
    powers = [mpmath.exp(mpmath.mpf(z)) for z in row.tolist()]
    return [mpmath.log(power / sum(powers)) for power in powers]


GAPS = [0.1, 1.0, 5.0, 10.0, 16.0, 30.0, 60.0]


@pytest.mark.parametrize("gap", GAPS)
def test_log_softmax_keeps_its_digits_next_to_zero(gap: float) -> None:
    row = torch.tensor([gap, 0.0, -0.5, 0.25])
    assert ulps(F.log_softmax(row, 0), log_softmax_exact(row)) < 10


@pytest.mark.parametrize("gap", GAPS)
def test_cross_entropy_of_a_confident_right_answer_keeps_its_digits(gap: float) -> None:
    row = torch.tensor([[gap, 0.0, -0.5, 0.25]], requires_grad=True)
    loss = F.cross_entropy(row, torch.tensor([0]))
    exact = log_softmax_exact(row[0])
    assert ulps(loss.reshape(1), [-exact[0]]) < 10
    (gradient,) = torch.autograd.grad(loss, row)
    # dJ/dz = y - y*, whose first entry is minus the sum of the other probabilities
    others = [mpmath.exp(log) for log in exact[1:]]
    assert ulps(gradient[0], [-sum(others), *others]) < 20


@pytest.mark.parametrize("z", [-80.0, -30.0, -17.0, -3.0, 0.5, 3.0, 17.0, 30.0, 80.0])
@pytest.mark.parametrize("target", [0.0, 1.0])
def test_binary_cross_entropy_with_logits_keeps_its_digits(z: float, target: float) -> None:
    logit = torch.tensor([z], requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(logit, torch.tensor([target]))
    (gradient,) = torch.autograd.grad(loss, logit)
    signed = mpmath.mpf(z if target == 0 else -z)
    assert ulps(loss.reshape(1), [mpmath.log1p(mpmath.exp(signed))]) < 4
    sign = 1 if target == 0 else -1
    assert ulps(gradient, [sign / (1 + mpmath.exp(-signed))]) < 4


@pytest.mark.parametrize("z", [-12.0, -6.0, -4.0, -1.0, 0.5, 3.0])
def test_gelu_keeps_its_digits_in_the_left_tail(z: float) -> None:
    exact = mpmath.mpf(z) * mpmath.ncdf(z)
    # The error of rounding z / sqrt 2 is magnified by the slope of log erfc, about z^2.
    assert ulps(F.gelu(torch.tensor([z])), [exact]) < 4 + 2 * z * z


@pytest.mark.parametrize("beta", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("z", [-25.0, -10.0, -1.0, 0.5, 4.0])
def test_softplus_keeps_its_digits_in_the_left_tail(z: float, beta: float) -> None:
    exact = mpmath.log1p(mpmath.exp(mpmath.mpf(beta) * z)) / beta
    assert ulps(F.softplus(torch.tensor([z]), beta), [exact]) < 4


@pytest.mark.parametrize("z", [-1e-3, -1e-6, -1e-12])
def test_elu_keeps_its_digits_next_to_zero(z: float) -> None:
    value = torch.tensor([z])
    assert ulps(F.elu(value), [mpmath.expm1(mpmath.mpf(value.item()))]) < 2


def test_tanh_is_within_2_ulp_of_the_rounded_result_at_every_size() -> None:
    infinity = 0x7F800000  # the numbers of one sign are in the order of their bits
    z = torch.arange(0, infinity + 1, 1009, dtype=torch.int32).view(torch.float32)
    value, exact = F.tanh(z), torch.tanh(z.double()).float()
    assert (value.view(torch.int32) - exact.view(torch.int32)).abs().max() <= 2
    assert torch.equal(F.tanh(-z).view(torch.int32), (-value).view(torch.int32))


@pytest.mark.parametrize(
    ("function", "limits"),
    [
        (F.sigmoid, (0.0, 1.0)),
        (F.tanh, (-1.0, 1.0)),
        (F.softplus, (0.0, 1e4)),
        (F.gelu, (0.0, 1e4)),
        (F.silu, (0.0, 1e4)),
        (F.elu, (-1.0, 1e4)),
    ],
)
def test_far_from_zero_activations_reach_their_limits_with_finite_derivatives(
    function: Callable[[torch.Tensor], torch.Tensor], limits: tuple[float, float]
) -> None:
    z = torch.tensor([-1e4, 1e4], requires_grad=True)
    output = function(z)
    torch.testing.assert_close(output.detach(), torch.tensor(limits))
    (first,) = torch.autograd.grad(output.sum(), z, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), z)
    assert first.isfinite().all()
    assert torch.equal(second, torch.zeros(2))


def test_gelu_of_infinity_is_infinity() -> None:
    assert F.gelu(torch.tensor([math.inf])).item() == math.inf


def test_relu_stops_an_infinite_gradient_where_the_unit_is_off() -> None:
    z = torch.tensor([-1.0, 0.0, 4.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(F.relu(z).sqrt().sum(), z)
    torch.testing.assert_close(gradient, torch.tensor([0.0, 0.0, 0.25]))


def test_bfloat16_is_rounded_once() -> None:
    z = torch.linspace(-4, 4, 101)
    for function in (F.gelu, F.silu, F.softplus, lambda z: F.elu(z, 0.7)):
        exact = function(z.bfloat16().float()).bfloat16()
        assert torch.equal(function(z.bfloat16()), exact)
