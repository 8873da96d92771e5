"""The manifest of a model directory: what it must hold, its seal, its limits, and older formats."""

from __future__ import annotations

import hashlib
import json
import reprlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bionn.errors import ArtifactError, FormatError
from bionn.formats.json_file import read_json

FORMAT_VERSION = 2
"""What is written now. Every older format is read by way of :data:`MIGRATIONS`."""

SEAL = "manifest_sha256"
"""The entry by which a manifest proves that it is as it was written."""

MOST_BYTES = 1 << 25
"""Of a manifest; long arrays of numbers stand with the weights, see :mod:`bionn.artifact`."""

DEEPEST = 24
"""Lists and objects in each other."""

Manifest = dict[str, Any]

_REQUIRED = {
    "task": str,
    "classes": list,
    "targets": list,
    "target_scaler": (dict, type(None)),
    "input": dict,
    "reading": dict,
    "decision": (dict, type(None)),
    "model": dict,
    "weights_sha256": str,
}


def sealed(manifest: Manifest) -> Manifest:
    """The manifest with its own checksum, that of its contents whatever their order and spacing.

    Example:
        >>> sealed({"a": 1})["manifest_sha256"] == sealed({"a": 1.5})["manifest_sha256"]
        False
    """
    content = {name: value for name, value in manifest.items() if name != SEAL}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return content | {SEAL: hashlib.sha256(text.encode()).hexdigest()}


def read_manifest(path: Path) -> Manifest:
    """A manifest in today's format, whatever format it was written in.

    Raises:
        ArtifactError: not a manifest, changed since it was written, of a format that is newer than
            this version of bionn, or incomplete.
    """
    try:
        manifest = read_json(path, most_bytes=MOST_BYTES, deepest=DEEPEST)
    except FormatError as error:
        raise ArtifactError(str(error)) from None
    if not isinstance(manifest, dict) or "format_version" not in manifest:
        raise ArtifactError(
            f"{path}: a format_version needed, none found; not a model of bionn, name another folder"
        )
    version = manifest["format_version"]
    if type(version) is not int or not 1 <= version <= FORMAT_VERSION:
        raise ArtifactError(
            f"{path}: format version 1 to {FORMAT_VERSION} needed, {reprlib.repr(version)} found; "
            f"use the version of bionn that wrote it{_writer(manifest)}, or train again"
        )
    # Of version 1 none has a seal: what claims to be of version 1 and has one was changed.
    if (version > 1 or SEAL in manifest) and sealed(manifest)[SEAL] != manifest.get(SEAL):
        raise ArtifactError(
            f"{path}: its contents do not have the checksum that stands in it; it was changed or "
            "damaged, copy the model directory again"
        )
    try:
        for step in range(version, FORMAT_VERSION):
            manifest = MIGRATIONS[step](manifest) | {"format_version": step + 1}
    except (KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(
            f"{path}: not as format version {version} is ({type(error).__name__}: {error}); copy the "
            "model directory again"
        ) from None
    for name, kind in _REQUIRED.items():
        if not isinstance(manifest.get(name, ...), kind):
            fact = "is missing" if name not in manifest else "is not what it should be"
            raise ArtifactError(f"{path}: {name!r} {fact}; copy the model directory again")
    return manifest


def _writer(manifest: Manifest) -> str:
    """The version of bionn that a manifest names."""
    versions = manifest.get("versions")
    version = versions.get("bionn") if isinstance(versions, dict) else None
    return f" ({reprlib.repr(version)})" if isinstance(version, str) else ""


def _from_1(manifest: Manifest) -> Manifest:
    """Version 1 had no seal, and was written over a time in which entries were added without a number.

    What prediction needs is put in as it was understood then: no decision but for the most probable
    class, one strand, one-hot; features imputed by the median and standardised, in the fields that
    stood there before there were steps; targets standardised without a logarithm.
    """
    taken = dict(manifest["input"])
    if taken["kind"] == "sequence":
        taken = {"encoding": "onehot", "scale": 1.0, "both_strands": False} | taken
    elif "steps" not in taken:
        names, scale = taken["features"], {name: taken[name] for name in ("mean", "std")}
        taken = {
            "kind": "table",
            "features": names,
            "categories": [],
            "width": len(names),
            "steps": [
                {"step": "median", "median": taken["median"]},
                {"step": "zscore", **scale},
            ],
        }
    scaler = manifest["target_scaler"]
    reading = {"id_column": None, "id_rule": "first", "sequence_column": None, "columns": None}
    return (
        {"decision": None}
        | manifest
        | {
            "target_scaler": None if scaler is None else {"log": False} | scaler,
            "input": taken,
            "reading": reading | manifest.get("reading", {}),
        }
    )


MIGRATIONS: dict[int, Callable[[Manifest], Manifest]] = {1: _from_1}
"""From each older format version to the next one."""
