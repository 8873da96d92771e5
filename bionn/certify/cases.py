"""The registry of ops: one `Case` for each, from which contract tests and `bionn check` draw.

A new op needs one entry in `CASES`; every check then covers it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
import torch.nn.functional as T
from torch import Tensor

from bionn import functional as F
from bionn.ops import reference


class Sample(NamedTuple):
    """One call of an op: its arguments, and which of the positional ones carry a gradient."""

    label: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = MappingProxyType({})
    differentiable: tuple[int, ...] = (0,)


class Maker:
    """Draws small tensors of one dtype from one generator, so that samples repeat exactly."""

    def __init__(self, dtype: torch.dtype, seed: int = 0) -> None:
        self.dtype = dtype
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, *shape: int) -> Tensor:
        """Draw from the standard normal, pushed away from 0, where some activations have a kink."""
        draw = torch.randn(shape, generator=self.generator, dtype=torch.float64)
        return (draw + 0.05 * draw.sign()).to(self.dtype)

    def unit(self, *shape: int) -> Tensor:
        """Draw from the interval [.1, .9]."""
        draw = torch.rand(shape, generator=self.generator, dtype=torch.float64)
        return (0.1 + 0.8 * draw).to(self.dtype)

    def simplex(self, *shape: int, dim: int) -> Tensor:
        """Draw probabilities that sum to 1 along a dimension."""
        draw = torch.randn(shape, generator=self.generator, dtype=torch.float64)
        return torch.softmax(draw, dim).to(self.dtype)

    def integers(self, below: int, *shape: int) -> Tensor:
        """Draw int64 in [0, below)."""
        return torch.randint(below, shape, generator=self.generator)

    def values(self, *numbers: float) -> Tensor:
        """Make a vector of the given numbers."""
        return torch.tensor(numbers, dtype=self.dtype)


Builder = Callable[[Maker], Iterator[Sample]]


def _none(make: Maker) -> Iterator[Sample]:
    return iter(())


@dataclass(frozen=True)
class Case:
    """All that a check has to know of one op.

    Attributes:
        name: The op's name on every storey.
        function: The function of `bionn.functional`.
        oracle: Its textbook formula, from `bionn.ops.reference`.
        twin: torch's function with the same arguments.
        samples: Moderate inputs, away from kinks, for values and derivatives.
        extremes: Inputs at the ends of the number range, whose values and gradients equal torch's.
        differentiable: False where the gradient is zero by definition.
    """

    name: str
    function: Callable[..., Tensor]
    oracle: Callable[..., Tensor]
    twin: Callable[..., Tensor]
    samples: Builder
    extremes: Builder = field(default=_none)
    differentiable: bool = True


def _elementwise(*options: dict[str, Any]) -> Builder:
    def build(make: Maker) -> Iterator[Sample]:
        for kwargs in options or ({},):
            name = ",".join(f"{key}={value}" for key, value in kwargs.items()) or "plain"
            yield Sample(f"{name} matrix", (make.normal(3, 4),), kwargs)
        yield Sample("scalar", (make.normal(),))
        yield Sample("empty", (make.normal(0, 3),))
        yield Sample("transposed", (make.normal(2, 3, 4).transpose(0, 2),))
        yield Sample("expanded", (make.normal(3, 1).expand(3, 2),))

    return build


def _far(*numbers: float) -> Builder:
    def build(make: Maker) -> Iterator[Sample]:
        yield Sample("far", (make.values(*numbers),))

    return build


_FINITE = (-1e4, -100.0, -1e-30, 1e-30, 100.0, 1e4)
_ENDS = (*_FINITE, float("inf"), float("-inf"), float("nan"))


def _softmax(make: Maker) -> Iterator[Sample]:
    yield Sample("rows", (make.normal(3, 4),), {"dim": 1})
    yield Sample("columns", (make.normal(3, 4).t(),), {"dim": 0})
    yield Sample("middle", (make.normal(2, 3, 2),), {"dim": -2})
    yield Sample("ties", (make.normal(2, 1).expand(2, 3),), {"dim": 1})
    yield Sample("one class", (make.normal(2, 1),), {"dim": 1})
    yield Sample("scalar", (make.normal(),), {"dim": 0})
    yield Sample("no classes", (make.normal(2, 0),), {"dim": 1})
    yield Sample("no rows", (make.normal(0, 3),), {"dim": 1})


def _softmax_ends(make: Maker) -> Iterator[Sample]:
    inf, nan = float("inf"), float("nan")
    rows = [(1e4, -1e4, 0.0), (-1e4, -1e4, -1e4), (inf, 0, 1), (-inf, 0, 1), (nan, 0, 1)]
    for row in [*rows, (-inf, -inf, -inf), (88.0, 0.0, -88.0)]:
        yield Sample(f"{row}", (make.values(*row),), {"dim": 0})


def _linear(make: Maker) -> Iterator[Sample]:
    yield Sample("batch", (make.normal(3, 4), make.normal(2, 4), make.normal(2)), {}, (0, 1, 2))
    yield Sample("no bias", (make.normal(3, 4), make.normal(2, 4)), {}, (0, 1))
    yield Sample("vector", (make.normal(4), make.normal(2, 4), make.normal(2)), {}, (0, 1, 2))
    deep = (make.normal(4, 2, 3).transpose(0, 2), make.normal(4, 2).t(), make.normal(2))
    yield Sample("deep and transposed", deep, {}, (0, 1, 2))
    yield Sample("one neuron", (make.normal(3, 4), make.normal(4)), {}, (0, 1))
    yield Sample("empty batch", (make.normal(0, 4), make.normal(2, 4), make.normal(2)), {}, (0, 1))
    yield Sample("no inputs", (make.normal(3, 0), make.normal(2, 0), make.normal(2)), {}, (1, 2))
    yield Sample("no outputs", (make.normal(3, 4), make.normal(0, 4), make.normal(0)), {}, (0, 1))


def _onehot_linear(make: Maker) -> Iterator[Sample]:
    weight, bias = make.normal(2, 4, 3), make.normal(2)
    major = make.normal(3, 4, 2).permute(2, 1, 0)
    codes = make.integers(5, 4, 3)
    table = make.unit(7, 4)
    yield Sample("int64", (codes, weight, bias), {}, (1, 2))
    yield Sample("uint8", (codes.to(torch.uint8), major, bias), {}, (1, 2))
    yield Sample("no bias", (codes, weight), {}, (1,))
    yield Sample("table", (make.integers(7, 4, 3), major, bias), {"table": table}, (1, 2))
    yield Sample("one sequence", (codes[0], weight, bias), {}, (1, 2))
    yield Sample("deep", (make.integers(5, 2, 2, 3), weight, bias), {}, (1, 2))
    yield Sample("empty batch", (codes[:0], weight, bias), {}, (1, 2))


def onehot_twin(
    codes: Tensor, weight: Tensor, bias: Tensor | None = None, *, table: Tensor | None = None
) -> Tensor:
    """What a user of torch writes: expand to one-hot, flatten, linear."""
    if table is None:
        table = torch.eye(weight.shape[1] + 1, weight.shape[1])
    onehot = T.embedding(codes.long(), table.to(weight.dtype)).transpose(-1, -2)
    return T.linear(onehot.flatten(-2), weight.flatten(1), bias)


def half_squared_twin(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Half of torch's squared error."""
    return T.mse_loss(input, target, reduction=reduction) / 2


