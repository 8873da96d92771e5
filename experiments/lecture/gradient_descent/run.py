"""Fits a line by gradient descent, stochastic and mini-batch gradient descent, and draws the paths.

    python -m experiments.lecture.gradient_descent.run

One update rule, ``theta <- theta - alpha grad J(theta)``; the three methods differ in how many of
the n samples J is averaged over: all n, 1, or m.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from bionn import functional as F
from bionn.models import LinearRegression
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

BatchSize = int | Literal["full"]


@dataclass(frozen=True)
class Settings:
    """The keys of config.yaml."""

    seed: int
    samples: int
    slope: float
    intercept: float
    noise: float
    x_mean: float
    x_std: float
    start: list[float]
    learning_rate: float
    methods: dict[str, BatchSize]
    stop: dict[str, float]
    criteria: list[dict[str, float]]
    tolerance: dict[str, float]


@dataclass(frozen=True)
class Stop:
    """Termination: the first criterion that is met; 0 switches one off."""

    max_epochs: int
    gradient_norm: float = 0.0
    loss_change: float = 0.0

    def reason(self, history: History) -> str | None:
        """Name the criterion that the run so far meets, if any."""
        epochs = len(history.losses) - 1
        if history.gradient_norms[-1] <= self.gradient_norm:
            return "gradient norm"
        if epochs and abs(history.losses[-1] - history.losses[-2]) <= self.loss_change:
            return "loss change"
        return "epochs" if epochs >= self.max_epochs else None


class Data(NamedTuple):
    """Points ``x, y (n, 1)`` and the best line through them, ``(w, b)``, of loss J*."""

    x: Tensor
    y: Tensor
    optimum: Tensor
    lowest: float


class History(NamedTuple):
    """One run: the parameters after each update, the whole data's loss and gradient each epoch."""

    path: list[tuple[float, float]]
    losses: list[float]
    gradient_norms: list[float]
    stopped_by: str = ""

    @property
    def updates_per_epoch(self) -> int:
        """Return how many updates one pass over the data takes."""
        return (len(self.path) - 1) // (len(self.losses) - 1)

    def distance(self, optimum: Tensor) -> float:
        """Return how far from the optimum the path ends."""
        return math.dist(self.path[-1], optimum.tolist())


def simulate(settings: Settings) -> Data:
    """Draw points around a line, and solve for the line of least squares."""
    generator = torch.Generator().manual_seed(settings.seed)
    n = settings.samples
    noise_x, noise_y = torch.randn(2, n, 1, generator=generator, dtype=torch.float64)
    x = settings.x_mean + settings.x_std * noise_x
    y = settings.slope * x + settings.intercept + settings.noise * noise_y
    columns = torch.cat([x, torch.ones_like(x)], dim=1)
    # grad J = X^T (X theta - y) / n = 0
    optimum = torch.linalg.solve(columns.T @ columns, columns.T @ y).squeeze(1)
    lowest = 0.5 * (columns @ optimum - y[:, 0]).square().mean().item()
    return Data(x, y, optimum, lowest)


def train(
    data: Data,
    *,
    batch_size: BatchSize,
    learning_rate: float,
    start: list[float],
    stop: Stop,
    seed: int,
) -> History:
    """Descend from ``start``, with ``batch_size`` samples to an update, until told to stop.

    Each epoch goes once through the data in a new random order, so that the samples of an update
    are drawn without putting back.
    """
    n = len(data.x)
    size = n if batch_size == "full" else batch_size
    generator = torch.Generator().manual_seed(seed)
    model = LinearRegression(1).double()
    weight, bias = parameters = list(model.parameters())
    with torch.no_grad():
        weight.fill_(start[0])
        bias.fill_(start[1])

    def gradient(batch: Tensor) -> tuple[float, tuple[Tensor, ...]]:
        # J = 1/m sum_i (f(x_i) - y_i)^2 / 2 ,   grad J = 1/m sum_i (f(x_i) - y_i) (x_i, 1)
        loss = F.half_squared_error(model(data.x[batch]), data.y[batch])
        return loss.item(), torch.autograd.grad(loss, parameters)

    everything = torch.arange(n)
    history = History([(start[0], start[1])], [], [])
    while True:
        loss, whole = gradient(everything)
        history.losses.append(loss)
        history.gradient_norms.append(torch.nn.utils.get_total_norm(whole).item())
        reason = stop.reason(history)
        if reason is not None:
            return history._replace(stopped_by=reason)
        for batch in torch.randperm(n, generator=generator).split(size):
            _, slopes = gradient(batch)
            with torch.no_grad():
                for parameter, slope in zip(parameters, slopes, strict=True):
                    # theta <- theta - alpha grad J(theta)
                    parameter -= learning_rate * slope
            history.path.append((weight.item(), bias.item()))


