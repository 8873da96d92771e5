"""`bionn explain`: the files it leaves, what is in them, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from bionn import artifact
from bionn.cli.main import main
from bionn.explain.trained import SequenceExplainer, output_weights
from bionn.loading import load
from bionn.models import MLP
from bionn.models.layers import set_code_table
from tests.small_sets import expression, prepared, sequences, write_fasta


def saved(kind: str, folder: Path) -> Path:
    data = prepared(kind)
    out = {"multiclass": 3, "state": 1}[kind]
    model = MLP(data.encoder.input_shape, (16,), out, generator=torch.Generator().manual_seed(0))
    if data.code_table is not None:
        set_code_table(model, data.code_table)
    artifact.save(folder / "model", model, data.manifest())
    return folder / "model"


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_sequences(tmp_path: Path, capsys, suffix: str) -> None:
    model = saved("multiclass", tmp_path)
    fasta = write_fasta(sequences(), tmp_path / "a.fa")
    out = tmp_path / "out"
    command = ["explain", str(model), str(fasta), "--out", str(out)]
    more = ["--output", "IE", "--limit", "20", "--logos", "2", "--backgrounds", "3"]
    assert main([*command, *more, "--format", suffix]) == 0
    told = capsys.readouterr().out
    assert "the first 20 of 90" in told
    assert "20 sequences explained for 'IE' by deep_lift" in told
    samples = pd.read_csv(out / "samples.tsv", sep="\t")
    assert samples["sequence"].tolist() == sequences()["sequence"][:20].tolist()
    predictor = load(model)
    _, codes = predictor.encode(samples["sequence"].tolist())
    explainer, weights = (
        SequenceExplainer(predictor, backgrounds=3),
        output_weights(predictor, "IE"),
    )
    expected = explainer.scores(codes, weights)
    with np.load(out / "attributions.npz") as found:
        assert found["ids"].tolist() == samples["id"].tolist()
        np.testing.assert_allclose(found["contributions"], expected.contributions, atol=1e-6)
        np.testing.assert_allclose(found["hypothetical"], expected.hypothetical, atol=1e-6)
        effects = explainer.effects(codes, weights)
        np.testing.assert_allclose(found["mutagenesis"], effects, atol=1e-6)
        assert str(found["letters"]) == "ACGT"
    logos = {path.name for path in (out / "logos").iterdir()}
    assert {f"sequence_0.{suffix}", f"sequence_1.{suffix}"} <= logos
    magic = {"png": b"\x89PNG", "svg": b"<?xml"}[suffix]
    assert all(path.read_bytes().startswith(magic) for path in (out / "logos").iterdir())
    assert isinstance(json.loads((out / "motifs.json").read_text()), list)
    assert main([*command, *more]) == 2
    assert "pass --overwrite" in capsys.readouterr().err


def test_features(tmp_path: Path, capsys) -> None:
    model = saved("state", tmp_path)
    expression().to_csv(tmp_path / "genes.csv", index=False)
    command = ["explain", str(model), str(tmp_path / "genes.csv"), "--out", str(tmp_path / "out")]
    assert main(command) == 0
    found = pd.read_csv(tmp_path / "out" / "features.tsv", sep="\t")
    assert list(found) == ["feature", "gradient_x_input", "gradient"]
    assert sorted(found["feature"]) == [f"gene{n}" for n in range(1, 6)]
    assert found["gradient_x_input"].is_monotonic_decreasing
    assert main([*command, "--overwrite", "--method", "deep_lift"]) == 2
    assert "input_x_gradient" in capsys.readouterr().err


def test_slips_are_refused(tmp_path: Path, capsys) -> None:
    model = saved("multiclass", tmp_path)
    fasta = write_fasta(sequences(), tmp_path / "a.fa")
    command = ["explain", str(model), str(fasta), "--out", str(tmp_path / "out")]
    for more, found in (
        (["--output", "EII"], "did you mean 'EI'?"),
        (["--method", "deeplift"], "did you mean 'deep_lift'?"),
        (["--limit", "0"], "limit: a number"),
    ):
        assert main([*command, *more]) == 2
        assert found in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
