"""A run on the terminal: what was found in the data, what was chosen, what came out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bionn.data.certificate import certificate_note
from bionn.data.prepared import Prepared
from bionn.data.samples import Samples
from bionn.data.splits import Split
from bionn.formats.escape import is_formula
from bionn.metrics import CLASSIFICATION, REGRESSION
from bionn.preprocess.encoding import ONE_HOT
from bionn.preprocess.sequences import SequenceEncoder
from bionn.report.audit import print_remarks
from bionn.training.options import TrainingOptions

SHOWN_LEVEL = 0.9
"""The level of conformal sets and intervals that is told of."""


def print_data(
    console: Console, samples: Samples, splits: Sequence[Split], found: dict[str, Any]
) -> None:
    """The notes of reading, the sizes of the parts, the split's certificate, warnings and advice."""
    for note in samples.notes:
        console.print(escape(note), style="yellow" if "left out" in note else None)
    if formulas := sum(map(is_formula, samples.ids)):
        console.print(
            f"note: {formulas} ids are written as they are, though a spreadsheet would compute them; "
            "open the tables as text"
        )
    sizes = ", ".join(
        f"{part} {len(getattr(splits[0], part))}" for part in ("train", "val", "test")
    )
    console.print(f"split: {splits[0].name}: {sizes}" + " (fold 0)" * (len(splits) > 1))
    console.print(escape(certificate_note(found["split"])))
    print_remarks(console, found)


def print_training(console: Console, prepared: Prepared, options: TrainingOptions) -> None:
    """The inputs, the network and the schedule."""
    encoder = prepared.encoder
    if isinstance(encoder, SequenceEncoder):
        aligned = f", aligned {encoder.align}" if encoder.align else ""
        shown = f"{encoder.length} positions of {encoder.alphabet}{aligned}"
        if encoder.encoding != ONE_HOT:
            shown = f"{encoder.encoding} of {shown}"
        strands = ", predictions over both strands" if encoder.both_strands else ""
        console.print(f"inputs: {escape(shown)}{strands}")
    else:
        console.print(f"inputs: {encoder.describe()}")
        for note in encoder.notes:
            console.print(f"  {escape(note)}", style="yellow")
    assert options.hidden is not None
    shape = encoder.input_shape
    size = shape if isinstance(shape, int) else math.prod(shape)
    widths = [size, *options.hidden, prepared.targets.num_outputs]
    console.print(
        f"network: MLP {'-'.join(map(str, widths))}, {options.activation}, "
        f"dropout {options.dropout:g}, of inputs {options.input_dropout:g}"
    )
    console.print(
        f"training: AdamW, learning rate {options.learning_rate:g}, weight decay "
        f"{options.weight_decay:g}, batch {options.batch_size}"
    )
    if options.augment:
        console.print(f"  training sequences altered at each step: {', '.join(options.augment)}")
    if options.class_weight != "none":
        console.print(f"  classes weighted: {escape(options.class_weight)}")
    if options.sampler != "uniform":
        console.print("  as many training rows of each class an epoch")
    again = ", then once more on train and val rows" if options.refit else ""
    console.print(f"  up to {options.max_epochs} epochs, patience {options.patience}{again}")


def print_result(console: Console, directory: Path, metrics: dict[str, Any]) -> None:
    """One table: the test scores beside those of the baselines; what they are worth; where all is."""
    names = REGRESSION if metrics["task"] == "regression" else CLASSIFICATION
    title = "test scores"
    if "folds" in metrics:
        title += f", mean of {len(metrics['folds'])} folds"
    if "repeats" in metrics:
        title += f" ({metrics['repeats']} repetitions)"
    table = Table(title=title + ", with 95 % intervals", title_justify="left")
    table.add_column("model", no_wrap=True)
    for name in names:
        table.add_column(name, justify="right")

    def add(
        label: str, scores: dict[str, Any], intervals: dict[str, Any], style: str | None = None
    ) -> None:
        table.add_row(label, *(shown(scores.get(name)) for name in names), style=style)
        table.add_row("", *(span(intervals.get(name)) for name in names), style="dim")

    add("network", metrics["test"], metrics["intervals"], style="bold")
    spread = metrics.get("test_std")
    if spread:
        table.add_row("  ± of folds", *(shown(spread.get(name)) for name in names))
    plain = metrics["test"].get("plain")
    if plain:
        table.add_row(
            "  at 0.5" if metrics["task"] == "binary" else "  most probable",
            *(shown(plain.get(name)) for name in names),
        )
    if "ensemble" in metrics:
        alone, apart = metrics["ensemble"]["test"], metrics["ensemble"]["test_std"]
        table.add_row("  alone", *(f"{shown(alone.get(n))} ±{apart.get(n, 0):.3f}" for n in names))
    for baseline, parts in metrics["baselines"].items():
        add(baseline, parts["test"], parts["intervals"])
    console.print()
    console.print(table)
    if plain:
        console.print(_decision(metrics))
    for sentence in (*tuning(metrics), *verdict(metrics), *trust(metrics)):
        console.print(escape(sentence))
    console.print(f"files: {escape(str(directory))}/", style="bold")
    seconds = metrics["seconds"]
    console.print(f"time: {seconds['total']:.1f} s, {seconds['train']:.1f} s of it training")


