"""A chain of layers applied by one op, where calling each would do nothing more."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.modules.module import _has_any_global_hook

from bionn.kernels import nodes
from bionn.nn.activation import ELU, GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Softplus, Tanh
from bionn.nn.dropout import Dropout
from bionn.nn.linear import Linear, OneHotLinear
from bionn.ops import mlp

_CONSTANTS: dict[type[torch.nn.Module], tuple[str, tuple[str, ...]]] = {
    ReLU: ("relu", ()),
    LeakyReLU: ("leaky_relu", ("negative_slope",)),
    Sigmoid: ("sigmoid", ()),
    Tanh: ("tanh", ()),
    ELU: ("elu", ("alpha",)),
    Softplus: ("softplus", ("beta", "threshold")),
    GELU: ("gelu", ()),
    SiLU: ("silu", ()),
}
"""Of each activation module, the op's name for it and the attributes that are its constants."""


def at_once(
    layers: torch.nn.ModuleList, input: Tensor, table: Tensor | None = None
) -> Tensor | None:
    """Apply linear layers with an activation between them by one op.

    Args:
        layers: ``OneHotLinear`` or ``Linear``, an activation, maybe dropout, ``Linear``, and so on.
        input: codes ``(N, L)`` or features ``(N, F)``.
        table: what codes stand for, ``(S, A)``; as the first layer has it when None.

    Returns:
        ``(N, out)``; None where each layer is to be called: one has hooks or is of another kind,
        something is traced or transformed, or the op is not for such tensors.
    """
    if not nodes.reachable() or _has_any_global_hook():
        return None
    weights: list[Tensor] = []
    biases: list[Tensor] = []
    activations: list[tuple[str, tuple[float, ...]]] = []
    shares: list[float] = []
    for layer in layers._modules.values():
        if layer is None or hooked(layer):
            return None
        kind = type(layer)
        if kind is Linear or kind is OneHotLinear:
            if len(weights) != len(activations):
                return None
            # a copy of the module may hold them otherwise
            if "weight" not in layer._parameters or "bias" not in layer._parameters:
                return None
            weight, bias = layer._parameters["weight"], layer._parameters["bias"]
            if weight is None:
                return None
            weights.append(weight)
            if bias is not None:
                biases.append(bias)
            if kind is OneHotLinear and table is None:
                if "table" not in layer._buffers:
                    return None
                table = layer._buffers["table"]
        elif kind in _CONSTANTS:
            activations.append(_called(layer))
        elif isinstance(layer, Dropout) and kind is Dropout and layer.training and layer.p:
            shares.append(layer.p)
            if not len(shares) == len(activations) == len(weights):
                return None
        elif kind is not Dropout and (kind is not torch.nn.Dropout or layer.training):
            return None
    if len(set(activations)) != 1 or len(weights) != len(activations) + 1:
        return None
    if biases and len(biases) != len(weights):
        return None
    if shares and len(shares) != len(activations):
        return None
    return mlp.compiled(input, weights, biases, *activations[0], shares=shares, table=table)


def _called(activation: torch.nn.Module) -> tuple[str, tuple[float, ...]]:
    """The op's name for an activation, and its constants."""
    name, constants = _CONSTANTS[type(activation)]
    if getattr(activation, "approximate", "none") == "tanh":
        name = "gelu_tanh"
    return name, tuple(getattr(activation, each) for each in constants)


def hooked(module: torch.nn.Module) -> bool:
    """Whether calling the module does more than its forward, now or when it is differentiated."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or "forward" in vars(module)
    )
