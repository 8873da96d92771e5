"""A table's features to a network's inputs: steps fitted on the training rows, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bionn.errors import InputError, did_you_mean
from bionn.preprocess.categories import BatchCentring, OneHot
from bionn.preprocess.counts import CountsPerMillion, Log1p
from bionn.preprocess.imputation import Indicators, Medians, NoGaps, Regressions
from bionn.preprocess.scaling import NormalScores, Standardisation
from bionn.preprocess.selection import Selection
from bionn.preprocess.steps import Features, Step
from bionn.preprocess.targets import natural_key

TRANSFORMS = ("none", "log1p", "cpm", "log-cpm", "zscore", "quantile")
IMPUTATIONS = ("median", "model", "error")
BATCH_EFFECTS = ("one-hot", "center")

STEPS: dict[str, type[Step]] = {
    step.kind: step
    for step in (
        CountsPerMillion,
        Log1p,
        Selection,
        Indicators,
        NoGaps,
        Medians,
        Regressions,
        BatchCentring,
        OneHot,
        Standardisation,
        NormalScores,
    )
}
"""Every step by the name that it has in a manifest."""


@dataclass(frozen=True)
class FeatureOptions:
    """How features become inputs; the options of ``bionn run`` of the same names.

    Attributes:
        transform: ``zscore`` standardises each feature by the training rows: weights of one size
            and one learning rate then suit all. ``log1p``, ``cpm`` (counts per million) and
            ``log-cpm`` come before that; ``quantile`` gives normal scores instead, which no outlier
            can stretch; ``none`` leaves values as they are.
        impute: what a missing value becomes: the ``median``, what a ``model`` of the row's other
            values expects, or an ``error``.
        missing_indicators: a column of 0 and 1 for each feature with gaps.
        top_genes: keep so many features, the most variable after ``log1p`` or ``cpm``.
        batch_column: the column of batches.
        batch_effect: ``one-hot``: a column of 0 and 1 a batch; ``center``: each batch's mean is
            taken out.
    """

    transform: str = "zscore"
    impute: str = "median"
    missing_indicators: bool = False
    top_genes: int | None = None
    batch_column: str | None = None
    batch_effect: str = "one-hot"

    def __post_init__(self) -> None:
        for name, choices in (
            ("transform", TRANSFORMS),
            ("impute", IMPUTATIONS),
            ("batch_effect", BATCH_EFFECTS),
        ):
            value = getattr(self, name)
            if value not in choices:
                raise InputError(
                    f"{name.replace('_', '-')}: one of {', '.join(choices)} needed, {value!r} found"
                    f"{did_you_mean(value, choices)}; choose one"
                )


@dataclass(frozen=True)
class FeatureEncoder:
    """The steps from a table's columns to ``float32`` inputs.

    Their order: counts per million, of whole rows; logarithms; selection; columns that tell of gaps;
    imputation; batches and categories; scale. Last, the columns of 0 and 1 are put beside the
    numbers.

    Attributes:
        names: the numeric columns that are needed.
        categories: the columns of text that are needed.
        steps: what is done, in order.
        notes: what the fit left out, a sentence each.
    """

    names: tuple[str, ...]
    categories: tuple[str, ...]
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()
    input_shape: int = 0

    @classmethod
    def fit(cls, frame: pd.DataFrame, options: FeatureOptions | None = None) -> FeatureEncoder:
        """Fit each step on the training rows as the steps before it leave them.

        Args:
            frame: the training rows: features as ``float64``, categories and batches as text.
            options: what to do.

        Raises:
            InputError: a feature without any value, none that varies, or an option out of range.
            RowError: a row that a step cannot take.
        """
        options = options or FeatureOptions()
        data, steps = Features.of(frame), []
        names, categories = data.names, tuple(data.texts)

        def add(step: Step) -> None:
            nonlocal data
            data = step.transform(data)
            steps.append(step)

        if options.transform in ("cpm", "log-cpm"):
            add(CountsPerMillion())
        if options.transform in ("log1p", "log-cpm"):
            add(Log1p())
        selection = Selection.fit(data, most_variable=options.top_genes)
        add(selection)
        if not isinstance(steps[0], CountsPerMillion):
            names = selection.names  # no row needs what is left out
        if options.missing_indicators:
            add(Indicators.fit(data))
        add(_imputation(data, options.impute))
        centred = options.batch_effect == "center" and options.batch_column is not None
        if centred:
            add(BatchCentring.fit(data, str(options.batch_column)))
        coded = [name for name in categories if not (centred and name == options.batch_column)]
        if coded:
            add(OneHot.fit(data, coded))
        if options.transform == "quantile":
            add(NormalScores.fit(data))
        elif options.transform != "none":
            add(Standardisation.fit(data))
        width = data.numbers.shape[1] + data.flags.shape[1]
        return cls(names, categories, tuple(steps), selection.notes, width)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is needed, whatever its order in the table."""
        return self.names + self.categories

    @property
    def sources(self) -> tuple[str, ...]:
        """The column of the table that each input is made from, ``input_shape`` names.

        That of a flag is the feature that has the gap, or the category.
        """
        numbers: tuple[str, ...] = self.names
        flags: list[str] = []
        for step in self.steps:
            if isinstance(step, Selection):
                numbers = step.names
            elif isinstance(step, Indicators):
                flags += step.names
            elif isinstance(step, OneHot):
                flags += [name for name, levels in step.levels.items() for _ in levels]
        return (*numbers, *flags)

    def transform(self, frame: pd.DataFrame) -> np.ndarray:
        """Rows with all of :attr:`columns` to ``float32 (rows, input_shape)``.

        Raises:
            RowError: a row that a step cannot take.
        """
        data = Features.of(frame.loc[:, list(self.columns)])
        for step in self.steps:
            data = step.transform(data)
        return np.hstack([data.numbers, data.flags]).astype(np.float32)

    def unseen(self, frame: pd.DataFrame) -> list[str]:
        """A sentence for each column of text with values that no training row has."""
        found = []
        for column, levels in self._levels().items():
            known = {*levels, ""}
            strange = [value for value in frame[column] if value not in known]
            if strange:
                values = sorted(set(strange), key=natural_key)
                shown = ", ".join(values[:5]) + (", ..." if len(values) > 5 else "")
                found.append(
                    f"{column}: {len(strange)} rows with values that no training row has ({shown}): "
                    "treated as if unknown"
                )
        return found

    def describe(self) -> str:
        """What the inputs are, in a line."""
        kinds = [step.kind for step in self.steps]
        words = {
            "cpm": "per million",
            "log1p": "log1p",
            "missing_indicators": "gaps flagged",
            "median": "imputed by the median",
            "regressions": "imputed by regression",
            "batch_centring": "centred by batch",
            "one_hot": "categories one-hot",
            "zscore": "standardised",
            "quantile": "as normal scores",
        }
        return ", ".join(
            [f"{self.input_shape} features", *(words[kind] for kind in kinds if kind in words)]
        )

    def to_manifest(self) -> dict[str, Any]:
        """Plain data from which :meth:`from_manifest` makes an equal encoder."""
        return {
            "features": list(self.names),
            "categories": list(self.categories),
            "width": self.input_shape,
            "steps": [{"step": step.kind, **step.to_manifest()} for step in self.steps],
        }

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> FeatureEncoder:
        """The encoder that a manifest describes."""
        return cls(
            tuple(manifest["features"]),
            tuple(manifest["categories"]),
            tuple(STEPS[step["step"]].from_manifest(step) for step in manifest["steps"]),
            input_shape=manifest["width"],
        )

    def _levels(self) -> dict[str, Sequence[str]]:
        """The values that each column of text has in the training rows."""
        levels: dict[str, Sequence[str]] = {}
        for step in self.steps:
            if isinstance(step, OneHot):
                levels |= step.levels
            elif isinstance(step, BatchCentring):
                levels[step.column] = step.batches
        return levels


def _imputation(data: Features, kind: str) -> Step:
    if kind == "median":
        return Medians.fit(data)
    return Regressions.fit(data) if kind == "model" else NoGaps()