_REDUCTIONS = ("mean", "sum", "none")


def _squared(make: Maker) -> Iterator[Sample]:
    for reduction in _REDUCTIONS:
        args = (make.normal(3, 4), make.normal(3, 4))
        yield Sample(reduction, args, {"reduction": reduction}, (0, 1))
    yield Sample("scalar", (make.normal(), make.normal()), {}, (0, 1))
    yield Sample("empty", (make.normal(0, 2), make.normal(0, 2)), {}, (0, 1))
    args = (make.normal(4, 3).t(), make.normal(3, 1).expand(3, 4))
    yield Sample("transposed and expanded", args, {}, (0, 1))


def _mse(make: Maker) -> Iterator[Sample]:
    yield from _squared(make)
    for reduction in _REDUCTIONS:
        kwargs = {"reduction": reduction, "weight": make.unit(3, 2)}
        yield Sample(
            f"weighted {reduction}", (make.normal(3, 2), make.normal(3, 2)), kwargs, (0, 1)
        )


def _far_pair(make: Maker) -> Iterator[Sample]:
    ends = make.values(*_ENDS)
    yield Sample("far", (ends, make.unit(len(_ENDS))), {"reduction": "none"})


def _bce(make: Maker) -> Iterator[Sample]:
    for reduction in _REDUCTIONS:
        kwargs = {"reduction": reduction, "weight": make.unit(4)}
        yield Sample(f"weighted {reduction}", (make.unit(3, 4), make.unit(3, 4)), kwargs, (0, 1))
    yield Sample("plain", (make.unit(4, 3).t(), make.unit(3, 4)), {}, (0, 1))
    yield Sample("scalar", (make.unit(), make.unit()), {}, (0, 1))
    yield Sample("empty", (make.unit(0, 2), make.unit(0, 2)), {}, (0, 1))


