"""Model directories: what is saved comes back; what was changed or is foreign is refused."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from bionn import artifact
from bionn.errors import ArtifactError
from bionn.models import MLP
from bionn.predict import load
from tests.small_sets import prepared

PREPARED = prepared("binary")


@pytest.fixture
def model() -> MLP:
    return MLP(PREPARED.encoder.input_shape, (8,), 1, dropout=0.5, input_dropout=0.5)


@pytest.fixture
def saved(model: MLP, tmp_path: Path) -> Path:
    artifact.save(tmp_path / "model", model, PREPARED.manifest())
    return tmp_path / "model"


def change(directory: Path, *, without: str = "", **entries: Any) -> None:
    """Rewrite entries of the manifest, or take one out."""
    path = directory / artifact.MANIFEST
    manifest = json.loads(path.read_text()) | entries
    manifest.pop(without, None)
    path.write_text(json.dumps(manifest))


def test_outputs_come_back_bit_for_bit(model: MLP, saved: Path) -> None:
    again = load(saved)
    expected = model.eval()(PREPARED.inputs.where(PREPARED.inputs < 4, 0))
    assert torch.equal(again.model(PREPARED.inputs.where(PREPARED.inputs < 4, 0)), expected)
    assert not again.model.training


def test_the_code_table_comes_back_with_the_weights(saved: Path) -> None:
    again, _ = artifact.load(saved)
    assert torch.equal(again.layers[0].table, PREPARED.code_table)


def test_the_run_folder_stands_for_its_model_folder(saved: Path) -> None:
    assert load(saved.parent).manifest == load(saved).manifest


def test_the_directory_holds_safetensors_and_json_and_no_pickle(saved: Path) -> None:
    assert sorted(p.name for p in saved.iterdir()) == ["manifest.json", "model.safetensors"]
    for path in saved.iterdir():
        raw = path.read_bytes()
        assert not raw.startswith((b"\x80", b"PK"))  # how pickles and torch.save's archives begin
    manifest = json.loads((saved / "manifest.json").read_text())
    digest = hashlib.sha256((saved / "model.safetensors").read_bytes()).hexdigest()
    assert manifest["weights_sha256"] == digest
    assert manifest["format_version"] == 1
    assert manifest["versions"]["torch"] == torch.__version__


def test_saving_again_replaces_the_model(saved: Path) -> None:
    other = MLP(PREPARED.encoder.input_shape, (3,), 1)
    artifact.save(saved, other, PREPARED.manifest())
    assert torch.equal(load(saved).model.layers[0].weight, other.layers[0].weight)
    assert len(list(saved.iterdir())) == 2


def test_weights_laid_out_in_any_order_are_saved(tmp_path: Path) -> None:
    model = MLP((4, 12), (8,), 1)
    model.layers[0].weight.data = model.layers[0].weight.data.contiguous()
    artifact.save(tmp_path, model, PREPARED.manifest())
    assert torch.equal(load(tmp_path).model.layers[0].weight, model.layers[0].weight)


def test_a_changed_weight_file_is_refused(saved: Path) -> None:
    path = saved / artifact.WEIGHTS
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ArtifactError, match=r"model\.safetensors: its sha256 is not the one"):
        load(saved)


@pytest.mark.parametrize("version", [2, 0, "1", [1]])
def test_another_format_version_is_refused(saved: Path, version) -> None:
    change(saved, format_version=version)
    with pytest.raises(ArtifactError, match=r"format version 1 needed, .* found; use the version"):
        load(saved)


@pytest.mark.parametrize("name", [artifact.MANIFEST, artifact.WEIGHTS])
def test_a_missing_file_is_named(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(ArtifactError, match=name):
        load(saved)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"nowhere: a model directory needed"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"weights", "not readable as JSON"),
        (b"\xff\xfe", "not readable as JSON"),
        (b"[" * 100_000, "not readable as JSON"),
        (b"[1, 2]", "a format_version needed"),
        (b"{}", "a format_version needed"),
    ],
)
def test_a_manifest_that_is_none_is_refused(saved: Path, text: bytes, message: str) -> None:
    (saved / artifact.MANIFEST).write_bytes(text)
    with pytest.raises(ArtifactError, match=message):
        load(saved)


@pytest.mark.parametrize(
    "key", ["task", "classes", "targets", "target_scaler", "input", "model", "weights_sha256"]
)
def test_an_incomplete_manifest_is_refused(saved: Path, key: str) -> None:
    change(saved, without=key)
    with pytest.raises(ArtifactError, match=f"'{key}' is missing"):
        load(saved)


def test_weights_of_another_shape_are_refused(saved: Path) -> None:
    spec = json.loads((saved / artifact.MANIFEST).read_text())["model"]
    spec["init_args"]["hidden_features"] = [9]
    change(saved, model=spec)
    with pytest.raises(ArtifactError, match=r"weights do not fit the network: .*size mismatch"):
        load(saved)


def test_a_manifest_cannot_name_foreign_code(saved: Path, monkeypatch) -> None:
    called = []
    monkeypatch.setattr("os.system", called.append)
    change(saved, model={"class_path": "os.system", "init_args": {"command": "true"}})
    with pytest.raises(ArtifactError, match=r"'os\.system' found"):
        load(saved)
    assert not called


class Convolution(torch.nn.Module):
    """A network of the user's own, on one-hot columns."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = torch.nn.Conv1d(4, 6, 5)
        self.head = torch.nn.Linear(6, 1)

    def forward(self, one_hot: torch.Tensor) -> torch.Tensor:
        return self.head(self.convolution(one_hot).relu().amax(dim=2))


def test_a_foreign_network_is_filled_when_it_is_passed(tmp_path: Path) -> None:
    model = Convolution()
    artifact.save(tmp_path, model, PREPARED.manifest())
    with pytest.raises(ArtifactError, match="Convolution' found; build the network yourself"):
        load(tmp_path)
    again = load(tmp_path, model=Convolution())
    texts = ["ACGTACGTACGT", "NNNNRRRRACGT"]
    codes = torch.from_numpy(PREPARED.encoder.encode(texts)).long()
    dense = PREPARED.code_table[codes].transpose(1, 2)
    expected = torch.sigmoid(model(dense))[:, 0].tolist()
    assert again.predict(texts)["prob_yes"].tolist() == pytest.approx(expected, abs=1e-6)
