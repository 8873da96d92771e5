"""The registry of ops: one `Case` for each, from which contract tests and `bionn check` draw.

A new op needs one entry in `CASES`; every property then covers it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as T
from torch import Tensor

from bionn import functional as F
from bionn.certify import refusals, samples
from bionn.certify.samples import Builder, none
from bionn.ops import reference


@dataclass(frozen=True)
class Case:
    """All that a check has to know of one op.

    Attributes:
        name: The op's name on every storey.
        function: The function of `bionn.functional`.
        oracle: Its textbook formula, from `bionn.ops.reference`.
        twin: torch's function with the same arguments.
        samples: Moderate inputs, away from kinks.
        extremes: Inputs at the ends of the number range, whose values and gradients equal torch's.
        errors: Calls that torch refuses.
        differentiable: False where the gradient is zero by definition.
    """

    name: str
    function: Callable[..., Tensor]
    oracle: Callable[..., Tensor]
    twin: Callable[..., Tensor]
    samples: Builder
    extremes: Builder = field(default=none)
    errors: Builder = field(default=none)
    differentiable: bool = True


def onehot_twin(
    codes: Tensor, weight: Tensor, bias: Tensor | None = None, *, table: Tensor | None = None
) -> Tensor:
    """What a user of torch writes: expand to one-hot, flatten, linear."""
    onehot = codes
    if not codes.is_floating_point():
        if table is None:
            table = torch.eye(weight.shape[1] + 1, weight.shape[1], device=weight.device)
        onehot = T.embedding(codes.long(), table.to(weight.dtype)).transpose(-1, -2)
    return T.linear(onehot.flatten(-2), weight.flatten(1), bias)


def half_squared_twin(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Half of torch's squared error."""
    return T.mse_loss(input, target, reduction=reduction) / 2


_TRY_SLOPE = ({}, {"negative_slope": 0.3})
CASES: tuple[Case, ...] = (
    Case(
        "linear",
        F.linear,
        reference.linear,
        T.linear,
        samples.linear,
        errors=refusals.linear,
    ),
    Case(
        "onehot_linear",
        F.onehot_linear,
        reference.onehot_linear,
        onehot_twin,
        samples.onehot_linear,
        errors=refusals.onehot_linear,
    ),
    Case(
        "sigmoid",
        F.sigmoid,
        reference.sigmoid,
        torch.sigmoid,
        samples.elementwise(),
        samples.far(*samples.ENDS),
    ),
    Case(
        "tanh",
        F.tanh,
        reference.tanh,
        torch.tanh,
        samples.elementwise(),
        samples.far(*samples.ENDS),
    ),
    Case(
        "relu",
        F.relu,
        reference.relu,
        T.relu,
        samples.elementwise(),
        samples.far(0.0, *samples.ENDS[:-1]),
    ),
    Case(
        "leaky_relu",
        F.leaky_relu,
        reference.leaky_relu,
        T.leaky_relu,
        samples.elementwise(*_TRY_SLOPE, {"negative_slope": 2.0}),
        samples.far(0.0, *samples.ENDS),
    ),
    Case(
        "elu",
        F.elu,
        reference.elu,
        T.elu,
        samples.elementwise({}, {"alpha": 0.5}),
        samples.far(0.0, *samples.ENDS[:-1]),
    ),
    Case(
        "softplus",
        F.softplus,
        reference.softplus,
        T.softplus,
        samples.elementwise({}, {"beta": 2.0, "threshold": 1.0}, {"beta": 0.5, "threshold": -0.2}),
        samples.far(0.0, *samples.ENDS),
    ),
    Case(
        "gelu",
        F.gelu,
        reference.gelu,
        T.gelu,
        samples.elementwise({}, {"approximate": "tanh"}),
        samples.far(0.0, *samples.FINITE),  # torch's own gelu(inf) is NaN
        errors=refusals.gelu,
    ),
    Case(
        "silu",
        F.silu,
        reference.silu,
        T.silu,
        samples.elementwise(),
        samples.far(0.0, *samples.ENDS),
    ),
    Case(
        "step",
        F.step,
        reference.step,
        lambda input: torch.heaviside(input, input.new_zeros(())),
        samples.elementwise(),
        samples.far(0.0, *samples.ENDS),
        differentiable=False,
    ),
    Case(
        "softmax",
        F.softmax,
        reference.softmax,
        T.softmax,
        samples.softmax,
        samples.softmax_ends,
        errors=refusals.softmax,
    ),
    Case(
        "log_softmax",
        F.log_softmax,
        reference.log_softmax,
        T.log_softmax,
        samples.softmax,
        samples.softmax_ends,
        errors=refusals.softmax,
    ),
    Case(
        "mse_loss",
        F.mse_loss,
        reference.mse_loss,
        T.mse_loss,
        samples.mse,
        samples.far_pair,
        errors=refusals.mse,
    ),
    Case(
        "half_squared_error",
        F.half_squared_error,
        reference.half_squared_error,
        half_squared_twin,
        samples.squared,
        samples.far_pair,
        errors=refusals.squared,
    ),
    Case(
        "binary_cross_entropy",
        F.binary_cross_entropy,
        reference.binary_cross_entropy,
        T.binary_cross_entropy,
        samples.bce,
        samples.bce_ends,
        errors=refusals.bce,
    ),
    Case(
        "binary_cross_entropy_with_logits",
        F.binary_cross_entropy_with_logits,
        reference.binary_cross_entropy_with_logits,
        T.binary_cross_entropy_with_logits,
        samples.bce_logits,
        samples.bce_logits_ends,
        errors=refusals.bce_logits,
    ),
    Case(
        "cross_entropy",
        F.cross_entropy,
        reference.cross_entropy,
        T.cross_entropy,
        samples.cross_entropy,
        samples.cross_entropy_ends,
        errors=refusals.cross_entropy,
    ),
)
