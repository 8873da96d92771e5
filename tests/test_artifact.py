"""Model directories: what is saved comes back; what was changed or is foreign is refused."""

import hashlib
import json
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bionn import artifact
from bionn.errors import ArtifactError
from bionn.loading import load
from bionn.manifest import FORMAT_VERSION, sealed
from bionn.models import MLP
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
    path.write_text(json.dumps(sealed(manifest)))


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
    assert manifest["format_version"] == FORMAT_VERSION
    assert manifest["weights_bytes"] == (saved / "model.safetensors").stat().st_size
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


@pytest.mark.parametrize("name", [artifact.MANIFEST, artifact.WEIGHTS])
def test_a_missing_file_is_named(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(ArtifactError, match=name):
        load(saved)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"nowhere: a model directory needed"):
        load(tmp_path / "nowhere")


def test_a_weight_file_of_another_size_is_refused_unread(saved: Path, monkeypatch) -> None:
    path = saved / artifact.WEIGHTS
    path.write_bytes(path.read_bytes() + b"0")
    monkeypatch.setattr(Path, "read_bytes", pytest.fail)
    with pytest.raises(ArtifactError, match=r"model\.safetensors: \d+ bytes needed, \d+ found"):
        load(saved)


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


def test_weights_of_another_shape_are_refused(saved: Path) -> None:
    spec = json.loads((saved / artifact.MANIFEST).read_text())["model"]
    spec["init_args"]["hidden_features"] = [9]
    change(saved, model=spec)
    with pytest.raises(ArtifactError, match=r"weights do not fit the network: .*size mismatch"):
        load(saved)


@pytest.mark.parametrize("widths", [[10**9, 10**9], [10**30], [1] * 100_000])
def test_a_network_of_any_size_can_be_claimed_but_takes_no_memory(saved: Path, widths) -> None:
    """The address space is limited to a little more than is in use."""
    spec = json.loads((saved / artifact.MANIFEST).read_text())["model"]
    spec["init_args"]["hidden_features"] = widths
    change(saved, model=spec)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 28), before[1]))
    try:
        with pytest.raises(ArtifactError, match=r"weights do not fit|does not take its arguments"):
            load(saved)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_loading_leaves_the_random_numbers_alone(saved: Path) -> None:
    before = torch.random.get_rng_state()
    load(saved)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_long_arrays_of_numbers_stand_with_the_weights(model: MLP, tmp_path: Path) -> None:
    landmarks = np.random.default_rng(0).normal(size=(200, 60))
    landmarks[3, 4] = np.nan
    facts = {"landmarks": landmarks, "short": [0.5] * 10, "names": ["1.5"] * 20_000}
    artifact.save(tmp_path, model, PREPARED.manifest() | {"facts": [facts]})
    assert (tmp_path / artifact.MANIFEST).stat().st_size < 20_000 * 25
    network, manifest = artifact.load(tmp_path)
    (read,) = manifest["facts"]
    np.testing.assert_array_equal(np.array(read["landmarks"], dtype=float), landmarks)
    assert read["short"] == facts["short"]
    assert read["names"] == facts["names"]
    assert set(network.state_dict()) == set(model.state_dict())


def test_a_model_that_is_replaced_while_it_is_read_is_read_again(
    model: MLP, saved: Path, monkeypatch
) -> None:
    other = MLP(PREPARED.encoder.input_shape, (3,), 1)
    read = artifact.read_manifest

    def read_and_replace(path: Path) -> dict[str, Any]:
        manifest = read(path)
        monkeypatch.setattr(artifact, "read_manifest", read)
        artifact.save(saved, other, PREPARED.manifest())
        return manifest

    monkeypatch.setattr(artifact, "read_manifest", read_and_replace)
    again, _ = artifact.load(saved)
    assert torch.equal(again.layers[0].weight, other.layers[0].weight)


def test_new_weights_wait_for_their_manifest(model: MLP, saved: Path, monkeypatch) -> None:
    """As they stand between the two renames of another process."""
    artifact.save(saved.parent / "new", model, PREPARED.manifest() | {"note": "new"})
    other = MLP(PREPARED.encoder.input_shape, (3,), 1)
    artifact.save(saved.parent / "other", other, PREPARED.manifest())
    (saved.parent / "other" / artifact.WEIGHTS).replace(saved / artifact.WEIGHTS)
    coming = saved / f".{artifact.MANIFEST}.x"
    (saved.parent / "other" / artifact.MANIFEST).replace(coming)
    coming.touch()
    waits = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            coming.replace(saved / artifact.MANIFEST)

    monkeypatch.setattr(artifact.time, "sleep", sleep)
    again, _ = artifact.load(saved)
    assert torch.equal(again.layers[0].weight, other.layers[0].weight)
    assert len(waits) == 3


def test_a_model_that_is_replaced_and_back_again_is_read(
    model: MLP, saved: Path, monkeypatch
) -> None:
    """What the manifest says is then what it said before, though it is another file."""
    other = MLP(PREPARED.encoder.input_shape, (3,), 1)
    read = artifact._read_weights

    def replace_and_read(path: Path, manifest: dict[str, Any]) -> bytes:
        monkeypatch.setattr(artifact, "_read_weights", read)
        artifact.save(saved, other, PREPARED.manifest())
        try:
            return read(path, manifest)
        finally:
            artifact.save(saved, model, PREPARED.manifest())

    monkeypatch.setattr(artifact, "_read_weights", replace_and_read)
    again, _ = artifact.load(saved)
    assert torch.equal(again.layers[0].weight, model.layers[0].weight)


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
