"""A sequence in several columns is one, in training and at prediction."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bionn.data.new_samples import Columns
from bionn.data.reading import read_samples
from bionn.data.samples import DataOptions


def test_pieces_are_joined_in_the_order_named(tmp_path: Path) -> None:
    frame = pd.DataFrame({"core x": ["AC", "GG"], "left": ["T", ""], "y": ["a", "b"]})
    path = tmp_path / "a.csv"
    frame.to_csv(path, index=False)
    samples = read_samples(path, DataOptions(sequence_column=["left", "core x"], target="y"))
    assert list(samples.sequences) == ["TAC", "GG"]
    columns = Columns.from_manifest({"sequence_column": ["left", "core x"]})
    assert columns.sequence_column == "left + core x"
    assert columns.pieces == ("left", "core x")
