"""A network as plain data, ``class_path`` and arguments, and back without running foreign code."""

from __future__ import annotations

from typing import Any

import torch

from bionn.errors import ArtifactError, InputError
from bionn.models.ensemble import Ensemble
from bionn.models.mlp import MLP
from bionn.models.single import LinearRegression, LogisticRegression, SoftmaxRegression

_OURS: dict[str, type[torch.nn.Module]] = {
    f"bionn.models.{cls.__name__}": cls
    for cls in (MLP, LinearRegression, LogisticRegression, SoftmaxRegression)
}

_ENSEMBLE = "bionn.models.Ensemble"


def spec_of(model: torch.nn.Module) -> dict[str, Any]:
    """``{"class_path", "init_args"}``; ``init_args`` is None for a network that is not ours.

    An ensemble's are those of its members.
    """
    if type(model) is Ensemble:
        members = [spec_of(member) for member in model.members]
        return {"class_path": _ENSEMBLE, "init_args": {"kind": model.kind, "members": members}}
    for path, cls in _OURS.items():
        if type(model) is cls:
            return {"class_path": path, "init_args": dict(model.arguments)}  # pyright: ignore[reportCallIssue, reportArgumentType]
    cls = type(model)
    return {"class_path": f"{cls.__module__}.{cls.__qualname__}", "init_args": None}


def networks_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """The specs of an ensemble's members; of any other network, its own."""
    if spec.get("class_path") != _ENSEMBLE:
        return [spec]
    arguments = spec.get("init_args")
    members = arguments.get("members") if isinstance(arguments, dict) else None
    if not isinstance(members, list) or not all(isinstance(member, dict) for member in members):
        raise ArtifactError("model: an ensemble's members needed, none found")
    if any(member.get("class_path") == _ENSEMBLE for member in members):
        raise ArtifactError("model: networks needed in an ensemble, an ensemble found")
    return members


def build(spec: dict[str, Any]) -> torch.nn.Module:
    """The network that a spec describes, with fresh weights.

    Only the classes of this package are built: a manifest must not be able to name any other code.

    Raises:
        ArtifactError: another class, or arguments that it does not take.
    """
    path = spec.get("class_path")
    if path == _ENSEMBLE:
        members = [build(member) for member in networks_of(spec)]
        try:
            return Ensemble(members, spec["init_args"].get("kind"))
        except InputError as error:
            raise ArtifactError(f"model: {error}; copy the model directory again") from None
    cls = _OURS.get(str(path))
    if cls is None:
        raise ArtifactError(
            f"model: one of {', '.join([*_OURS, _ENSEMBLE])} needed, {repr(path)[:200]} found; "
            "build the network yourself and pass it as model="
        )
    try:
        return cls(**spec.get("init_args", {}))
    except (TypeError, ValueError, ArithmeticError, RuntimeError, InputError) as error:
        raise ArtifactError(
            f"model: {path} does not take its arguments: {error}; copy the model directory again"
        ) from None
