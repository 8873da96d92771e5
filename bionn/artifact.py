"""A model directory: safetensors weights and a JSON manifest with all that prediction needs."""

from __future__ import annotations

import hashlib
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from bionn.errors import ArtifactError
from bionn.formats.output import json_text, plain_data, replacing
from bionn.manifest import FORMAT_VERSION, read_manifest, sealed
from bionn.models.layers import set_code_table
from bionn.models.spec import build, networks_of, spec_of

WEIGHTS = "model.safetensors"
MANIFEST = "manifest.json"

LONG = 10_000
"""From how many numbers on an array of the manifest stands with the weights."""

PATIENCE = 60.0
"""Seconds that a model's reader waits for the manifest of one that is just being written."""

_ARRAY = "manifest:"
"""How the names of such arrays begin among the weights."""


def save(directory: str | Path, model: torch.nn.Module, manifest: dict[str, Any]) -> None:
    """Write weights and manifest; the manifest, which makes them a model, comes last.

    Args:
        directory: made if it is not there.
        model: any network; one that is not ours must be passed to :func:`load` again.
        manifest: plain data: task, classes, targets, input, scalers, hashes.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()
    }
    manifest = _without_arrays(manifest, _ARRAY, tensors)
    raw = safetensors.torch.save(tensors)
    full = {
        "format_version": FORMAT_VERSION,
        **manifest,
        "model": spec_of(model),
        "weights_sha256": hashlib.sha256(raw).hexdigest(),
        "weights_bytes": len(raw),
        "versions": {
            "bionn": package_version(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
    }
    with (
        replacing(directory / MANIFEST) as manifest_file,  # the last to take its name
        replacing(directory / WEIGHTS, binary=True) as weights_file,
    ):
        manifest_file.write(json_text(sealed(plain_data(full))) + "\n")
        weights_file.write(raw)


def load(
    directory: str | Path, *, model: torch.nn.Module | None = None
) -> tuple[torch.nn.Module, dict[str, Any]]:
    """Read a model directory; nothing in it is executed or unpickled.

    Sizes and checksums are looked at before anything else, and memory is taken only for networks
    whose weights are there. A model that is replaced while it is read is read again.

    Args:
        directory: as :func:`save` wrote it.
        model: the network to fill, for one that is not ours.

    Returns:
        The network in evaluation mode on the CPU, and the manifest.

    Raises:
        ArtifactError: files missing or damaged, an unknown format version, changed weights.
    """
    directory = _model_folder(Path(directory))
    manifest, raw = _read(directory)
    path = directory / WEIGHTS
    try:
        tensors = safetensors.torch.load(raw)
    except safetensors.SafetensorError as error:
        raise ArtifactError(
            f"{path}: not readable as safetensors ({error}); copy it again"
        ) from None
    arrays = {name: tensors.pop(name) for name in list(tensors) if name.startswith(_ARRAY)}
    manifest = _with_arrays(manifest, arrays)
    network = _network(path, manifest["model"], tensors) if model is None else model
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        reason = str(error).replace("\n", " ").replace("\t", "")
        raise ArtifactError(
            f"{path}: weights do not fit the network: {reason}; pass the network that was saved"
        ) from None
    table = _code_table(directory / MANIFEST, manifest["input"])
    if table is not None:
        set_code_table(network, table)
    return network.eval(), manifest


def package_version() -> str:
    """The installed version of this package."""
    from importlib.metadata import version

    return version("bionn")


def _model_folder(directory: Path) -> Path:
    """The folder of the manifest: the one named, or the model folder of a run.

    Raises:
        ArtifactError: there is none.
    """
    if (directory / "model" / MANIFEST).is_file():
        return directory / "model"
    if (directory / "fold_0").is_dir():
        raise ArtifactError(
            f"{directory}: one model needed, this run has one for each fold; name {directory}/fold_0"
        )
    if not (directory / MANIFEST).is_file():
        raise ArtifactError(
            f"{directory}: a model directory needed, it holds no {MANIFEST}; "
            "name the run's folder or its model folder"
        )
    return directory


def _read(directory: Path) -> tuple[dict[str, Any], bytes]:
    """The manifest and the weights that belong to it.

    Of a model that is just being replaced the weights are new and the manifest is still the old one
    for a moment; the new one stands beside it by then.
    """
    path, deadline = directory / MANIFEST, time.monotonic() + PATIENCE
    while True:
        before = _file_at(path)
        manifest = read_manifest(path)
        try:
            return manifest, _read_weights(directory / WEIGHTS, manifest)
        except ArtifactError:
            coming = any(_is_new(new) for new in directory.glob(f".{MANIFEST}.*"))
            replaced = _file_at(path) != before  # asked last: what was coming may have come
            if not (coming or replaced) or time.monotonic() > deadline:
                raise
            if not replaced:
                time.sleep(0.02)


def _file_at(path: Path) -> tuple[int, int]:
    """Which file has a name now: another one may hold the same."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns


