"""Would more data help: the same training on shares of the training rows, each scored the same way."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from bionn.data.prepared import prepare
from bionn.data.samples import DataOptions, Samples
from bionn.data.splits import Split
from bionn.data.targets import Targets
from bionn.evaluate import evaluate
from bionn.formats.output import write_json
from bionn.metrics import main_score
from bionn.predict import Predictor
from bionn.training.fit import train
from bionn.training.options import TrainingOptions, choose

FRACTIONS = (0.1, 0.2, 0.4, 0.7, 1.0)
"""Shares of the training rows."""

DRAWS = 3
"""Draws of rows, and seeds of training, at each share."""

KEPT = ".learning_curve.json"
"""Where a run that is not over keeps the scores of the trainings that are."""

FEWEST = 20
"""A share of fewer rows is left out."""


def learning_curve(
    samples: Samples,
    targets: Targets,
    split: Split,
    data: DataOptions,
    training: TrainingOptions,
    *,
    console: Console | None = None,
    kept: Path | None = None,
) -> list[dict[str, Any]]:
    """``learning_curve`` of ``metrics.json``.

    Everything is done anew for each share: what is fitted on training rows, the options that depend
    on their number, the epoch chosen on the validation rows. Nothing is refitted on validation rows, so
    that the number of rows is what it says.

    Args:
        samples: the samples.
        targets: theirs.
        split: the validation and test rows of all shares, and the training rows that they are of.
        data: how the samples are encoded.
        training: as asked for, not as settled for all rows.
        console: where each share is told of.
        kept: a file of the scores of trainings that are over, which are not done again; one that is not
            over is begun anew.

    Returns:
        For each share ``n``, and the means over draws of the scores on ``val`` and ``test`` rows, with
        their standard deviations ``val_std`` and ``test_std``.
    """
    found = []
    done = _read(kept)
    for fraction in FRACTIONS:
        rows = math.ceil(fraction * len(split.train) - 1e-9)
        if rows < FEWEST:
            continue
        scores: dict[str, list[dict[str, float]]] = {"val": [], "test": []}
        sizes = []
        for draw in range(DRAWS):
            share = replace(split, train=drawn(split, targets, rows, seed=data.seed + draw))
            sizes.append(len(share.train))
            name = f"{fraction:g}, draw {draw}"
            if name in done:
                for part, told in scores.items():
                    told.append(done[name][part])
                continue
            prepared = prepare(samples, targets, share, data)
            asked = replace(training, refit=False, ensemble=1, seed=training.seed + draw)
            trained = train(prepared, choose(asked, prepared))
            predictor = Predictor(trained.model, prepared.manifest())
            for part, told in scores.items():
                every = evaluate(predictor, prepared, getattr(share, part))
                told.append({score: v for score, v in every.items() if isinstance(v, float)})
            done[name] = {part: told[-1] for part, told in scores.items()}
            if kept is not None:
                write_json(done, kept)
        point: dict[str, Any] = {"n": round(float(np.mean(sizes)))}
        for part, told in scores.items():
            point[part] = {name: float(np.mean([t[name] for t in told])) for name in told[0]}
            point[f"{part}_std"] = {
                name: float(np.std([t[name] for t in told])) for name in told[0]
            }
        found.append(point)
        if console is not None:
            console.print(curve_note(point, main_score(targets.task)))
    return found


def _read(kept: Path | None) -> dict[str, Any]:
    """The scores of trainings that are over; none where there are none, or none that can be read."""
    try:
        return {} if kept is None else json.loads(kept.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def drawn(split: Split, targets: Targets, rows: int, *, seed: int) -> np.ndarray:
    """Training rows drawn at random: the fewest whole groups or families that hold so many rows.

    Fewer rows with the same seed are among the more. Every class has a row.

    Args:
        split: whose training rows.
        targets: of all samples.
        rows: how many are needed.
        seed: of the draw.

    Returns:
        Row numbers, ascending.
    """
    train = split.train
    labels = np.arange(len(train)) if split.units is None else split.units[train]
    unit = np.unique(labels, return_inverse=True)[1]
    order = np.random.default_rng([seed, 0xC0E]).permutation(int(unit.max()) + 1)
    place = np.argsort(order)[unit]  # of each row's unit in the order
    if targets.task != "regression":
        classes = targets.values[train]
        first = {place[classes == k].min() for k in np.unique(classes)}
        place = np.where(np.isin(place, list(first)), -1, place)
    places, counts = np.unique(place, return_counts=True)
    last = places[min(int(np.searchsorted(np.cumsum(counts), rows)), len(places) - 1)]
    return train[place <= last]


def curve_note(point: dict[str, Any], score: str) -> str:
    """A point of the curve in one line."""
    shown: Sequence[str] = [
        f"{part} {score} {point[part][score]:.3f} ± {point[f'{part}_std'][score]:.3f}"
        for part in ("val", "test")
    ]
    return f"learning curve: {point['n']} training rows: {', '.join(shown)}"
