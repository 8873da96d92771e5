"""Single neurons and single layers: linear, logistic and softmax regression as logits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bionn.models.layers import InFeatures, first_layer, initialise


class _SingleLayer(torch.nn.Module):
    """One layer, ``z = W x + b``, whose weights begin at zero: these problems are convex."""

    def __init__(self, in_features: InFeatures, out_features: int) -> None:
        super().__init__()
        self.linear = first_layer(in_features, out_features)
        initialise(self.linear, "zeros")

    def forward(self, input: Tensor) -> Tensor:
        """Logits ``(N, out_features)``."""
        return self.linear(input)


class LinearRegression(_SingleLayer):
    """``f(x) = w.x + b``, to be trained with a squared error.

    Args:
        in_features: the number of features, or ``(A, L)`` for sequences.
        out_features: the number of targets.
    """

    def __init__(self, in_features: InFeatures, out_features: int = 1) -> None:
        super().__init__(in_features, out_features)
        self.arguments: dict[str, Any] = {
            "in_features": in_features,
            "out_features": out_features,
        }


class LogisticRegression(_SingleLayer):
    """The logit of ``f(x) = sigmoid(w.x + b)``, to be trained with binary cross-entropy.

    Args:
        in_features: the number of features, or ``(A, L)`` for sequences.
    """

    def __init__(self, in_features: InFeatures) -> None:
        super().__init__(in_features, 1)
        self.arguments: dict[str, Any] = {"in_features": in_features}


class SoftmaxRegression(_SingleLayer):
    """The logits of ``f(x) = softmax(W x + b)``, to be trained with K-class cross-entropy.

    Args:
        in_features: the number of features, or ``(A, L)`` for sequences.
        num_classes: K.
    """

    def __init__(self, in_features: InFeatures, num_classes: int) -> None:
        super().__init__(in_features, num_classes)
        self.arguments: dict[str, Any] = {"in_features": in_features, "num_classes": num_classes}
