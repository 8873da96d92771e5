"""Varies depth, width, activation, objective and initialisation of an MLP, one at a time.

    python -m experiments.lecture.design_space.run

Each network is trained on the training rows of the simulated promoters and judged on the validation
rows, by the cross-entropy of its best epoch and the AUROC there. Test rows are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bionn.data.modules import load_prepared
from bionn.data.prepared import Prepared
from bionn.data.samples import DataOptions
from bionn.training.fit import train
from bionn.training.options import TrainingOptions, choose
from experiments.lecture.common import (
    COLOURS,
    arguments,
    panels,
    read_settings,
    save,
    table,
    write_csv,
)

ROOT = Path(__file__).resolve().parents[3]
HEADER = ("choice", "value", "val loss", "val AUROC", "best epoch")


@dataclass(frozen=True)
class Settings:
    """The keys of config.yaml."""

    data: str
    labels: str
    seeds: list[int]
    epochs: int
    learning_rate: float
    weight_decay: float
    dropout: float
    input_dropout: float
    batch_size: int
    base: dict[str, Any]
    choices: dict[str, list[Any]]


class Outcome(NamedTuple):
    """A network of the design space over the seeds.

    Attributes:
        choice: what was varied.
        value: its value; the other choices are the base's.
        losses: validation cross-entropy at the best epoch, one a seed.
        aurocs: validation AUROC there.
        epochs: the best epochs.
    """

    choice: str
    value: Any
    losses: list[float]
    aurocs: list[float]
    epochs: list[int]


def load(settings: Settings) -> Prepared:
    """The promoters, split as ``bionn run`` splits them."""
    options = DataOptions(labels=ROOT / settings.labels)
    return load_prepared(ROOT / settings.data, options)


def options_for(settings: Settings, prepared: Prepared, design: dict[str, Any]) -> TrainingOptions:
    """The training of one design; ``depth`` hidden layers of one ``width``."""
    given = TrainingOptions(
        hidden=(design["width"],) * design["depth"],
        activation=design["activation"],
        objective=design["objective"],
        init=design["init"],
        dropout=settings.dropout,
        input_dropout=settings.input_dropout,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        batch_size=settings.batch_size,
        max_epochs=settings.epochs,
        patience=settings.epochs,
        refit=False,
        device="cpu",
    )
    return choose(given, prepared)


def outcome(settings: Settings, prepared: Prepared, choice: str, value: Any) -> Outcome:
    """Train one design from every seed."""
    options = options_for(settings, prepared, {**settings.base, choice: value})
    losses, aurocs, epochs = [], [], []
    rows = prepared.split.val
    for seed in settings.seeds:
        trained = train(prepared, replace(options, seed=seed))
        with torch.no_grad():
            logits = trained.selected(prepared.inputs[torch.from_numpy(rows)])
        scores = prepared.score(torch.sigmoid(logits.squeeze(1)).double().numpy(), rows)
        losses.append(trained.val_loss)
        aurocs.append(scores["auroc"])
        epochs.append(trained.best_epoch)
    return Outcome(choice, value, losses, aurocs, epochs)


def sweep(settings: Settings, prepared: Prepared) -> Iterator[Outcome]:
    """Every value of every choice in turn; the base itself is trained once."""
    base = None
    for choice, values in settings.choices.items():
        for value in values:
            if value != settings.base[choice]:
                yield outcome(settings, prepared, choice, value)
                continue
            if base is None:
                base = outcome(settings, prepared, choice, value)
            yield base._replace(choice=choice, value=value)


def rows(found: list[Outcome], base: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """The table's rows: means and standard deviations; the base has a star."""
    for item in found:
        star = " *" if item.value == base[item.choice] else ""
        yield (
            item.choice,
            f"{item.value}{star}",
            f"{np.mean(item.losses):.3f} ± {np.std(item.losses):.3f}",
            f"{np.mean(item.aurocs):.3f} ± {np.std(item.aurocs):.3f}",
            f"{np.mean(item.epochs):.0f}",
        )


def draw(found: list[Outcome], base: dict[str, Any]) -> Figure:
    """A panel a choice: the validation loss of each seed and their mean."""
    choices = list(dict.fromkeys(item.choice for item in found))
    figure, axes = panels(len(choices), 3 * len(choices), 3.4)
    for panel, choice in zip(axes, choices, strict=True):
        _draw_choice(panel, [item for item in found if item.choice == choice], base[choice])
        panel.set_title(choice, loc="left")
    low = min(min(item.losses) for item in found)
    high = max(max(item.losses) for item in found)
    for panel in axes:
        panel.set_ylim(low - 0.03, high + 0.03)
    axes[0].set_ylabel("validation cross-entropy, best epoch")
    return figure


def _draw_choice(axes: Axes, found: list[Outcome], base: Any) -> None:
    black, blue, vermilion = COLOURS
    for place, item in enumerate(found):
        axes.plot([place] * len(item.losses), item.losses, ".", color=blue, alpha=0.6)
        axes.plot(place, np.mean(item.losses), "_", color=black, markersize=18)
        if item.value == base:
            axes.axvspan(place - 0.4, place + 0.4, color=vermilion, alpha=0.12, linewidth=0)
    names = [str(item.value) for item in found]
    turned = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(len(names)), names, **(turned if max(map(len, names)) > 4 else {}))
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.spines[["top", "right"]].set_visible(False)


def main() -> None:
    args = arguments(__file__, "The design space of an MLP, one choice varied at a time.")
    settings = read_settings(Settings, args.config)
    found = list(sweep(settings, load(settings)))
    print(table(HEADER, rows(found, settings.base)))
    print("\n*: the base, in which the other choices stay; mean ± standard deviation over")
    print(f"{len(settings.seeds)} seeds of the best epoch on the validation rows")
    write_csv(
        args.out / "networks.csv",
        ("choice", "value", "seed", "val_loss", "val_auroc", "best_epoch"),
        (
            (item.choice, item.value, *values)
            for item in found
            for values in zip(settings.seeds, item.losses, item.aurocs, item.epochs, strict=True)
        ),
    )
    save(draw(found, settings.base), args.out / "design_space.png")
    print(f"\nwritten: {args.out}/networks.csv, design_space.png")


if __name__ == "__main__":
    main()
