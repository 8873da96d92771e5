"""A run on the terminal: what was found in the data, what was chosen, what came out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bionn.data.certificate import certificate_note
from bionn.data.prepared import Prepared
from bionn.data.samples import Samples
from bionn.data.splits import Split
from bionn.metrics import CLASSIFICATION, REGRESSION
from bionn.preprocess.encoding import ONE_HOT
from bionn.preprocess.sequences import SequenceEncoder
from bionn.report.audit import print_warnings
from bionn.training.options import TrainingOptions


def print_data(
    console: Console, samples: Samples, splits: Sequence[Split], found: dict[str, Any]
) -> None:
    """The notes of reading, the sizes of the parts, the split's certificate, and warnings."""
    for note in samples.notes:
        console.print(escape(note), style="yellow" if "left out" in note else None)
    sizes = ", ".join(
        f"{part} {len(getattr(splits[0], part))}" for part in ("train", "val", "test")
    )
    console.print(f"split: {splits[0].name}: {sizes}" + " (fold 0)" * (len(splits) > 1))
    console.print(escape(certificate_note(found["split"])))
    print_warnings(console, found)


def print_training(console: Console, prepared: Prepared, options: TrainingOptions) -> None:
    """The inputs, the network and the schedule."""
    encoder = prepared.encoder
    if isinstance(encoder, SequenceEncoder):
        aligned = f", aligned {encoder.align}" if encoder.align else ""
        shown = f"{encoder.length} positions of {encoder.alphabet}{aligned}"
        if encoder.encoding != ONE_HOT:
            shown = f"{encoder.encoding} of {shown}"
        strands = ", predictions over both strands" if encoder.both_strands else ""
        console.print(f"inputs: {shown}{strands}")
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
    """One table: the test scores beside those of the baselines, and where everything is."""
    names = REGRESSION if metrics["task"] == "regression" else CLASSIFICATION
    spread = metrics.get("test_std", {})
    title = "test scores" + (f", mean of {len(metrics['folds'])} folds" if spread else "")
    if "repeats" in metrics:
        title += f" ({metrics['repeats']} repetitions)"
    table = Table(title=title, title_justify="left")
    table.add_column("model")
    for name in names:
        table.add_column(name, justify="right")
    network = [
        shown(metrics["test"][name]) + (f" ±{spread[name]:.3f}" if spread else "") for name in names
    ]
    table.add_row("network", *network, style="bold")
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
        table.add_row(baseline, *(shown(parts["test"].get(name)) for name in names))
    console.print()
    console.print(table)
    if plain:
        console.print(_decision(metrics))
    for sentence in verdict(metrics):
        console.print(sentence)
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


def verdict(metrics: dict[str, Any]) -> list[str]:
    """A sentence for each baseline whose main score on the test rows is not below the network's."""
    main = "r2" if metrics["task"] == "regression" else "auroc"
    own = metrics["test"].get(main)
    return [
        f"note: on these test rows the {name} baseline scores no lower: {main} {shown(score)} "
        f"against {shown(own)}"
        for name, parts in metrics["baselines"].items()
        if (score := parts["test"].get(main)) is not None and own is not None and score >= own
    ]


def shown(value: float | None) -> str:
    """Three decimals; large and tiny numbers in scientific notation; a dash for no value."""
    if value is None or value != value:
        return "-"
    return f"{value:.3f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.2e}"
