"""Genes x samples and samples x genes give the same samples, and what was turned is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bionn.data.reading import read_samples
from bionn.data.samples import DataOptions, Samples
from bionn.errors import FormatError
from tests.support.refusals import refused

Write = Callable[[str, str | bytes], Path]
GENES = ["recA", "lexA", "umu D"]
VALUES = np.arange(12.0).reshape(4, 3) ** 2 / 8
FRAME = pd.DataFrame(VALUES, columns=GENES)
FRAME.insert(0, "array", ["s1", "s2", "s3", "s4"])
TURNED = FRAME.set_index("array").T.rename_axis("gene").reset_index()


def read(source: Path, **options: Any) -> Samples:
    return read_samples(source, DataOptions(**options))


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet"])
@pytest.mark.parametrize("orient", ["auto", "genes"])
def test_a_turned_table_is_the_same_samples(tmp_path: Path, kind: str, orient: str) -> None:
    paths = [tmp_path / f"{name}.{kind}" for name in ("straight", "turned")]
    for path, frame in zip(paths, (FRAME, TURNED), strict=True):
        if kind == "parquet":
            frame.to_parquet(path)
        else:
            frame.to_csv(path, index=False, sep="," if kind == "csv" else "\t")
    straight = read(paths[0], target="recA", id_column="array")
    turned = read(paths[1], target="recA", orient=orient)
    assert turned.ids == straight.ids == ["s1", "s2", "s3", "s4"]
    assert straight.features is not None
    assert turned.features is not None
    pd.testing.assert_frame_equal(turned.features, straight.features)
    assert turned.targets["recA"].astype(float).tolist() == VALUES[:, 0].tolist()
    assert turned.where(2) == f"{paths[1]}, column 's3'"
    assert any("genes x samples" in note and "4 samples x 3 genes" in note for note in turned.notes)
    assert not any("genes x samples" in note for note in straight.notes)


def test_the_ids_of_a_sample_sheet_tell_what_rows_are(write: Write) -> None:
    sheet = write("sheet.csv", "sample,state\ns1,a\ns2,b\ns3,a\ns4,b\n")
    turned = read(write("turned.csv", TURNED.to_csv(index=False)), labels=sheet)
    straight = read(write("straight.csv", FRAME.to_csv(index=False)), labels=sheet)
    for samples in (turned, straight):
        assert samples.features is not None
        np.testing.assert_array_equal(samples.features[GENES].to_numpy(), VALUES)
        assert samples.targets["state"].tolist() == list("abab")
    assert "4 ids of" in turned.notes[0]


def test_rows_are_not_taken_for_genes_where_they_are_told_to_be_samples(write: Write) -> None:
    path = write("turned.csv", TURNED.to_csv(index=False))
    with refused("no column 'recA'", "orient genes"):
        read(path, target="recA", orient="samples")
    with refused("orient: one of auto, samples, genes", "did you mean 'genes'?"):
        read(path, target="recA", orient="gene")


@pytest.mark.parametrize(("gene", "line", "found"), [("recA", 4, "'recA'"), ("", 4, "a name")])
def test_genes_without_a_name_of_their_own_are_refused(
    write: Write, gene: str, line: int, found: str
) -> None:
    path = write("turned.csv", f"gene,s1,s2,s3\nrecA,1,2,3\nlexA,3,2,1\n{gene},4,5,6\n")
    with refused(f"{path}:{line}: ", found, kind=FormatError):
        read(path, target="lexA")
