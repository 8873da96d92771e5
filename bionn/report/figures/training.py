"""Training, epoch by epoch: losses, learning rate, and whatever else was written down."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bionn.report.figures.plot import Plot, spanning
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
    epochs = spanning("epoch", np.concatenate([h["epoch"] for h in histories]), margin=0.0)
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


def others(histories: Sequence[pd.DataFrame]) -> list[Figure]:
    """A picture for each further column of numbers."""
    first = histories[0] if histories else pd.DataFrame()
    left = first.select_dtypes("number").dropna(axis="columns", how="all")
    columns = [name for name in left if name not in ("epoch", "train_loss", "val_loss")]
    figures = []
    for name in columns[:MOST]:
        known = [h for h in histories if name in h]
        words = short(name.replace("_", " "), 36)
        x = spanning("epoch", np.concatenate([h["epoch"] for h in known]), margin=0.0)
        y = spanning(words, *(h[name].to_numpy(dtype=float) for h in known))
        plot = Plot(x, y, f"{words} against epoch.")
        for history in known:
            plot.curve(history["epoch"], history[name], "s0" + " faint" * (len(known) > 1))
        figures.append(Figure(plot.svg(), words.capitalize()))
    return figures
