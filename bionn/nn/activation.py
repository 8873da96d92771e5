"""Activation modules: torch.nn's constructors over bionn.functional."""

from torch import Tensor
from torch.nn import Module

from bionn import functional as F


class Sigmoid(Module):
    """``1 / (1 + exp(-z))`` of each element."""

    def forward(self, input: Tensor) -> Tensor:
        """Apply the activation."""
        return F.sigmoid(input)


class Tanh(Module):
    """Hyperbolic tangent of each element."""

    def forward(self, input: Tensor) -> Tensor:
        """Apply the activation."""
        return F.tanh(input)


class ReLU(Module):
    """``max(0, z)`` of each element.

    Example:
        >>> import torch
        >>> ReLU()(torch.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Apply the activation."""
        return F.relu(input)


class LeakyReLU(Module):
    """``z`` where positive, else ``negative_slope * z``."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, input: Tensor) -> Tensor:
        """Apply the activation."""
        return F.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        """Return the options."""
        return f"negative_slope={self.negative_slope}"


class ELU(Module):
    """``z`` where positive, else ``alpha * (exp(z) - 1)``."""

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, input: Tensor) -> Tensor:
        """Apply the activation."""
        return F.elu(input, self.alpha)

    def extra_repr(self) -> str:
        """Return the options."""
        return f"alpha={self.alpha}"


class Softplus(Module):
    """``log(1 + exp(beta z)) / beta``, or ``z`` where ``beta z > threshold``."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Tensor) -> Tensor:
        """Apply the activation."""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """Return the options."""
        return f"beta={self.beta}, threshold={self.threshold}"


class GELU(Module):
    """``z * Phi(z)``; ``approximate`` is ``"none"`` or ``"tanh"``."""

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        """Apply the activation."""
        return F.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        """Return the options."""
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    """``z * sigmoid(z)`` of each element."""

    def forward(self, input: Tensor) -> Tensor:
        """Apply the activation."""
        return F.silu(input)


class Step(Module):
    """1 where positive, else 0. Not trainable: its gradient is zero everywhere."""

    def forward(self, input: Tensor) -> Tensor:
        """Apply the activation."""
        return F.step(input)


class Softmax(Module):
    """Probabilities from logits along ``dim``; None is deprecated, as in torch, and warns."""

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """Apply softmax."""
        return F.softmax(input, self.dim)

    def extra_repr(self) -> str:
        """Return the options."""
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """Logarithm of softmax along ``dim``, accurate also where a probability is next to 1."""

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """Apply log-softmax."""
        return F.log_softmax(input, self.dim)

    def extra_repr(self) -> str:
        """Return the options."""
        return f"dim={self.dim}"
