"""Options that would be passed over in silence are refused in one line that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bionn.data.reading import read_samples
from bionn.data.samples import DataOptions
from tests.support.refusals import refused
from tests.support.split_sets import data, splits_of

Write = Callable[[str, str], Path]


@pytest.mark.parametrize("orient", ["samples", "genes"])
def test_records_have_no_rows_to_turn(orient: str, write: Write) -> None:
    files = [write("a.fa", ">x\nAC\n"), write("b.fa", ">y\nGT\n")]
    assert read_samples(files, DataOptions(orient="auto")).ids == ["x", "y"]
    with refused("orient: for tables only, FASTA files found; leave it out"):
        read_samples(files, DataOptions(orient=orient))


def test_a_table_has_no_headers_to_search(write: Write) -> None:
    table = write("t.csv", "id,dna,label\n" + "".join(f"s{n},ACGT,{n % 2}\n" for n in range(6)))
    with refused("label-pattern: for the headers of FASTA files only", str(table), "with target"):
        read_samples(table, DataOptions(target="label", label_pattern="(?P<label>[01])"))


def test_an_effect_of_batches_needs_their_column() -> None:
    frame = pd.DataFrame({"g": [0.0, 1, 2], "y": [1.5, 2.5, 0.5], "lab": list("aba")})
    options = DataOptions(target="y", batch_effect="center", batch_column="lab")
    assert read_samples(frame, options).column("batch") == list("aba")
    with refused("batch-effect: a column of batches needed; name it with batch-column"):
        read_samples(frame, DataOptions(target="y", batch_effect="center"))


@pytest.mark.parametrize("split", [None, "random", "stratified"])
def test_identity_is_that_of_a_homology_split(split: str | None) -> None:
    with refused("identity: for a homology split only", "add split homology"):
        splits_of(data(), split=split, identity=0.9)
