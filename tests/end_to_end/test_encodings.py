"""K-mers, augmentation and both strands from the shell to the predictions of a saved model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from Bio.Seq import reverse_complement

import bionn
from bionn.cli.main import main
from bionn.errors import InputWarning
from tests.small_sets import sequences

QUICK = ["--max-epochs", "2", "--hidden", "8", "--device", "cpu", "--no-baselines"]
MOTIF = "GATTACA"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a table of sequences."""
    sequences()[["id", "sequence", "label"]].to_csv(tmp_path / "s.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def motifs() -> pd.DataFrame:
    """400 sequences of 40 bp; a motif somewhere in every second one, on either strand."""
    rng = np.random.default_rng(0)
    rows = []
    for row in range(400):
        text = "".join(rng.choice(list("ACGT"), 40))
        if row % 2:
            start = int(rng.integers(40 - len(MOTIF)))
            motif = MOTIF if rng.random() < 0.5 else reverse_complement(MOTIF)
            text = text[:start] + motif + text[start + len(MOTIF) :]
        rows.append((f"s{row}", text, ("without", "with")[row % 2]))
    return pd.DataFrame(rows, columns=["id", "sequence", "label"])


def test_kmers_find_a_motif_that_has_no_place(folder: Path) -> None:
    found = {}
    for encoding in ("onehot", "kmer:4,canonical"):
        result = bionn.run(
            motifs(),
            target="label",
            encoding=encoding,
            hidden=[32],
            max_epochs=12,
            device="cpu",
            progress=False,
            out=folder / encoding[:4],
        )
        found[encoding[:4]] = result.metrics
    assert found["kmer"]["test"]["auroc"] > 0.9
    assert found["kmer"]["baselines"]["linear"]["test"]["auroc"] > 0.9
    assert found["oneh"]["test"]["auroc"] < 0.75
    predictor = bionn.load(folder / "kmer")
    texts = motifs()["sequence"].tolist()
    strands = [predictor.predict(side) for side in (texts, list(map(reverse_complement, texts)))]
    pd.testing.assert_frame_equal(*strands)


def test_a_run_with_every_option_is_repeated_by_its_configuration(folder: Path) -> None:
    options = "--encoding onehot+kmer:2-3,frequency --both-strands --length 14 --align center"
    augment = "--augment reverse-complement shift:1 mask:0.1"
    assert main(["run", "s.csv", *options.split(), *augment.split(), *QUICK, "--out", "one"]) == 0
    assert main(["run", "--config", "one/config.yaml", "--no-baselines", "--out", "two"]) == 0
    one, two = (pd.read_csv(f"{name}/predictions.tsv", sep="\t") for name in ("one", "two"))
    pd.testing.assert_frame_equal(one, two)
    again = bionn.load("one").predict("s.csv")
    unseen = one["split"] != "val"  # val rows are predicted before the refit
    np.testing.assert_allclose(again["prob_yes"][unseen], one["prob_yes"][unseen], rtol=1e-5)


def test_an_augmented_run_differs_and_its_data_do_not(folder: Path) -> None:
    made = {
        name: bionn.run(
            pd.read_csv("s.csv"),
            augment=augment,
            hidden=[8],
            max_epochs=2,
            device="cpu",
            progress=False,
            baselines=False,
            out=folder / name,
        )
        for name, augment in (("plain", ()), ("altered", ["mask:0.5"]))
    }
    plain, altered = (bionn.load(name).manifest for name in made)
    assert plain["data_sha256"] == altered["data_sha256"]
    assert plain["weights_sha256"] != altered["weights_sha256"]


def test_both_strands_can_be_asked_for_and_left_at_prediction(folder: Path) -> None:
    assert main(["run", "s.csv", *QUICK, "--both-strands", "--out", "run"]) == 0
    tables = {}
    for flag in ("", "--both-strands", "--no-both-strands"):
        out = f"new{flag}.tsv"
        assert main(["predict", "run", "s.csv", "--out", out, *flag.split()]) == 0
        tables[flag] = pd.read_csv(out, sep="\t")
    pd.testing.assert_frame_equal(tables[""], tables["--both-strands"])
    assert not np.allclose(tables[""]["prob_yes"], tables["--no-both-strands"]["prob_yes"])


def test_sequences_of_any_length_need_no_alignment_for_kmers(folder: Path) -> None:
    frame = pd.read_csv("s.csv")
    frame["sequence"] = [text[: 5 + row % 8] for row, text in enumerate(frame["sequence"])]
    frame.to_csv("short.csv", index=False)
    assert main(["run", "short.csv", *QUICK, "--out", "onehot"]) == 2
    assert main(["run", "short.csv", *QUICK, "--encoding", "kmer:2", "--out", "kmer"]) == 0
    with pytest.warns(InputWarning, match="more than twice as long as the longest"):
        longer = bionn.load("kmer").predict(["ACGT" * 50, "AC"])
    assert longer["prob_yes"].between(0, 1).all()
