"""What is to be predicted: the task found from the target cells, and the cells as numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bionn.data.columns import some
from bionn.data.samples import DataOptions, Samples
from bionn.errors import FormatError, InputError, did_you_mean
from bionn.formats.numbers import has_decimal_comma, no_number
from bionn.formats.texts import arrow_texts, text_lists
from bionn.models.heads import TASKS, TaskKind
from bionn.preprocess.targets import ClassEncoder, natural_key

MIN_CLASS_ROWS = 3
"""A class needs a row each for training, validation and test."""

MAX_INTEGER_CLASSES = 20
"""Integers with more distinct values than this are numbers, not classes."""


@dataclass(frozen=True)
class Targets:
    """The targets of N samples.

    Attributes:
        task: ``binary``, ``multiclass`` or ``regression``.
        values: class indices ``int64 (N,)``, or numbers ``float64 (N, T)`` in their own units,
            NaN where one of several is missing.
        classes: the class names by index; of two, index 1 is the positive one. Empty: regression.
        names: the target columns.
    """

    task: TaskKind
    values: np.ndarray
    classes: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def num_outputs(self) -> int:
        """Output units: one sigmoid, K softmax, or one linear unit a target."""
        if self.task == "binary":
            return 1
        return len(self.classes) if self.task == "multiclass" else len(self.names)


def infer_task(values: Iterable[str] | Mapping[str, int]) -> TaskKind:
    """Text is classes, integers of at most 20 distinct values are classes, else regression.

    Numbers with a decimal comma are numbers: to read them as such is refused later, with the line.

    Args:
        values: the cells, or how often each is there.
    """
    distinct = Counter(values)
    numbers = {value: _number(value) for value in distinct}
    commas = sum(count for value, count in distinct.items() if has_decimal_comma(value))
    told = sum(count for value, count in distinct.items() if numbers[value] is not None)
    if commas and commas + told > distinct.total() / 2:
        return "regression"
    integers = all(number is None or number.is_integer() for number in numbers.values())
    if None not in numbers.values() and (not integers or len(distinct) > MAX_INTEGER_CLASSES):
        return "regression"
    return "binary" if len(distinct) == 2 else "multiclass"


def find_targets(samples: Samples, options: DataOptions) -> tuple[Samples, Targets]:
    """Decide the task and turn the target cells into numbers.

    Args:
        samples: with text targets.
        options: ``task`` and ``classes`` may force the decision.

    Returns:
        The samples that are kept (``classes`` may leave some out), and their targets.

    Raises:
        InputError: several class targets, an unknown class, or a class with fewer than 3 rows.
        FormatError: a target that should be a number is not; says file and line.
    """
    task = _task(samples, options)
    names = tuple(str(name) for name in samples.targets.columns)
    first = names[0]
    if task == "regression":
        values = np.column_stack([_numbers(samples, name) for name in names])
        _check_variation(samples, values)
        kind = f"regression of {len(names)} target{'s' * (len(names) > 1)}"
        return _noted(samples, kind, *_gaps(values, names)), Targets(task, values, (), names)
    if options.target_transform != DataOptions.target_transform:
        raise InputError("target-transform: for numbers only, classes found; leave it out")
    if len(names) > 1:
        raise InputError(
            f"target: one column of classes needed, {len(names)} found ({', '.join(names)}); "
            "predict one at a time"
        )
    labels = samples.targets[first]
    if options.classes:
        for name in options.classes:
            if name not in set(labels):
                raise InputError(
                    f"classes: no row has class {name!r}{did_you_mean(name, set(labels))}; "
                    f"there are {some(sorted(set(labels), key=natural_key), 8)}"
                )
        keep = labels.isin(list(options.classes)).to_numpy(dtype=bool)
        left_out = int((~keep).sum())
        samples = samples.keep(
            keep, *([f"left out {left_out} rows of other classes"] * bool(left_out))
        )
        labels = samples.targets[first]
    counts = labels.value_counts()
    counts = counts.loc[lambda count: count > 0]
    if len(counts) < 2:
        raise InputError(
            f"{samples.where(0, 'target')}: target {first!r}: at least 2 classes needed, only "
            f"{counts.index[0]!r} found; add rows of another, or choose another target"
        )
    task = "binary" if len(counts) == 2 else task
    if counts.min() < MIN_CLASS_ROWS:
        rare = counts.idxmin()
        line = samples.where(int(np.argmax((labels == rare).to_numpy(dtype=bool))), "target")
        raise InputError(
            f"{line}: class {rare!r} has {counts.min()} rows, at least {MIN_CLASS_ROWS} needed; add "
            "rows or keep other classes only (classes)"
        )
    if task == "binary" and len(counts) > 2:
        raise InputError(
            f"task: binary needs 2 classes, target {first!r} has {len(counts)}; "
            "choose two with classes, or multiclass"
        )
    order = [name for name in samples.class_order or () if name in counts]
    encoder = ClassEncoder.fit(counts.index, order)
    kind = f"{task} classification, classes {', '.join(encoder.classes)}"
    if task == "binary":
        kind += f" (positive: {encoder.classes[1]})"
    values, cells = _numbered(labels, encoder)
    targets = Targets(task, values, encoder.classes, names)
    samples = replace(samples, targets=pd.DataFrame({first: cells}))
    return _noted(samples, kind), targets


def _numbered(labels: Any, encoder: ClassEncoder) -> tuple[np.ndarray, pd.Categorical]:
    """The class of each row as a number ``int64 (N,)``, and as text that needs a byte or two a row."""
    if isinstance(labels.dtype, pd.CategoricalDtype):
        there = labels.cat.remove_unused_categories()
        values = np.asarray(encoder.encode(there.cat.categories))[there.cat.codes]
    else:
        blocks = [encoder.encode(block) for block in text_lists(arrow_texts(labels))]
        values = np.concatenate(blocks)
    return values, pd.Categorical.from_codes(values.astype(np.int32), list(encoder.classes))


def _noted(samples: Samples, task: str, *more: str) -> Samples:
    return replace(samples, notes=(*samples.notes, f"task: {task}", *more))


def _gaps(values: np.ndarray, names: Sequence[str]) -> list[str]:
    """A sentence on missing targets, or nothing."""
    gaps = np.isnan(values).sum(axis=0)
    shown = [f"{name} {count}" for name, count in zip(names, gaps, strict=True) if count]
    return [
        f"targets: {gaps.sum()} of {values.size} values are missing: their rows are kept, and the "
        f"missing count neither in losses nor in scores ({some(shown)})"
    ] * bool(shown)


def _task(samples: Samples, options: DataOptions) -> TaskKind:
    if options.task == "auto":
        if samples.targets.shape[1] > 1:
            _refuse_several_texts(samples)
            return "regression"
        if options.classes:
            return "binary" if len(set(options.classes)) == 2 else "multiclass"
        cells = samples.targets.iloc[:, 0]
        if isinstance(cells.dtype, pd.CategoricalDtype):
            return infer_task({str(name): n for name, n in cells.value_counts().items() if n})
        return infer_task(cells)
    if options.task == "regression" and options.classes:
        raise InputError("classes: a regression has none; leave them out, or choose another task")
    for kind in TASKS:
        if options.task == kind:
            return kind
    raise InputError(
        f"task: auto, {', '.join(TASKS)} needed, {options.task!r} found"
        f"{did_you_mean(options.task, TASKS)}; choose one"
    )


def _refuse_several_texts(samples: Samples) -> None:
    """Several targets are numbers: a column of words among them is a column of classes."""
    for name, cells in samples.targets.items():
        known = [cell for cell in cells if cell]
        if known and all(_number(cell) is None and not has_decimal_comma(cell) for cell in known):
            raise InputError(
                f"target: several targets are numbers, {str(name)!r} holds classes ({known[0]!r}, ...); "
                "predict classes one column at a time"
            )


def _numbers(samples: Samples, name: str) -> np.ndarray:
    """A regression target as ``float64 (N,)``, NaN where the cell is empty."""
    values = np.full(len(samples), np.nan)
    for row, cell in enumerate(samples.targets[name]):
        if not cell:
            continue
        number = _number(cell)
        if number is None or not np.isfinite(number):
            raise FormatError(
                f"{samples.where(row, 'target')}: target {name!r}: "
                f"{no_number(cell, 'a finite number')}"
            )
        values[row] = number
    return values


def _check_variation(samples: Samples, values: np.ndarray) -> None:
    """Refuse a target with one and the same value in every row."""
    for name, column in zip(samples.targets.columns, values.T, strict=True):
        present = np.flatnonzero(~np.isnan(column))
        if not present.size or column[present].min() == column[present].max():
            first = int(present[0]) if present.size else 0
            raise InputError(
                f"{samples.where(first, 'target')}: target {name!r}: at least 2 different values "
                f"needed, {samples.targets[name].iloc[first]!r} found in every row; choose another "
                "target"
            )


def _number(cell: str) -> float | None:
    """A number as tables write it, or None: Python's ``1_000`` is text."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None
