"""DeepLIFT with the rescale rule: differences from a baseline handed back through each activation."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import Module

from bionn import nn
from bionn.errors import InputWarning
from bionn.explain.attribution import Attribution, Output, against, at_rest, chosen

RESCALED: tuple[type[Module], ...] = (
    *(nn.Sigmoid, nn.Tanh, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.Softplus, nn.GELU, nn.SiLU, nn.Step),
    *(nn.Softmax, nn.LogSoftmax, torch.nn.Softmax, torch.nn.LogSoftmax, torch.nn.Softmin),
    *(torch.nn.Sigmoid, torch.nn.Tanh, torch.nn.ReLU, torch.nn.LeakyReLU, torch.nn.ELU),
    *(torch.nn.Softplus, torch.nn.GELU, torch.nn.SiLU, torch.nn.ReLU6, torch.nn.PReLU),
    *(torch.nn.SELU, torch.nn.CELU, torch.nn.Mish, torch.nn.Hardtanh, torch.nn.Hardsigmoid),
    *(torch.nn.Hardswish, torch.nn.LogSigmoid, torch.nn.Softsign, torch.nn.Tanhshrink),
    *(torch.nn.Softshrink, torch.nn.Hardshrink, torch.nn.Threshold),
)
"""Modules whose derivative is replaced; softmax takes the rule element by element."""

TOLERANCE = 1e-3
"""The gap, beside the largest difference of outputs, from which a network is warned of."""

_NEAR = 1e-6


class _Rescale(torch.autograd.Function):
    """An activation of inputs and, behind them, as many baselines; backward gives multipliers.

    The values are computed already; their derivative never was asked for.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, y: Tensor, slope: Tensor) -> Tensor:
        """Return the values as they are."""
        ctx.save_for_backward(z, y, slope)
        return y.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Return u (y - y') / (z - z') for the inputs; baselines carry no gradient."""
        (upstream,) = grad_outputs
        z, y, slope = ctx.saved_tensors
        (z, z0), (y, y0) = z.chunk(2), y.chunk(2)
        # m = (y - y') / (z - z'); where the two meet, its limit dy/dz
        distance = z - z0
        near = distance.abs() < _NEAR
        ratio = torch.where(near, slope.chunk(2)[0], (y - y0) / distance.masked_fill(near, 1.0))
        return torch.cat([upstream.chunk(2)[0] * ratio, torch.zeros_like(z0)]), None, None


def deep_lift(
    model: Module,
    inputs: Tensor,
    baselines: Tensor | None = None,
    *,
    output: Output = 0,
) -> Attribution:
    """Attribute an output by DeepLIFT's rescale rule (Shrikumar, Greenside and Kundaje, ICML 2017).

    With several baselines a row, the mean over them: DeepLIFT-SHAP. The contributions add up to the
    difference of the outputs where everything between the inputs and the logits is linear, or a module
    among :data:`RESCALED`; a network of which that is not true is warned of.

    Args:
        model: any network of logits; put into evaluation mode for the call.
        inputs: one-hot ``(N, A, L)`` or features ``(N, F)``.
        baselines: what inputs are compared with; see :func:`bionn.explain.attribution.against`.
        output: which logit, or the weights of a sum of logits.

    Warns:
        InputWarning: the contributions do not add up.

    Example:
        >>> model = torch.nn.Sequential(torch.nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
        >>> bool(deep_lift(model, torch.randn(4, 3), output=1).gap.max() < 1e-5)
        True
    """
    largest = [0.0]

    def multipliers(x: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            both = torch.cat([x, b]).detach().requires_grad_()
            value = chosen(model(both), output)
            (slope,) = torch.autograd.grad(value[: len(x)].sum(), both)
        there, baseline = value.detach().chunk(2)
        difference = there - baseline
        largest.append(float(difference.abs().max()))
        return slope[: len(x)], difference

    with at_rest(model), rescaled(model):
        found = against(multipliers, inputs, baselines)
    gap = float(found.gap.max()) if len(found.gap) else 0.0
    if gap > TOLERANCE * max(1.0, *largest):
        warnings.warn(
            f"deep_lift: contributions miss the difference of the outputs by {gap:.2g}: the network has "
            "a step without a rule (an activation called as a function, a product of two inputs); give "
            "it modules, or take integrated_gradients",
            InputWarning,
            stacklevel=2,
        )
    return found


@contextmanager
def rescaled(model: Module) -> Iterator[None]:
    """Every activation of a model under the rescale rule; its batch is inputs, then baselines."""

    def replace(module: Module, arguments: tuple[Tensor, ...], y: Tensor) -> Tensor:
        z = arguments[0]
        with torch.enable_grad():
            leaf = z.detach().requires_grad_()
            value = type(module).forward(module, leaf)
            slope = torch.zeros_like(leaf)
            if value.requires_grad:
                (slope,) = torch.autograd.grad(value.sum(), leaf)
        return _Rescale.apply(z, y.detach(), slope)  # pyright: ignore[reportReturnType]

    activations = [module for module in model.modules() if isinstance(module, RESCALED)]
    in_place = [module for module in activations if getattr(module, "inplace", False)]
    with ExitStack() as undo:
        for module in in_place:  # the rule needs what went in
            setattr(module, "inplace", False)  # noqa: B010
            undo.callback(setattr, module, "inplace", True)
        for module in activations:
            undo.callback(module.register_forward_hook(replace).remove)
        yield
