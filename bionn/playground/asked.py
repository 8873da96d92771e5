"""What the page's address asks for: numbers by name, checked one by one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bionn.errors import InputError
from bionn.playground.descent import POINTS
from bionn.playground.example import ACTIVATIONS, Question

Asked = Mapping[str, str]

LARGEST = 100.0
"""The largest input or weight: beyond it every neuron is flat."""


@dataclass(frozen=True)
class Descent:
    """How to walk down.

    Attributes:
        problem: ``line`` or ``neuron``.
        learning_rate: alpha.
        batch_size: of the mini-batches.
        epochs: passes over the points.
        w: where to start.
        b: where to start.
        seed: of the order of the points.
    """

    problem: str = "line"
    learning_rate: float = 0.15
    batch_size: int = 5
    epochs: int = 30
    w: float = -1.0
    b: float = 0.3
    seed: int = 0


def question(asked: Asked) -> Question:
    """The network's inputs and weights; what is not asked for is the lecture's.

    Raises:
        InputError: a value that is no number, or too large, or an activation that is not there.
    """
    usual = Question()
    activation = asked.get("activation", usual.activation)
    if activation not in ACTIVATIONS:
        names = ", ".join(ACTIVATIONS)
        raise InputError(f"activation: one of {names} needed, {activation!r} found")
    return Question(
        tuple(number(asked, f"x{i}", usual.inputs[i - 1]) for i in (1, 2, 3)),
        tuple(
            tuple(number(asked, f"w{j}{i}", usual.hidden[j - 1][i - 1]) for i in (1, 2, 3))
            for j in (1, 2)
        ),
        tuple(number(asked, f"v{j}", usual.output[j - 1]) for j in (1, 2)),
        number(asked, "target", usual.target, low=0.0, high=1.0),
        activation,
    )


def descent(asked: Asked) -> Descent:
    """How to walk down; what is not asked for is as in the lecture's experiment.

    Raises:
        InputError: a value that is no number or out of range.
    """
    usual = Descent()
    problem = asked.get("problem", usual.problem)
    if problem not in ("line", "neuron"):
        raise InputError(f"problem: line or neuron needed, {problem!r} found")
    return Descent(
        problem,
        number(asked, "learning_rate", usual.learning_rate, low=1e-6, high=LARGEST),
        whole(asked, "batch_size", usual.batch_size, 1, POINTS),
        whole(asked, "epochs", usual.epochs, 1, 100),
        number(asked, "w", usual.w, low=-5.0, high=5.0),
        number(asked, "b", usual.b, low=-5.0, high=5.0),
        whole(asked, "seed", usual.seed, 0, 2**31),
    )


def number(
    asked: Asked, name: str, usual: float, *, low: float = -LARGEST, high: float = LARGEST
) -> float:
    """A number by its name.

    Raises:
        InputError: it is none, or out of range.
    """
    text = asked.get(name, "").strip().replace("−", "-") if name in asked else repr(usual)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise InputError(f"{name}: a number from {low:g} to {high:g} needed, {text[:40]!r} found")
    return value


def whole(asked: Asked, name: str, usual: int, low: int, high: int) -> int:
    """A whole number by its name.

    Raises:
        InputError: it is none, or out of range.
    """
    value = number(asked, name, usual, low=low, high=high)
    if value != int(value):
        raise InputError(f"{name}: a whole number needed, {asked[name][:40]!r} found")
    return int(value)
