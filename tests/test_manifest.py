"""Manifests: sealed, limited, and read in every format that was ever written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bionn import artifact
from bionn.errors import ArtifactError
from bionn.loading import load
from bionn.manifest import FORMAT_VERSION, MIGRATIONS, MOST_BYTES, SEAL, read_manifest, sealed
from bionn.models import MLP
from tests.small_sets import prepared
from tests.support.refusals import refused

OLD = Path(__file__).parent / "old_models"
"""Model folders that earlier versions wrote, new samples, and those versions' predictions of them."""

PREPARED = prepared("regression")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    artifact.save(tmp_path, MLP(PREPARED.encoder.input_shape, (4,), 2), PREPARED.manifest())
    return tmp_path / artifact.MANIFEST


def changed(path: Path, change: Callable[[dict[str, Any]], object], *, seal: bool = True) -> None:
    """Rewrite a manifest, with a new seal or with the old one."""
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(sealed(manifest) if seal else manifest))


@pytest.mark.parametrize("name", sorted(folder.name for folder in OLD.iterdir()))
def test_models_of_earlier_formats_predict_as_they_did(name: str) -> None:
    assert json.loads((OLD / name / artifact.MANIFEST).read_text())["format_version"] == 1
    expected = pd.read_csv(OLD / name / "expected.csv")
    found = load(OLD / name).predict(OLD / name / "new.csv")
    assert list(found) == list(expected)
    for column in expected:
        if expected[column].dtype.kind == "f":
            np.testing.assert_allclose(found[column], expected[column], rtol=1e-5, atol=1e-6)
        else:
            assert found[column].tolist() == expected[column].tolist()


@pytest.mark.parametrize("name", sorted(folder.name for folder in OLD.iterdir()))
def test_a_model_saved_again_is_in_the_format_of_today(name: str, tmp_path: Path) -> None:
    network, manifest = artifact.load(OLD / name)
    kept = {key: value for key, value in manifest.items() if key not in (SEAL, "format_version")}
    artifact.save(tmp_path, network, kept)
    raw = json.loads((tmp_path / artifact.MANIFEST).read_text())
    assert raw["format_version"] == FORMAT_VERSION
    assert raw["input"] == manifest["input"]
    new = OLD / name / "new.csv"
    pd.testing.assert_frame_equal(load(tmp_path).predict(new), load(OLD / name).predict(new))


def test_there_is_a_step_from_every_format_to_the_next() -> None:
    assert sorted(MIGRATIONS) == list(range(1, FORMAT_VERSION))


def test_order_and_spacing_may_change(path: Path) -> None:
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(manifest.items())), indent="\t").replace("\n", "\r\n"))
    assert read_manifest(path) == manifest


def test_a_changed_number_is_refused(path: Path) -> None:
    def change(manifest: dict[str, Any]) -> None:
        manifest["target_scaler"]["mean"][0] += 1e-9

    changed(path, change, seal=False)
    with refused(path, "do not have the checksum", kind=ArtifactError):
        load(path.parent)


def test_the_seal_cannot_be_left_out(path: Path) -> None:
    changed(path, lambda manifest: manifest.pop(SEAL), seal=False)
    with refused("do not have the checksum", kind=ArtifactError):
        load(path.parent)


def test_an_older_version_number_does_not_break_the_seal(path: Path) -> None:
    changed(path, lambda manifest: manifest.update(format_version=1), seal=False)
    with refused("do not have the checksum", kind=ArtifactError):
        load(path.parent)


@pytest.mark.parametrize("version", [FORMAT_VERSION + 1, 0, -1, "1", [1], True, 1.0, None])
def test_an_unknown_format_is_refused_with_a_remedy(path: Path, version) -> None:
    changed(path, lambda manifest: manifest.update(format_version=version))
    with refused(
        "format version 1 to", f"{version!r} found; use the version of bionn that wrote it"
    ):
        load(path.parent)


@pytest.mark.parametrize(
    "key", ["task", "classes", "targets", "target_scaler", "input", "model", "weights_sha256"]
)
def test_an_incomplete_manifest_is_refused(path: Path, key: str) -> None:
    changed(path, lambda manifest: manifest.pop(key))
    with refused(f"{key!r} is missing", kind=ArtifactError):
        load(path.parent)
    changed(path, lambda manifest: manifest.update({key: 7}))
    with refused(f"{key!r} is not what it should be", kind=ArtifactError):
        load(path.parent)


@pytest.mark.parametrize("name", ["expression", "sequences"])
@pytest.mark.parametrize("key", ["input", "model", "classes"])
def test_an_incomplete_manifest_of_an_earlier_format_is_refused(
    name: str, key: str, tmp_path: Path
) -> None:
    shutil.copytree(OLD / name, tmp_path, dirs_exist_ok=True)
    path = tmp_path / artifact.MANIFEST
    manifest = json.loads(path.read_text())
    del manifest[key]
    path.write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError):
        load(tmp_path)


def test_a_huge_manifest_is_refused_before_it_is_read(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(MOST_BYTES + 1)
    with refused(f"at most {MOST_BYTES} bytes", kind=ArtifactError):
        load(path.parent)


@pytest.mark.parametrize(
    ("entry", "name", "value"),
    [
        ("input", "width", 6),
        ("model", "init_args", {"in_features": 5, "hidden_features": [4], "out_features": 3}),
        ("input", "steps", [{"step": "os.system"}]),
        ("input", "kind", "sequence"),
    ],
)
def test_network_and_manifest_must_agree(path: Path, entry: str, name: str, value) -> None:
    changed(path, lambda manifest: manifest[entry].update({name: value}))
    with pytest.raises(ArtifactError):
        load(path.parent)


@pytest.mark.parametrize("length", [-1, 10**12])
def test_no_room_is_made_for_absurd_sequences(tmp_path: Path, length: int) -> None:
    data = prepared("binary", encoding="kmer:2", length=12)
    artifact.save(tmp_path, MLP(data.encoder.input_shape, (4,), 1), data.manifest())
    changed(tmp_path / artifact.MANIFEST, lambda manifest: manifest["input"].update(length=length))
    with refused("at most 16777216 positions needed", kind=ArtifactError):
        load(tmp_path)