def _bce_ends(make: Maker) -> Iterator[Sample]:
    nothing, certain, half = make.values(0, 0, 0), make.values(1, 1, 1), make.values(0, 0.5, 1)
    yield Sample("probability 0", (nothing, half), {"reduction": "none"})
    yield Sample("probability 1", (certain, half), {"reduction": "none"})
    yield Sample("tiny", (make.values(1e-30, 1e-8, 1e-4), half), {"reduction": "none"})


def _bce_logits(make: Maker) -> Iterator[Sample]:
    for reduction in _REDUCTIONS:
        kwargs = {"reduction": reduction, "weight": make.unit(4), "pos_weight": make.unit(4) * 3}
        yield Sample(f"weighted {reduction}", (make.normal(3, 4), make.unit(3, 4)), kwargs, (0, 1))
    yield Sample("plain", (make.normal(4, 3).t(), make.unit(3, 4)), {}, (0, 1))
    yield Sample("scalar", (make.normal(), make.unit()), {}, (0, 1))
    yield Sample("empty", (make.normal(0, 2), make.unit(0, 2)), {}, (0, 1))


def _bce_logits_ends(make: Maker) -> Iterator[Sample]:
    for target in (0.0, 0.5, 1.0):
        # torch's own loss of an infinite logit is NaN unless the target is 0
        ends = make.values(*(_FINITE if target > 0 else _ENDS))
        args = (ends, torch.full_like(ends, target))
        yield Sample(f"target {target}", args, {"reduction": "none"})


def _cross_entropy(make: Maker) -> Iterator[Sample]:
    target = make.integers(4, 3)
    ignored = torch.tensor([2, 1, 0])
    for reduction in _REDUCTIONS:
        yield Sample(f"{reduction}", (make.normal(3, 4), target), {"reduction": reduction})
        kwargs = {"reduction": reduction, "weight": make.unit(4), "label_smoothing": 0.1}
        args = (make.normal(3, 4), ignored)
        yield Sample(f"smooth weighted {reduction}", args, {**kwargs, "ignore_index": 1})
        args = (make.normal(3, 4), make.simplex(3, 4, dim=1))
        yield Sample(f"probabilities {reduction}", args, kwargs, (0, 1))
    yield Sample("smooth", (make.normal(3, 4), target), {"label_smoothing": 0.3})
    yield Sample("bytes", (make.normal(3, 4), target.to(torch.uint8)))
    yield Sample("unbatched", (make.normal(4), torch.tensor(2)))
    args = (make.normal(4), make.simplex(4, dim=0), make.unit(4))
    yield Sample("unbatched probabilities", args, {}, (0, 1, 2))
    deep = make.normal(2, 2, 3).transpose(1, 2)
    yield Sample("deep", (deep, make.integers(3, 2, 2)), {"weight": make.unit(3)})
    args = (deep, make.simplex(2, 3, 2, dim=1), make.unit(3))
    yield Sample("deep probabilities", args, {}, (0, 1, 2))
    yield Sample("empty", (make.normal(0, 3), make.integers(3, 0)), {"reduction": "sum"})


