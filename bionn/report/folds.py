"""What a finished split of a run leaves for the averages, kept on the disk until the run is whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bionn import artifact
from bionn.bootstrap import Resampled
from bionn.data.splits import Split
from bionn.errors import ArtifactError
from bionn.formats.output import replacing

RESULTS, DRAWS = ".results.json", ".resampled.npz"
"""Scores and resampled scores as they were in memory; the scores are the last file of a split."""


class Finished(NamedTuple):
    """A split that was trained and tested.

    Attributes:
        metrics: the contents of its ``metrics.json``.
        resampled: the resampled test scores of every model.
    """

    metrics: dict[str, Any]
    resampled: dict[str, Resampled]


def keep(own: Path, finished: Finished) -> None:
    """Write what :func:`kept` reads."""
    arrays = {
        "\t".join((model, kind, name)): values
        for model, scores in finished.resampled.items()
        for kind, group in scores._asdict().items()
        for name, values in group.items()
    }
    with replacing(own / DRAWS, binary=True) as file:
        np.savez(file, **arrays)
    with replacing(own / RESULTS) as file:
        json.dump(finished.metrics, file, default=lambda value: value.tolist())


def kept(own: Path) -> Finished | None:
    """A split whose files are all there, as they were written; None if it is to be done again."""
    try:
        artifact.load(own / "model")
        metrics = json.loads((own / RESULTS).read_text(encoding="utf-8"))
        resampled: dict[str, Resampled] = {}
        with np.load(own / DRAWS, allow_pickle=False) as arrays:
            for key in arrays.files:
                model, kind, name = key.split("\t")
                scores = resampled.setdefault(model, Resampled({}, {}))
                getattr(scores, kind)[name] = arrays[key]
        return Finished(metrics, resampled)
    except (OSError, ValueError, ArtifactError):
        return None


def forget(folder: Path) -> None:
    """Remove what :func:`keep` wrote in a run's folder and those of its folds."""
    for name in (RESULTS, DRAWS):
        for path in folder.glob(f"**/{name}"):
            path.unlink()


def test_rows(folder: Path, splits: Sequence[Split]) -> pd.DataFrame:
    """The test rows of every fold, as its ``predictions.tsv`` has them; with ``repeat`` if repeated."""
    tables = []
    for number, split in enumerate(splits):
        path = folder / f"fold_{number}" / "predictions.tsv"
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        table = table[table["split"] == "test"]
        tables.append(table.assign(repeat=split.repeat + 1) if splits[-1].repeat else table)
    return pd.concat(tables, ignore_index=True)
