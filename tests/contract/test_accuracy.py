"""Accuracy of every activation and loss and of its slope, against 50-digit arithmetic; a table."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import mpmath
import pytest
import torch
import torch.nn.functional as T
from mpmath import mpf
from torch import Tensor

from bionn import functional as F

mpmath.mp.dps = 50


def ulps(actual: Tensor, exact: list[mpf]) -> float:
    """Largest distance to the exact numbers, in units of the last place of the dtype."""
    info = torch.finfo(actual.dtype)
    worst = 0.0
    for value, truth in zip(actual.detach().flatten().tolist(), exact, strict=True):
        exponent = mpmath.frexp(truth)[1] - 1 if truth else 0
        place = max(mpmath.ldexp(mpf(info.eps), exponent), mpf(info.tiny) * mpf(info.eps))
        worst = max(worst, float(abs(mpf(value) - truth) / place))
    return worst


def sigma(z: mpf) -> mpf:
    return 1 / (1 + mpmath.exp(-z))


def density(z: mpf) -> mpf:
    return mpmath.exp(-z * z / 2) / mpmath.sqrt(2 * mpmath.pi)


def inner(z: mpf) -> mpf:
    # with the constant as a float64 has it
    return mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (z + mpf(0.044715) * z**3))


def inner_slope(z: mpf) -> mpf:
    return (1 - inner(z) ** 2) * mpmath.sqrt(2 / mpmath.pi) * (1 + 3 * mpf(0.044715) * z * z)


class Subject(NamedTuple):
    """A function of numbers: ours, torch's, and the truth of its value and slope.

    ``flat`` is where the slope changes sign: about it, no formula in floating point has digits.
    """

    name: str
    ours: Callable[..., Tensor]
    theirs: Callable[..., Tensor]
    value: Callable[..., mpf]
    slope: Callable[..., mpf]
    flat: float = math.inf


ACTIVATIONS = [
    Subject("sigmoid", F.sigmoid, torch.sigmoid, sigma, lambda z: sigma(z) * sigma(-z)),
    Subject("tanh", F.tanh, torch.tanh, mpmath.tanh, lambda z: mpmath.sech(z) ** 2),
    Subject("relu", F.relu, T.relu, lambda z: max(z, mpf(0)), lambda z: mpf(z > 0)),
    Subject(
        "leaky_relu",
        lambda z: F.leaky_relu(z, 0.25),
        lambda z: T.leaky_relu(z, 0.25),
        lambda z: z if z > 0 else z / 4,
        lambda z: mpf(1) if z > 0 else mpf(0.25),
    ),
    Subject(
        "elu",
        F.elu,
        T.elu,
        lambda z: z if z > 0 else mpmath.expm1(z),
        lambda z: mpf(1) if z > 0 else mpmath.exp(z),
    ),
    Subject(
        "softplus",
        lambda z: F.softplus(z, threshold=1e3),
        lambda z: T.softplus(z, threshold=1e3),
        lambda z: mpmath.log1p(mpmath.exp(z)),
        sigma,
    ),
    Subject(
        "gelu",
        F.gelu,
        T.gelu,
        lambda z: z * mpmath.ncdf(z),
        lambda z: mpmath.ncdf(z) + z * density(z),
        flat=-0.752,
    ),
    Subject(
        "gelu tanh",
        lambda z: F.gelu(z, "tanh"),
        lambda z: T.gelu(z, approximate="tanh"),
        lambda z: z * (1 + inner(z)) / 2,
        lambda z: (1 + inner(z) + z * inner_slope(z)) / 2,
        flat=-0.752,
    ),
    Subject(
        "silu",
        F.silu,
        T.silu,
        lambda z: z * sigma(z),
        lambda z: sigma(z) * (1 + z * sigma(-z)),
        flat=-1.278,
    ),
]


def softplus_exact(z: mpf) -> mpf:
    return mpmath.log1p(mpmath.exp(z))


PAIR_LOSSES = [
    Subject(
        "mse_loss", F.mse_loss, T.mse_loss, lambda y, t: (y - t) ** 2, lambda y, t: 2 * (y - t)
    ),
    Subject(
        "half_squared_error",
        F.half_squared_error,
        lambda y, t, reduction: T.mse_loss(y, t, reduction=reduction) / 2,
        lambda y, t: (y - t) ** 2 / 2,
        lambda y, t: y - t,
    ),
    Subject(
        "binary_cross_entropy",
        F.binary_cross_entropy,
        T.binary_cross_entropy,
        lambda y, t: -(t * mpmath.log(y) + (1 - t) * mpmath.log1p(-y)),
        lambda y, t: (y - t) / (y * (1 - y)),
    ),
    Subject(
        "binary_cross_entropy_with_logits",
        F.binary_cross_entropy_with_logits,
        T.binary_cross_entropy_with_logits,
        lambda z, t: t * softplus_exact(-z) + (1 - t) * softplus_exact(z),
        lambda z, t: (1 - t) * sigma(z) - t * sigma(-z),
    ),
]


def numbers(dtype: torch.dtype) -> Tensor:
    """Numbers of both signs, log-spaced from 1e-6 to 80, and random ones about 0."""
    spaced = torch.logspace(-6, math.log10(80), 60, dtype=torch.float64)
    random = torch.randn(80, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 4
    return torch.cat([spaced, -spaced, random]).to(dtype)


def pairs(name: str, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Predictions and targets such as a loss takes."""
    input = numbers(dtype)
    uniform = torch.rand(len(input), generator=torch.Generator().manual_seed(1), dtype=dtype)
    if name in ("mse_loss", "half_squared_error"):
        return input, uniform * 10 - 5
    # targets 0, 1 and between
    target = torch.where(torch.arange(len(input)) % 3 < 2, uniform.round(), uniform)
    return (torch.sigmoid(input / 8) if name == "binary_cross_entropy" else input), target


