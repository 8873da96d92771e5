"""AdamW that sees each tensor as it lies in memory, so that no layout costs it copies."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class AdamW(torch.optim.AdamW):
    """``torch.optim.AdamW``, at its full speed for weights of any dense layout.

    torch's fused step on a CPU copies what is not contiguous, four tensors there and three back at
    each step, and `bionn.nn.OneHotLinear` keeps its weight ``(out, A, L)`` with (L, A, out)
    contiguous. The step is the same number by number, so it is given views whose dimensions are
    sorted as memory is. States keep the shapes and strides of their parameters, as torch has them.

    Example:
        >>> weight = torch.nn.Parameter(torch.ones(3, 2).t())
        >>> weight.grad = torch.ones(3, 2).t()
        >>> AdamW([weight], lr=0.1, weight_decay=0.0, fused=True).step()
        >>> weight.shape, round(weight.mean().item(), 4)
        (torch.Size([2, 3]), 0.9)
    """

    def _init_group(self, group: dict[str, Any], *lists: list[Tensor]) -> bool:
        """Parameters, gradients, states and steps of a group; as torch does, then as views."""
        complex_numbers = super()._init_group(group, *lists)
        alike = [tensors for tensors in lists[:-1] if tensors]  # the last are steps, single numbers
        for place, same in enumerate(zip(*alike, strict=True)):
            for tensors, view in zip(alike, as_stored(*same), strict=True):
                tensors[place] = view
        return complex_numbers


def as_stored(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Views of tensors of one shape that are contiguous, where one order of dimensions serves all.

    Example:
        >>> (view,) = as_stored(torch.zeros(4, 3, 2).permute(2, 0, 1))
        >>> view.shape
        torch.Size([4, 3, 2])
    """
    first = tensors[0]
    if first.is_contiguous():
        return tensors
    order = sorted(range(first.dim()), key=first.stride, reverse=True)
    views = tuple(tensor.permute(order) for tensor in tensors)
    return views if all(view.is_contiguous() for view in views) else tensors
