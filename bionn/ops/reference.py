"""The oracle of each op: its textbook formula in plain torch, differentiated by autograd.

Nothing here is fast or careful about overflow, and nothing is shared with the ops: in float64 and
at moderate inputs these are the truth the ops are held against.
"""

import math

import torch
from torch import Tensor


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``a = x W^T + b``."""
    output = input @ weight.t()
    return output if bias is None else output + bias


def onehot_linear(
    codes: Tensor, weight: Tensor, bias: Tensor | None = None, *, table: Tensor | None = None
) -> Tensor:
    """``a_o = sum_l sum_a table[code_l, a] W_oal + b_o``, the one-hot written out."""
    symbols = weight.shape[1]
    if codes.is_floating_point():
        onehot = codes
    else:
        if table is None:
            table = torch.cat([torch.eye(symbols), torch.zeros(1, symbols)])
        onehot = torch.zeros((*codes.shape[:-1], symbols, codes.shape[-1]), dtype=weight.dtype)
        for code, row in enumerate(table.to(weight.dtype)):
            onehot = onehot + (codes == code).unsqueeze(-2) * row.unsqueeze(-1)
    output = (onehot.unsqueeze(-3) * weight).sum((-1, -2))
    return output if bias is None else output + bias


def sigmoid(input: Tensor) -> Tensor:
    """``1 / (1 + exp(-z))``."""
    return 1 / (1 + torch.exp(-input))


def tanh(input: Tensor) -> Tensor:
    """``(exp(z) - exp(-z)) / (exp(z) + exp(-z))``."""
    return (torch.exp(input) - torch.exp(-input)) / (torch.exp(input) + torch.exp(-input))


def relu(input: Tensor) -> Tensor:
    """``max(0, z)``."""
    return torch.where(input > 0, input, torch.zeros_like(input))


def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """``z`` where positive, else ``negative_slope z``."""
    return torch.where(input > 0, input, negative_slope * input)


def elu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """``z`` where positive, else ``alpha (exp(z) - 1)``."""
    return torch.where(input > 0, input, alpha * (torch.exp(input) - 1))


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """``log(1 + exp(beta z)) / beta``, or ``z`` where ``beta z > threshold``."""
    curved = torch.log(1 + torch.exp(beta * input)) / beta
    return torch.where(beta * input > threshold, input, curved)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """``z Phi(z)``."""
    if approximate == "tanh":
        inner = math.sqrt(2 / math.pi) * (input + 0.044715 * input**3)
        return input * (1 + tanh(inner)) / 2
    return input * (1 + torch.erf(input / math.sqrt(2))) / 2


def silu(input: Tensor) -> Tensor:
    """``z / (1 + exp(-z))``."""
    return input / (1 + torch.exp(-input))


def step(input: Tensor) -> Tensor:
    """1 where positive, else 0."""
    return torch.where(input > 0, torch.ones_like(input), torch.zeros_like(input))


def softmax(input: Tensor, dim: int, dtype: torch.dtype | None = None) -> Tensor:
    """``exp(z_k) / sum_l exp(z_l)``."""
    powers = torch.exp(input if dtype is None else input.to(dtype))
    return powers / powers.sum(dim, keepdim=True)


def log_softmax(input: Tensor, dim: int, dtype: torch.dtype | None = None) -> Tensor:
    """``log(exp(z_k) / sum_l exp(z_l))``."""
    return torch.log(softmax(input, dim, dtype))


def mse_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", weight: Tensor | None = None
) -> Tensor:
    """``w (y - y*)^2``; the mean is weighted."""
    if weight is None:
        return _reduce((input - target) ** 2, reduction)
    total = weight.sum() if reduction == "mean" else 1
    values = weight * (input - target) ** 2
    return values if reduction == "none" else values.sum() / total


def half_squared_error(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """``(y - y*)^2 / 2``."""
    return _reduce((input - target) ** 2 / 2, reduction)


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """``-w (y* log y + (1 - y*) log(1 - y))``."""
    values = -(target * torch.log(input) + (1 - target) * torch.log(1 - input))
    return _reduce(values if weight is None else values * weight, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """``-w (p y* log sigmoid(z) + (1 - y*) log(1 - sigmoid(z)))``."""
    y = sigmoid(input)
    positive = target if pos_weight is None else pos_weight * target
    values = -(positive * torch.log(y) + (1 - target) * torch.log(1 - y))
    return _reduce(values if weight is None else values * weight, reduction)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """``-sum_k w_k ((1 - s) y*_k + s / C) log softmax(z)_k``, indices written out as one-hot."""
    dim = 0 if input.dim() == 1 else 1
    classes = input.shape[dim]
    weight = torch.ones(classes, dtype=input.dtype) if weight is None else weight
    shaped = weight.reshape(-1, *[1] * (input.dim() - dim - 1))
    probabilities = target.shape == input.shape
    if probabilities:
        hot, counted = target, torch.ones_like(input.select(dim, 0))
    else:
        levels = torch.arange(classes).reshape(-1, *[1] * (input.dim() - dim - 1))
        hot = (target.unsqueeze(dim) == levels).to(input.dtype)
        counted = (target != ignore_index).to(input.dtype)
    smooth = (1 - label_smoothing) * hot + label_smoothing / classes
    values = -(shaped * smooth * log_softmax(input, dim)).sum(dim) * counted
    if reduction == "mean":
        return (
            values.sum() / (counted if probabilities else (shaped * hot).sum(dim) * counted).sum()
        )
    return _reduce(values, reduction)


def _reduce(values: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return values
    return values.sum() / values.numel() if reduction == "mean" else values.sum()
