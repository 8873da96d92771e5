"""Linear layers: on vectors, and on one-hot sequences given as codes."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module, Parameter

from bionn import functional as F
from bionn.nn import init


class Linear(Module):
    """``x W^T + b``: one row of W and one entry of b for each neuron.

    Attributes:
        weight: ``(out_features, in_features)``, drawn from U(-k, k), ``k = 1 / sqrt(in_features)``.
        bias: ``(out_features,)``, drawn likewise, or None.

    Shape:
        Input ``(*, in_features)``, output ``(*, out_features)``.

    Example:
        >>> Linear(20, 30)(torch.zeros(128, 20)).shape
        torch.Size([128, 30])
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(torch.empty((out_features, in_features), **factory))
        if bias:
            self.bias = Parameter(torch.empty(out_features, **factory))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the parameters anew; with torch.nn.Linear's numbers for the same random state."""
        _draw(self.weight, self.bias, generator)

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the sizes, as torch.nn.Linear shows them."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class OneHotLinear(Module):
    """A linear layer on sequences: takes codes, one byte a letter, and never keeps the one-hot.

    Equals a `Linear` of ``num_symbols * length`` inputs on the flattened one-hot ``(N, A, L)``, and
    starts from the same numbers: its weight is that layer's, reshaped.

    Args:
        num_symbols: Letters of the alphabet, A.
        length: Length of every sequence, L.
        out_features: Number of neurons.
        bias: Whether to learn a bias.
        table: ``(S, A)``, what each code stands for, kept as a buffer outside the state_dict: give
            it again after ``to_empty``. None: the A letters and one row of zeros for the unknown.
        device: Where to make the parameters.
        dtype: Their dtype.

    Attributes:
        weight: ``(out_features, A, L)``, with ``(L, A, out_features)`` contiguous in memory.
        bias: ``(out_features,)`` or None.
        table: ``(S, A)`` or None.

    Note:
        The layout of the weight spares the product a copy. Code that calls ``view(-1)`` on every
        parameter (``torch.optim.LBFGS``, ``prune.l1_unstructured``) needs it contiguous first:
        ``layer.weight = Parameter(layer.weight.detach().contiguous())``.

    Shape:
        Input ``(N, L)`` codes, uint8 or int64, or ``(N, A, L)`` one-hot in floating point; output
        ``(N, out_features)``.

    Example:
        >>> layer = OneHotLinear(4, 200, 512)
        >>> layer(torch.zeros(8, 200, dtype=torch.uint8)).shape
        torch.Size([8, 512])
    """

    weight: Parameter
    bias: Parameter | None
    table: Tensor | None

    def __init__(
        self,
        num_symbols: int,
        length: int,
        out_features: int,
        bias: bool = True,
        *,
        table: Tensor | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        self.num_symbols = num_symbols
        self.length = length
        self.out_features = out_features
        position_major = torch.empty((length, num_symbols, out_features), **factory)
        self.weight = Parameter(position_major.permute(2, 1, 0))
        if bias:
            self.bias = Parameter(torch.empty(out_features, **factory))
        else:
            self.register_parameter("bias", None)
        if table is not None:
            table = table.detach().to(device=self.weight.device, dtype=self.weight.dtype)
        self.register_buffer("table", table, persistent=False)
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the parameters as Linear(num_symbols * length, out_features) draws its own."""
        flat = torch.empty_like(self.weight, memory_format=torch.contiguous_format).flatten(1)
        _draw(flat, self.bias, generator)
        with torch.no_grad():
            self.weight.copy_(flat.view_as(self.weight))

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layer to codes or to one-hot input."""
        return F.onehot_linear(input, self.weight, self.bias, table=self.table)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return (
            f"num_symbols={self.num_symbols}, length={self.length}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )


def _draw(weight: Tensor, bias: Tensor | None, generator: torch.Generator | None) -> None:
    # a = sqrt(5) makes the bound of the weight 1 / sqrt(fan_in), as that of the bias
    init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
    if bias is not None:
        fan_in = weight.shape[1]
        bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
        init.uniform_(bias, -bound, bound, generator=generator)
