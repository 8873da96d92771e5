"""What a run chooses by itself: by task and encoding, and never over what was given."""

from __future__ import annotations

import numpy as np
import pytest

from bionn.data.modules import load_prepared
from bionn.data.samples import DataOptions
from bionn.training.options import TrainingOptions, choose
from tests.small_sets import sequences


@pytest.mark.parametrize(
    ("encoding", "hidden", "shares"),
    [
        ("onehot", (256, 128), (0.2, 0.3)),
        ("kmer:2", (512,), (0.5, 0.5)),
        ("onehot+kmer:2", (256, 128), (0.5, 0.5)),
    ],
)
def test_classification_from_kmers_drops_more(
    encoding: str, hidden: tuple[int, ...], shares: tuple[float, float]
) -> None:
    frame = sequences()[["id", "sequence", "label"]]
    data = load_prepared(frame, DataOptions(target="label", encoding=encoding))
    chosen = choose(TrainingOptions(), data)
    assert (chosen.hidden, chosen.dropout, chosen.input_dropout) == (hidden, *shares)
    given = choose(TrainingOptions(hidden=(8,), dropout=0.1, input_dropout=0.0), data)
    assert (given.hidden, given.dropout, given.input_dropout) == ((8,), 0.1, 0.0)


@pytest.mark.parametrize("encoding", ["onehot", "kmer:2"])
def test_regression_drops_no_inputs(encoding: str) -> None:
    frame = sequences()[["id", "sequence"]].assign(y=np.arange(90) / 7)
    data = load_prepared(frame, DataOptions(target="y", encoding=encoding))
    chosen = choose(TrainingOptions(), data)
    assert (chosen.hidden, chosen.dropout, chosen.input_dropout) == ((256, 128), 0.2, 0.0)
