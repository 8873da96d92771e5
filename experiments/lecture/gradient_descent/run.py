"""Fits a line by gradient descent, stochastic and mini-batch gradient descent, and draws the paths.

    python -m experiments.lecture.gradient_descent.run

One update rule, ``theta <- theta - alpha grad J(theta)``; the three methods differ in how many of
the n samples J is averaged over: all n, 1, or m.
"""

from __future__ import annotations

import math
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
    alternatives: dict[str, float]
    tolerance: dict[str, float]


@dataclass(frozen=True)
class Stop:
    """Termination: the first criterion that is met; 0 switches one off."""

    max_epochs: float
    gradient_norm: float = 0.0
    loss_change: float = 0.0

    def reason(self, losses: list[float], gradient_norms: list[float]) -> str | None:
        """Name the criterion met by a run of these values, one for the start and each epoch."""
        epochs = len(losses) - 1
        if gradient_norms[-1] <= self.gradient_norm:
            return "gradient norm"
        if epochs and abs(losses[-1] - losses[-2]) <= self.loss_change:
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
    def epochs(self) -> int:
        """Return how many passes over the data there were."""
        return len(self.losses) - 1

    @property
    def updates(self) -> int:
        """Return how often the parameters were updated."""
        return len(self.path) - 1

    @property
    def updates_per_epoch(self) -> int:
        """Return how many updates one pass over the data takes."""
        return self.updates // max(self.epochs, 1)

    def until(self, stop: Stop) -> History:
        """Return the run as another criterion would have ended it: where to stop changes no step.

        A criterion never met leaves it as it is.
        """
        for epoch in range(self.epochs + 1):
            losses, norms = self.losses[: epoch + 1], self.gradient_norms[: epoch + 1]
            reason = stop.reason(losses, norms)
            if reason is not None:
                return History(
                    self.path[: epoch * self.updates_per_epoch + 1], losses, norms, reason
                )
        return self

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
        reason = stop.reason(history.losses, history.gradient_norms)
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


def make_stop(criteria: dict[str, float], max_epochs: float) -> Stop:
    """Make a termination from settings."""
    return Stop(**{"max_epochs": max_epochs, **criteria})


HEADER = ("method", "stopped by", "epochs", "updates", "J - J*", "|grad J|", "distance")


def row(method: str, history: History, data: Data) -> tuple[str, ...]:
    """Write a run as a line of the table."""
    return (
        method,
        history.stopped_by,
        str(history.epochs),
        str(history.updates),
        f"{history.losses[-1] - data.lowest:.1e}",
        f"{history.gradient_norms[-1]:.1e}",
        f"{history.distance(data.optimum):.4f}",
    )


def report(settings: Settings, data: Data, histories: dict[str, History]) -> str:
    """Write where each method ends, and where it would have with each criterion alone."""
    w, b = data.optimum.tolist()
    runs = list(histories.items())
    parts = [
        f"optimum w = {w:.4f}, b = {b:.4f}, J* = {data.lowest:.6f}\n",
        table(HEADER, [row(*run, data) for run in runs]),
    ]
    for name, value in settings.alternatives.items():
        stop = make_stop({name: value}, settings.stop["max_epochs"])
        parts.append(f"\nhad the criterion been {name} {value:g}:")
        parts.append(table(HEADER, [row(m, history.until(stop), data) for m, history in runs]))
    return "\n".join(parts)


def loss_surface(data: Data, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Compute J at every (w, b) of a grid."""
    x, y = data.x.numpy()[:, 0], data.y.numpy()[:, 0]
    errors = w[..., None] * x + b[..., None] - y
    return 0.5 * (errors**2).mean(-1)


def draw_paths(settings: Settings, data: Data, histories: dict[str, History]) -> Figure:
    """Draw each path over the contours of J."""
    figure, axes = panels(len(histories), 11, 4)
    best, start = data.optimum.numpy(), np.array(settings.start)
    # a square window, so that steps cross the contours at right angles
    half = np.abs(best - start).max() / 2 + 0.6
    ticks = [np.linspace(middle - half, middle + half, 160) for middle in (best + start) / 2]
    grid = np.meshgrid(*ticks)
    surface = loss_surface(data, *grid)
    # levels crowd where J is low, as a square root spreads them evenly along a parabola
    levels = data.lowest + np.linspace(0.1, math.sqrt(surface.max() - data.lowest), 14) ** 2
    for panel, (method, history) in zip(axes, histories.items(), strict=True):
        panel.contour(*grid, surface, levels=levels, colors="0.78", linewidths=0.8)
        w, b = np.array(history.path).T
        dots = "." if history.updates_per_epoch == 1 else ""
        panel.plot(w, b, color=COLOURS[1], marker=dots, linewidth=0.7, markersize=4, label="path")
        panel.plot(*start, "ko", markersize=6, label="start")
        panel.plot(*best, "w*", markeredgecolor="black", markersize=9, label="optimum")
        size = settings.methods[method]
        samples = f"n = {settings.samples}" if size == "full" else f"{size}"
        panel.set(
            title=f"{method}\nbatch size {samples}, {history.updates} updates",
            xlabel="slope w",
            ylabel="intercept b",
            aspect="equal",
        )
    axes[0].legend(loc="lower left", fontsize="small", framealpha=1)
    return figure


def draw_losses(data: Data, histories: dict[str, History]) -> Figure:
    """Plot the loss above its lowest value against epochs and against updates."""
    figure, axes = panels(2, 9.5, 4)
    # twice as many updates as the shortest run: later ones would be a black band
    shown = 2 * min(history.updates for history in histories.values())
    for history, name, colour, line in zip(
        histories.values(), histories, COLOURS, LINES, strict=True
    ):
        style = {"color": colour, "linestyle": line, "linewidth": 1.4, "label": name}
        axes[0].semilogy(np.array(history.losses) - data.lowest, **style)
        path = np.array(history.path[:shown])
        axes[1].semilogy(loss_surface(data, *path.T) - data.lowest, **style)
    axes[0].set(xlabel="epochs: passes over the data", ylabel="J - J*, on the whole data")
    axes[1].set(xlabel=f"updates (the first {shown})", ylabel="J - J*, on the whole data")
    axes[0].legend(fontsize="small")
    return figure


def draw_termination(settings: Settings, histories: dict[str, History]) -> Figure:
    """Plot what the termination criteria watch, with their thresholds."""
    figure, axes = panels(2, 9.5, 4)
    for history, name, colour, line in zip(
        histories.values(), histories, COLOURS, LINES, strict=True
    ):
        style = {"color": colour, "linestyle": line, "linewidth": 1.4, "label": name}
        axes[0].semilogy(history.gradient_norms, **style)
        changes = np.abs(np.diff(history.losses))
        axes[1].semilogy(np.arange(1, len(changes) + 1), changes, **style)
    axes[0].set(xlabel="epochs", ylabel=r"gradient norm $|\nabla J|$, whole data")
    axes[1].set(xlabel="epochs", ylabel="change of J over an epoch")
    mark(axes[0], settings.stop["gradient_norm"])
    mark(axes[1], settings.alternatives["loss_change"])
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
    stop = make_stop(settings.stop, settings.stop["max_epochs"])
    histories = descend(settings, data, stop)
    print(report(settings, data, histories))
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
