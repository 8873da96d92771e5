"""New samples for a trained model: how they are to be read, and the blocks in which they come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from bionn.data.opening import joined_name
from bionn.formats.fasta import IdRule
from bionn.formats.table import Table


@dataclass(frozen=True)
class Columns:
    """Where ids and sequences stand, and what else new samples need; None: found by name and contents.

    Attributes:
        id_column: the column of ids.
        id_rule: which part of a FASTA header is the id; the first word when None.
        sequence_column: the column of sequences.
        names: the column names of a table without a header line.
        pieces: the columns that the sequences of the training data were put together from.
        missing_features: whether a feature without a column is an ``error``, or to ``impute``.
        genome: the indexed FASTA file that BED regions are of.
        window: take so many positions around the middle of each region.
        orient: what the rows of a table of features are: ``samples``, ``genes``, or ``auto``: found
            from where the names of the features stand.
        regions: whether the training data were regions of a genome.

    Example::

        predictor.predict("peaks.bed", columns=Columns(genome="genome.fa"))
    """

    id_column: str | None = None
    id_rule: IdRule | None = None
    sequence_column: str | None = None
    names: Sequence[str] | None = None
    missing_features: str = "error"
    pieces: tuple[str, ...] = ()
    genome: str | Path | None = None
    window: int | None = None
    orient: str = "auto"
    regions: bool = False

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> Columns:
        """As the training data were read."""
        pieces = manifest.get("sequence_column")
        return cls(
            manifest.get("id_column"),
            cast(IdRule, manifest.get("id_rule", "first")),
            joined_name(pieces) if isinstance(pieces, list) else pieces,
            manifest.get("columns"),
            pieces=tuple(pieces) if isinstance(pieces, list) else (),
            window=manifest.get("window"),
            regions=manifest.get("regions", False),
        )

    def in_table(self, table: Table) -> Columns:
        """Without the columns that the table does not have."""
        known = set(table.columns)
        return replace(
            self,
            id_column=self.id_column if self.id_column in known else None,
            sequence_column=self.sequence_column if self.sequence_column in known else None,
            pieces=(),
        )

    @property
    def settings(self) -> dict[str, Any]:
        """What is told of new samples beside where things stand."""
        names = ("missing_features", "genome", "orient")
        told = {name: getattr(self, name) for name in names}
        return told if self.window is None else told | {"window": self.window}


@dataclass(frozen=True)
class Block:
    """Consecutive samples.

    Attributes:
        ids: their ids; no two samples of one input have equal ones.
        where: ``file:line`` of a sample of the block, for messages.
        sequences: their sequences, for a network that takes sequences.
        features: their features, for one that takes features.
        continues: the first sequence goes on where the last of the block before stopped.
        unfinished: the last sequence goes on in the next block.
        places: of regions, where they are: see :class:`bionn.data.stream.Encoded`.
    """

    ids: Sequence[str]
    where: Callable[[int], str]
    sequences: Sequence[str] | None = None
    features: pd.DataFrame | None = None
    continues: bool = False
    unfinished: bool = False
    places: Mapping[str, np.ndarray] = field(default_factory=dict)
