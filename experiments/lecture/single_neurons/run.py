"""Trains linear, logistic and softmax regression, one layer each, and compares with their optima.

    python -m experiments.lecture.single_neurons.run

Every problem is min over W, b of

    J = 1/n sum_i loss(W x_i + b, y_i) + lambda/2 |W|^2 ,

convex, so that training must end where the normal equations or scikit-learn end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import sklearn.linear_model
import torch
from matplotlib.figure import Figure
from torch import Tensor

from bionn import functional as F
from bionn.models import LinearRegression, LogisticRegression, SoftmaxRegression
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

Model = LinearRegression | LogisticRegression | SoftmaxRegression
# updates the parameters; may evaluate J and its gradient anew
Step = Callable[[Callable[[], Tensor]], object]
# scikit-learn stops at this gradient; close to what float64 can resolve
SKLEARN_TOLERANCE = 1e-10


@dataclass(frozen=True)
class Settings:
    """The keys of config.yaml."""

    seed: int
    samples: int
    features: int
    classes: int
    noise: float
    penalty: float
    optimisers: list[Literal["gradient descent", "L-BFGS"]]
    learning_rates: dict[str, float]
    gradient_norm: float
    max_steps: int
    tolerance: float


class Weights(NamedTuple):
    """Parameters of one layer: ``weight (K, D)``, ``bias (K)``."""

    weight: Tensor
    bias: Tensor


class Problem(NamedTuple):
    """Data, a fresh model, the loss of its logits, and where training must end."""

    name: str
    make_model: Callable[[], Model]
    loss: Callable[[Tensor, Tensor], Tensor]
    x: Tensor
    y: Tensor
    penalty: float
    learning_rate: float
    optimum: Weights
    by: str

    def objective(self, weights: Weights) -> Tensor:
        """Return J at these weights."""
        logits = F.linear(self.x, weights.weight, weights.bias)
        return self.loss(logits, self.y) + self.penalty / 2 * weights.weight.square().sum()


class Fit(NamedTuple):
    """How one training run went; the differences are from the optimum."""

    problem: str
    optimiser: str
    by: str
    steps: int
    gradient_norms: list[float]
    weights: Weights
    weight_difference: float
    loss_difference: float


def normal_equations(x: Tensor, y: Tensor) -> Weights:
    """Solve ``X^T X theta = X^T y``, X with a leading column of ones for the bias."""
    ones = torch.cat([torch.ones(len(x), 1, dtype=x.dtype), x], dim=1)
    theta = torch.linalg.solve(ones.T @ ones, ones.T @ y)
    return Weights(theta[1:].T, theta[0])


def scikit_learn(x: Tensor, y: Tensor, penalty: float) -> Weights:
    """Fit scikit-learn's logistic regression, binary or softmax, to the same objective.

    It minimises ``sum_i loss_i + |W|^2 / (2 C)``: n times ours with ``C = 1 / (n lambda)``. One
    vector added to every class's weights changes no softmax, so the softmax optimum is a whole
    plane wherever lambda is 0, and along the biases always. From zero, gradients keep the sum over
    classes at zero, there as here: both end at the same point of it.
    """
    classifier = sklearn.linear_model.LogisticRegression(
        C=1 / (len(x) * penalty) if penalty else math.inf,
        solver="newton-cg",
        tol=SKLEARN_TOLERANCE,
        max_iter=1000,
    )
    classifier.fit(x.numpy(), y.numpy())
    return Weights(torch.from_numpy(classifier.coef_), torch.from_numpy(classifier.intercept_))


def problems(settings: Settings) -> Iterator[Problem]:
    """Simulate the data and pose each problem with its optimum.

    The targets are drawn from the models themselves: a line plus noise, a coin of probability
    sigmoid(z), a die of probabilities softmax(z). Hence the classes overlap, and the optimum is
    finite without a penalty too.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    n, d, k = settings.samples, settings.features, settings.classes

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    x = normal(n, d)
    line = x @ normal(d, 1) + normal(1)
    y = line + settings.noise * normal(n, 1)
    rates = settings.learning_rates

    for name, squared in (
        ("half squared error", F.half_squared_error),
        ("squared error", F.mse_loss),
    ):
        yield Problem(
            f"linear, {name}",
            lambda: LinearRegression(d),
            squared,
            x,
            y,
            0.0,
            rates[name],
            normal_equations(x, y),
            "normal equations",
        )

    heads = torch.bernoulli(torch.sigmoid(line), generator=generator)
    logits = x @ normal(d, k) + normal(k)
    sides = torch.multinomial(torch.softmax(logits, 1), 1, generator=generator).squeeze(1)
    for penalty in (0.0, settings.penalty):
        suffix = f", lambda {penalty:g}"
        yield Problem(
            "logistic" + suffix,
            lambda: LogisticRegression(d),
            F.binary_cross_entropy_with_logits,
            x,
            heads,
            penalty,
            rates["logistic"],
            scikit_learn(x, heads.squeeze(1), penalty),
            "scikit-learn",
        )
        yield Problem(
            "softmax" + suffix,
            lambda: SoftmaxRegression(d, k),
            F.cross_entropy,
            x,
            sides,
            penalty,
            rates["softmax"],
            scikit_learn(x, sides, penalty),
            "scikit-learn",
        )


