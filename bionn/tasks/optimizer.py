"""AdamW that sees each tensor as it lies in memory, and asks in each step but for what can change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

from bionn.kernels import nodes
from bionn.kernels.cpu import undisturbed

_torchs = torch.optim.AdamW.step
if not getattr(_torchs, "hooked", False):  # as torch does when the first AdamW is made
    _torchs = Optimizer.profile_hook_step(_torchs)


class AdamW(torch.optim.AdamW):
    """``torch.optim.AdamW``, at its full speed for weights of any dense layout.

    torch's fused step on a CPU copies what is not contiguous, four tensors there and three back at
    each step, and `bionn.nn.OneHotLinear` keeps its weight ``(out, A, L)`` with (L, A, out)
    contiguous. The step is the same number by number, so it is given views whose dimensions are
    sorted as memory is. States keep the shapes and strides of their parameters, as torch has them.

    Where the step is fused, has no hooks and is not profiled, the library calls torch's kernel without
    what torch does around it, which costs as much as the kernel itself for a hundred thousand numbers:
    from the second step on, for float32 on the CPU.

    Example:
        >>> weight = torch.nn.Parameter(torch.ones(3, 2).t())
        >>> weight.grad = torch.ones(3, 2).t()
        >>> AdamW([weight], lr=0.1, weight_decay=0.0, fused=True).step()
        >>> weight.shape, round(weight.mean().item(), 4)
        (torch.Size([2, 3]), 0.9)
    """

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step; what the closure, which computes gradients, returned."""
        if self._is_watched() or not all(_is_plain(group) for group in self.param_groups):
            return _torchs(self, closure)
        loss = None
        if closure is not None:
            if torch.is_grad_enabled():
                loss = closure()
            else:
                with torch.enable_grad():
                    loss = closure()
        with torch.no_grad():
            if not self._is_taken_by_kernels():
                _torchs(self)
        return loss

    step.hooked = True  # pyright: ignore[reportFunctionMemberAccess] - torch need not wrap it

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        if not set_to_none or torch.autograd._profiler_enabled():  # pyright: ignore[reportPrivateImportUsage]
            super().zero_grad(set_to_none)
            return
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def _is_watched(self) -> bool:
        """Whether somebody wants to know of the step, or to take part in it."""
        return bool(
            torch.autograd._profiler_enabled()  # pyright: ignore[reportPrivateImportUsage]
            or torch.compiler.is_compiling()
            or self._optimizer_step_pre_hooks
            or self._optimizer_step_post_hooks
            or _global_optimizer_pre_hooks
            or _global_optimizer_post_hooks
            or hasattr(self, "grad_scale")
            or hasattr(self, "found_inf")
        )

    def _is_taken_by_kernels(self) -> bool:
        """Whether the library has taken the step: of float32 on the CPU, the first one above all not."""
        operation = nodes.operation("adamw")
        if operation is None or not undisturbed():
            return False
        lists: tuple[list[Tensor], ...] = ([], [], [], [])
        parameters, averages, squares, counts = lists
        sizes: list[int] = []
        options: list[float] = []
        for group in self.param_groups:
            before = len(parameters)
            for parameter in group["params"]:
                state = self.state.get(parameter)
                if state:
                    parameters.append(parameter)
                    averages.append(state["exp_avg"])
                    squares.append(state["exp_avg_sq"])
                    counts.append(state["step"])
                elif parameter.grad is not None:
                    return False
            sizes.append(len(parameters) - before)
            options += (group["lr"], *group["betas"], group["weight_decay"], group["eps"])
        return operation(*lists, sizes, options)

    def _init_group(self, group: dict[str, Any], *lists: list[Tensor]) -> bool:
        """Parameters, gradients, states and steps of a group; as torch does, then as views."""
        complex_numbers = super()._init_group(group, *lists)
        alike = [tensors for tensors in lists[:-1] if tensors]  # the last are steps, single numbers
        for place, same in enumerate(zip(*alike, strict=True)):
            for tensors, view in zip(alike, as_stored(*same), strict=True):
                tensors[place] = view
        return complex_numbers


def _is_plain(group: dict[str, Any]) -> bool:
    """Whether a group's step is torch's fused one, and nothing more."""
    return bool(
        group["fused"]
        and group["decoupled_weight_decay"]
        and type(group["lr"]) is type(group["betas"][0]) is type(group["betas"][1]) is float
        and not (group["amsgrad"] or group["maximize"] or group["capturable"])
    )


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
