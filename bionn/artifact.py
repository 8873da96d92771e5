"""A model directory: safetensors weights and a JSON manifest with all that prediction needs."""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch

from bionn.errors import ArtifactError
from bionn.formats.output import replacing, write_json
from bionn.models.layers import set_code_table
from bionn.models.spec import build, spec_of

FORMAT_VERSION = 1
WEIGHTS = "model.safetensors"
MANIFEST = "manifest.json"
_REQUIRED = ("task", "classes", "targets", "target_scaler", "input", "model", "weights_sha256")


def save(directory: str | Path, model: torch.nn.Module, manifest: dict[str, Any]) -> None:
    """Write weights and manifest; the manifest, which makes them a model, comes last.

    Args:
        directory: made if it is not there.
        model: any network; one that is not ours must be passed to :func:`load` again.
        manifest: plain data: task, classes, targets, input, scalers, hashes.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    weights = {
        name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()
    }
    raw = safetensors.torch.save(weights)
    with replacing(directory / WEIGHTS, binary=True) as file:
        file.write(raw)
    full = {
        "format_version": FORMAT_VERSION,
        **manifest,
        "model": spec_of(model),
        "weights_sha256": hashlib.sha256(raw).hexdigest(),
        "versions": {
            "bionn": package_version(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
    }
    write_json(full, directory / MANIFEST)


def load(
    directory: str | Path, *, model: torch.nn.Module | None = None
) -> tuple[torch.nn.Module, dict[str, Any]]:
    """Read a model directory; nothing in it is executed or unpickled.

    Args:
        directory: as :func:`save` wrote it.
        model: the network to fill, for one that is not ours.

    Returns:
        The network in evaluation mode on the CPU, and the manifest.

    Raises:
        ArtifactError: files missing or damaged, another format version, changed weights.
    """
    directory = Path(directory)
    if (directory / "model" / MANIFEST).is_file():
        directory = directory / "model"
    manifest = _read_manifest(directory)
    path = directory / WEIGHTS
    if not path.is_file():
        raise ArtifactError(f"{path}: no such file; copy the whole model directory")
    raw = path.read_bytes()
    if hashlib.sha256(raw).hexdigest() != manifest["weights_sha256"]:
        raise ArtifactError(
            f"{path}: its sha256 is not the one in {MANIFEST}; the weights were changed or damaged, "
            "copy the model directory again"
        )
    network = build(manifest["model"]) if model is None else model
    try:
        network.load_state_dict(safetensors.torch.load(raw))
    except (RuntimeError, safetensors.SafetensorError) as error:
        reason = str(error).replace("\n", " ").replace("\t", "")
        raise ArtifactError(f"{path}: weights do not fit the network: {reason}") from None
    if "code_table" in manifest["input"]:
        set_code_table(network, torch.tensor(manifest["input"]["code_table"]))
    return network.eval(), manifest


def package_version() -> str:
    """The installed version of this package."""
    from importlib.metadata import version

    return version("bionn")


def _read_manifest(directory: Path) -> dict[str, Any]:
    path = directory / MANIFEST
    if (directory / "fold_0").is_dir():
        raise ArtifactError(
            f"{directory}: one model needed, this run has one for each fold; name {directory}/fold_0"
        )
    if not path.is_file():
        raise ArtifactError(
            f"{directory}: a model directory needed, it holds no {MANIFEST}; "
            "name the run's folder or its model folder"
        )
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ArtifactError(f"{path}: not readable as JSON ({error})") from None
    if not isinstance(manifest, dict) or "format_version" not in manifest:
        raise ArtifactError(f"{path}: a format_version needed, none found; not a model of bionn")
    if manifest["format_version"] != FORMAT_VERSION:
        raise ArtifactError(
            f"{path}: format version {FORMAT_VERSION} needed, {manifest['format_version']!r} found; "
            "use the version of bionn that wrote it, or train again"
        )
    for key in _REQUIRED:
        if key not in manifest:
            raise ArtifactError(f"{path}: {key!r} is missing; copy the model directory again")
    return manifest
