"""Activation functions: each is its formula and its chain rule, made into an op.

In the formulas z is the input of the activation, y its output, u the direction that the chain rule
multiplies: dJ/dy in reverse mode, dz in forward mode. README.md derives them. A formula may work in
place on what it has itself made, as nothing differentiates through it; a chain rule may not (the
one ``sign_`` below has derivative zero).
"""

import math

import torch
from torch import Tensor

from bionn.ops.base import elementwise

_SQRT_HALF = math.sqrt(0.5)
_INV_SQRT_2PI = 1 / math.sqrt(2 * math.pi)
_TANH_SCALE = math.sqrt(2 / math.pi)
_TANH_CUBIC = 0.044715


def _slope_by_side(z: Tensor, negative: Tensor | float) -> Tensor:
    """1 for z > 0, else ``negative``; on a CPU several times faster than a branching ``where``."""
    positive = z.clamp(min=0).sign_()
    one = z.new_ones(())
    # lerp is exact at its two ends
    return torch.lerp(negative if isinstance(negative, Tensor) else one * negative, one, positive)


def _sigmoid_chain(u: Tensor, y: Tensor) -> Tensor:
    # dy/dz = y (1 - y)
    return u * (y * (1 - y))


sigmoid = elementwise("Sigmoid", torch.sigmoid, _sigmoid_chain, keep="output", kernel="sigmoid")


def _tanh_chain(u: Tensor, y: Tensor) -> Tensor:
    # dy/dz = 1 - y^2 = (1 - y) (1 + y); the product keeps its digits where y is near 1
    return u * ((1 - y) * (1 + y))


tanh = elementwise("Tanh", torch.tanh, _tanh_chain, keep="output", kernel="tanh")


def _relu_chain(u: Tensor, y: Tensor) -> Tensor:
    # dy/dz = 1 for y > 0, else 0, which is sign(y); the clamp keeps an infinite u, as the square
    # root of a ReLU sends down, from becoming NaN where the unit is off
    largest = torch.finfo(u.dtype).max
    return u.clamp(-largest, largest) * y.sign()


relu = elementwise("ReLU", torch.relu, _relu_chain, keep="output", kernel="relu", switch=True)


def _leaky_relu(z: Tensor, negative_slope: float) -> Tensor:
    return z.clamp(max=0).mul_(negative_slope).add_(z.clamp(min=0))


def _leaky_relu_chain(u: Tensor, z: Tensor, negative_slope: float) -> Tensor:
    # dy/dz = 1 for z > 0, else negative_slope
    return u * _slope_by_side(z, negative_slope)


leaky_relu = elementwise(
    "LeakyReLU", _leaky_relu, _leaky_relu_chain, keep="input", kernel="leaky_relu", switch=True
)


def _elu(z: Tensor, alpha: float) -> Tensor:
    return z.clamp(max=0).expm1_().mul_(alpha).add_(z.clamp(min=0))


def _elu_chain(u: Tensor, z: Tensor, alpha: float) -> Tensor:
    # dy/dz = 1 for z > 0, else alpha exp(z); the clamp keeps the part not taken finite
    slope = torch.exp(z.clamp(max=0))
    return u * (slope if alpha == 1 else _slope_by_side(z, slope * alpha))


elu = elementwise("ELU", _elu, _elu_chain, keep="input", kernel="elu", widen_half=True)


def _softplus(z: Tensor, beta: float, threshold: float) -> Tensor:
    # log(1 + exp(s)) = max(s, 0) + log1p(exp(-|s|)): nothing overflows, nothing cancels
    scaled = z * beta
    curved = scaled.abs().neg_().exp_().log1p_()
    if threshold < 0:  # the linear part reaches below 0, the curve ends there
        return torch.where(scaled > threshold, scaled, curved).div_(beta)
    return curved.mul_(scaled <= threshold).add_(scaled.clamp(min=0)).div_(beta)


def _softplus_chain(u: Tensor, z: Tensor, beta: float, threshold: float) -> Tensor:
    # dy/dz = sigmoid(beta z), and 1 on the linear part beta z > threshold
    scaled = z * beta
    s = torch.sigmoid(scaled)
    return u * (s + (1 - s) * (scaled > threshold))


softplus = elementwise(
    "Softplus", _softplus, _softplus_chain, keep="input", kernel="softplus", widen_half=True
)


def _gelu(z: Tensor) -> Tensor:
    # Phi(z) = erfc(-z / sqrt 2) / 2; 1 + erf would lose every digit in the left tail
    return torch.special.erfc(z * -_SQRT_HALF).mul_(z).mul_(0.5)


def _gelu_chain(u: Tensor, z: Tensor) -> Tensor:
    # dy/dz = Phi(z) + z phi(z)
    density = torch.exp(z * z * -0.5) * _INV_SQRT_2PI
    return u * (torch.special.erfc(z * -_SQRT_HALF) * 0.5 + z * density)


gelu = elementwise("GELU", _gelu, _gelu_chain, keep="input", kernel="gelu", widen_half=True)


def _gelu_gate(z: Tensor) -> Tensor:
    # (1 + tanh(k (z + c z^3))) / 2, k = sqrt(2 / pi), is the sigmoid of twice the argument, which
    # keeps the digits of the left tail
    return torch.sigmoid((z + z * z * z * _TANH_CUBIC) * (2 * _TANH_SCALE))


def _gelu_tanh(z: Tensor) -> Tensor:
    return z * _gelu_gate(z)


def _gelu_tanh_chain(u: Tensor, z: Tensor) -> Tensor:
    # dy/dz = s (1 + z (1 - s) 2 k (1 + 3 c z^2))
    s = _gelu_gate(z)
    inner = (1 + z * z * (3 * _TANH_CUBIC)) * (2 * _TANH_SCALE)
    return u * (s * (1 + z * inner * (1 - s)))


gelu_tanh = elementwise(
    "GELUTanh", _gelu_tanh, _gelu_tanh_chain, keep="input", kernel="gelu_tanh", widen_half=True
)


def _silu(z: Tensor) -> Tensor:
    return z * torch.sigmoid(z)


def _silu_chain(u: Tensor, z: Tensor) -> Tensor:
    # s = sigmoid(z):  dy/dz = s (1 + z (1 - s))
    s = torch.sigmoid(z)
    return u * (s * (1 + z * (1 - s)))


silu = elementwise("SiLU", _silu, _silu_chain, keep="input", kernel="silu", widen_half=True)


def _step(z: Tensor) -> Tensor:
    return (z > 0).to(z.dtype)


def _step_chain(u: Tensor) -> Tensor:
    # dy/dz = 0 wherever it exists; at z = 0 it does not, and 0 is given there too
    return torch.zeros_like(u)


step = elementwise("Step", _step, _step_chain, keep=None)
