"""Losses of one number per element: squared errors and binary cross-entropies.

y is the prediction, y* the target, z a logit, J the loss; README.md derives the formulas. Each
Function ends in its reduction, so that the factor 1/n of a mean is part of the derivative here.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from bionn.kernels import nodes
from bionn.ops.base import (
    FunctionPair,
    forward_rule,
    readable,
    refuse_tangent,
    save,
    sum_to_shape,
    widen,
)

REDUCTIONS = ("none", "mean", "sum")
"""As torch numbers them, and ops of the library."""
_LOG_FLOOR = -100.0
_VARIANCE_FLOOR = 1e-12


def check_reduction(reduction: str) -> None:
    """Raise ValueError, as torch does, for an unknown reduction."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"{reduction} is not a valid value for reduction")


def check_constant(function: str, name: str, tensor: Tensor | None) -> None:
    """Raise RuntimeError, as torch does, if an argument without a derivative asks for one."""
    if tensor is not None and tensor.requires_grad:
        raise RuntimeError(
            f"The function '{function}' is not differentiable with respect to argument '{name}'; "
            f"pass {name}.detach()"
        )


def check_weight(function: str, name: str, weight: Tensor | None, input: Tensor) -> None:
    """Raise RuntimeError for a weight that asks for a gradient or does not broadcast to input."""
    check_constant(function, name, weight)
    if weight is None:
        return
    try:
        fits = torch.broadcast_shapes(weight.shape, input.shape) == input.shape
    except RuntimeError:
        fits = False
    if not fits:
        raise RuntimeError(
            f"{name} needs a shape that broadcasts to the input's {tuple(input.shape)}, "
            f"but has {tuple(weight.shape)}"
        )


def check_probabilities(name: str, values: Tensor) -> None:
    """Raise RuntimeError, as torch does, for values outside [0, 1], where they may be looked at."""
    if readable(values) and not bool(((values >= 0) & (values <= 1)).all()):
        raise RuntimeError(f"all elements of {name} should be between 0 and 1")


def reduce_loss(values: Tensor, reduction: str) -> Tensor:
    """Turn one value per element into the loss: ``"none"``, ``"mean"`` or ``"sum"``."""
    if reduction == "mean":
        return values.mean()
    return values.sum() if reduction == "sum" else values


def spread_gradient(grad: Tensor, values: Tensor, reduction: str) -> Tensor:
    """Return dJ/d(value) of a loss reduced from values like ``values``, ready to broadcast."""
    return grad / values.numel() if reduction == "mean" else grad


def compiled(
    name: str, input: Tensor, target: Tensor, reduction: str, constant: float = 0.0
) -> Tensor | None:
    """Apply a loss by the library's op of that name, or give None where it is not for that.

    It takes float32 of the CPU, of one shape.
    """
    if reduction not in REDUCTIONS or not nodes.reachable():
        return None
    return nodes.apply(name, (input, target), REDUCTIONS.index(reduction), constant)


def _squared_error_slope(
    grad: Tensor, input: Tensor, target: Tensor, reduction: str, factor: float
) -> Tensor:
    # dJ/dy = 2 factor (y - y*),  dJ/dy* = -dJ/dy
    error = widen(input) - widen(target)
    scale = spread_gradient(widen(grad), error, reduction) * (2 * factor)
    return (error * scale).to(input.dtype)


def _squared_error_chain(u: Tensor, *kept: Any) -> Tensor:
    input, target, reduction, factor = kept
    return _squared_error_slope(u, input, target, REDUCTIONS[int(reduction)], factor)


nodes.define_chain("squared_error", _squared_error_chain)
nodes.define_chain("squared_error_target", lambda *args: -_squared_error_chain(*args))


