"""A network as plain data, ``class_path`` and arguments, and back without running foreign code."""

from __future__ import annotations

from typing import Any

import torch

from bionn.errors import ArtifactError, InputError
from bionn.models.mlp import MLP
from bionn.models.single import LinearRegression, LogisticRegression, SoftmaxRegression

_OURS: dict[str, type[torch.nn.Module]] = {
    f"bionn.models.{cls.__name__}": cls
    for cls in (MLP, LinearRegression, LogisticRegression, SoftmaxRegression)
}


def spec_of(model: torch.nn.Module) -> dict[str, Any]:
    """``{"class_path", "init_args"}``; ``init_args`` is None for a network that is not ours."""
    for path, cls in _OURS.items():
        if type(model) is cls:
            return {"class_path": path, "init_args": dict(model.arguments)}  # pyright: ignore[reportCallIssue, reportArgumentType]
    cls = type(model)
    return {"class_path": f"{cls.__module__}.{cls.__qualname__}", "init_args": None}


def build(spec: dict[str, Any]) -> torch.nn.Module:
    """The network that a spec describes, with fresh weights.

    Only the classes of this package are built: a manifest must not be able to name any other code.

    Raises:
        ArtifactError: another class, or arguments that it does not take.
    """
    path = spec.get("class_path")
    cls = _OURS.get(str(path))
    if cls is None:
        raise ArtifactError(
            f"model: one of {', '.join(_OURS)} needed, {repr(path)[:200]} found; build the "
            "network yourself and pass it as model="
        )
    try:
        return cls(**spec.get("init_args", {}))
    except (TypeError, ValueError, ArithmeticError, RuntimeError, InputError) as error:
        raise ArtifactError(
            f"model: {path} does not take its arguments: {error}; copy the model directory again"
        ) from None