def gradient_descent(parameters: list[torch.nn.Parameter], learning_rate: float) -> Step:
    """Return the step ``theta <- theta - alpha grad J(theta)``."""

    @torch.no_grad()
    def step(evaluate: Callable[[], Tensor]) -> None:
        for parameter in parameters:
            assert parameter.grad is not None
            parameter -= learning_rate * parameter.grad

    return step


def lbfgs(parameters: list[torch.nn.Parameter]) -> Step:
    """Return the step of L-BFGS, which divides by a curvature gathered from the last gradients."""
    return torch.optim.LBFGS(
        parameters,
        max_iter=1,  # one update a step, so that steps compare
        tolerance_grad=0,  # the termination criterion is ours
        tolerance_change=0,
        # full steps: next to the optimum J is flat to the last digit, and a line search,
        # which compares values of J, would stall at gradients of some 1e-9
        line_search_fn=None,
    ).step


def train(problem: Problem, optimiser: str, settings: Settings) -> Fit:
    """Minimise J on the full batch until ``|grad J| <= gradient_norm``, or for max_steps."""
    model = problem.make_model().double()
    parameters = list(model.parameters())
    if optimiser == "gradient descent":
        step = gradient_descent(parameters, problem.learning_rate)
    else:
        step = lbfgs(parameters)

    def evaluate() -> Tensor:
        model.zero_grad()
        penalty = problem.penalty / 2 * model.linear.weight.square().sum()
        value = problem.loss(model(problem.x), problem.y) + penalty
        value.backward()
        return value

    norms: list[float] = []
    while True:
        evaluate()
        gradients = [p.grad for p in parameters if p.grad is not None]
        norms.append(torch.nn.utils.get_total_norm(gradients).item())
        if norms[-1] <= settings.gradient_norm or len(norms) > settings.max_steps:
            break
        step(evaluate)

    assert model.linear.bias is not None
    reached = Weights(model.linear.weight.detach(), model.linear.bias.detach())
    apart = [(a - b).abs().max().item() for a, b in zip(reached, problem.optimum, strict=True)]
    losses = problem.objective(reached) - problem.objective(problem.optimum)
    return Fit(
        problem.name,
        optimiser,
        problem.by,
        len(norms) - 1,
        norms,
        reached,
        max(apart),
        abs(losses.item()),
    )


def fit_all(settings: Settings) -> list[Fit]:
    """Train every problem with every optimiser."""
    return [
        train(problem, optimiser, settings)
        for problem in problems(settings)
        for optimiser in settings.optimisers
    ]


HEADER = ("model, loss", "optimiser", "steps", "|grad J|", "weights off", "loss off")


def rows(fits: list[Fit]) -> list[tuple[str, ...]]:
    """Write each run as a line of the table."""
    return [
        (
            fit.problem,
            fit.optimiser.replace("gradient descent", "GD"),
            str(fit.steps),
            f"{fit.gradient_norms[-1]:.0e}",
            f"{fit.weight_difference:.0e}",
            f"{fit.loss_difference:.0e}",
        )
        for fit in fits
    ]


def draw(fits: list[Fit], threshold: float) -> Figure:
    """Plot the gradient's norm against steps: a panel for each optimiser."""
    optimisers = list(dict.fromkeys(fit.optimiser for fit in fits))
    figure, axes = panels(len(optimisers), 4.5 * len(optimisers), 4.2)
    for panel, optimiser in zip(axes, optimisers, strict=True):
        shown = [fit for fit in fits if fit.optimiser == optimiser]
        for i, fit in enumerate(shown):
            panel.semilogy(
                fit.gradient_norms,
                color=COLOURS[i // 2],
                linestyle=LINES[i // 2],
                # the two problems of a colour: thin and thick
                linewidth=1.2 + 1.2 * (i % 2),
                label=fit.problem,
            )
        panel.axhline(threshold, color="0.6", linewidth=0.8)
        panel.set(title=optimiser, xlabel="steps", ylabel=r"gradient norm $|\nabla J|$")
    axes[0].legend(fontsize="small")
    return figure


def main() -> None:
    args = arguments(__file__, "Single layers trained to their known optima.")
    settings = read_settings(Settings, args.config)
    fits = fit_all(settings)
    print(table(HEADER, rows(fits)))
    print("\noff: largest difference from the optimum, by the normal equations (linear)")
    print("or by scikit-learn with the same penalty (logistic, softmax)")
    largest = max(max(fit.weight_difference, fit.loss_difference) for fit in fits)
    verdict = "within" if largest <= settings.tolerance else "ABOVE"
    print(f"largest of all: {largest:.1e}, {verdict} the tolerance {settings.tolerance:.0e}")
    write_csv(
        args.out / "fits.csv",
        ("problem", "optimiser", "reference", "steps", "gradient_norm", "weights_off", "loss_off"),
        (
            (
                fit.problem,
                fit.optimiser,
                fit.by,
                fit.steps,
                fit.gradient_norms[-1],
                fit.weight_difference,
                fit.loss_difference,
            )
            for fit in fits
        ),
    )
    save(draw(fits, settings.gradient_norm), args.out / "gradient_norms.png")
    print(f"\nwritten: {args.out}/fits.csv, gradient_norms.png")


if __name__ == "__main__":
    main()
