"""``bionn predict`` on the regions of a genome and on tables genes x samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bionn
from bionn.cli.main import main
from tests.small_sets import expression, sequences


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a run on sequences of 12 letters and a run on a table."""
    monkeypatch.chdir(tmp_path)
    frame = expression()[["id", "gene1", "gene3", "gene4", "y1"]]
    frame.to_csv("t.csv", index=False)
    labelled = sequences().loc[:, ["id", "sequence", "label"]]
    for source, target, out in ((labelled, "label", "s"), (Path("t.csv"), "y1", "t")):
        bionn.run(
            source,
            target=target,
            out=out,
            baselines=False,
            explain=False,
            progress=False,
            max_epochs=1,
            hidden=[8],
            device="cpu",
        )
    return tmp_path


@pytest.fixture
def regions(folder: Path) -> Path:
    """A genome and regions of it, one with a window past its chromosome's end."""
    rng = np.random.default_rng(0)
    Path("genome.fa").write_text(f">chr1\n{''.join(rng.choice(list('ACGT'), 90))}\n")
    path = Path("some.bed")
    path.write_text("chr1\t20\t40\ta\t0\t-\nchr1\t1\t4\tb\nchr1\t10\t30\tc\t0\t+\n")
    return path


def test_regions_of_a_genome_to_tsv_and_bed(
    regions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["predict", "s", str(regions), "--genome", "genome.fa"]
    assert main([*command, "--out", "new.tsv"]) == 0
    told = capsys.readouterr().err
    assert "note: windows of 12 around the middles of the regions" in told
    assert "note: 1 window reaches beyond the end of a chromosome and is filled up with N" in told
    table = pd.read_csv("new.tsv", sep="\t")
    assert list(table)[:5] == ["id", "chromosome", "start", "end", "strand"]
    assert table["id"].tolist() == ["chr1:20-40(-)", "chr1:1-4", "chr1:10-30"]
    assert main([*command, "--out", "new.bed", "--window", "12"]) == 0
    rows = [line.split("\t") for line in Path("new.bed").read_text().splitlines()]
    assert [row[:3] for row in rows] == [
        ["chr1", "20", "40"],
        ["chr1", "1", "4"],
        ["chr1", "10", "30"],
    ]
    assert [row[5] for row in rows] == ["-", ".", "+"]
    assert [row[3] for row in rows] == table["prediction"].astype(str).tolist()


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--out", "x.tsv"], ["some.bed: BED regions need the genome"]),
        (["--out", "x.bdg", "--genome", "genome.fa"], ["bedGraph allows no overlaps"]),
        (["--out", "x.tsv", "--genome", "genome.fa", "--stride", "3"], ["stride: a region"]),
        (["--out", "x.tsv", "--genome", "genome.fa", "--window", "0"], ["window: at least 1"]),
        (["--out", "x.tsv", "--genome", "genome.fa", "--workers", "2"], ["genome: workers share"]),
        (["--out", "x.tsv", "--orient", "genes"], ["orient: for tables of features"]),
    ],
)
def test_regions_that_cannot_be_predicted_are_refused(
    options: list[str], parts: list[str], regions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", "s", str(regions), *options]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    for part in parts:
        assert part in message
    assert not list(Path().glob("x.*"))


def test_a_table_of_genes_x_samples(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("t.csv").drop(columns="y1")
    frame.set_index("id").T.rename_axis("gene").reset_index().to_csv("turned.csv", index=False)
    for source, out in (("t.csv", "a.tsv"), ("turned.csv", "b.tsv")):
        assert main(["predict", "t", source, "--out", out]) == 0
    assert "note: turned.csv: genes x samples (3 features" in capsys.readouterr().err
    pd.testing.assert_frame_equal(pd.read_csv("a.tsv", sep="\t"), pd.read_csv("b.tsv", sep="\t"))
