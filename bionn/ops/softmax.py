"""Softmax and its logarithm along one dimension."""

import warnings
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from bionn.kernels import nodes
from bionn.ops.base import FunctionPair, cast_for_loss, forward_rule, save, widen


def stable_log_softmax(z: Tensor, dim: int) -> Tensor:
    """Compute log softmax to full relative accuracy, also where the result is next to 0.

    With m the largest z, ``log sum exp(z - m) = log1p(sum of the other exponentials)``: the 1 of
    the largest term is never added, so the small terms beside it keep their digits.

    Args:
        z: Logits of any shape; a scalar counts as one class.
        dim: The dimension of the classes.

    Returns:
        Tensor of z's shape and dtype.
    """
    if z.numel() == 0:
        return torch.empty_like(z)
    wide = widen(z)
    top, index = wide.max(dim, keepdim=True)
    shifted = wide - top
    others = shifted.exp().scatter(dim, index, 0).sum(dim, keepdim=True)
    # top - top is 0, or NaN for an infinite logit, whose row has no softmax
    return shifted.sub_(others.log1p() + (top - top)).to(z.dtype)


def _softmax_chain(u: Tensor, y: Tensor, dim: int) -> Tensor:
    # The Jacobian diag(y) - y y^T is symmetric:  y_k (u_k - sum_l u_l y_l)
    wide_u, wide_y = widen(u), widen(y)
    inner = (wide_u * wide_y).sum(dim, keepdim=True)
    return (wide_y * (wide_u - inner)).to(u.dtype)


def _log_softmax_chain(u: Tensor, log_y: Tensor, dim: int) -> Tensor:
    # dJ/dz_k = u_k - y_k sum_l u_l
    wide = widen(u)
    return (wide - widen(log_y).exp() * wide.sum(dim, keepdim=True)).to(u.dtype)


class SoftmaxReverse(Function):
    """``y_k = exp(z_k) / sum_l exp(z_l)``; keeps the output only."""

    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor, dim: int) -> Tensor:
        """Return the probabilities, of the input's shape."""
        return torch.softmax(input, dim)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep the probabilities."""
        ctx.dim = inputs[1]
        save(ctx, output)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Return dJ/dz."""
        (grad,) = grad_outputs
        (y,) = ctx.saved_tensors
        return None if grad is None else _softmax_chain(grad, y, ctx.dim), None


class Softmax(SoftmaxReverse):
    """Softmax with forward mode."""

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """Return dy."""
        with forward_rule(ctx) as (y,):
            return _softmax_chain(grad_inputs[0], y, ctx.dim)


class LogSoftmaxReverse(Function):
    """``log y_k = z_k - log sum_l exp(z_l)``; keeps the output only."""

    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor, dim: int) -> Tensor:
        """Return the log-probabilities, of the input's shape."""
        return stable_log_softmax(input, dim)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep the log-probabilities."""
        ctx.dim = inputs[1]
        save(ctx, output)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Return dJ/dz."""
        (grad,) = grad_outputs
        (log_y,) = ctx.saved_tensors
        return None if grad is None else _log_softmax_chain(grad, log_y, ctx.dim), None


class LogSoftmax(LogSoftmaxReverse):
    """Log-softmax with forward mode."""

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """Return d(log y)."""
        with forward_rule(ctx) as (log_y,):
            # d(log y_k) = dz_k - sum_l y_l dz_l
            tangent = widen(grad_inputs[0])
            mean = (widen(log_y).exp() * tangent).sum(ctx.dim, keepdim=True)
            return (tangent - mean).to(grad_inputs[0].dtype)


class RowsOp(NamedTuple):
    """An op along a dimension: a pair that takes input and dimension, and its compiled form.

    Attributes:
        pair: The op in torch arithmetic, for whatever there is.
        kernel: Name of the op along the last dimension in `bionn.kernels.nodes`.
    """

    pair: FunctionPair
    kernel: str

    def __call__(self, input: Tensor, dim: int) -> Tensor:
        """Apply the op."""
        if nodes.reachable() and dim in (-1, input.dim() - 1):
            output = nodes.apply(self.kernel, (input,), ())
            if output is not None:
                return output
        return self.pair(input, dim)


def cast(input: Tensor, dtype: torch.dtype | None) -> Tensor:
    """The input in a dtype, or as torch casts it where None is asked for."""
    if dtype is not None:
        return input.to(dtype)
    return cast_for_loss(input) if input.device.type == "cuda" else input


def dim_of(name: str, input: Tensor, dim: int | None) -> int:
    """The dimension that sums to 1; as torch chooses it, with its warning, where none is given."""
    if dim is not None:
        return dim
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. "
        "Change the call to include dim=X as an argument.",
        stacklevel=3,
    )
    return 0 if input.dim() in (0, 1, 3) else 1


softmax = RowsOp(FunctionPair(SoftmaxReverse, Softmax), "softmax")
log_softmax = RowsOp(FunctionPair(LogSoftmaxReverse, LogSoftmax), "log_softmax")
nodes.define_chain("softmax", partial(_softmax_chain, dim=-1))
nodes.define_chain("log_softmax", partial(_log_softmax_chain, dim=-1))
