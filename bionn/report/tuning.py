"""A search on paper: its trials as a table, what mattered, and how the loss went with each choice."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bionn.formats.output import write_table
from bionn.training.search import Dimension, Range, Space
from bionn.training.tuning import Tuned

if TYPE_CHECKING:
    import optuna

STATES = {"complete": "came to their end", "pruned": "were given up", "fail": "failed"}
"""How trials end."""

BLUE, VERMILION = "#0072B2", "#D55E00"
"""Of the colour-blind safe Okabe-Ito palette."""


def trial_table(study: optuna.Study) -> pd.DataFrame:
    """A row a trial: ``trial state val_loss epochs best_epoch seconds``, and the choices.

    ``val_loss`` of a trial that was given up is the last that it reported; ``error`` tells why one
    failed, and is there only if one did.
    """
    rows = []
    for trial in study.get_trials(deepcopy=False):
        reported = trial.intermediate_values
        last = reported[max(reported)] if reported else math.nan
        row: dict[str, Any] = {
            "trial": trial.number,
            "state": trial.state.name.lower(),
            "val_loss": trial.values[0] if trial.values else last,
            "epochs": trial.user_attrs.get("epochs"),
            "best_epoch": trial.user_attrs.get("best_epoch"),
            "seconds": trial.user_attrs.get("seconds", math.nan),
            **trial.params,
        }
        if "error" in trial.user_attrs:
            row["error"] = trial.user_attrs["error"]
        rows.append(row)
    frame = pd.DataFrame(rows)
    for name in ("epochs", "best_epoch"):
        frame[name] = frame[name].astype("Int64").astype(object)
    return frame


def importances(study: optuna.Study) -> dict[str, float]:
    """The share of the loss's variance that goes with each choice, by a random forest (fANOVA).

    Hutter et al. 2014, "An efficient approach for assessing hyperparameter importance". Empty where
    fewer than four trials came to their end, from which nothing could be told.
    """
    import optuna

    done = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len(done) < 4 or len({trial.values[0] for trial in done}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def write_search(tuned: Tuned, space: Space, directory: Path) -> None:
    """``trials.tsv``, ``importance.tsv`` and ``.png``, and ``slices.png``, in a folder."""
    study = tuned.study
    write_table(trial_table(study), directory / "trials.tsv")
    shares = importances(study)
    names = pd.DataFrame({"choice": list(shares), "importance": list(shares.values())})
    write_table(names.astype({"importance": float}), directory / "importance.tsv")
    if shares:
        draw_importance(shares).savefig(directory / "importance.png", dpi=150)
    draw_slices(study, space).savefig(directory / "slices.png", dpi=150)


def draw_importance(shares: dict[str, float]) -> Figure:
    """Bars, the largest above."""
    figure = Figure(figsize=(6, 0.6 + 0.3 * len(shares)), layout="constrained")
    axes = figure.subplots()
    names = sorted(shares, key=lambda name: shares[name])
    axes.barh([name.replace("_", " ") for name in names], [shares[n] for n in names], color=BLUE)
    axes.set_xlabel("share of the validation loss's variance (fANOVA)")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def draw_slices(study: optuna.Study, space: Space) -> Figure:
    """A panel a choice: its value across, the validation loss of each finished trial up."""
    import optuna

    done = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    columns = min(4, len(space))
    rows = math.ceil(len(space) / columns)
    figure = Figure(figsize=(3 * columns, 2.4 * rows), layout="constrained")
    panels = [*figure.subplots(rows, columns, squeeze=False, sharey=True).flat]
    losses = np.array([trial.values[0] for trial in done])
    for axes, (name, dimension) in zip(panels, space.items(), strict=False):
        held = np.array([name in trial.params for trial in done], dtype=bool)
        places = _places(
            axes, dimension, [trial.params.get(name) for trial in done if name in trial.params]
        )
        axes.scatter(places, losses[held], s=14, color=BLUE, alpha=0.6, linewidths=0)
        if held.any():
            best = int(np.argmin(losses[held]))
            ring = {"s": 60, "facecolors": "none", "edgecolors": VERMILION, "zorder": 3}
            axes.scatter(places[best], losses[held][best], **ring)
        axes.set_title(name.replace("_", " "), loc="left", fontsize="medium")
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[len(space) :]:
        axes.set_axis_off()
    figure.supylabel("validation loss (best trial ringed)")
    if len(losses):  # a trial that went astray is not to hide the others
        low, high = losses.min(), np.quantile(losses, 0.9)
        margin = 0.08 * (high - low) + 1e-9
        panels[0].set_ylim(low - margin, high + margin)
    return figure


def _places(axes: Axes, dimension: Dimension, values: list[Any]) -> np.ndarray:
    """Where values stand on the axis: numbers as they are, names at 0, 1, 2, ..."""
    if isinstance(dimension, Range):
        if dimension.log:
            axes.set_xscale("log")
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set_xlim(dimension.low / 1.2, dimension.high * 1.2)
        else:
            margin = 0.05 * (dimension.high - dimension.low) + 1e-9
            axes.set_xlim(dimension.low - margin, dimension.high + margin)
        return np.array(values, dtype=float)
    labels = [str(value) for value in dimension.values]
    long = sum(map(len, labels)) > 24
    turned = {"rotation": 35, "ha": "right", "rotation_mode": "anchor", "fontsize": "small"}
    axes.set_xticks(range(len(labels)), labels, **(turned if long else {}))
    axes.set_xlim(-0.5, len(labels) - 0.5)
    return np.array([labels.index(str(value)) for value in values], dtype=float)


def outcome(tuned: Tuned) -> dict[str, Any]:
    """What a search found, as plain data: ``tuning`` of a run's ``metrics.json``.

    Returns:
        ``trials`` by state, the best ``values`` and their ``val_loss``, the ``first`` ones, which would
        have been taken without a search, and theirs (``first_val_loss``, NaN if that trial failed), and
        the ``importance`` of each choice.
    """
    return {
        "trials": _counts(tuned.study),
        "values": tuned.values,
        "val_loss": tuned.val_loss,
        "first": tuned.first,
        "first_val_loss": tuned.first_loss,
        "importance": importances(tuned.study),
    }


def _counts(study: optuna.Study) -> dict[str, int]:
    """Trials by state: ``complete``, ``pruned``, ``fail``."""
    counts = Counter(trial.state.name.lower() for trial in study.get_trials(deepcopy=False))
    return {state: counts[state] for state in STATES if counts[state]}


def print_search(console: Console, tuned: Tuned, directory: Path) -> None:
    """How many trials there were, the best one beside the first, and what mattered."""
    counts = _counts(tuned.study)
    parts = [f"{count} {STATES[state]}" for state, count in counts.items()]
    console.print(f"trials: {sum(counts.values())}, of which {', '.join(parts)}")
    shares = importances(tuned.study)
    shown = Table(title="choices", title_justify="left")
    for heading in ("choice", "tried first", "best", "importance"):
        shown.add_column(heading, justify="left" if heading == "choice" else "right")
    for name, value in tuned.values.items():
        share = f"{shares[name]:.2f}" if name in shares else "-"
        shown.add_row(
            name, escape(shown_value(tuned.first.get(name))), escape(shown_value(value)), share
        )
    console.print(shown)
    console.print(f"validation loss: {tuned.first_loss:.4f} at first, {tuned.val_loss:.4f} at best")
    console.print(f"files: {escape(str(directory))}/", style="bold")


def shown_value(value: Any) -> str:
    """A choice in few letters; a dash for none.

    Example:
        >>> shown_value(0.0012345), shown_value(64), shown_value("relu"), shown_value(None)
        ('0.00123', '64', 'relu', '-')
    """
    return "-" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)