def descend(settings: Settings, data: Data, stop: Stop) -> dict[str, History]:
    """Run the three methods: the same data, start, learning rate, seed and termination."""
    return {
        method: train(
            data,
            batch_size=batch_size,
            learning_rate=settings.learning_rate,
            start=settings.start,
            stop=stop,
            seed=settings.seed,
        )
        for method, batch_size in settings.methods.items()
    }


def usual_stop(settings: Settings) -> Stop:
    """Return the termination of the main runs."""
    return Stop(**{**settings.stop, "max_epochs": int(settings.stop["max_epochs"])})


def stop_each_way(settings: Settings, data: Data) -> Iterator[tuple[str, dict[str, History]]]:
    """Run the three methods with each termination criterion alone."""
    for criterion in settings.criteria:
        limit = int(criterion.get("max_epochs", settings.stop["max_epochs"]))
        (name, value), *_ = criterion.items()
        stop = Stop(**{**criterion, "max_epochs": limit})
        yield f"{name} {value:g}", descend(settings, data, stop)


HEADER = ("method", "stopped by", "epochs", "updates", "J - J*", "|grad J|", "distance")


def row(method: str, history: History, data: Data) -> tuple[str, ...]:
    """Write a run as a line of the table."""
    return (
        method,
        history.stopped_by,
        str(len(history.losses) - 1),
        str(len(history.path) - 1),
        f"{history.losses[-1] - data.lowest:.1e}",
        f"{history.gradient_norms[-1]:.1e}",
        f"{history.distance(data.optimum):.4f}",
    )


