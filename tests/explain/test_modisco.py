"""Motifs by tfmodisco-lite: planted ones are found, on either strand, and written as our own are."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from Bio import motifs as biopython

from bionn.cli.main import main
from bionn.errors import InputError
from bionn.explain.modisco import modisco_motifs
from bionn.explain.motifs import Motif
from tests.explain.test_motifs import BOXES, correlation, planted
from tests.small_sets import PROMOTERS


def found_in(one_hot: torch.Tensor, contributions: torch.Tensor) -> list[Motif]:
    return modisco_motifs(one_hot, one_hot * contributions.unsqueeze(1), letters="ACGT")


def test_a_planted_motif_is_found_with_its_places() -> None:
    one_hot, contributions, starts = planted(200, "CACGTTAC", seed=3)
    found = found_in(one_hot, contributions)
    assert found[0].name == "positive_1"
    assert "CACGTTAC" in found[0].consensus.upper()
    at = found[0].consensus.upper().index("CACGTTAC")
    right = found[0].starts + at == starts[found[0].rows]
    assert right.float().mean() > 0.95
    share = found[0].contributions[at : at + 8].sum(1).numpy()
    np.testing.assert_allclose(share, 1, atol=0.15)


def test_reverse_complements_are_gathered_together_and_turned() -> None:
    """Half of the sequences turned round: one motif, whose matrix is that of one strand."""
    one_hot, contributions, _ = planted(300, "CACGTTAC", seed=3)
    turned = one_hot[150:].flip(1, 2)
    both = torch.cat([one_hot[:150], turned])
    scores = torch.cat([contributions[:150], contributions[150:].flip(1)])
    first = found_in(both, scores)[0]
    forms = {"CACGTTAC", "GTAACGTG"}
    form = next(form for form in forms if form in first.consensus)  # upper case: over a half
    assert len(first.rows) >= 60
    at = first.consensus.index(form)
    there = torch.stack([
        both[row, :, start : start + len(first.consensus)]
        for row, start in zip(first.rows, first.starts, strict=True)
    ])  # fmt: skip
    texts = ["".join("ACGT"[i] for i in window.argmax(0)) for window in there]
    own = [form in text for text in texts]
    other = [(forms - {form}).pop() in text for text in texts]
    assert 0.3 < np.mean(own) < 0.7
    assert np.mean(np.logical_or(own, other)) > 0.95
    assert first.matrix[at : at + 8].max(1).values.min() > 0.95


def test_motifs_against_an_output_have_their_sign() -> None:
    one_hot, contributions, _ = planted(200, "CACGTTAC", seed=3)
    found = found_in(one_hot, -contributions)
    assert found[0].name == "negative_1"
    assert float(found[0].contributions.sum()) < 0


def test_the_planted_boxes_are_recovered_by_the_command(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "explained"
    command = ["explain", str(run), str(PROMOTERS), "--out", str(out), "--backgrounds", "1"]
    assert main([*command, "--motifs", "modisco", "--logos", "0"]) == 0
    found = json.loads((out / "motifs.json").read_text())
    for box in BOXES.values():
        true = np.array(box["planted"])
        matrices = [np.array(motif["matrix"]) for motif in found if motif["sign"] > 0]
        assert max(correlation(m, true) for m in matrices if len(m) >= len(true)) > 0.9
    with (out / "motifs.meme").open() as file:
        read = biopython.parse(file, "minimal")
    assert [motif.name.split()[0] for motif in read] == [motif["name"] for motif in found]
    assert (out / "logos" / "positive_1.png").is_file()


def test_what_is_not_to_be_had_gets_a_line(run: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    command = ["explain", str(run), str(PROMOTERS), "--out", str(tmp_path / "o"), "--motifs"]
    assert main([*command, "modsico"]) == 2
    assert "did you mean 'modisco'" in capsys.readouterr().err
    one_hot = torch.zeros(1, 20, 30)
    with pytest.raises(InputError, match="DNA or RNA needed"):
        modisco_motifs(one_hot, one_hot, letters="ACDEFGHIKLMNPQRSTVWY")
    monkeypatch.setitem(sys.modules, "modiscolite", None)
    monkeypatch.setitem(sys.modules, "modiscolite.tfmodisco", None)
    assert main([*command, "modisco"]) == 2
    assert "pip install 'bionn[motifs]'" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
