"""A trained model for other programs: ONNX or torch.export, from one-hot or features to predictions.

The network is rebuilt of torch's own layers, so that what is written needs nothing of this package.
"""

from __future__ import annotations

import json
import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from bionn.errors import InputError
from bionn.formats.output import json_text, replacing
from bionn.models.ensemble import Ensemble
from bionn.models.mlp import MLP
from bionn.models.single import LinearRegression, LogisticRegression, SoftmaxRegression
from bionn.nn import activation as ours
from bionn.nn.linear import Linear, OneHotLinear
from bionn.predict import Predictor
from bionn.preprocess.sequences import SequenceEncoder
from bionn.preprocess.targets import TargetScaler

Format = Literal["onnx", "torch"]
Output = Literal["probabilities", "logits"]
FORMATS: tuple[Format, ...] = ("onnx", "torch")
OUTPUTS: tuple[Output, ...] = ("probabilities", "logits")

INPUT, PREDICTION, METADATA = "input", "output", "bionn.json"


class Step(torch.nn.Module):
    """1 above 0, else 0, as :class:`bionn.nn.Step`."""

    def forward(self, input: Tensor) -> Tensor:
        """The step of each element."""
        return (input > 0).to(input.dtype)


class Exported(torch.nn.Module):
    """Network and link together, of torch's layers alone.

    Args:
        predictor: the trained model.
        output: ``probabilities`` (values in the targets' units for regression), or ``logits``: the
            network's own numbers, calibrated where the model is.

    Shape:
        - Input: one-hot ``(N, A, L)`` or features ``(N, F)``, ``float32``.
        - Output: probabilities ``(N, K)``, two columns for two classes; values ``(N, T)``; logits
          ``(N, out)``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, predictor: Predictor, output: Output = "probabilities") -> None:
        super().__init__()
        model = predictor.model
        members = list(model.members) if isinstance(model, Ensemble) else [model]
        self.members = torch.nn.ModuleList(_plain(member) for member in members)
        self.pool = Ensemble([torch.nn.Identity()], predictor.task)
        self.task, self.output = predictor.task, output
        self.divisor = float(predictor.calibration.divisor)
        scaler = predictor.target_scaler or TargetScaler(("",), _one(0.0), _one(1.0))
        self.log = scaler.log
        self.register_buffer("mean", torch.as_tensor(scaler.mean, dtype=torch.float32))
        self.register_buffer("std", torch.as_tensor(scaler.std, dtype=torch.float32))
        self.complement = _complement(predictor)

    def forward(self, input: Tensor) -> Tensor:
        """Predictions or logits."""
        strands = [input]
        if self.complement is not None:
            strands.append(torch.stack([input[:, k].flip(1) for k in self.complement], dim=1))
        each = [
            torch.stack([member(strand) for strand in strands]).mean(dim=0)
            for member in self.members
        ]
        logits = self.pool.pooled(torch.stack(each)) if len(each) > 1 else each[0]
        logits = logits / self.divisor
        if self.output == "logits":
            return logits
        if self.task == "regression":
            values = logits * self.std + self.mean
            return torch.expm1(values) if self.log else values
        if self.task == "multiclass":
            return logits.softmax(dim=1)
        return torch.cat([torch.sigmoid(-logits), torch.sigmoid(logits)], dim=1)


def export(
    predictor: Predictor,
    path: str | Path,
    *,
    format: Format = "onnx",
    output: Output = "probabilities",
) -> dict[str, Any]:
    """Write a trained model for other programs.

    Args:
        predictor: the trained model, on the CPU.
        path: the file; whole or not there.
        format: ``onnx``, or ``torch``: a program that ``torch.export.load`` reads.
        output: see :class:`Exported`.

    Returns:
        The metadata that stands in the file: as ``bionn.json`` among the extra files of a program, as
        the property ``bionn`` of ONNX.

    Raises:
        InputError: a network that is not of this package, or both strands of aligned sequences.
    """
    for name, value, choices in (("format", format, FORMATS), ("output", output, OUTPUTS)):
        if value not in choices:
            raise InputError(
                f"{name}: one of {', '.join(choices)} needed, {value!r} found; choose one"
            )
    module = Exported(predictor, output).eval()
    shape = predictor.encoder.input_shape
    example = torch.zeros(2, *((shape,) if isinstance(shape, int) else shape))
    batch = torch.export.Dim("batch", min=1)
    with _quiet():
        program = torch.export.export(
            module, (example,), dynamic_shapes={"input": {0: batch}}, strict=False
        )
    told = metadata(predictor, output)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model"
        if format == "torch":
            file = file.with_suffix(".pt2")
            torch.export.save(program, file, extra_files={METADATA: json_text(told)})
        else:
            file = file.with_suffix(".onnx")
            _to_onnx(program, file, told)
        with replacing(path, binary=True) as whole:
            whole.write(file.read_bytes())
    return told


def metadata(predictor: Predictor, output: Output) -> dict[str, Any]:
    """What somebody who has the file alone must know: inputs, outputs, classes, preprocessing."""
    encoder, manifest = predictor.encoder, predictor.manifest
    probable = predictor.task != "regression" and output == "probabilities"
    if isinstance(encoder, SequenceEncoder) and not isinstance(encoder.input_shape, int):
        takes = "one-hot (batch, letter, position), float32; unknown and padding by the code table"
    else:
        takes = "features (batch, feature), float32, after the steps of preprocessing"
    names = predictor.output_columns
    if output == "logits" and predictor.task == "binary":
        names = [f"logit_{predictor.classes[1]}"]
    elif output == "logits":
        names = [f"logit_{name}" for name in predictor.classes or predictor.target_names]
    return {
        "task": predictor.task,
        "classes": predictor.classes,
        "targets": predictor.target_names,
        "input": takes,
        "output": "probabilities" if probable else output if output == "logits" else "values",
        "columns": names,
        "preprocessing": manifest["input"],
        "decision": manifest.get("decision"),
        "model": manifest["model"],
        "versions": {"torch": torch.__version__},
    }


def _to_onnx(program: torch.export.ExportedProgram, file: Path, told: dict[str, Any]) -> None:
    """Through torch's exporter; the metadata as a property."""
    try:
        import onnx
        import onnxscript  # noqa: F401  (what torch.onnx needs)
    except ImportError:
        raise InputError(
            "format onnx: onnx and onnxscript needed, not installed; pip install 'bionn[export]'"
        ) from None
    with _quiet():
        written = torch.onnx.export(
            program, (), input_names=[INPUT], output_names=[PREDICTION], dynamo=True, verbose=False
        )
    assert written is not None
    proto = written.model_proto
    onnx.helper.set_model_props(proto, {"bionn": json.dumps(told)})
    onnx.checker.check_model(proto)
    file.write_bytes(proto.SerializeToString())


