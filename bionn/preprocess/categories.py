"""Columns of text: categories as columns of 0 and 1, and batches taken out by their means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from bionn.errors import InputError
from bionn.preprocess.steps import Features
from bionn.preprocess.targets import natural_key

MOST_LEVELS = 100
"""A column with more distinct values than this is no category but text."""


def levels_of(data: Features, column: str) -> tuple[str, ...]:
    """The distinct values of a column in natural order.

    Raises:
        InputError: too many.
    """
    found = sorted(sorted(set(data.texts[column].tolist()) - {""}), key=natural_key)
    if len(found) > MOST_LEVELS:
        raise InputError(
            f"features: {column!r} is text of {len(found)} different values in the training rows, at "
            f"most {MOST_LEVELS} make a category; leave it out"
        )
    return tuple(found)


@dataclass(frozen=True)
class OneHot:
    """A column of 0 and 1 for each value that a column of text has in the training rows.

    A value that is missing, or that no training row has, is 0 in all of them.

    Attributes:
        levels: the values of each column, by its name.
    """

    levels: dict[str, tuple[str, ...]]
    kind: ClassVar[str] = "one_hot"

    @classmethod
    def fit(cls, data: Features, columns: Sequence[str]) -> OneHot:
        """Find the values of some columns."""
        return cls({column: levels_of(data, column) for column in columns})

    def transform(self, data: Features) -> Features:
        """Append the columns to the flags."""
        for column, levels in self.levels.items():
            flags = data.texts[column][:, None] == np.array(levels, dtype=object)[None, :]
            data = data.with_flags(
                flags.astype(np.float64), [f"{column} is {level}" for level in levels]
            )
        return data

    def to_manifest(self) -> dict[str, Any]:
        """Plain data from which :meth:`from_manifest` makes an equal step."""
        return {"levels": {column: list(levels) for column, levels in self.levels.items()}}

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> Self:
        """The step that a manifest describes."""
        return cls({column: tuple(levels) for column, levels in manifest["levels"].items()})


@dataclass(frozen=True)
class BatchCentring:
    """Each feature less its mean over the training rows of the same batch.

    A row of a batch that no training row is of, or of none, is centred by the mean over all training
    rows: it stays where it was measured.

    Attributes:
        column: the column of batches.
        batches: those of the training rows.
        means: ``(batches + 1, F)``; the last row is the mean over all.
    """

    column: str
    batches: tuple[str, ...]
    means: np.ndarray
    kind: ClassVar[str] = "batch_centring"

    @classmethod
    def fit(cls, data: Features, column: str) -> BatchCentring:
        """Fit on training rows without missing values."""
        batches, of = levels_of(data, column), data.texts[column]
        means = [data.numbers[of == batch].mean(axis=0) for batch in batches]
        return cls(column, batches, np.array([*means, data.numbers.mean(axis=0)]))

    def transform(self, data: Features) -> Features:
        """Subtract the mean of each row's batch."""
        place = {batch: row for row, batch in enumerate(self.batches)}
        rows = [place.get(batch, len(self.batches)) for batch in data.texts[self.column]]
        return data.with_numbers(data.numbers - self.means[rows])

    def to_manifest(self) -> dict[str, Any]:
        """Plain data from which :meth:`from_manifest` makes an equal step."""
        return {
            "column": self.column,
            "batches": list(self.batches),
            "means": self.means.tolist(),
        }

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> Self:
        """The step that a manifest describes."""
        means = np.asarray(manifest["means"], dtype=np.float64)
        return cls(manifest["column"], tuple(manifest["batches"]), means)
