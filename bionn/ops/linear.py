"""The linear layer: a = x W^T + b."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from bionn.ops.base import FunctionPair, forward_rule, save, sum_to_shape


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
            # dJ/dx = dJ/da W
            grad_input = grad @ weight
        if ctx.needs_input_grad[1]:
            # dJ/dW = (dJ/da)^T x, summed over every sample
            samples = math.prod(grad.shape[:-1])
            rows = grad.reshape(samples, weight.shape[0])
            grad_weight = rows.t() @ input.reshape(samples, weight.shape[1])
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
