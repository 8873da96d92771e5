"""Computes the lecture's worked forward pass with bionn's layers, every number in between shown.

python -m experiments.lecture.forward_pass.run
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor

from bionn import functional as F
from bionn.nn import Linear
from experiments.lecture.common import arguments, panels, read_settings, save, table


@dataclass(frozen=True)
class Settings:
    """The keys of config.yaml."""

    inputs: list[float]
    hidden_weights: list[list[float]]
    output_weights: list[float]
    printed: dict[str, list[float]]


class Forward(NamedTuple):
    """What each layer computes."""

    hidden_sums: Tensor
    hidden: Tensor
    output_sum: Tensor
    output: Tensor


def neurons(weight: list[list[float]]) -> Linear:
    """Make a layer without bias, one row of weights for each neuron."""
    layer = Linear(len(weight[0]), len(weight), bias=False, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight, dtype=torch.float64))
    return layer


@torch.no_grad()
def forward_pass(settings: Settings) -> Forward:
    """Feed the inputs forward: weighted sums, sigmoid, weighted sum, sigmoid."""
    x = torch.tensor(settings.inputs, dtype=torch.float64)
    a = neurons(settings.hidden_weights)(x)
    z = F.sigmoid(a)
    b = neurons([settings.output_weights])(z)
    return Forward(a, z, b, F.sigmoid(b))


def agrees(value: float, printed: float) -> bool:
    """Tell whether a value rounds to the two digits printed."""
    return f"{value:.2f}" == f"{printed:.2f}"


def report(settings: Settings, result: Forward) -> str:
    """Set each sum out term by term, as one would by hand, beside the number printed."""

    def sum_of(weights: list[float], values: list[str]) -> str:
        return " + ".join(f"{v}({w:g})" for w, v in zip(weights, values, strict=True))

    inputs = [f"{x:g}" for x in settings.inputs]
    hidden = [f"{z:.2f}" for z in result.hidden.tolist()]
    sums = [sum_of(row, inputs) for row in settings.hidden_weights]
    how = {
        "hidden_sums": sums,
        "hidden": [f"sigmoid({a:.2f})" for a in result.hidden_sums.tolist()],
        "output_sum": [sum_of(settings.output_weights, hidden)],
        "output": [f"sigmoid({b:.2f})" for b in result.output_sum.tolist()],
    }
    symbols = {"hidden_sums": "a", "hidden": "z", "output_sum": "b", "output": "y"}
    rows = []
    for part, values in result._asdict().items():
        printed = settings.printed[part]
        for i, value in enumerate(values.tolist()):
            name = symbols[part] + (f"_{i + 1}" if len(values) > 1 else "")
            verdict = "yes" if agrees(value, printed[i]) else "NO"
            rows.append((name, how[part][i], f"{value:.6f}", f"{printed[i]:.2f}", verdict))
    return table(("unit", "computed as", "bionn", "printed", "agrees"), rows)


def draw(settings: Settings, result: Forward) -> Figure:
    """Draw the network: weights on the arrows, sums and outputs in the nodes."""
    figure, (axes,) = panels(1, 7.5, 4)
    heights = {0: [2.0, 1.0, 0.0], 1: [1.5, 0.5], 2: [1.0]}
    texts = {
        0: [f"$x_{i}$ = {x:g}" for i, x in enumerate(settings.inputs, 1)],
        1: [
            f"$a_{i}$ = {a:.2f}\n$z_{i}$ = {z:.2f}"
            for i, (a, z) in enumerate(
                zip(result.hidden_sums.tolist(), result.hidden.tolist(), strict=True), 1
            )
        ],
        2: [f"$b$ = {result.output_sum.item():.2f}\n$y$ = {result.output.item():.2f}"],
    }
    for layer, weights in enumerate([settings.hidden_weights, [settings.output_weights]]):
        for top, row in zip(heights[layer + 1], weights, strict=True):
            for below, weight in zip(heights[layer], row, strict=True):
                axes.annotate(
                    "",
                    (layer + 1, top),
                    (layer, below),
                    arrowprops={"arrowstyle": "-|>", "color": "0.45", "shrinkA": 30, "shrinkB": 34},
                )
                # nearer to the arrow's tail, where arrows to different neurons lie apart
                axes.text(
                    layer + 0.36,
                    below + 0.36 * (top - below),
                    f"{weight:g}",
                    ha="center",
                    va="center",
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
                )
    for layer, labels in texts.items():
        for height, label in zip(heights[layer], labels, strict=True):
            axes.text(
                layer,
                height,
                label,
                ha="center",
                va="center",
                linespacing=1.5,
                bbox={"boxstyle": "round,pad=0.6", "facecolor": "0.95", "edgecolor": "black"},
            )
    for layer, title in enumerate(("inputs", "hidden: sigmoid", "output: sigmoid")):
        axes.text(layer, 2.55, title, ha="center", va="center", weight="bold")
    axes.set(xlim=(-0.3, 2.35), ylim=(-0.35, 2.75))
    axes.axis("off")
    return figure


def main() -> None:
    args = arguments(__file__, "The lecture's worked forward pass, with bionn's layers.")
    settings = read_settings(Settings, args.config)
    result = forward_pass(settings)
    print(report(settings, result))
    numbers = {part: values.tolist() for part, values in result._asdict().items()}
    (args.out / "numbers.json").write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    save(draw(settings, result), args.out / "network.png")
    print(f"\nwritten: {args.out}/numbers.json, network.png")


if __name__ == "__main__":
    main()
