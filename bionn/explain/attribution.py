"""What every attribution shares: the model at rest, the output explained, inputs against baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

PAIR_NUMBERS = 2**18
"""Input numbers of the pairs that go through a network at once: 1 MB, which caches hold."""

Output = int | Tensor
"""Which logit is explained, or the weights ``(out,)`` of a sum of logits."""

Multipliers = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Inputs and baselines ``(P, ...)`` to multipliers ``(P, ...)`` and output differences ``(P,)``."""


class Attribution(NamedTuple):
    """What each input adds to an output.

    Attributes:
        contributions: ``(N, A, L)`` or ``(N, F)``: the input's distance from the baseline times its
            multiplier, averaged over the baselines.
        hypothetical: ``(N, A, L)``: what each letter would contribute at each position if it stood
            there, with the multipliers as they are; for features ``(N, F)`` the contributions.
        gap: ``(N,)``: by how much the contributions miss the output's mean distance from its value at
            the baselines, to which those of a complete method add up.
    """

    contributions: Tensor
    hypothetical: Tensor
    gap: Tensor


@contextmanager
def at_rest(model: torch.nn.Module) -> Iterator[None]:
    """The model in evaluation mode, its parameters constants; afterwards all is as it was.

    Out of inference mode, and so with gradients: ask for none within, not around it.
    """
    modes = [(module, module.training) for module in model.modules()]
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    model.eval()
    for parameter in learned:  # no time is lost on their gradients
        parameter.requires_grad_(False)
    try:
        with torch.inference_mode(False):
            yield
    finally:
        for module, training in modes:
            module.training = training
        for parameter in learned:
            parameter.requires_grad_()


def chosen(logits: Tensor, output: Output) -> Tensor:
    """The output to explain, ``(N,)``, of logits ``(N, out)`` or ``(N,)``.

    Raises:
        ValueError: no such output.
    """
    logits = logits.unsqueeze(1) if logits.ndim == 1 else logits
    if isinstance(output, Tensor):
        return logits @ output.to(logits)
    if not -logits.shape[1] <= output < logits.shape[1]:
        raise ValueError(f"output: 0 to {logits.shape[1] - 1} needed, {output} found; choose one")
    return logits[:, output]


def gradient(model: torch.nn.Module, inputs: Tensor, output: Output) -> tuple[Tensor, Tensor]:
    """The output ``(P,)`` and its slope in every input ``(P, ...)``; parameters get none."""
    with torch.enable_grad():
        leaf = inputs.detach().clone().requires_grad_()
        value = chosen(model(leaf), output)
        (slope,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), slope


def against(
    multipliers: Multipliers, inputs: Tensor, baselines: Tensor | None = None
) -> Attribution:
    """Attribute by multipliers, for every input beside each of its baselines.

    Args:
        multipliers: the method.
        inputs: one-hot ``(N, A, L)`` or features ``(N, F)``, in floating point.
        baselines: zeros when None; one for all, ``(A, L)`` or ``(F,)``; one a row, like ``inputs``; or
            B a row, ``(N, B, A, L)`` or ``(N, B, F)``.

    Raises:
        ValueError: inputs that are not in floating point, or baselines of another shape.
    """
    many = _expanded(inputs, baselines)
    count = many.shape[1]
    rows = max(1, PAIR_NUMBERS // max(1, count * inputs[0].numel() if len(inputs) else 1))
    parts: list[Attribution] = []
    for x, b in zip(inputs.split(rows), many.split(rows), strict=True):
        there = x.unsqueeze(1).expand_as(b)
        slopes, differences = multipliers(there.flatten(0, 1), b.flatten(0, 1))
        slopes = slopes.unflatten(0, (len(x), count))
        contributions = ((there - b) * slopes).mean(1)
        hypothetical = contributions
        if x.ndim == 3:
            hypothetical = (slopes - (b * slopes).sum(2, keepdim=True)).mean(1)
        difference = differences.unflatten(0, (len(x), count)).mean(1)
        gap = (contributions.flatten(1).sum(1) - difference).abs()
        parts.append(Attribution(contributions, hypothetical, gap))
    if not parts:
        return Attribution(inputs.clone(), inputs.clone(), inputs.new_empty(0))
    return Attribution(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))


def _expanded(inputs: Tensor, baselines: Tensor | None) -> Tensor:
    """Baselines as ``(N, B, ...)``."""
    if not inputs.is_floating_point():
        raise ValueError(
            f"inputs: floating point needed, {inputs.dtype} found; give one-hot (N, A, L) or features"
        )
    if baselines is None:
        baselines = inputs.new_zeros(inputs.shape[1:])
    if baselines.shape == inputs.shape:
        return baselines.to(inputs).unsqueeze(1)
    if baselines.shape == inputs.shape[1:]:
        return baselines.to(inputs).expand(len(inputs), 1, *inputs.shape[1:])
    if (len(baselines), *baselines.shape[2:]) != tuple(inputs.shape):
        raise ValueError(
            f"baselines: shape {tuple(inputs.shape[1:])}, {tuple(inputs.shape)} or (N, B, ...) needed, "
            f"{tuple(baselines.shape)} found"
        )
    return baselines.to(inputs)
