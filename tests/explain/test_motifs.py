"""Motifs: planted ones are found again, chance gives none, and other programs read the files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from Bio import motifs as biopython

from bionn.explain.motifs import find_motifs
from bionn.explain.seqlets import find_seqlets
from bionn.formats.motifs import MotifMatrix, write_meme
from tests.small_sets import PROMOTERS

BOXES = json.loads((PROMOTERS.parent / "motifs.json").read_text())["boxes"]


def draw(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def correlation(matrix: np.ndarray, planted: np.ndarray) -> float:
    """Pearson's, at the best place of the planted matrix in the other."""
    width = len(planted)
    return max(
        float(np.corrcoef(matrix[at : at + width].ravel(), planted.ravel())[0, 1])
        for at in range(len(matrix) - width + 1)
    )


def planted(count: int, motif: str, seed: int, length: int = 50) -> tuple[torch.Tensor, Any, Any]:
    """Random sequences with a motif at a random place, each letter of which contributes 1, and noise."""
    codes = torch.randint(0, 4, (count, length), generator=draw(seed))
    starts = torch.randint(0, length - len(motif) + 1, (count,), generator=draw(seed + 1))
    place = starts[:, None] + torch.arange(len(motif))
    codes.scatter_(1, place, torch.tensor(["ACGT".index(x) for x in motif]).expand(count, -1))
    contributions = 0.15 * torch.randn(count, length, generator=draw(seed + 2))
    contributions.scatter_add_(1, place, torch.ones(place.shape))
    return torch.eye(4)[codes].mT.contiguous(), contributions, starts


def test_the_planted_boxes_are_recovered(run: Path) -> None:
    found = json.loads((run / "explain" / "motifs.json").read_text())
    for box in BOXES.values():
        true = np.array(box["planted"])
        best = max(
            correlation(np.array(motif["matrix"]), true)
            for motif in found
            if motif["sign"] > 0 and len(motif["matrix"]) >= len(true)
        )
        assert best > 0.9
    wide = [motif for motif in found if motif["sign"] > 0]
    assert {motif["output"] for motif in wide} == {"promoter"}
    assert all(np.shape(motif["contributions"]) == np.shape(motif["matrix"]) for motif in wide)


def test_biopython_reads_the_meme_file_as_the_json(run: Path) -> None:
    told = json.loads((run / "explain" / "motifs.json").read_text())
    with (run / "explain" / "motifs.meme").open() as file:
        read = biopython.parse(file, "minimal")
    assert [motif.name.split()[0] for motif in read] == [motif["name"] for motif in told]
    for motif, record in zip(read, told, strict=True):
        matrix = np.array([motif.pwm[letter] for letter in "ACGT"]).T
        np.testing.assert_allclose(matrix, record["matrix"], atol=2e-4)
        assert motif.num_occurrences == record["seqlets"]
    background = read.background  # pyright: ignore[reportAttributeAccessIssue]
    assert sum(background.values()) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("motif", ["TTGACA", "CACGTGAC", "GATAAGATTACA"])
def test_a_planted_motif_is_found_with_its_places(motif: str) -> None:
    one_hot, contributions, starts = planted(150, motif, seed=3)
    found = find_motifs(one_hot, contributions, letters="ACGT", generator=draw(0))
    assert found[0].name == "positive_1"
    assert found[0].consensus == motif
    assert len(found[0].rows) >= 140
    right = found[0].starts == starts[found[0].rows]
    assert right.float().mean() > 0.97
    np.testing.assert_allclose(
        found[0].contributions.sum(1).numpy(), 1, atol=0.1
    )  # what was planted, in the matrix's span
    assert all(m.name.startswith("positive") for m in found)


def test_two_motifs_of_either_sign_are_told_apart() -> None:
    one, first, _ = planted(120, "TTGACA", seed=4)
    two, second, _ = planted(120, "CCGGAGG", seed=5)
    x = torch.cat([one, two])
    found = find_motifs(x, torch.cat([first, -second]), letters="ACGT", generator=draw(0))
    by_name = {motif.name: motif.consensus for motif in found}
    assert by_name["positive_1"] == "TTGACA"
    assert by_name["negative_1"] == "CCGGAGG"


def test_contributions_in_random_order_give_no_motif() -> None:
    codes = torch.randint(0, 4, (300, 60), generator=draw(6))
    noise = torch.randn(300, 60, generator=draw(7)) ** 3
    one_hot = torch.eye(4)[codes].mT.contiguous()
    assert find_motifs(one_hot, noise, letters="ACGT", generator=draw(0)) == []


def test_seqlets_do_not_overlap_nor_lie_in_padding() -> None:
    _, contributions, starts = planted(80, "TTGACATA", seed=8)
    there = torch.ones_like(contributions, dtype=torch.bool)
    there[:, :5] = False
    found = find_seqlets(contributions, width=8, generator=draw(0), there=there)
    assert len(found.rows) >= int((starts >= 5).sum())
    for row in found.rows.unique():
        own = found.starts[found.rows == row].sort().values
        assert (own.diff() >= 8).all()


def test_nothing_to_look_at_gives_no_motif() -> None:
    for shape in ((0, 4, 30), (5, 4, 30), (3, 4, 2)):
        x = torch.zeros(shape)
        assert (
            find_motifs(x, torch.zeros(shape[0], shape[2]), letters="ACGT", generator=draw(0)) == []
        )


def test_a_protein_and_a_name_with_blanks_are_read_back(tmp_path: Path) -> None:
    letters = "ACDEFGHIKLMNPQRSTVWY"
    matrix = np.random.default_rng(0).dirichlet(np.ones(20), 5)
    path = tmp_path / "m.meme"
    motif = MotifMatrix("class A positive_1", matrix, 17, "xxxxx")
    write_meme([motif], path, letters=letters, background=[0.05] * 20)
    text = path.read_text()
    assert "ALPHABET= " + letters in text
    assert "MOTIF class_A_positive_1 xxxxx" in text
    rows = [list(map(float, line.split())) for line in text.splitlines() if line.startswith(" ")]
    np.testing.assert_allclose(rows, matrix, atol=1e-6)


def test_letters_of_another_order_are_written_in_the_alphabets(tmp_path: Path) -> None:
    matrix = np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]])
    write_meme(
        [MotifMatrix("m", matrix, 1000, "")],
        tmp_path / "m.meme",
        letters="TGCA",
        background=[1, 2, 3, 4],
    )
    with (tmp_path / "m.meme").open() as file:
        (read,) = biopython.parse(file, "minimal")
    np.testing.assert_allclose([read.pwm[letter] for letter in "TGCA"], matrix.T)
    assert read.background["A"] == pytest.approx(0.4)