def _plain(model: torch.nn.Module) -> torch.nn.Module:
    """One of our networks of torch's layers, with the same numbers.

    Raises:
        InputError: another network, which its owner exports better.
    """
    if isinstance(model, MLP):
        layers = list(model.layers)
    elif isinstance(model, (LinearRegression, LogisticRegression, SoftmaxRegression)):
        layers = [model.linear]
    else:
        raise InputError(
            f"model: a network of bionn.models needed, {type(model).__name__} found; export it with "
            "torch.export yourself"
        )
    return torch.nn.Sequential(*(layer for old in layers for layer in _plain_layer(old)))


def _plain_layer(layer: torch.nn.Module) -> list[torch.nn.Module]:
    match layer:
        case Linear() | OneHotLinear():
            matrix = layer.weight.detach().cpu().flatten(1)
            dense = torch.nn.Linear(matrix.shape[1], matrix.shape[0], bias=layer.bias is not None)
            state = (
                {"weight": matrix} if layer.bias is None else {"weight": matrix, "bias": layer.bias}
            )
            dense.load_state_dict(state)
            return [torch.nn.Flatten(), dense] if isinstance(layer, OneHotLinear) else [dense]
        case torch.nn.Dropout():
            return []
        case ours.LeakyReLU():
            return [torch.nn.LeakyReLU(layer.negative_slope)]
        case ours.ELU():
            return [torch.nn.ELU(layer.alpha)]
        case ours.Softplus():
            return [torch.nn.Softplus(layer.beta, layer.threshold)]
        case ours.GELU():
            return [torch.nn.GELU(layer.approximate)]
        case ours.Step():
            return [Step()]
    return [getattr(torch.nn, type(layer).__name__)()]


def _complement(predictor: Predictor) -> list[int] | None:
    """The letters that pair with each, where predictions are over both strands; else None.

    Raises:
        InputError: padded sequences, whose other strand stands elsewhere, or k-mers of them.
    """
    encoder = predictor.encoder
    if not isinstance(encoder, SequenceEncoder) or not encoder.both_strands:
        return None
    if encoder.align is not None or isinstance(encoder.input_shape, int):
        raise InputError(
            "both-strands: one-hot sequences of one length needed to export both strands, others found; "
            "export one strand with --no-both-strands"
        )
    return encoder.symbols.complement[: len(encoder.symbols.letters)].tolist()


def _one(value: float) -> Any:
    return torch.full((1,), value, dtype=torch.float64).numpy()


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporters speak of their own matters, as warnings and in logs."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
