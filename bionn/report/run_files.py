"""A run's folder read back: what the page is made from. What a run did not write is empty or None."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from bionn.errors import InputError

_AT_ONCE = 4096
"""Rows of a table that are Python objects at once."""


@dataclass(frozen=True)
class Run:
    """The contents of a run's folder.

    Attributes:
        metrics: ``metrics.json``.
        audit: ``audit.json``.
        split: ``split.json``.
        config: ``config.yaml``.
        config_text: the same as it stands there.
        manifest: of the model; with folds, that of the first one.
        histories: ``metrics.csv``, one for each network trained: of each fold each member.
        predictions: ``predictions.tsv``, of classes its test rows; with folds, those of all folds.
        examples: ``explain/examples.json``.
        motifs: ``explain/motifs.json``.
        features: ``explain/features.tsv``.
        trials: ``tuning/trials.tsv``, one for each split that was tuned.
    """

    metrics: dict[str, Any]
    audit: dict[str, Any] = field(default_factory=dict)
    split: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    config_text: str = ""
    manifest: dict[str, Any] = field(default_factory=dict)
    histories: list[pd.DataFrame] = field(default_factory=list)
    predictions: pd.DataFrame | None = None
    examples: list[dict[str, Any]] = field(default_factory=list)
    motifs: list[dict[str, Any]] = field(default_factory=list)
    features: pd.DataFrame | None = None
    trials: list[pd.DataFrame] = field(default_factory=list)

    @property
    def task(self) -> str:
        """``binary``, ``multiclass`` or ``regression``."""
        return self.metrics["task"]

    @property
    def is_regression(self) -> bool:
        """Whether numbers are predicted."""
        return self.task == "regression"

    @property
    def main_score(self) -> str:
        """The score that models are compared by."""
        compared = self.metrics.get("comparison") or {}
        return compared.get("score") or ("r2" if self.is_regression else "auroc")

    @property
    def folds(self) -> list[dict[str, Any]]:
        """The metrics of each fold; none without folds."""
        return self.metrics.get("folds") or []

    @property
    def settings_by_fold(self) -> bool:
        """Whether a search gave each fold settings of its own."""
        return any(fold.get("tuning") for fold in self.folds) or bool(
            self.folds and self.config.get("tuned")
        )

    @property
    def targets(self) -> list[str]:
        """The names of what is predicted."""
        return list(self.manifest.get("targets") or [])

    @property
    def classes(self) -> list[str]:
        """The classes' names; none for a regression."""
        return list(self.manifest.get("classes") or [])

    @property
    def letters(self) -> str:
        """The letters of the sequences' alphabet; none for a table."""
        return (self.manifest.get("input") or {}).get("letters", "")

    @property
    def test_rows(self) -> pd.DataFrame | None:
        """The predictions for the test rows."""
        table = self.predictions
        if table is None or "split" not in table:
            return table
        return table.loc[table["split"] == "test"].reset_index(drop=True)


def read_run(folder: str | Path) -> Run:
    """Read what is there.

    Raises:
        InputError: not a run's folder, or a file in it that cannot be read.
    """
    folder = Path(folder)
    if not (folder / "metrics.json").is_file():
        raise InputError(
            f"{folder}: a run's folder needed, no metrics.json found in it; name the folder that "
            "bionn run wrote"
        )
    metrics = _json(folder / "metrics.json", dict)
    if metrics.get("task") not in ("binary", "multiclass", "regression"):
        raise InputError(
            f"{folder / 'metrics.json'}: a task needed, {metrics.get('task')!r} found; "
            "it is not that of a run"
        )
    number = len(metrics.get("folds") or [])
    each = [folder / f"fold_{k}" for k in range(number)] or [folder]
    explained = folder / "explain" if (folder / "explain").is_dir() else each[0] / "explain"
    config = folder / "config.yaml"
    trials = (_table(own / "tuning" / "trials.tsv", "\t") for own in each)
    return Run(
        metrics=metrics,
        audit=_json(folder / "audit.json", dict),
        split=_json(folder / "split.json", dict),
        config=_config(config),
        config_text=_text(config),
        manifest=_json(each[0] / "model" / "manifest.json", dict),
        histories=[history for own in each for history in _histories(own / "metrics.csv")],
        predictions=_table(folder / "predictions.tsv", "\t", keep=_of_use),
        examples=_json(explained / "examples.json", list),
        motifs=_json(explained / "motifs.json", list),
        features=_table(explained / "features.tsv", "\t"),
        trials=[table for table in trials if table is not None and "val_loss" in table],
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") if path.is_file() else ""
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: UTF-8 needed ({error}); run bionn run again") from None


def _json(path: Path, kind: type) -> Any:
    """The file's value; an empty one of its kind where it is not there."""
    if not path.is_file():
        return kind()
    try:
        value = json.loads(_text(path))
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{path}: not readable as JSON ({error}); run bionn run again") from None
    if not isinstance(value, kind):
        raise InputError(
            f"{path}: {'an object' if kind is dict else 'a list'} needed, something else found; "
            "run bionn run again"
        )
    return value


def _config(path: Path) -> dict[str, Any]:
    try:
        value = yaml.safe_load(_text(path))
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not readable as YAML: {reason}") from None
    return value if isinstance(value, dict) else {}


def _histories(path: Path) -> list[pd.DataFrame]:
    """A table an epoch for each network that was trained: one, or the members of an ensemble."""
    table = _table(path, ",")
    if table is None or "epoch" not in table:
        return []
    if "member" not in table:
        return [table]
    return [own.drop(columns="member") for _, own in table.groupby("member", sort=True)]


def _of_use(rows: pd.DataFrame) -> pd.DataFrame:
    """The predictions that are shown: for test rows; of numbers the training rows are counted too."""
    if "split" not in rows or not any(name.startswith("prob_") for name in rows):
        return rows
    return rows.loc[rows["split"] == "test"]


def _table(
    path: Path, separator: str, *, keep: Callable[[pd.DataFrame], pd.DataFrame] = lambda rows: rows
) -> pd.DataFrame | None:
    """A table; ids and classes stay the texts they are, an id ``007`` or ``NA`` too.

    Args:
        path: the file.
        separator: what stands between its cells.
        keep: chooses rows; told some at a time, so that the others need no memory.
    """
    if not path.is_file():
        return None
    try:
        with pd.read_csv(
            path, sep=separator, dtype=str, keep_default_na=False, chunksize=_AT_ONCE
        ) as some:
            frame = pd.concat([keep(_typed(rows)) for rows in some], ignore_index=True)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path}: not readable as a table ({reason}); run bionn run again"
        ) from None
    return frame


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers in all columns that may hold them."""
    texts = {"id", "split", "feature", "state"}
    if any(name.startswith("prob_") for name in frame):
        texts |= {"target", "prediction"}
    for name in frame.columns.difference(texts, sort=False):
        frame[name] = pd.to_numeric(frame[name], errors="coerce")
    return frame
