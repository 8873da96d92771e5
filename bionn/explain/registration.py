"""Tells attribution libraries which rule each activation of bionn.nn takes.

DeepLIFT replaces the derivative of an activation by the slope between an input and its baseline.
Captum and tangermeme look for activations by exact type and let any other pass with its plain
derivative, in silence: the attributions then no longer add up to the difference of the outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from torch.nn import Module

from bionn import nn

ELEMENTWISE: tuple[type[Module], ...] = (
    nn.Sigmoid,
    nn.Tanh,
    nn.ReLU,
    nn.LeakyReLU,
    nn.ELU,
    nn.Softplus,
    nn.GELU,
    nn.SiLU,
    nn.Step,
)
"""Activations for which DeepLIFT's rescale rule was made."""

ALONG_A_DIMENSION: tuple[type[Module], ...] = (nn.Softmax, nn.LogSoftmax)
"""Activations whose every output depends on every input along one dimension."""


def register_captum() -> None:
    """Let Captum's DeepLift and DeepLiftShap know the activations of `bionn.nn`.

    All take the rescale rule, `Softmax` and `LogSoftmax` element by element: with it the
    attributions add up to the difference of the outputs. Captum's own rule for ``torch.nn.Softmax``
    shifts them by a mean taken over the whole batch, so that they do not add up.

    Lasts for the process; calling it again changes nothing.

    Raises:
        ImportError: Captum is not installed (``pip install captum``).

    Example::

        from captum.attr import DeepLift
        register_captum()
        DeepLift(model).attribute(onehot, baselines)
    """
    deep_lift: Any = import_module("captum.attr._core.deep_lift")
    for activation in (*ELEMENTWISE, *ALONG_A_DIMENSION):
        deep_lift.SUPPORTED_NON_LINEAR[activation] = deep_lift.nonlinear


def tangermeme_ops() -> dict[type[Module], Callable[..., Any]]:
    """Return the rules of `bionn.nn`'s activations for tangermeme's ``additional_nonlinear_ops``.

    `Softmax` takes tangermeme's rule for it, all others the rescale rule.

    Raises:
        ImportError: tangermeme is not installed (``pip install tangermeme``).

    Example::

        from tangermeme.deep_lift_shap import deep_lift_shap
        deep_lift_shap(
            model, onehot, additional_nonlinear_ops=tangermeme_ops()
        )
    """
    rules: Any = import_module("tangermeme.deep_lift_shap")
    rescale: Callable[..., Any] = rules._nonlinear
    ops = dict.fromkeys((*ELEMENTWISE, *ALONG_A_DIMENSION), rescale)
    ops[nn.Softmax] = rules._softmax
    return ops
