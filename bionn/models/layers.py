"""What every model here begins with: a first layer for features or for sequences, and its codes."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from bionn import functional as F
from bionn.errors import InputError, did_you_mean
from bionn.nn import init
from bionn.nn.activation import ELU, GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Softplus, Step, Tanh
from bionn.nn.linear import Linear, OneHotLinear
from bionn.ops import dropout
from bionn.sequences.onehot import one_hot

InFeatures = int | tuple[int, int]

ACTIVATIONS: dict[str, Callable[[], torch.nn.Module]] = {
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "elu": ELU,
    "softplus": Softplus,
    "gelu": GELU,
    "silu": SiLU,
    "step": Step,
}
"""Activation modules by the names of options and manifests."""

INITS: dict[str, Callable[..., Tensor]] = {
    "torch": partial(init.kaiming_uniform_, a=math.sqrt(5)),
    "kaiming_uniform": init.kaiming_uniform_,
    "kaiming_normal": init.kaiming_normal_,
    "xavier_uniform": init.xavier_uniform_,
    "xavier_normal": init.xavier_normal_,
    "lecun_uniform": init.lecun_uniform_,
    "lecun_normal": init.lecun_normal_,
    "normal": partial(init.normal_, std=0.01),
    "zeros": init.zeros_,
}
"""Initialisers of weights by the names of options and manifests; ``torch`` is that of
``torch.nn.Linear``, a third of LeCun's variance; ``normal`` has standard deviation .01. Biases
begin at zero."""


def first_layer(
    in_features: InFeatures, out_features: int, *, bias: bool = True
) -> Linear | OneHotLinear:
    """``Linear`` for F features, ``OneHotLinear`` for sequences of ``(A, L)``.

    Raises:
        InputError: no features, no letters or no positions.
    """
    sizes = (in_features,) if isinstance(in_features, int) else tuple(in_features)
    if min(sizes) < 1:
        raise InputError(f"in_features: sizes from 1 needed, {in_features} found")
    if isinstance(in_features, int):
        return Linear(in_features, out_features, bias=bias)
    num_symbols, length = in_features
    return OneHotLinear(num_symbols, length, out_features, bias=bias)


def initialise(
    layer: Linear | OneHotLinear, name: str, generator: torch.Generator | None = None
) -> None:
    """Fill a layer's weight in place, seen as ``(out, in)``, and set its bias to zero.

    Args:
        layer: the layer.
        name: a key of :data:`INITS`.
        generator: the source of randomness; torch's default when None.

    Raises:
        InputError: no initialiser of that name.
    """
    fill = choose(INITS, name, "init")
    weight = layer.weight.detach()
    matrix = torch.empty(
        weight.shape[0], weight[0].numel(), dtype=weight.dtype, device=weight.device
    )
    if name == "zeros":
        fill(matrix)
    else:
        fill(matrix, generator=generator)
    with torch.no_grad():
        layer.weight.copy_(matrix.view(weight.shape))
        if layer.bias is not None:
            layer.bias.zero_()


def inputs_dropped(
    input: Tensor, share: float, layer: torch.nn.Module
) -> tuple[Tensor, Tensor | None]:
    """A first layer's input of which a share is dropped.

    Of a sequence whole positions are dropped. Codes stay codes: a dropped position becomes one that
    stands for nothing.

    Args:
        input: codes ``(N, L)``, one-hot ``(N, A, L)`` or features ``(N, F)``.
        share: p, from 0 to below 1.
        layer: ``Linear`` or ``OneHotLinear``.

    Returns:
        Codes and the table of what they stand for, ``(S, A)``, yet to be scaled by 1/(1-p); or one-hot
        or features, scaled, and None.
    """
    if isinstance(layer, OneHotLinear) and not input.is_floating_point():
        weight, table = layer.weight, layer.table
        if table is None:
            table = torch.eye(layer.num_symbols, dtype=weight.dtype, device=weight.device)
        table = torch.cat([table, table.new_zeros(1, layer.num_symbols)])
        return dropout.blanked(input, share, len(table) - 1), table
    if input.ndim == 3:
        kept = torch.rand((len(input), 1, input.shape[-1]), device=input.device) >= share
        return input * kept / (1 - share), None
    return F.dropout(input, share), None


def onehot_dropped(codes: Tensor, share: float, layer: OneHotLinear, table: Tensor) -> Tensor:
    """A first layer's output for what :func:`inputs_dropped` made of codes.

    It is scaled behind the weights: scaled tables would cost low precision and accelerators digits.
    """
    scaled = F.onehot_linear(codes, layer.weight, table=table) / (1 - share)
    return scaled if layer.bias is None else scaled + layer.bias


def choose(choices: dict[str, Callable], name: str, argument: str) -> Callable:
    """The entry of that name.

    Raises:
        InputError: there is none; offers the nearest.
    """
    if name not in choices:
        raise InputError(
            f"{argument}: one of {', '.join(choices)} needed, {name!r} found"
            f"{did_you_mean(name, choices)}"
        )
    return choices[name]


def takes_codes(model: torch.nn.Module) -> bool:
    """Whether a network can be fed codes ``(N, L)``: whether it holds a ``OneHotLinear``."""
    return any(isinstance(module, OneHotLinear) for module in model.modules())


def set_code_table(model: torch.nn.Module, table: Tensor) -> None:
    """Tell every ``OneHotLinear`` of a network what the codes stand for.

    Args:
        model: any network.
        table: ``(S, A)``; see :meth:`bionn.sequences.alphabet.Alphabet.code_table`.
    """
    for module in model.modules():
        if isinstance(module, OneHotLinear):
            module.table = table.to(device=module.weight.device, dtype=module.weight.dtype)


def feed(
    model: torch.nn.Module,
    inputs: Tensor,
    table: Tensor | None,
    features: torch.nn.Module | None = None,
) -> Tensor:
    """What a network is to be given: features and floats as they are, codes as it takes them.

    Args:
        model: any network; one without a ``OneHotLinear`` is given one-hot ``(N, A, L)``.
        inputs: codes ``(N, L)``, one-hot ``(N, A, L)`` or features ``(N, F)``.
        table: what codes stand for; None for features.
        features: makes features of codes, for an encoding with k-mers.
    """
    if inputs.is_floating_point() or table is None:
        return inputs
    if features is not None:
        return features(inputs)
    if takes_codes(model):
        return inputs
    return one_hot(inputs, table)
