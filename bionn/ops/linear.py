"""The linear layer: a = x W^T + b."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from bionn.kernels import nodes
from bionn.ops.base import FunctionPair, forward_rule, save, sum_to_shape


def _input_chain(u: Tensor, weight: Tensor) -> Tensor:
    # dJ/dx = dJ/da W
    return u @ weight


def _weight_chain(u: Tensor, input: Tensor) -> Tensor:
    # dJ/dW = (dJ/da)^T x, summed over every sample
    samples = math.prod(u.shape[:-1])
    rows = u.reshape(samples, u.shape[-1])
    return rows.t() @ input.reshape(samples, input.shape[-1])


class LinearReverse(Function):
    """``a = x W^T + b`` for ``x (*, in)``, ``W (out, in)`` and an optional ``b (out)``."""

    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return the pre-activations ``(*, out)``."""
        return torch.nn.functional.linear(input, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep references to the arguments; nothing is copied."""
        input, weight, bias = inputs
        ctx.bias_shape = None if bias is None else bias.shape
        save(ctx, input, weight)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Return dJ/dx, dJ/dW and dJ/db, each only where asked for."""
        (grad,) = grad_outputs
        input, weight = ctx.saved_tensors
        grad_input = grad_weight = grad_bias = None
        if grad is None:
            return None, None, None
        if ctx.needs_input_grad[0]:
            grad_input = _input_chain(grad, weight)
        if ctx.needs_input_grad[1]:
            grad_weight = _weight_chain(grad, input)
        if ctx.needs_input_grad[2]:
            # dJ/db = dJ/da, summed over every sample
            grad_bias = sum_to_shape(grad, ctx.bias_shape)
        return grad_input, grad_weight, grad_bias


class Linear(LinearReverse):
    """The linear layer with forward mode."""

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """Return da = dx W^T + x dW^T + db."""
        with forward_rule(ctx) as (input, weight):
            d_input, d_weight, d_bias = grad_inputs
            tangent = input.new_zeros((*input.shape[:-1], weight.shape[0]))
            if d_input is not None:
                tangent = tangent + d_input @ weight.t()
            if d_weight is not None:
                tangent = tangent + input @ d_weight.t()
            if d_bias is not None:
                tangent = tangent + d_bias
            return tangent


linear = FunctionPair(LinearReverse, Linear)

nodes.define_chain("linear_input", _input_chain)
nodes.define_chain("linear_weight", _weight_chain)


def compiled(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor | None:
    """Apply the layer by the library's op, or give None where it is not for that.

    It takes float32 of the CPU: input ``(*, in)`` of two dimensions or more, weight ``(out, in)``,
    bias ``(out,)``.
    """
    if not nodes.reachable() or torch.is_autocast_enabled("cpu"):
        return None
    return nodes.apply("linear", (input, weight, bias))
