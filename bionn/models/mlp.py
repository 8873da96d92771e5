"""The multi-layer perceptron: f_L o ... o f_1, every layer a weight matrix and an activation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from bionn.errors import InputError
from bionn.models.at_once import at_once
from bionn.models.layers import (
    ACTIVATIONS,
    InFeatures,
    choose,
    first_layer,
    initialise,
    inputs_dropped,
    onehot_dropped,
)
from bionn.nn.dropout import Dropout
from bionn.nn.linear import Linear, OneHotLinear


class MLP(torch.nn.Module):
    """A multi-layer perceptron of any depth and width that returns logits.

    Args:
        in_features: the number of features, or ``(A, L)`` for sequences, which then enter as codes
            ``(N, L)`` or as one-hot ``(N, A, L)``.
        hidden_features: the width of each hidden layer; none gives a single linear layer.
        out_features: the number of logits.
        activation: name of the hidden activation (``relu``, ``tanh``, ``gelu``, ...).
        dropout: share of hidden units dropped in training.
        input_dropout: share of a sequence's positions, or of a table's features, dropped in training.
        bias: whether layers add a bias.
        init: name of the weights' initialiser; biases begin at zero.
        generator: source of the initial weights; torch's default when None.

    Shape:
        - Input: ``(N, F)``, ``(N, L)`` codes or ``(N, A, L)``.
        - Output: ``(N, out_features)``.

    Example:
        >>> model = MLP((4, 60), (32, 16), 1)
        >>> model(torch.zeros(8, 60, dtype=torch.uint8)).shape
        torch.Size([8, 1])
    """

    def __init__(
        self,
        in_features: InFeatures,
        hidden_features: Sequence[int],
        out_features: int,
        *,
        activation: str = "relu",
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        bias: bool = True,
        init: str = "kaiming_uniform",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        widths = [*hidden_features, out_features]
        if min(widths) < 1:
            raise InputError(f"hidden_features, out_features: widths from 1 needed, {widths} found")
        for name, share in (("dropout", dropout), ("input_dropout", input_dropout)):
            if not 0 <= share < 1:
                raise InputError(f"{name}: a share from 0 to below 1 needed, {share} found")
        make_activation = choose(ACTIVATIONS, activation, "activation")
        layers: list[torch.nn.Module] = []
        for depth, width in enumerate(widths):
            if depth == 0:
                layer = first_layer(in_features, width, bias=bias)
            else:
                layer = Linear(widths[depth - 1], width, bias=bias)
            initialise(layer, init, generator)
            layers.append(layer)
            if depth < len(hidden_features):
                layers.append(make_activation())
                if dropout:
                    layers.append(Dropout(dropout))
        self.layers = torch.nn.ModuleList(layers)
        self.input_dropout = input_dropout
        self.arguments: dict[str, Any] = {
            "in_features": in_features,
            "hidden_features": list(hidden_features),
            "out_features": out_features,
            "activation": activation,
            "dropout": dropout,
            "input_dropout": input_dropout,
            "bias": bias,
            "init": init,
        }

    def forward(self, input: Tensor) -> Tensor:
        """Logits ``(N, out_features)``."""
        (first, *rest), share = self.layers, self.input_dropout
        table = None
        if self.training and share:
            input, table = inputs_dropped(input, share, first)
        output = at_once(self.layers, input, None if table is None else table / (1 - share))
        if output is not None:
            return output
        if table is not None and isinstance(first, OneHotLinear):
            hidden = onehot_dropped(input, share, first, table)
        else:
            hidden = first(input)
        for layer in rest:
            hidden = layer(hidden)
        return hidden
