"""What goes from step to step on the way from a table to a network's inputs, and what a step is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import pandas as pd

from bionn.errors import InputError


class RowError(InputError):
    """A row that a step cannot take; knows which."""

    def __init__(self, row: int, message: str) -> None:
        super().__init__(message)
        self.row = row


@dataclass(frozen=True)
class Features:
    """N rows between two steps.

    Attributes:
        numbers: ``float64 (N, F)``, NaN where a value is missing.
        names: F names, as the columns of the table are called.
        texts: columns of text ``(N,)`` by name, ``""`` where a value is missing.
        flags: ``float64 (N, E)`` of 0 and 1: what the steps have found out; never scaled.
        flag_names: E names.
    """

    numbers: np.ndarray
    names: tuple[str, ...]
    texts: Mapping[str, np.ndarray] = field(default_factory=dict)
    flags: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    flag_names: tuple[str, ...] = ()

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Features:
        """The columns of a frame: numbers, and all others as text."""
        texts = [name for name in frame if frame[name].dtype.kind != "f"]
        numbers = frame.drop(columns=texts)
        return cls(
            numbers.to_numpy(dtype=np.float64),
            tuple(map(str, numbers)),
            {str(name): frame[name].to_numpy(dtype=object) for name in texts},
            np.empty((len(frame), 0)),
        )

    def with_numbers(self, numbers: np.ndarray) -> Features:
        """The same features with other values."""
        return replace(self, numbers=numbers)

    def with_flags(self, flags: np.ndarray, names: Sequence[str]) -> Features:
        """These and further columns of 0 and 1."""
        return replace(
            self, flags=np.hstack([self.flags, flags]), flag_names=(*self.flag_names, *names)
        )


class Step(Protocol):
    """One stage, fitted on training rows and from then on a pure function of each row.

    Every class has, beside this, a ``fit`` with the arguments that it needs.
    """

    kind: ClassVar[str]
    """What the manifest calls it."""

    def transform(self, data: Features) -> Features:
        """The rows after this stage; no row depends on another."""
        ...

    def to_manifest(self) -> dict[str, Any]:
        """Plain data from which :meth:`from_manifest` makes an equal step."""
        ...

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> Self:
        """The step that a manifest describes."""
        ...
