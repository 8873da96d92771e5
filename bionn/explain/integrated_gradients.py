"""Integrated gradients: the gradient averaged along the straight line from a baseline to the input."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bionn.explain.attribution import Attribution, Output, against, at_rest, chosen, gradient


def integrated_gradients(
    model: torch.nn.Module,
    inputs: Tensor,
    baselines: Tensor | None = None,
    *,
    output: Output = 0,
    steps: int = 50,
) -> Attribution:
    """Attribute an output by integrated gradients (Sundararajan, Taly and Yan, ICML 2017).

    The integral is taken by Gauss-Legendre quadrature: exact to many digits for smooth activations; for
    those with kinks, as ReLU, the gap falls with the number of steps.

    Args:
        model: any network of logits; put into evaluation mode for the call.
        inputs: one-hot ``(N, A, L)`` or features ``(N, F)``.
        baselines: where the lines begin; see :func:`bionn.explain.attribution.against`.
        output: which logit, or the weights of a sum of logits.
        steps: points on each line.
    """
    points, weights = np.polynomial.legendre.leggauss(steps)
    places = [((point + 1) / 2, weight / 2) for point, weight in zip(points, weights, strict=True)]

    def multipliers(x: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        total = torch.zeros_like(x)
        for place, weight in places:
            total += gradient(model, b + float(place) * (x - b), output)[1] * float(weight)
        with torch.no_grad():
            return total, chosen(model(x), output) - chosen(model(b), output)

    with at_rest(model):
        return against(multipliers, inputs, baselines)