def _cross_entropy_ends(make: Maker) -> Iterator[Sample]:
    for sample in _softmax_ends(make):
        for target in range(3):
            yield Sample(f"{sample.label} {target}", (sample.args[0], torch.tensor(target)))
    ignored = torch.tensor([1, 1])
    yield Sample("all ignored", (make.normal(2, 3), ignored), {"ignore_index": 1})


_TRY_SLOPE = ({}, {"negative_slope": 0.3})
CASES: tuple[Case, ...] = (
    Case("linear", F.linear, reference.linear, T.linear, _linear),
    Case(
        "onehot_linear",
        F.onehot_linear,
        reference.onehot_linear,
        onehot_twin,
        _onehot_linear,
    ),
    Case("sigmoid", F.sigmoid, reference.sigmoid, torch.sigmoid, _elementwise(), _far(*_ENDS)),
    Case("tanh", F.tanh, reference.tanh, torch.tanh, _elementwise(), _far(*_ENDS)),
    Case("relu", F.relu, reference.relu, T.relu, _elementwise(), _far(0.0, *_ENDS[:-1])),
    Case(
        "leaky_relu",
        F.leaky_relu,
        reference.leaky_relu,
        T.leaky_relu,
        _elementwise(*_TRY_SLOPE, {"negative_slope": 2.0}),
        _far(0.0, *_ENDS),
    ),
    Case(
        "elu",
        F.elu,
        reference.elu,
        T.elu,
        _elementwise({}, {"alpha": 0.5}),
        _far(0.0, *_ENDS[:-1]),
    ),
    Case(
        "softplus",
        F.softplus,
        reference.softplus,
        T.softplus,
        _elementwise({}, {"beta": 2.0, "threshold": 1.0}),
        _far(0.0, *_ENDS),
    ),
    Case(
        "gelu",
        F.gelu,
        reference.gelu,
        T.gelu,
        _elementwise({}, {"approximate": "tanh"}),
        _far(0.0, *_FINITE),  # torch's own gelu(inf) is NaN
    ),
    Case("silu", F.silu, reference.silu, T.silu, _elementwise(), _far(0.0, *_ENDS)),
    Case(
        "step",
        F.step,
        reference.step,
        lambda input: torch.heaviside(input, torch.zeros((), dtype=input.dtype)),
        _elementwise(),
        _far(0.0, *_ENDS),
        differentiable=False,
    ),
    Case("softmax", F.softmax, reference.softmax, T.softmax, _softmax, _softmax_ends),
    Case(
        "log_softmax",
        F.log_softmax,
        reference.log_softmax,
        T.log_softmax,
        _softmax,
        _softmax_ends,
    ),
    Case("mse_loss", F.mse_loss, reference.mse_loss, T.mse_loss, _mse, _far_pair),
    Case(
        "half_squared_error",
        F.half_squared_error,
        reference.half_squared_error,
        half_squared_twin,
        _squared,
        _far_pair,
    ),
    Case(
        "binary_cross_entropy",
        F.binary_cross_entropy,
        reference.binary_cross_entropy,
        T.binary_cross_entropy,
        _bce,
        _bce_ends,
    ),
    Case(
        "binary_cross_entropy_with_logits",
        F.binary_cross_entropy_with_logits,
        reference.binary_cross_entropy_with_logits,
        T.binary_cross_entropy_with_logits,
        _bce_logits,
        _bce_logits_ends,
    ),
    Case(
        "cross_entropy",
        F.cross_entropy,
        reference.cross_entropy,
        T.cross_entropy,
        _cross_entropy,
        _cross_entropy_ends,
    ),
)
