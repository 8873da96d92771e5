"""Training, epoch by epoch: losses, learning rate, and whatever else was written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from bionn.report.figures.plot import Axis, Plot, spanning
from bionn.report.figures.svg import Figure, Key
from bionn.report.wording import number, short

MOST = 6
"""The most further columns that are drawn."""


def losses(histories: Sequence[pd.DataFrame], best: Sequence[int | None]) -> Figure | None:
    """Training and validation loss against the epoch; with folds, a pair of curves a fold.

    Args:
        histories: ``metrics.csv`` of the run or of each fold.
        best: the epoch that was chosen, of each.
    """
    columns = [c for c in ("train_loss", "val_loss") if all(c in h for h in histories)]
    if not columns or not histories:
        return None
    curves = [h[c].to_numpy(dtype=float) for h in histories for c in columns]
    epochs = _epochs(histories)
    low = (
        f"lowest validation loss {number(min(map(np.nanmin, curves[1::2])))}"
        if len(columns) > 1
        else ""
    )
    plot = Plot(epochs, spanning("loss", *curves), f"Loss against epoch, {low}.")
    for history, epoch in zip(histories, best, strict=True):
        for k, column in enumerate(columns):
            plot.curve(history["epoch"], history[column], f"s{k}" + " faint" * (len(histories) > 1))
        if epoch is not None and len(columns) > 1:
            chosen = history.loc[history["epoch"] == epoch, "val_loss"]
            plot.dots([epoch] * len(chosen), chosen, "marker p1")
    names = {"train_loss": "training rows (with dropout)", "val_loss": "validation rows"}
    return Figure(
        plot.svg(),
        "Loss",
        "Where the validation loss turns up, the network begins to learn its training rows by heart. "
        "The dot is the epoch that was chosen.",
        [Key(f"s{k}", names[column]) for k, column in enumerate(columns)],
    )


def _epochs(histories: Sequence[pd.DataFrame]) -> Axis:
    axis = spanning("epoch", np.concatenate([h["epoch"] for h in histories]), margin=0.0)
    return replace(axis, ticks=_whole(axis.low, axis.high))


def _whole(low: float, high: float) -> list[tuple[float, str]]:
    """Ticks at whole numbers: there is no half an epoch."""
    places = MaxNLocator(5, integer=True).tick_values(low, high)
    return [
        (place, f"{place:,.0f}") for place in np.asarray(places).tolist() if low <= place <= high
    ]


def search(tables: Sequence[pd.DataFrame], first: float | None) -> Figure | None:
    """The validation loss of each trial that came to its end, and the smallest so far.

    Args:
        tables: ``trials.tsv`` of the run or of each fold.
        first: the loss of the settings that would have been taken otherwise; None: unknown.
    """
    done = [table.loc[table["state"] == "complete"].sort_values(by="trial") for table in tables]
    done = [table for table in done if len(table) > 1]
    if not done:
        return None
    numbers = [table["trial"].to_numpy(dtype=float) for table in done]
    values = [table["val_loss"].to_numpy(dtype=float) for table in done]
    every = np.concatenate(values)
    # a trial that went astray is not to hide the others: it is drawn at the upper end
    ends = (
        every[every <= np.quantile(every, 0.9)],
        np.array([every.min() if first is None else first]),
    )
    last = float(max(across.max() for across in numbers))
    plot = Plot(
        Axis("trial", 0.0, last, ticks=_whole(0.0, last)),
        spanning("validation loss", *ends),
        f"Validation loss against trial, {number(float(every.min()))} at best.",
    )
    for across, losses_ in zip(numbers, values, strict=True):
        several = " faint" * (len(done) > 1)
        plot.dots(across, losses_, "marker p1")
        best = np.minimum.accumulate(losses_)
        plot.curve(np.repeat(across, 2)[1:], np.repeat(best, 2)[:-1], "s0" + several)
    return Figure(
        plot.svg(),
        "The search",
        "A dot is a trial that came to its end; the others were given up on the way. The worst tenth is "
        "drawn at the upper edge.",
        [Key("s0", "the best so far")],
    )


def others(histories: Sequence[pd.DataFrame]) -> list[Figure]:
    """A picture for each further column of numbers."""
    first = histories[0] if histories else pd.DataFrame()
    left = first.select_dtypes("number").dropna(axis="columns", how="all")
    columns = [name for name in left if name not in ("epoch", "train_loss", "val_loss")]
    figures = []
    for name in columns[:MOST]:
        known = [h for h in histories if name in h]
        words = short(name.replace("_", " "), 36)
        x = _epochs(known)
        y = spanning(words, *(h[name].to_numpy(dtype=float) for h in known))
        plot = Plot(x, y, f"{words} against epoch.")
        for history in known:
            plot.curve(history["epoch"], history[name], "s0" + " faint" * (len(known) > 1))
        figures.append(Figure(plot.svg(), words.capitalize()))
    return figures