def _is_new(path: Path) -> bool:
    """Whether a file was written just now: an older one was left by a process that was killed."""
    try:
        return abs(time.time() - path.stat().st_mtime) < PATIENCE
    except FileNotFoundError:
        return False


def _read_weights(path: Path, manifest: dict[str, Any]) -> bytes:
    """The bytes of the weights, if they are those that the manifest tells of.

    Raises:
        ArtifactError: they are not there, or others.
    """
    if not path.is_file():
        raise ArtifactError(f"{path}: no such file; copy the whole model directory")
    size, told = path.stat().st_size, manifest.get("weights_bytes")
    if told is not None and size != told:
        raise ArtifactError(
            f"{path}: {told} bytes needed, {size} found; copy the model directory again"
        )
    raw = path.read_bytes()
    if hashlib.sha256(raw).hexdigest() != manifest["weights_sha256"]:
        raise ArtifactError(
            f"{path}: its sha256 is not the one in {MANIFEST}; the weights were changed or damaged, "
            "copy the model directory again"
        )
    return raw


def _network(path: Path, spec: dict[str, Any], tensors: dict[str, Tensor]) -> torch.nn.Module:
    """The network that a spec describes, without weights, if these are its weights.

    It is laid out without memory first: a spec may tell of any size, a file is as large as it is.

    Raises:
        ArtifactError: no such network, or weights of other names or sizes.
    """
    layers = 0
    for part in networks_of(spec):
        widths = (part.get("init_args") or {}).get("hidden_features", [])
        layers += len(widths) if isinstance(widths, list) else 0
    if layers > len(tensors):
        raise ArtifactError(
            f"{path}: weights do not fit the network: weights of {layers} hidden layers needed, "
            f"{len(tensors)} tensors found; copy the model directory again"
        )
    with torch.device("meta"):
        network = build(spec)
    needed = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name in [*needed, *found]:
        if needed.get(name) != found.get(name):
            raise ArtifactError(
                f"{path}: weights do not fit the network: {name}: size mismatch, "
                f"{needed.get(name)} needed, {found.get(name)} found; copy the model directory again"
            )
    return network.to_empty(device="cpu")


def _code_table(path: Path, taken: dict[str, Any]) -> Tensor | None:
    """What the codes of sequences stand for, ``(S, A)``; None for features.

    Raises:
        ArtifactError: not a table of numbers.
    """
    if "code_table" not in taken:
        return None
    try:
        table = torch.tensor(taken["code_table"], dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError):
        table = torch.empty(0)
    if table.ndim != 2 or not table.isfinite().all():
        raise ArtifactError(
            f"{path}: code_table: a table of numbers needed, found something else; copy the model "
            "directory again"
        )
    return table


def _without_arrays(value: Any, name: str, arrays: dict[str, Tensor]) -> Any:
    """Data with its long arrays of numbers put among the tensors, their names left instead."""
    if isinstance(value, dict):
        return {key: _without_arrays(item, f"{name}/{key}", arrays) for key, item in value.items()}
    if not isinstance(value, (list, tuple, np.ndarray)):
        return value
    array = _as_array(value)
    if array is not None and array.size >= LONG:
        arrays[name] = torch.from_numpy(array)
        return {"array": name}
    return [_without_arrays(item, f"{name}/{n}", arrays) for n, item in enumerate(value)]


def _as_array(value: Any) -> np.ndarray | None:
    """A list of floats, or of equally long lists of them, as ``float64``."""
    first = value
    while isinstance(first, (list, tuple, np.ndarray)) and len(first):
        first = first[0]
    if not isinstance(first, float):
        return None
    try:
        array = np.asarray(value)
    except ValueError:  # lists of unequal length
        return None
    return array if array.dtype == np.float64 else None


def _with_arrays(value: Any, arrays: dict[str, Tensor]) -> Any:
    """The data that :func:`_without_arrays` was given."""
    if isinstance(value, dict):
        if set(value) == {"array"} and value["array"] in arrays:
            return arrays[value["array"]].tolist()
        return {key: _with_arrays(item, arrays) for key, item in value.items()}
    return [_with_arrays(item, arrays) for item in value] if isinstance(value, list) else value
