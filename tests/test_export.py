"""Exported models compute what the predictor computes, without this package."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from bionn import artifact
from bionn.cli.main import main
from bionn.export import METADATA, export
from bionn.models import MLP, LinearRegression, LogisticRegression, SoftmaxRegression
from bionn.models.ensemble import Ensemble
from bionn.models.layers import ACTIVATIONS, set_code_table
from bionn.predict import Predictor
from bionn.preprocess.sequences import SequenceEncoder
from bionn.sequences.onehot import one_hot
from tests.small_sets import prepared
from tests.support.refusals import refused

NETWORKS: dict[str, Any] = {
    "binary": lambda shape: MLP(shape, (8, 5), 1, dropout=0.5),
    "multiclass": lambda shape: MLP(shape, (8,), 3, activation="tanh"),
    "regression": lambda shape: MLP(shape, (6,), 2, activation="gelu"),
    "state": lambda shape: LogisticRegression(shape),
}


def predictor_of(kind: str, network: Any = None, **options: Any) -> tuple[Predictor, torch.Tensor]:
    """A predictor, and inputs as its export takes them."""
    torch.manual_seed(0)
    data = prepared(kind, **options)
    model = (network or NETWORKS[kind])(data.encoder.input_shape)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    if data.code_table is not None:
        set_code_table(model, data.code_table)
    spec = artifact.spec_of(model)
    predictor = Predictor(model, data.manifest() | {"model": spec})
    return predictor, data.inputs


def dense(predictor: Predictor, inputs: torch.Tensor) -> torch.Tensor:
    encoder = predictor.encoder
    if isinstance(encoder, SequenceEncoder) and not isinstance(encoder.input_shape, int):
        return one_hot(inputs, torch.from_numpy(encoder.code_table))
    features = encoder.features() if isinstance(encoder, SequenceEncoder) else None
    return inputs if features is None else features(inputs)


def columns(predictor: Predictor, inputs: torch.Tensor) -> np.ndarray:
    """What ``predict`` writes."""
    outputs = predictor.outputs(inputs)
    return np.column_stack([1 - outputs, outputs]) if predictor.task == "binary" else outputs


def through_onnx(path: Path, inputs: torch.Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"input": inputs.numpy()})[0])


@pytest.mark.parametrize("kind", NETWORKS)
def test_onnx_computes_what_the_predictor_does_for_any_batch(kind: str, tmp_path: Path) -> None:
    predictor, inputs = predictor_of(kind)
    export(predictor, tmp_path / "a.onnx")
    expected = columns(predictor, inputs)
    for rows in (1, 2, 7, len(inputs)):
        found = through_onnx(tmp_path / "a.onnx", dense(predictor, inputs[:rows]))
        np.testing.assert_allclose(found, expected[:rows], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_torch_program_computes_it_too(kind: str, tmp_path: Path) -> None:
    predictor, inputs = predictor_of(kind)
    export(predictor, tmp_path / "a.pt2", format="torch")
    extra = {METADATA: ""}
    program = torch.export.load(tmp_path / "a.pt2", extra_files=extra).module()
    for rows in (1, 5, len(inputs)):
        found = program(dense(predictor, inputs[:rows])).detach().numpy()
        np.testing.assert_allclose(found, columns(predictor, inputs[:rows]), rtol=1e-5, atol=1e-5)
    assert json.loads(extra[METADATA])["classes"] == predictor.classes


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_is_exported(name: str, tmp_path: Path) -> None:
    predictor, inputs = predictor_of("binary", lambda s: MLP(s, (8,), 1, activation=name))
    export(predictor, tmp_path / "a.onnx")
    found = through_onnx(tmp_path / "a.onnx", dense(predictor, inputs))
    np.testing.assert_allclose(found, columns(predictor, inputs), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "network", "options"),
    [
        ("multiclass", lambda s: SoftmaxRegression(s, 3), {}),
        ("regression", lambda s: LinearRegression(s, 2), {"log": True}),
        ("regression", lambda s: LinearRegression(s, 2), {"target_transform": "none"}),
        ("binary", lambda s: MLP(s, (4,), 1, bias=False), {"both_strands": True}),
        ("binary", lambda s: Ensemble([MLP(s, (4,), 1) for _ in range(3)], "binary"), {}),
        ("multiclass", lambda s: Ensemble([MLP(s, (4,), 3) for _ in range(2)], "multiclass"), {}),
        ("regression", lambda s: Ensemble([MLP(s, (4,), 2) for _ in range(2)], "regression"), {}),
        ("binary", lambda s: MLP(s, (4,), 1), {"encoding": "onehot+kmer:2"}),
    ],
)
def test_other_models_are_exported(
    kind: str, network: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    log = "log" in options
    predictor, inputs = predictor_of(kind, network, **({} if log else options))
    if log:
        assert predictor.target_scaler is not None
        predictor.target_scaler = replace(
            predictor.target_scaler, mean=np.array([0.5, 2.0]), std=np.array([0.1, 0.2]), log=True
        )
    export(predictor, tmp_path / "a.onnx")
    found = through_onnx(tmp_path / "a.onnx", dense(predictor, inputs))
    expected = columns(predictor, inputs)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-5 * max(1, abs(expected).max()))


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_logits_on_request(kind: str, tmp_path: Path) -> None:
    predictor, inputs = predictor_of(kind)
    told = export(predictor, tmp_path / "a.onnx", output="logits")
    found = through_onnx(tmp_path / "a.onnx", dense(predictor, inputs))
    expected = predictor.tempered(predictor.logits(inputs)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert told["output"] == "logits"
    assert len(told["columns"]) == expected.shape[1]


def test_the_metadata_tell_all_that_is_needed(tmp_path: Path) -> None:
    predictor, _ = predictor_of("multiclass")
    told = export(predictor, tmp_path / "a.onnx")
    (found,) = (p.value for p in onnx.load(tmp_path / "a.onnx").metadata_props if p.key == "bionn")
    assert json.loads(found) == json.loads(json.dumps(told))
    assert told["output"] == "probabilities"
    assert told["columns"] == ["prob_EI", "prob_IE", "prob_N"]
    assert told["preprocessing"]["alphabet"] == "dna"
    assert told["preprocessing"]["letters"] == "ACGT"


def test_a_program_needs_nothing_of_this_package(tmp_path: Path) -> None:
    predictor, inputs = predictor_of("binary")
    export(predictor, tmp_path / "a.pt2", format="torch")
    np.save(tmp_path / "x.npy", dense(predictor, inputs).numpy())
    script = (
        "import sys; sys.modules['bionn'] = None\n"
        "import numpy as np, torch\n"
        "y = torch.export.load('a.pt2').module()(torch.from_numpy(np.load('x.npy')))\n"
        "np.save('y.npy', y.detach().numpy())"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], cwd=tmp_path, check=True)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), columns(predictor, inputs), atol=1e-5)


def test_what_cannot_be_exported_is_told(tmp_path: Path) -> None:
    predictor, _ = predictor_of("binary", lambda s: torch.nn.Sequential(torch.nn.Flatten()))
    with refused("a network of bionn.models needed, Sequential found"):
        export(predictor, tmp_path / "a.onnx")
    predictor, _ = predictor_of("binary", both_strands=True, align="left", length=14)
    with refused("both-strands", "--no-both-strands"):
        export(predictor, tmp_path / "a.onnx")
    assert list(tmp_path.iterdir()) == []


def test_the_command(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    data = prepared("binary")
    artifact.save("m", MLP(data.encoder.input_shape, (4,), 1), data.manifest())
    assert main(["export", "m", "--out", "a.onnx"]) == 0
    assert "output: probabilities (batch, 2): prob_no, prob_yes" in capsys.readouterr().out
    assert main(["export", "m", "--out", "a.onnx"]) == 2
    assert "already there" in capsys.readouterr().err
    assert main(["export", "m", "--format", "torch", "--out", "a.pt2"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.onnx", "a.pt2", "m"]