def _decision(metrics: dict[str, Any]) -> str:
    """How the network's classes were decided."""
    folds = metrics.get("folds", [metrics])
    rule = folds[0]["decision"]["rule"]
    thresholds = [fold["decision"]["threshold"] for fold in folds]
    if None in thresholds:
        return f"network: classes decided {rule}; probabilities are those of classes as they come"
    shown_each = ", ".join(f"{threshold:.3g}" for threshold in thresholds)
    return f"network: positive above a probability of {shown_each} ({rule})"


def tuning(metrics: dict[str, Any]) -> list[str]:
    """By which validation loss settings were chosen, beside that of those taken otherwise."""
    found = [fold["tuning"] for fold in metrics.get("folds", [metrics]) if "tuning" in fold]
    if not found:
        return []
    best = shown(float(np.mean([one["val_loss"] for one in found])))
    first = [one["first_val_loss"] for one in found]
    beside = "" if None in first else f", {shown(float(np.mean(first)))} with the defaults"
    trials = sum(sum(one["trials"].values()) for one in found)
    of = f", a mean of {len(found)} folds" if len(found) > 1 else ""
    return [f"tuned in {trials} trials: validation loss {best}{beside}{of}"]


def verdict(metrics: dict[str, Any]) -> list[str]:
    """How the network stands against the baselines: the one best on validation rows, then others.

    A baseline that is worse beyond chance is passed over, but for the first.
    """
    compared = {
        name: entry["comparison"]
        for name, entry in metrics["baselines"].items()
        if "comparison" in entry
    }
    first = metrics.get("comparison", {}).get("baseline")
    order = sorted(compared, key=lambda name: name != first)
    sentences = []
    for name in order:
        found = compared[name]
        outcome = {
            "better": f"the network beats the {name} baseline",
            "tie": f"note: the network and the {name} baseline differ by no more than chance",
            "worse": f"note: the {name} baseline beats the network",
        }[found["verdict"]]
        if name == first or found["verdict"] != "better":
            low, high = found["interval"]
            sentences.append(
                f"{outcome}:\n  {found['score']} {found['difference']:+.3f} "
                f"({low:+.3f} to {high:+.3f}, p {_p_value(found['p_value'])})"
            )
    if first is not None:
        sentences.append(f"  {first} is {metrics['baselines'][first]['setting']}")
    return sentences


def trust(metrics: dict[str, Any]) -> list[str]:
    """What the probabilities are worth, and the sets or intervals at level .9."""
    sentences = []
    calibration = metrics.get("calibration")
    if calibration is not None:
        applied = np.mean(calibration["applied"])
        before, after = calibration["before"]["ece"], calibration["after"]["ece"]
        told = f"calibration error {before:.3f}"
        if applied == 1:
            temperature = float(np.mean(calibration["temperature"]))
            told = (
                f"calibration error {after:.3f}, {before:.3f} before temperature {temperature:.2f}"
            )
        elif applied > 0:
            told += f", {after:.3f} with temperatures, applied in some folds"
        sentences.append(told)
    entries = [entry for entry in metrics.get("conformal", ()) if entry["level"] == SHOWN_LEVEL]
    covered = [entry["coverage"] for entry in entries if entry["coverage"] is not None]
    if covered:
        kind = "intervals" if metrics["task"] == "regression" else "sets"
        told = f"conformal {kind} at level {SHOWN_LEVEL:g} hold the truth of {np.mean(covered):.3f}"
        if len(covered) > 1:
            told += f" of test rows,\n  {min(covered):.3f} to {max(covered):.3f} by target"
        elif kind == "sets":
            told += f" of test rows,\n  {entries[0]['size']:.2f} classes on average"
        else:
            told += " of test rows"
        sentences.append(told)
    return sentences


def _p_value(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1g}"


def span(interval: Sequence[float] | None) -> str:
    """An interval in few letters; nothing where there is none.

    Example:
        >>> span([0.8431, 0.8869]), span([-0.02, 1.5])
        ('.843–.887', '−.02–1.5')
    """
    if interval is None or any(end is None or end != end for end in interval):
        return ""
    places = 2 if min(interval) < 0 else 3  # a sign takes the place of a digit
    return "–".join(_short(end, places) for end in interval)


def _short(value: float, places: int) -> str:
    text = f"{value:.{places}f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.3g}"
    return text.replace("-", "−") if value < 0 else text


def shown(value: float | None) -> str:
    """Three decimals; large and tiny numbers in scientific notation; a dash for no value."""
    if value is None or value != value:
        return "-"
    return f"{value:.3f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.2e}"
