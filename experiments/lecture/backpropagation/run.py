"""Backpropagates by hand, by autograd through bionn and by finite differences, and compares.

    python -m experiments.lecture.backpropagation.run

Three networks: logistic regression, the two-layer network (Loss / Sigmoid / Linear / Sigmoid /
Linear) and softmax regression over K classes. Their formulas stand in `networks.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from experiments.lecture.backpropagation.networks import NETWORKS, Network, Values
from experiments.lecture.common import (
    COLOURS,
    LINES,
    arguments,
    panels,
    read_settings,
    save,
    table,
    write_csv,
)


@dataclass(frozen=True)
class Settings:
    """The keys of config.yaml."""

    logistic_regression: dict[str, Any]
    two_layer_network: dict[str, Any]
    softmax_regression: dict[str, Any]
    step: float
    tolerance: dict[str, float]
    figure_exponents: list[int]


class Comparison(NamedTuple):
    """The derivatives dJ/dv of one network, by the name of v, each found in four ways."""

    network: Network
    values: Values
    by_hand: Values
    autograd: Values
    fused: Values
    differences: Values

    def largest(self, other: Values) -> float:
        """Return the largest difference between the derivatives by hand and others."""
        return max((self.by_hand[name] - other[name]).abs().max().item() for name in other)

    def output_error(self) -> float:
        """Return how far dJ/d(last sums), by the chain rule, is from ``y - y*``."""
        error = self.values["y"] - self.values["y*"]
        return (self.by_hand[self.network.sums] - error).abs().max().item()


def givens(network: Network, settings: Settings) -> Values:
    """Take a network's sample, label and weights from the settings."""
    given = dict(getattr(settings, network.name))
    label = int(given.pop("label"))
    values = {name: torch.tensor(v, dtype=torch.float64) for name, v in given.items()}
    if network.classes is None:
        values["y*"] = torch.tensor([float(label)], dtype=torch.float64)
    else:
        values["y*"] = torch.eye(network.classes(values), dtype=torch.float64)[label]
    return values


def by_autograd(network: Network, given: Values, *, fused: bool) -> Values:
    """Differentiate through bionn's layers, for every value on the way to the loss."""
    graph = network.layers(given, fused=fused)
    loss = graph.pop("J")
    return dict(zip(graph, torch.autograd.grad(loss, list(graph.values())), strict=True))


def by_differences(network: Network, given: Values, names: list[str], step: float) -> Values:
    """Move one number at a time by +step and -step and watch J, in float64.

    A value in the middle of the network is moved by putting the moved one in its place and
    computing what follows from it.
    """
    values = network.forward(given)

    def loss_with(name: str, index: int, change: float) -> float:
        moved = values[name].clone()
        moved.view(-1)[index] += change
        return network.forward(given | {name: moved})["J"].item()

    result = {}
    for name in names:
        # dJ/dv = (J(v + h) - J(v - h)) / 2h + O(h^2)
        slopes = [
            (loss_with(name, i, step) - loss_with(name, i, -step)) / (2 * step)
            for i in range(values[name].numel())
        ]
        result[name] = torch.tensor(slopes, dtype=torch.float64).view_as(values[name])
    return result


def compare(network: Network, given: Values, step: float) -> Comparison:
    """Find all derivatives of a network in every way."""
    values = network.forward(given)
    by_hand = network.backward(values)
    return Comparison(
        network,
        values,
        by_hand,
        by_autograd(network, given, fused=False),
        by_autograd(network, given, fused=True),
        by_differences(network, given, list(by_hand), step),
    )


def compare_all(settings: Settings) -> list[Comparison]:
    """Compare the derivatives of the three networks."""
    return [compare(network, givens(network, settings), settings.step) for network in NETWORKS]


class Row(NamedTuple):
    """One derivative: of the loss J with respect to one number of the network."""

    module: str
    variable: str
    by_hand: float
    autograd: float
    differences: float


def rows(result: Comparison) -> list[Row]:
    """List the derivatives element by element, in the order in which backpropagation finds them."""
    found = []
    for name, derivative in result.by_hand.items():
        for index in np.ndindex(*derivative.shape):
            others = (way[name][index].item() for way in (result.autograd, result.differences))
            found.append(
                Row(
                    result.network.modules[name],
                    label(name, index, derivative),
                    derivative[index].item(),
                    *others,
                )
            )
    return found


def label(name: str, index: tuple[int, ...], tensor: Tensor) -> str:
    """Name an element as the lecture does: alpha_21 is neuron 2, input 1; alpha_20 its bias."""
    stem, is_bias = name.removesuffix("_0"), name.endswith("_0")
    places = [str(i + 1) for i, size in zip(index, tensor.shape, strict=True) if size > 1]
    if is_bias:
        places.append("0")
    return stem + ("_" + "".join(places) if places else "")


def report(result: Comparison) -> str:
    """Write the table of one network and what follows from it."""
    lines = [
        (
            row.module,
            f"dJ/d{row.variable}",
            *(f"{value + 0.0:+.8f}" for value in (row.by_hand, row.autograd, row.differences)),
        )
        for row in rows(result)
    ]
    last = result.network.sums
    title = f"{result.network.name.replace('_', ' ')}: J = {result.values['J'].item():.8f}"
    return "\n".join(
        [
            title,
            "",
            table(("module", "", "by hand", "autograd", "differences"), lines),
            "",
            "largest difference from the formulas by hand",
            f"  autograd, module by module       {result.largest(result.autograd):.1e}",
            f"  autograd, loss on the sums {last}     {result.largest(result.fused):.1e}",
            f"  central finite differences       {result.largest(result.differences):.1e}",
            f"  y - y* as dJ/d{last}                  {result.output_error():.1e}",
        ]
    )


def draw(results: list[Comparison], settings: Settings) -> Figure:
    """Plot the error of central differences against the step h."""
    figure, (axes,) = panels(1, 6.5, 4.4)
    low, high = settings.figure_exponents
    steps = np.logspace(low, high, 4 * (high - low) + 1)
    for result, colour, line in zip(results, COLOURS, LINES, strict=True):
        network, given = result.network, givens(result.network, settings)
        # not of y, which h would push out of (0, 1)
        names = [name for name in result.by_hand if name != "y"]
        errors = [result.largest(by_differences(network, given, names, h)) for h in steps.tolist()]
        name = network.name.replace("_", " ")
        axes.loglog(steps, errors, color=colour, linestyle=line, linewidth=1.8, label=name)
    axes.axvline(settings.step, color="0.6", linewidth=0.8, label=f"h = {settings.step:g}, used")
    note = {"transform": axes.transAxes, "ha": "center", "color": "0.3"}
    axes.text(0.22, 0.2, "rounding:\nerror ∼ ε / h", **note)
    axes.text(0.75, 0.24, "truncation:\nerror ∼ h²", **note)
    axes.set(xlabel="step h", ylabel="largest |finite difference - by hand|")
    axes.legend(fontsize="small")
    return figure


def main() -> None:
    args = arguments(__file__, "Backpropagation by hand, by autograd and by differences.")
    settings = read_settings(Settings, args.config)
    results = compare_all(settings)
    print("\n\n".join(report(result) for result in results))
    write_csv(
        args.out / "derivatives.csv",
        ("network", *Row._fields),
        ((result.network.name, *row) for result in results for row in rows(result)),
    )
    save(draw(results, settings), args.out / "step_size.png")
    print(f"\nwritten: {args.out}/derivatives.csv, step_size.png")


if __name__ == "__main__":
    main()
