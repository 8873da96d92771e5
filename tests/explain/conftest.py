"""A run that the tests of motifs look into."""

from __future__ import annotations

from pathlib import Path

import pytest

import bionn
from tests.small_sets import LABELS, PROMOTERS


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network trained on the simulated promoters."""
    out = tmp_path_factory.mktemp("motifs") / "run"
    bionn.run(
        PROMOTERS, labels=LABELS, out=out, hidden=[64], max_epochs=12, refit=False, device="cpu",
        baselines=False, progress=False,
    )  # fmt: skip
    return out