def rows(dtype: torch.dtype) -> Tensor:
    """Logits, from all alike to one far ahead."""
    generator = torch.Generator().manual_seed(2)
    noise = torch.randn(60, 4, generator=generator, dtype=torch.float64)
    gaps = torch.logspace(-3, math.log10(60), 60, dtype=torch.float64)
    return (noise + gaps[:, None] * torch.tensor([1.0, 0, 0, 0])).to(dtype)


class Line(NamedTuple):
    """A line of the table: errors in units of the last place, ours and torch's."""

    name: str
    dtype: torch.dtype
    value: float
    torchs_value: float
    gradient: float
    torchs_gradient: float


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[list[Line]]:
    """Collects lines; prints them when the last test of this file is done."""
    lines: list[Line] = []
    yield lines
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(
            f"\n\n{'largest error in ulp':<36}{'value':>10}{'torch':>10}{'slope':>10}{'torch':>10}"
        )
        for line in lines:
            name = f"{line.name} {str(line.dtype).removeprefix('torch.')}"
            if len(name) > 35:
                name = name.replace("binary_cross_entropy", "bce")
            print(f"{name:<36}" + "".join(f"{error:>10.3g}" for error in line[2:]))


def differentiate(function: Callable[..., Tensor], input: Tensor, *rest: Tensor) -> list[Tensor]:
    leaf = input.detach().requires_grad_()
    output = function(leaf, *rest)
    return [output.detach(), *torch.autograd.grad(output.sum(), leaf)]


def judge(line: Line, table: list[Line]) -> None:
    table.append(line)
    assert line.value <= max(2, line.torchs_value), line
    assert line.gradient <= max(2, line.torchs_gradient), line


DTYPES = pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64], ids=["float32", "float64"]
)


@DTYPES
@pytest.mark.parametrize("subject", ACTIVATIONS, ids=lambda subject: subject.name)
def test_activations_are_right_to_2_ulp_or_as_torchs(
    subject: Subject, dtype: torch.dtype, table: list[Line]
) -> None:
    input = numbers(dtype)
    input = input[(input - subject.flat).abs() > 0.1]
    exact = [[f(mpf(z)) for z in input.tolist()] for f in (subject.value, subject.slope)]
    errors = [
        ulps(found, truth)
        for index, truth in enumerate(exact)
        for found in (differentiate(f, input)[index] for f in (subject.ours, subject.theirs))
    ]
    judge(Line(subject.name, dtype, *errors), table)


@DTYPES
@pytest.mark.parametrize("subject", PAIR_LOSSES, ids=lambda subject: subject.name)
def test_losses_are_right_to_2_ulp_or_as_torchs(
    subject: Subject, dtype: torch.dtype, table: list[Line]
) -> None:
    input, target = pairs(subject.name, dtype)
    given = list(zip(map(mpf, input.tolist()), map(mpf, target.tolist()), strict=True))
    exact = [[f(y, t) for y, t in given] for f in (subject.value, subject.slope)]
    each = [lambda y, t, f=f: f(y, t, reduction="none") for f in (subject.ours, subject.theirs)]
    errors = [
        ulps(found, truth)
        for index, truth in enumerate(exact)
        for found in (differentiate(f, input, target)[index] for f in each)
    ]
    judge(Line(subject.name, dtype, *errors), table)


@DTYPES
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "cross_entropy"])
def test_softmax_and_its_loss_are_right_to_2_ulp_or_as_torchs(
    name: str, dtype: torch.dtype, table: list[Line]
) -> None:
    input, label = rows(dtype), torch.arange(60) % 2
    pick = T.one_hot(label, 4).to(dtype)  # what the gradient of softmax is taken of: one entry
    shares = []
    for row in input.tolist():
        powers = [mpmath.exp(mpf(z)) for z in row]
        shares.append([power / sum(powers) for power in powers])
    labelled = list(zip(shares, label.tolist(), strict=True))
    if name == "softmax":
        value = [y for row in shares for y in row]
        slope = [row[t] * ((k == t) - row[k]) for row, t in labelled for k in range(4)]
    else:
        value = [mpmath.log(y) for row in shares for y in row]
        slope = [(k == t) - row[k] for row, t in labelled for k in range(4)]
    if name == "cross_entropy":
        value = [-mpmath.log(row[t]) for row, t in labelled]
        slope = [-number for number in slope]
    found = []
    for room in (F, T):
        function = getattr(room, name)
        leaf = input.detach().requires_grad_()
        if name == "cross_entropy":
            output = function(leaf, label, reduction="none")
            gradient = torch.autograd.grad(output.sum(), leaf)[0]
        else:
            output = function(leaf, 1)
            gradient = torch.autograd.grad(output, leaf, pick)[0]
        found.append((output.detach(), gradient))
    errors = [
        ulps(pair[index], truth) for index, truth in enumerate((value, slope)) for pair in found
    ]
    judge(Line(name, dtype, *errors), table)
