"""Groups that ids seem to tell: ``309_1``, ``309_2``: rows of one mouse."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np

from bionn.sequences.distinct import number_distinct_texts

SEPARATORS = ("_", "-", ".", ":", "|", "/")

FEWEST = 5
"""Fewer groups than this are classes or batches rather than donors."""

SHARE = 0.8
"""So many rows must share their group with another row."""


@dataclass(frozen=True)
class IdGroups:
    """Groups by a part of the id.

    Attributes:
        pattern: the regular expression whose first group is the group, as ``group_pattern`` takes it.
        labels: whole numbers ``(N,)`` from 0 on.
        example: two ids of one group.
    """

    pattern: str
    labels: np.ndarray
    example: tuple[str, str]

    @property
    def number(self) -> int:
        """How many groups there are."""
        return int(self.labels.max(initial=-1)) + 1


def find_id_groups(ids: Sequence[str]) -> IdGroups | None:
    """The finest groups by the beginning of the ids that most rows share with another row.

    The beginning is what stands before the first, or before the last, separator. Every id must have
    one. Ids that were told apart by ``#2`` count as they stood in the file.

    Example:
        >>> found = find_id_groups([f"{mouse}_{day}" for mouse in range(300, 330) for day in (1, 2)])
        >>> found.pattern, found.number, found.example
        ('^([^_]+)_', 30, ('300_1', '300_2'))
    """
    best: IdGroups | None = None
    for separator in SEPARATORS:
        if not all(separator in name[1:] for name in _as_written(ids)):
            continue
        mark = re.escape(separator)
        for pattern in (f"^([^{mark}]+){mark}", f"^(.+){mark}[^{mark}]*$"):
            matches = (re.search(pattern, name) for name in _as_written(ids))
            groups = (match.group(1) for match in takewhile(bool, matches) if match)
            labels = number_distinct_texts(groups)
            if len(labels) < len(ids):
                continue
            sizes = np.bincount(labels)
            shared = sizes[sizes > 1].sum() / max(len(ids), 1)
            fine = len(sizes) >= FEWEST and sizes.max() <= len(ids) / 3 and shared >= SHARE
            if fine and (best is None or len(sizes) > best.number):
                one, two = np.flatnonzero(labels == int(np.argmax(sizes > 1)))[:2].tolist()
                best = IdGroups(pattern, labels, (str(ids[one]), str(ids[two])))
    return best


def _as_written(ids: Sequence[str]) -> Iterator[str]:
    """The ids as they stood in the file, before equal ones were told apart."""
    return (re.sub(r"#\d+$", "", name) if "#" in name else name for name in ids)


def agreement(labels: np.ndarray, classes: np.ndarray) -> tuple[float, float]:
    """How often two rows have the same class: two of one group, and any two.

    Example:
        >>> agreement(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]))
        (1.0, 0.3333333333333333)
    """

    def pairs(counts: np.ndarray) -> float:
        return float((counts * (counts - 1.0)).sum() / 2)

    within = pairs(np.bincount(labels))
    pair = labels.astype(np.int64) * (int(classes.max(initial=0)) + 1) + classes
    both = np.unique(pair, return_counts=True)[1]
    every, same = pairs(np.array([len(labels)])), pairs(np.bincount(classes))
    return pairs(both) / within if within else 0.0, same / every if every else 0.0
