"""Expected gradients: the gradient at random places between the input and shuffles of it."""

from __future__ import annotations

import torch
from torch import Tensor

from bionn.explain.attribution import Attribution, Output, against, at_rest, chosen, gradient


def expected_gradients(
    model: torch.nn.Module,
    inputs: Tensor,
    baselines: Tensor,
    *,
    generator: torch.Generator,
    output: Output = 0,
) -> Attribution:
    """Attribute an output by expected gradients (Erion et al., Nature Machine Intelligence 2021).

    An estimate of Shapley values of the network's gradients over a distribution of baselines: at one
    random place on the line from each baseline to the input. The more baselines, the smaller the gap.

    Args:
        model: any network of logits; put into evaluation mode for the call.
        inputs: one-hot ``(N, A, L)`` or features ``(N, F)``.
        baselines: a background, as ``(N, B, A, L)``; of sequences see
            :func:`bionn.explain.backgrounds.shuffled`.
        generator: the source of the places, on the CPU.
        output: which logit, or the weights of a sum of logits.
    """

    def multipliers(x: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        place = torch.rand(len(x), *[1] * (x.ndim - 1), generator=generator).to(x)
        slope = gradient(model, b + place * (x - b), output)[1]
        with torch.no_grad():
            return slope, chosen(model(x), output) - chosen(model(b), output)

    with at_rest(model):
        return against(multipliers, inputs, baselines)
