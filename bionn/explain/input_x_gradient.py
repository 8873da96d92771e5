"""Input x gradient: the slope of an output in each input, times that input."""

from __future__ import annotations

import torch
from torch import Tensor

from bionn.explain.attribution import Attribution, Output, against, at_rest, chosen, gradient


def input_x_gradient(model: torch.nn.Module, inputs: Tensor, *, output: Output = 0) -> Attribution:
    """Attribute an output by its gradient.

    What a small change does, to first order. Complete only for a linear network without a bias.

    Args:
        model: any network of logits; put into evaluation mode for the call.
        inputs: one-hot ``(N, A, L)`` or features ``(N, F)``.
        output: which logit, or the weights of a sum of logits.

    Example:
        >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(8, 1, bias=False))
        >>> x = torch.eye(4)[:, [0, 3]].unsqueeze(0)
        >>> found = input_x_gradient(model, x)
        >>> torch.allclose(found.contributions.sum(), model(x).sum())
        True
    """

    def multipliers(x: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        value, slope = gradient(model, x, output)
        with torch.no_grad():
            return slope, value - chosen(model(b), output)

    with at_rest(model):
        return against(multipliers, inputs)
