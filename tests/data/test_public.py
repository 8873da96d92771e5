"""The public data sets as a biologist would give them: columns found, ids joined, all rows there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bionn.data.modules import load_prepared
from bionn.data.reading import read_samples
from bionn.data.samples import DataOptions, Samples
from bionn.data.targets import Targets, find_targets
from bionn.errors import FormatError
from bionn.formats.fasta import read_fasta
from bionn.preprocess.sequences import SequenceEncoder
from bionn.sequences.alphabet import SymbolError
from tests.support.refusals import refused

SOS = ["lexA", "dinI", "umuDC", "recA", "ssb", "recF", "rpoS", "rpoH", "rpoD"]


def read(inputs: Any, **options: Any) -> tuple[Samples, Targets]:
    given = DataOptions(**options)
    return find_targets(read_samples(inputs, given), given)


def lines(path: Path) -> int:
    """Lines that are not blank."""
    return sum(bool(line.strip()) for line in path.read_text("utf-8-sig").splitlines())


def headers(path: Path) -> int:
    return sum(line.startswith(">") for line in path.read_text().splitlines())


def test_splice(public: Path) -> None:
    path = public / "splice" / "splice.data"
    samples, targets = read(path, columns=["class", "name", "sequence"])
    assert len(samples) == lines(path) == 3190
    assert targets.classes == ("EI", "IE", "N")
    assert samples.ids[0] == "ATRINS-DONOR-521"
    assert set(map(len, samples.sequences)) == {60}
    assert len(set(samples.ids)) == 3190
    assert any("12 repeated ids" in note for note in samples.notes)
    assert samples.where(3189) == f"{path}:3190"


def test_6ma(public: Path) -> None:
    folder = public / "6ma_athaliana"
    samples, targets = read(folder / "train.tsv", test=folder / "test.tsv")
    counts = [lines(folder / f"{part}.tsv") - 1 for part in ("train", "test")]
    assert [samples.column("part").count(part) for part in ("", "test")] == counts
    assert (targets.task, targets.names, targets.classes) == ("binary", ("label",), ("0", "1"))
    assert samples.sequences[0].startswith("TCCACTGGAGG")


def test_promoters(public: Path) -> None:
    folder = public / "promoters_athaliana"
    files = [folder / "Arabidopsis_non_tata.fa", folder / "Arabidopsis_non_prom_big.fa"]
    samples, targets = read(files)
    assert np.bincount(targets.values)[::-1].tolist() == [headers(file) for file in files]
    assert targets.classes[1] == "Arabidopsis_non_tata"
    assert set(map(len, samples.sequences)) == {251}
    assert len(set(samples.ids)) == len(samples)


def test_lafleur(public: Path) -> None:
    path = public / "lafleur2022" / "La_Fleur_et_al.csv"
    target = "Observed log(TX/Txref)"
    samples, targets = read(path, target=target)
    frame = pd.read_csv(path)
    assert samples.sequences == frame["Promoter Sequence"].tolist()
    assert targets.task == "regression"
    np.testing.assert_allclose(targets.values[:, 0], frame[target])
    with refused(path, "which column"):
        read(path)
    with refused(path, "length", "align", kind=FormatError):
        load_prepared(path, DataOptions(target=target))
    made = load_prepared(path, DataOptions(target=target, align="right"))
    assert made.inputs.shape == (len(frame), frame["Promoter Sequence"].str.len().max())


def test_crx(public: Path) -> None:
    folder = public / "crx_mpra"
    fasta, sheet = folder / "library1And2.fasta", folder / "rhoActivityJoinedAnnotated.txt"
    options = {"labels": sheet, "id_column": "label", "target": "expression_log2"}
    with refused(sheet, "150 records without a label", "allow-missing"):
        read(fasta, **options)
    found, _ = read(fasta, labels=sheet, target="expression_log2", allow_missing=True)
    assert f"{sheet}: ids are in column 'label'" in found.notes
    samples, targets = read(fasta, **options, allow_missing=True)
    truth = pd.read_csv(sheet, sep="\t").set_index("label")["expression_log2"].dropna()
    assert len(samples) == len(truth)
    np.testing.assert_allclose(targets.values[:, 0], truth[samples.ids])
    assert samples.ids == found.ids
    grouped = DataOptions(**options, allow_missing=True, group_pattern="^(chr[^_]+)_")
    groups = read_samples(fasta, grouped).column("group")
    assert len(set(groups)) < len(groups) / 1.5


def test_gue(public: Path) -> None:
    folder = public / "gue_prom_core"
    files = {part: folder / f"{part}.csv" for part in ("train", "dev", "test")}
    samples, targets = read(files["train"], val=files["dev"], test=files["test"])
    parts = samples.column("part")
    counts = {part: lines(path) - 1 for part, path in files.items()}
    assert [parts.count(p) for p in ("", "val", "test")] == list(counts.values())
    assert targets.classes == ("0", "1")
    assert len(set(samples.ids)) == len(samples)


def test_mice(public: Path) -> None:
    path = public / "mice_protein" / "Data_Cortex_Nuclear.csv"
    samples, targets = read(path, group_pattern="^(.*)_[0-9]+$")
    frame = pd.read_csv(path)
    assert samples.ids == frame["MouseID"].tolist()
    assert (targets.names, len(targets.classes)) == (("class",), 8)
    assert samples.features is not None
    proteins = [column for column in frame if str(column).endswith("_N")]
    assert list(samples.features) == proteins
    np.testing.assert_allclose(samples.features, frame[proteins])
    assert len(set(samples.column("group"))) == 72
    assert any("Genotype, Treatment, Behavior" in note for note in samples.notes)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_mice_with_other_line_ends(public: Path, tmp_path: Path, end: str) -> None:
    text = (public / "mice_protein" / "Data_Cortex_Nuclear.csv").read_text("utf-8-sig")
    path = tmp_path / "mice.csv"
    path.write_text("\n".join(text.splitlines()[:100]) + "\n", "utf-8-sig", newline=end)
    samples = read_samples(path, DataOptions())
    assert samples.features is not None
    assert samples.features.shape == (99, 77)
    assert samples.where(50) == f"{path}:52"


def test_m3d(public: Path) -> None:
    path = public / "m3d_sos" / "SOS_data.csv"
    samples, targets = read(path, columns=SOS, target=["umuDC", "recA"])
    truth = np.loadtxt(path, delimiter=",")
    assert samples.features is not None
    assert list(samples.features) == [gene for gene in SOS if gene not in ("umuDC", "recA")]
    np.testing.assert_allclose(targets.values, truth[:, [2, 3]])
    np.testing.assert_allclose(samples.features["rpoD"], truth[:, 8])


def test_every_messy_fasta_has_codes_or_a_symbol_that_is_no_dna(public: Path) -> None:
    encoded, refusals = 0, []
    for path in sorted((public / "messy").glob("*/*")):
        try:
            records = read_fasta(path)
        except FormatError:
            continue
        encoder = SequenceEncoder.fit(records.sequences, length=50)
        try:
            codes = encoder.encode(records.sequences)
        except SymbolError as error:
            refusals.append((error.symbol, records.sequences[error.record][error.position]))
        else:
            encoded += codes.shape == (len(records.ids), 50)
    assert encoded > 10
    assert len(refusals) > 2
    for symbol, found in refusals:
        assert symbol == found
        assert symbol.upper() not in "ACGTUNXRYSWKMBDHV"
