"""Which features go on: no constants, no copies, and the N that vary most if so many are asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from bionn.errors import InputError
from bionn.preprocess.steps import Features

_SHOWN = 5


@dataclass(frozen=True)
class Selection:
    """Keeps some features by name.

    Attributes:
        names: the features kept, in the order of the table.
        notes: what was left out and why, a sentence each.
    """

    names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    kind: ClassVar[str] = "selection"

    @classmethod
    def fit(cls, data: Features, *, most_variable: int | None = None) -> Selection:
        """Leave out what the training rows give no reason to keep.

        A feature is constant if its values, where there are any, do not differ. A copy has the same
        value as an earlier feature, or none where that has none, in every row.

        Args:
            data: the training rows.
            most_variable: how many features to keep, those with the largest variance.

        Raises:
            InputError: a feature without any value, or nothing but constants.
        """
        values, names = data.numbers, np.array(data.names, dtype=object)
        empty = np.isnan(values).all(axis=0)
        if empty.any():
            raise InputError(
                f"feature {names[int(np.argmax(empty))]!r} has no value in any training row; "
                "leave it out with features"
            )
        if most_variable is not None and most_variable < 1:
            raise InputError(
                f"top-genes: a number from 1 on needed, {most_variable} found; choose one"
            )
        constant = np.nanstd(values, axis=0) <= 1e-12 * np.nanmax(np.abs(values), axis=0)
        if constant.all() and len(names) and not data.texts:
            raise InputError(
                f"features: one that varies needed, all {len(names)} are constant in the training "
                "rows; check the table"
            )
        first = {}
        for place, column in enumerate(np.ascontiguousarray(values.T) + 0.0):  # -0.0 is 0.0
            first.setdefault(column.tobytes(), place)
        keep = np.zeros(len(names), dtype=bool)
        keep[list(first.values())] = True
        copied = ~keep & ~constant
        keep &= ~constant
        notes = []
        if most_variable is not None and most_variable > len(names):
            notes.append(f"top-genes {most_variable}: there are no more than {len(names)} features")
        if constant.any():
            notes.append(_note("constant in the training rows", names[constant]))
        if copied.any():
            notes.append(_note("copies of other features in the training rows", names[copied]))
        if most_variable is not None and most_variable < keep.sum():
            variance = np.where(keep, np.nanvar(values, axis=0), -np.inf)
            chosen = np.argsort(-variance, kind="stable")[:most_variable]
            rest = int(keep.sum()) - most_variable
            keep = np.isin(np.arange(len(names)), chosen)
            notes.append(f"left out {rest} features that vary less than the {most_variable} kept")
        return cls(tuple(names[keep]), tuple(notes))

    def transform(self, data: Features) -> Features:
        """The features kept, in the order of ``names``."""
        place = {name: column for column, name in enumerate(data.names)}
        columns = [place[name] for name in self.names]
        return replace(data, numbers=data.numbers[:, columns], names=self.names)

    def to_manifest(self) -> dict[str, Any]:
        """The names alone."""
        return {"features": list(self.names)}

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> Self:
        """The step that a manifest describes."""
        return cls(tuple(manifest["features"]))


def _note(why: str, names: np.ndarray) -> str:
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return f"left out {len(names)} feature{'s' * (len(names) > 1)}, {why}: {shown}"