def loss_surface(data: Data, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Compute J at every (w, b) of a grid."""
    x, y = data.x.numpy()[:, 0], data.y.numpy()[:, 0]
    errors = w[..., None] * x + b[..., None] - y
    return 0.5 * (errors**2).mean(-1)


def draw_paths(settings: Settings, data: Data, histories: dict[str, History]) -> Figure:
    """Draw each path over the contours of J."""
    figure, axes = panels(len(histories), 11, 4.3)
    best_w, best_b = data.optimum.tolist()
    start_w, start_b = settings.start
    grid = np.meshgrid(
        np.linspace(start_w - 0.4, 2 * best_w - start_w - 0.9, 160),
        np.linspace(2 * best_b - start_b + 0.9, start_b + 0.4, 160),
    )
    surface = loss_surface(data, *grid)
    # levels crowd where J is low, as a square root spreads them evenly along a parabola
    levels = data.lowest + np.linspace(0.06, math.sqrt(surface.max() - data.lowest), 14) ** 2
    for panel, (method, history) in zip(axes, histories.items(), strict=True):
        panel.contour(*grid, surface, levels=levels, colors="0.78", linewidths=0.8)
        updates = len(history.path) - 1
        w, b = np.array(history.path).T
        small = history.updates_per_epoch > 1
        panel.plot(
            w, b, "-" if small else ".-", color=COLOURS[1], linewidth=0.7, markersize=4, label="path"
        )
        panel.plot(*settings.start, "o", color="black", markersize=6, label="start")
        panel.plot(
            best_w,
            best_b,
            "*",
            color=COLOURS[2],
            markeredgecolor="black",
            markersize=14,
            label="optimum",
        )
        size = settings.methods[method]
        samples = f"n = {settings.samples}" if size == "full" else f"{size}"
        panel.set(
            title=f"{method}\nbatch size {samples}, {updates} updates",
            xlabel="slope w",
            ylabel="intercept b",
        )
    axes[0].legend(loc="lower left", fontsize="small")
    return figure


def draw_losses(data: Data, histories: dict[str, History]) -> Figure:
    """Plot the loss above its lowest value against epochs and against updates."""
    figure, axes = panels(2, 9.5, 4)
    for history, name, colour, line in zip(
        histories.values(), histories, COLOURS, LINES, strict=True
    ):
        excess = np.array(history.losses) - data.lowest
        epochs = np.arange(len(excess))
        style = {"color": colour, "linestyle": line, "linewidth": 1.6, "label": name}
        axes[0].semilogy(epochs, excess, **style)
        # the start, 0 updates, has no place on a logarithmic axis
        axes[1].loglog(epochs[1:] * history.updates_per_epoch, excess[1:], **style)
    axes[0].set(xlabel="epochs: passes over the data", ylabel="J - J*, on the whole data")
    axes[1].set(xlabel="updates of the parameters", ylabel="J - J*, on the whole data")
    axes[0].legend(fontsize="small")
    return figure


def draw_termination(settings: Settings, histories: dict[str, History]) -> Figure:
    """Plot what the termination criteria watch, with their thresholds."""
    figure, axes = panels(2, 9.5, 4)
    thresholds = {name: value for criterion in settings.criteria for name, value in criterion.items()}
    for history, name, colour, line in zip(
        histories.values(), histories, COLOURS, LINES, strict=True
    ):
        style = {"color": colour, "linestyle": line, "linewidth": 1.4, "label": name}
        axes[0].semilogy(history.gradient_norms, **style)
        changes = np.abs(np.diff(history.losses))
        axes[1].semilogy(np.arange(1, len(changes) + 1), changes, **style)
    axes[0].set(xlabel="epochs", ylabel=r"gradient norm $|\nabla J|$, whole data")
    axes[1].set(xlabel="epochs", ylabel="change of J over an epoch")
    mark(axes[0], thresholds["gradient_norm"])
    mark(axes[1], thresholds["loss_change"])
    axes[0].legend(fontsize="small")
    return figure


def mark(axes: Axes, threshold: float) -> None:
    """Draw a threshold and write its value on it."""
    axes.axhline(threshold, color="0.4", linewidth=0.8)
    axes.annotate(
        f"stop at {threshold:g}",
        (0.02, threshold),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        color="0.3",
        fontsize="small",
    )


def main() -> None:
    args = arguments(__file__, "Gradient descent, stochastic and mini-batch, on one surface.")
    settings = read_settings(Settings, args.config)
    data = simulate(settings)
    histories = descend(settings, data, usual_stop(settings))
    w, b = data.optimum.tolist()
    print(f"optimum w = {w:.4f}, b = {b:.4f}, J* = {data.lowest:.6f}\n")
    print(table(HEADER, (row(method, h, data) for method, h in histories.items())))
    for criterion, runs in stop_each_way(settings, data):
        print(f"\ncriterion: {criterion}")
        print(table(HEADER, (row(method, h, data) for method, h in runs.items())))
    write_csv(
        args.out / "epochs.csv",
        ("method", "epoch", "updates", "loss", "gradient_norm", "w", "b"),
        (
            (method, epoch, epoch * h.updates_per_epoch, loss, norm)
            + h.path[epoch * h.updates_per_epoch]
            for method, h in histories.items()
            for epoch, (loss, norm) in enumerate(zip(h.losses, h.gradient_norms, strict=True))
        ),
    )
    save(draw_paths(settings, data, histories), args.out / "trajectories.png")
    save(draw_losses(data, histories), args.out / "losses.png")
    save(draw_termination(settings, histories), args.out / "termination.png")
    print(f"\nwritten: {args.out}/epochs.csv, trajectories.png, losses.png, termination.png")


if __name__ == "__main__":
    main()
