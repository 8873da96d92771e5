"""Counts and intensities to comparable values: counts per million, logarithms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from bionn.preprocess.steps import Features, RowError


@dataclass(frozen=True)
class CountsPerMillion:
    """Each row divided by its sum, times a million: what a sample's depth of sequencing adds.

    The sum is over all numeric features of the row, before any is selected; missing values do not
    count. Nothing is fitted.
    """

    kind: ClassVar[str] = "cpm"

    def transform(self, data: Features) -> Features:
        """Counts to counts per million.

        Raises:
            RowError: a negative value, or a row whose sum is 0.
        """
        _refuse_negative(data, "counts per million")
        sums = np.nansum(data.numbers, axis=1)
        if (sums == 0).any():
            row = int(np.argmax(sums == 0))
            message = (
                "counts per million need a row with counts, the sum of this one is 0; remove it"
            )
            raise RowError(row, message)
        return data.with_numbers(data.numbers / sums[:, None] * 1e6)

    def to_manifest(self) -> dict[str, Any]:
        """Nothing was fitted."""
        return {}

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> Self:
        """Nothing was fitted."""
        del manifest
        return cls()


@dataclass(frozen=True)
class Log1p:
    """The natural logarithm of 1 + x; nothing is fitted."""

    kind: ClassVar[str] = "log1p"

    def transform(self, data: Features) -> Features:
        """Values to ``ln(1 + x)``.

        Raises:
            RowError: a negative value, which says that these are logarithms or scores already.
        """
        _refuse_negative(data, "log1p")
        return data.with_numbers(np.log1p(data.numbers))

    def to_manifest(self) -> dict[str, Any]:
        """Nothing was fitted."""
        return {}

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> Self:
        """Nothing was fitted."""
        del manifest
        return cls()


def _refuse_negative(data: Features, what: str) -> None:
    negative = data.numbers < 0
    if negative.any():
        row, column = np.argwhere(negative)[0].tolist()
        raise RowError(
            row,
            f"feature {data.names[column]!r}: {what} needs values from 0 on, "
            f"{data.numbers[row, column]:g} found; were logarithms taken already? choose another "
            "transform",
        )