def _squared_error(name: str, factor: float) -> FunctionPair:
    """Make the pair of ``factor * (y - y*)^2``."""

    class Reverse(Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(input: Tensor, target: Tensor, reduction: str) -> Tensor:
            error = widen(input) - widen(target)
            return reduce_loss(error * error * factor, reduction).to(input.dtype)

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
            input, target, ctx.reduction = inputs
            save(ctx, input, target)

        @staticmethod
        def backward(ctx: Any, *grad_outputs: Any) -> Any:
            (grad,) = grad_outputs
            input, target = ctx.saved_tensors
            grad_input = grad_target = None
            if grad is None:
                return None, None, None
            slope = _squared_error_slope(grad, input, target, ctx.reduction, factor)
            if ctx.needs_input_grad[0]:
                grad_input = sum_to_shape(slope, input.shape)
            if ctx.needs_input_grad[1]:
                grad_target = sum_to_shape(-slope, target.shape)
            return grad_input, grad_target, None

    class Both(Reverse):
        @staticmethod
        def jvp(ctx: Any, *grad_inputs: Any) -> Any:
            with forward_rule(ctx) as (input, target):
                d_input, d_target, _ = grad_inputs
                # dJ = 2 factor (y - y*) (dy - dy*)
                error = widen(input) - widen(target)
                change = torch.zeros_like(error)
                if d_input is not None:
                    change = change + widen(d_input)
                if d_target is not None:
                    change = change - widen(d_target)
                return reduce_loss(error * change * (2 * factor), ctx.reduction).to(input.dtype)

    Reverse.__name__ = Reverse.__qualname__ = f"{name}Reverse"
    Both.__name__ = Both.__qualname__ = name
    return FunctionPair(Reverse, Both)


mse_loss = _squared_error("MSELoss", 1.0)
half_squared_error = _squared_error("HalfSquaredError", 0.5)

_Formula = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def _binary_loss(
    name: str,
    loss: _Formula,
    by_input: _Formula,
    by_target: _Formula,
) -> FunctionPair:
    """Make the pair of a weighted loss of (input, target, extra) from its partial derivatives.

    ``weight`` scales each element; ``extra`` is a further constant of the formula or None.
    """

    def weighted(values: Tensor, weight: Tensor | None) -> Tensor:
        return values if weight is None else values * weight

    class Reverse(Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(
            input: Tensor,
            target: Tensor,
            weight: Tensor | None,
            extra: Tensor | None,
            reduction: str,
        ) -> Tensor:
            values = weighted(loss(widen(input), widen(target), extra), weight)
            return reduce_loss(values, reduction).to(input.dtype)

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
            *tensors, ctx.reduction = inputs
            save(ctx, *tensors)

        @staticmethod
        def backward(ctx: Any, *grad_outputs: Any) -> Any:
            (grad,) = grad_outputs
            input, target, weight, extra = ctx.saved_tensors
            grad_input = grad_target = None
            if grad is None:
                return None, None, None, None, None
            z, goal = widen(input), widen(target)
            scale = weighted(spread_gradient(widen(grad), input, ctx.reduction), weight)
            if ctx.needs_input_grad[0]:
                grad_input = (by_input(z, goal, extra) * scale).to(input.dtype)
            if ctx.needs_input_grad[1]:
                grad_target = (by_target(z, goal, extra) * scale).to(target.dtype)
            return grad_input, grad_target, None, None, None

    class Both(Reverse):
        @staticmethod
        def jvp(ctx: Any, *grad_inputs: Any) -> Any:
            with forward_rule(ctx) as (input, target, weight, extra):
                d_input, d_target, d_weight, d_extra, _ = grad_inputs
                refuse_tangent(name, "weight", d_weight)
                refuse_tangent(name, "pos_weight", d_extra)
                z, goal = widen(input), widen(target)
                change = torch.zeros_like(z)
                if d_input is not None:
                    change = change + by_input(z, goal, extra) * widen(d_input)
                if d_target is not None:
                    change = change + by_target(z, goal, extra) * widen(d_target)
                return reduce_loss(weighted(change, weight), ctx.reduction).to(input.dtype)

    Reverse.__name__ = Reverse.__qualname__ = f"{name}Reverse"
    Both.__name__ = Both.__qualname__ = name
    return FunctionPair(Reverse, Both)


def _log(probability: Tensor) -> Tensor:
    return torch.log(probability).clamp(min=_LOG_FLOOR)


def _log_rest(probability: Tensor) -> Tensor:
    return torch.log1p(-probability).clamp(min=_LOG_FLOOR)


def _bce(y: Tensor, target: Tensor, extra: Tensor | None) -> Tensor:
    # J = -(y* log y + (1 - y*) log(1 - y)), the logarithms held above -100
    return (target - 1) * _log_rest(y) - target * _log(y)


def _bce_by_input(y: Tensor, target: Tensor, extra: Tensor | None) -> Tensor:
    # dJ/dy = -y*/y + (1 - y*)/(1 - y) = (y - y*) / (y (1 - y)), the variance held above 1e-12
    return (y - target) / (y * (1 - y)).clamp(min=_VARIANCE_FLOOR)


def _bce_by_target(y: Tensor, target: Tensor, extra: Tensor | None) -> Tensor:
    # dJ/dy* = log(1 - y) - log y
    return _log_rest(y) - _log(y)


def _logits(z: Tensor, target: Tensor, pos_weight: Tensor | None) -> Tensor:
    # J = p y* softplus(-z) + (1 - y*) softplus(z), softplus(z) = max(z, 0) + log1p(exp(-|z|));
    # no term is negative, so nothing cancels. For p = 1: max(z, 0) - z y* + log1p(exp(-|z|))
    curve = z.abs().neg_().exp_().log1p_()
    positive = target if pos_weight is None else target * pos_weight
    falling, rising = (-z).clamp(min=0).add_(curve), curve.add_(z.clamp(min=0))
    return positive * falling + (1 - target) * rising


def _logits_by_input(z: Tensor, target: Tensor, pos_weight: Tensor | None) -> Tensor:
    # dJ/dz = (1 - y*) sigmoid(z) - p y* sigmoid(-z), which is sigmoid(z) - y* for p = 1; written
    # so, a confident right answer keeps its small gradient instead of rounding to 0
    positive = target if pos_weight is None else target * pos_weight
    return (1 - target) * torch.sigmoid(z) - positive * torch.sigmoid(-z)


def _logits_by_target(z: Tensor, target: Tensor, pos_weight: Tensor | None) -> Tensor:
    # dJ/dy* = p softplus(-z) - softplus(z), which is -z for p = 1
    if pos_weight is None:
        return -z
    curve = torch.log1p(torch.exp(-z.abs()))
    return pos_weight * ((-z).clamp(min=0) + curve) - (z.clamp(min=0) + curve)


binary_cross_entropy = _binary_loss("BinaryCrossEntropy", _bce, _bce_by_input, _bce_by_target)
binary_cross_entropy_with_logits = _binary_loss(
    "BinaryCrossEntropyWithLogits", _logits, _logits_by_input, _logits_by_target
)


def _define_chain(name: str, partial: _Formula) -> None:
    def chain(u: Tensor, z: Tensor, target: Tensor, reduction: float, _: float) -> Tensor:
        return partial(z, target, None) * spread_gradient(u, z, REDUCTIONS[int(reduction)])

    nodes.define_chain(name, chain)


_define_chain("binary_cross_entropy_with_logits", _logits_by_input)
_define_chain("binary_cross_entropy_with_logits_target", _logits_by_target)
