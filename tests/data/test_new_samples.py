"""New samples are read as the training data were: regions of a genome, genes x samples, no header."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from bionn.data.modules import load_prepared
from bionn.data.new_samples import Columns
from bionn.data.samples import DataOptions
from bionn.errors import FormatError, InputError, InputWarning
from bionn.models import MLP
from bionn.models.layers import set_code_table
from bionn.predict import Predictor
from tests.small_sets import expression, sequences
from tests.support.refusals import refused

Write = Callable[[str, str | bytes], Path]
GENES = [f"gene{n}" for n in range(1, 6)]


def predictor_of(source: Any, options: DataOptions) -> tuple[Predictor, np.ndarray]:
    """An untrained network on these data, and what it predicts of them."""
    torch.manual_seed(0)
    data = load_prepared(source, options)
    model = MLP(data.encoder.input_shape, (8,), data.targets.num_outputs)
    if data.code_table is not None:
        set_code_table(model, data.code_table)
    predictor = Predictor(model, data.manifest())
    return predictor, predictor.outputs(data.inputs)


@pytest.fixture
def genome(write: Write) -> Path:
    rng = np.random.default_rng(3)
    text = "".join(f">chr{n}\n{''.join(rng.choice(list('ACGT'), 400))}\n" for n in (1, 2))
    return write("genome.fa", text)


@pytest.fixture
def bed(write: Write) -> Path:
    """Regions of many lengths on both strands, some of them near an end."""
    rng = np.random.default_rng(4)
    starts = rng.integers(0, 380, 60)
    ends = np.minimum(starts + rng.integers(1, 40, 60), 400)
    rows = zip(starts, ends, rng.integers(1, 3, 60), rng.choice(["+", "-"], 60), strict=True)
    lines = [f"chr{c}\t{a}\t{b}\tr{n}\t{n % 2}\t{s}\n" for n, (a, b, c, s) in enumerate(rows)]
    return write("new.bed", "".join(lines))


@pytest.mark.parametrize("id_column", [None, "name"])
def test_regions_are_predicted_as_they_were_cut_for_training(
    bed: Path, genome: Path, id_column: str | None
) -> None:
    options = DataOptions(target="score", genome=genome, window=60, id_column=id_column)
    predictor, expected = predictor_of(bed, options)
    with pytest.warns(InputWarning, match=r"windows reach beyond the end of a chromosome"):
        found = predictor.predict(bed, columns=Columns(genome=genome))
    np.testing.assert_array_equal(found["prob_1"], expected)
    rows = pd.read_csv(bed, sep="\t", names=["chromosome", "start", "end", "name", "y", "strand"])
    columns = ["chromosome", "start", "end", "strand"]
    pd.testing.assert_frame_equal(found[columns], rows[columns], check_dtype=False)
    if id_column is not None:
        assert found["id"].tolist() == rows["name"].tolist()
    else:
        first = found["id"].tolist()[0]
        assert first.startswith(f"{rows['chromosome'][0]}:{rows['start'][0]}-")


def test_many_blocks_of_regions_are_one(
    bed: Path, genome: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, expected = predictor_of(bed, DataOptions(target="score", genome=genome, window=60))
    monkeypatch.setattr("bionn.predict._READ_ROWS", 7)
    with pytest.warns(InputWarning, match="beyond the end"):
        found = predictor.predict(bed, columns=Columns(genome=genome))
    np.testing.assert_allclose(found["prob_1"], expected, rtol=1e-5)


def test_a_model_of_other_sequences_takes_windows_as_long_as_those(bed: Path, genome: Path) -> None:
    rng = np.random.default_rng(5)
    texts = ["".join(rng.choice(list("ACGT"), 12)) for _ in range(60)]
    frame = pd.DataFrame({"sequence": texts, "y": [0, 1] * 30})
    predictor, _ = predictor_of(frame, DataOptions(target="y"))
    with pytest.warns(InputWarning) as told:
        found = predictor.predict(bed, columns=Columns(genome=genome))
    notes = [str(warning.message) for warning in told]
    assert any(note.startswith("windows of 12 around the middles") for note in notes)
    same = predictor.predict(bed, columns=Columns(genome=genome, window=12))
    pd.testing.assert_frame_equal(found, same)
    with refused("new.bed:1: record", "length 12 needed, 13 found", kind=FormatError):
        predictor.predict(bed, columns=Columns(genome=genome, window=13))


def test_regions_that_cannot_be_read_are_refused(bed: Path, genome: Path, write: Write) -> None:
    options = DataOptions(target="score", genome=genome, window=60)
    predictor, _ = predictor_of(bed, options)
    with refused(f"{bed}: BED regions need the genome", kind=InputError):
        predictor.predict(bed)
    with refused("a.fa: BED regions of the genome needed", kind=InputError):
        predictor.predict(write("a.fa", ">a\nACGT\n"), columns=Columns(genome=genome))
    past = write("past.bed", "chr1\t1\t9\nchr1\t390\t401\n")
    with refused(f"{past}:2: a region on chr1 up to its end 400 needed", kind=FormatError):
        predictor.predict(past, columns=Columns(genome=genome))
    on_table, _ = predictor_of(expression(), DataOptions(target="y1", features=GENES))
    with refused("this model takes features", kind=InputError):
        on_table.predict(bed, columns=Columns(genome=genome))


@pytest.mark.parametrize("kind", ["csv", "parquet", "frame"])
@pytest.mark.parametrize("orient", ["auto", "genes"])
def test_a_turned_table_gives_the_same_predictions(tmp_path: Path, kind: str, orient: str) -> None:
    frame = expression()[["id", *GENES, "y1"]]
    predictor, expected = predictor_of(frame, DataOptions(target="y1", features=GENES))
    turned = frame.drop(columns="y1").set_index("id").T.rename_axis("gene").reset_index()
    source: Path | pd.DataFrame = turned
    if kind != "frame":
        source = tmp_path / f"turned.{kind}"
        turned.to_csv(source, index=False) if kind == "csv" else turned.to_parquet(source)
    said = "as told" if orient == "genes" else "5 features of the model stand in column 'gene'"
    with pytest.warns(InputWarning, match=rf"genes x samples \({said}\), read as 90 samples x 5"):
        found = predictor.predict(source, columns=Columns(orient=orient))
    assert found["id"].tolist() == frame["id"].tolist()
    np.testing.assert_allclose(found["prediction"], expected[:, 0], rtol=1e-6)
    with refused("no column 'gene1'", kind=InputError):
        predictor.predict(source, columns=Columns(orient="samples"))


def test_orient_is_refused_where_it_has_nothing_to_turn() -> None:
    frame = sequences().loc[:, ["id", "sequence", "label"]]
    predictor, _ = predictor_of(frame, DataOptions(target="label"))
    with refused("orient: for tables of features", kind=InputError):
        predictor.predict(frame, columns=Columns(orient="genes"))
    on_table, _ = predictor_of(expression(), DataOptions(target="y1", features=GENES))
    with refused("orient: one of", "did you mean 'genes'", kind=InputError):
        on_table.predict(expression(), columns=Columns(orient="gene"))


def test_names_of_a_table_without_header_fit_one_with_equal_cells(write: Write) -> None:
    rows = expression()[["id", "gene1", "gene2", "y1"]]
    path = write("train.csv", rows.to_csv(index=False, header=False))
    names = ["id", "gene1", "gene2", "y1"]
    predictor, _ = predictor_of(path, DataOptions(target="y1", columns=names))
    body = "a,1,1,1\nb,2,2,2\n"  # a first line that is no header: cells stand twice in it
    expected = predictor.predict(write("with.csv", "id,gene1,gene2,y1\n" + body))
    for text in (body, "y1,gene2,gene1,id,more\n1,1,1,a,0\n2,2,2,b,0\n"):
        pd.testing.assert_frame_equal(predictor.predict(write("new.csv", text)), expected)
    told = replace(Columns.from_manifest(predictor.manifest["reading"]), names=names[:3])
    with refused("4 columns found, 3 names given", kind=InputError):
        predictor.predict(write("new.csv", body), columns=told)


@pytest.mark.parametrize("encoding", ["kmer:2", "kmer:2-3,frequency"])
def test_far_longer_sequences_than_those_of_training_are_told(encoding: str) -> None:
    frame = sequences().loc[:, ["id", "sequence", "label"]]  # of 12 letters
    predictor, _ = predictor_of(frame, DataOptions(target="label", encoding=encoding))
    with pytest.warns(InputWarning, match="^2 sequences are more than twice as long .* \\(12\\)"):
        predictor.predict(["ACGT" * 7, "ACGT" * 6, "ACGTA" * 5, "ACG"])
