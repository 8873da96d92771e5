"""Permutation importance: how much worse a network gets when a feature's values are exchanged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from bionn.explain.attribution import at_rest


class Importance(NamedTuple):
    """Of G groups of features.

    Attributes:
        mean: ``(G,)``: the loss with the group's values exchanged between rows, less the loss
            without, averaged over the repetitions.
        std: ``(G,)``: the standard deviation of the repetitions.
    """

    mean: Tensor
    std: Tensor


def permutation_importance(
    model: torch.nn.Module,
    inputs: Tensor,
    loss: Callable[[Tensor], Tensor],
    *,
    groups: Sequence[Sequence[int]] | None = None,
    repeats: int = 5,
    generator: torch.Generator,
) -> Importance:
    """How much a network relies on each feature (Breiman, Machine Learning 2001).

    Features that tell the same stand in for each other: each of them seems unimportant.

    Args:
        model: any network of logits; put into evaluation mode for the call.
        inputs: features ``(N, F)`` of rows that it was not trained on.
        loss: of the logits ``(N, out)`` of those rows in that order, a scalar.
        groups: columns that are exchanged together, as those of one category; each alone when None.
        repeats: permutations a group.
        generator: the source of the permutations, on the CPU.

    Example:
        >>> model = torch.nn.Linear(2, 1, bias=False)
        >>> _ = model.weight.data.copy_(torch.tensor([[3.0, 0.0]]))
        >>> x = torch.randn(50, 2)
        >>> found = permutation_importance(
        ...     model, x, lambda z: (z - 3 * x[:, :1]).square().mean(), generator=torch.Generator()
        ... )
        >>> (found.mean > 0).tolist()
        [True, False]
    """
    groups = [[column] for column in range(inputs.shape[1])] if groups is None else groups
    with at_rest(model), torch.no_grad():
        before = loss(model(inputs))
        worse = torch.empty(repeats, len(groups))
        changed = inputs.clone()
        for number, group in enumerate(groups):
            columns = torch.as_tensor(group, device=inputs.device)
            for repeat in range(repeats):
                order = torch.randperm(len(inputs), generator=generator).to(inputs.device)
                changed[:, columns] = inputs[order][:, columns]
                worse[repeat, number] = loss(model(changed)) - before
            changed[:, columns] = inputs[:, columns]
    return Importance(worse.mean(0), worse.std(0, correction=0))
