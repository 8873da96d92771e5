"""A model directory to a predictor: checked, and told otherwise where that is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from bionn import artifact
from bionn.errors import ArtifactError, InputError
from bionn.models.spec import networks_of
from bionn.predict import Predictor, find_device
from bionn.preprocess.sequences import SequenceEncoder
from bionn.sequences.alphabet import alphabet_named

_LONGEST = 1 << 24
"""Positions of a sequence that a manifest may ask to make room for: rows of them are held at a time."""


def load(
    directory: str | Path,
    *,
    model: torch.nn.Module | None = None,
    device: str | torch.device = "cpu",
    both_strands: bool | None = None,
    calibrate: bool | None = None,
) -> Predictor:
    """The predictor in a model directory, or in a run's directory.

    Args:
        directory: ``runs/NAME`` or ``runs/NAME/model``.
        model: the network to fill, for one that is not of this package.
        device: where to compute.
        both_strands: whether to average over a sequence and its reverse complement; as the model was
            told when it was trained, when None. Other than then, it has no conformal thresholds.
        calibrate: whether to divide logits by the temperature that validation rows gave; as it was
            decided when it was trained, when None. Likewise.

    Raises:
        ArtifactError: the directory holds no usable model.
        InputError: both strands of a model that does not take DNA or RNA, or the temperature of a model
            that has none.
    """
    device = find_device(device)
    network, manifest = artifact.load(directory, model=model)
    if both_strands is not None:
        manifest = with_both_strands(manifest, both_strands)
    if calibrate is not None:
        manifest = with_calibration(manifest, calibrate)
    try:
        predictor = Predictor(network, manifest, device)
        _check_agreement(predictor)
    except (KeyError, TypeError, ValueError, IndexError, InputError) as error:
        raise ArtifactError(
            f"{directory}: the manifest is not as bionn writes it ({type(error).__name__}: {error}); "
            "copy the model directory again"
        ) from None
    return predictor


def _check_agreement(predictor: Predictor) -> None:
    """A network and its manifest must speak of the same inputs and outputs.

    Raises:
        ValueError: they do not.
    """
    encoder = predictor.encoder
    if isinstance(encoder, SequenceEncoder) and not 0 <= encoder.length <= _LONGEST:
        raise ValueError(
            f"sequences of at most {_LONGEST} positions needed, {encoder.length} found"
        )
    names = predictor.target_names if predictor.task == "regression" else predictor.classes
    outputs = 1 if predictor.task == "binary" else len(names)
    for spec in networks_of(predictor.manifest["model"]):
        arguments = spec["init_args"]
        if arguments is None:  # not a network of this package
            continue
        taken = arguments["in_features"]
        if encoder.input_shape != (taken if isinstance(taken, int) else tuple(taken)):
            raise ValueError(f"inputs {encoder.input_shape}, but a network for {taken}")
        given = arguments.get("out_features", arguments.get("num_classes", 1))
        if given != outputs:
            raise ValueError(f"{predictor.task} of {len(names)}, but a network of {given} outputs")


def with_both_strands(manifest: dict[str, Any], both_strands: bool) -> dict[str, Any]:
    """A manifest that averages over both strands, or does not.

    Raises:
        InputError: both strands of a model that does not take DNA or RNA.
    """
    taken = manifest["input"]
    if both_strands and taken["kind"] != "sequence":
        raise InputError(
            "both-strands: a model of sequences needed, one of features found; leave it out"
        )
    if both_strands:
        _ = alphabet_named(taken["alphabet"]).complement
    same = taken.get("both_strands", False) == both_strands
    return _with_thresholds(manifest, same) | {"input": taken | {"both_strands": both_strands}}


def with_calibration(manifest: dict[str, Any], calibrate: bool) -> dict[str, Any]:
    """A manifest that divides logits by its temperature, or does not.

    Raises:
        InputError: it has no temperature.
    """
    kept = manifest.get("calibration")
    if kept is None:
        if not calibrate:
            return manifest
        raise InputError(
            "calibrate: a model of classes with a temperature needed, this one has none; leave it out"
        )
    same = kept["applied"] == calibrate
    return _with_thresholds(manifest, same) | {"calibration": kept | {"applied": calibrate}}


def _with_thresholds(manifest: dict[str, Any], same: bool) -> dict[str, Any]:
    """A manifest whose conformal thresholds are left out if they are of other predictions."""
    return {name: value for name, value in manifest.items() if same or name != "conformal"}
