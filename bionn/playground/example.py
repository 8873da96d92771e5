"""The worked example: three inputs, two hidden neurons, one output, and every derivative on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from bionn import functional as F

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": F.sigmoid,
    "tanh": F.tanh,
    "relu": F.relu,
    "softplus": F.softplus,
    "gelu": F.gelu,
    "silu": F.silu,
}


@dataclass(frozen=True)
class Question:
    """Inputs and weights, as the lecture has them unless told otherwise; there are no biases.

    Attributes:
        inputs: x, three numbers.
        hidden: W, a row of three weights for each hidden neuron.
        output: v, the output neuron's two weights.
        target: y*, what the output ought to be, 0 to 1.
        activation: of the hidden neurons; the output's is the sigmoid.
    """

    inputs: tuple[float, ...] = (13.0, 2.0, 7.0)
    hidden: tuple[tuple[float, ...], ...] = ((0.1, 0.3, -0.2), (-0.4, 0.5, 0.8))
    output: tuple[float, ...] = (-0.7, 0.9)
    target: float = 1.0
    activation: str = "sigmoid"


class Node(NamedTuple):
    """A value and how fast the loss grows with it."""

    value: float
    slope: float


class Worked(NamedTuple):
    """The network computed forward and differentiated backward.

    ``a = W x``, ``z = activation(a)``, ``b = v.z``, ``y = sigmoid(b)`` and
    ``J = -(y* log y + (1 - y*) log(1 - y))``.

    Attributes:
        nodes: ``x1``, ``w11``, ``a1``, ``z1``, ``v1``, ``b``, ``y``, ``J``, ... with dJ/d each.
        slope_on_sums: dJ/db by the loss on b, ``y - y*``, which keeps its digits where the sigmoid
            is flat.
    """

    nodes: dict[str, Node]
    slope_on_sums: float


def work(question: Question) -> Worked:
    """Forward by bionn's functions, backward by autograd through their hand-written derivatives.

    Example:
        >>> nodes = work(Question()).nodes
        >>> [round(nodes[name].value, 2) for name in ("a1", "z1", "z2", "b", "y")]
        [0.5, 0.62, 0.8, 0.29, 0.57]
        >>> round(nodes["b"].slope, 6) == round(nodes["y"].value - 1, 6)
        True
    """
    x = _leaf(question.inputs)
    w = _leaf(question.hidden)
    v = _leaf(question.output)
    target = torch.tensor([question.target], dtype=torch.float64)
    a = F.linear(x, w)
    z = ACTIVATIONS[question.activation](a)
    b = F.linear(z, v.unsqueeze(0))
    y = F.sigmoid(b)
    loss = F.binary_cross_entropy(y, target)
    on_the_way = (x, w, a, z, v, b, y)
    slopes = torch.autograd.grad(loss, on_the_way)
    nodes = {"J": Node(loss.item(), 1.0)}
    for name, values, own in zip("xwazvby", on_the_way, slopes, strict=True):
        for place, (value, slope) in enumerate(zip(values.flatten(), own.flatten(), strict=True)):
            number = {"w": f"{place // 3 + 1}{place % 3 + 1}", "b": "", "y": ""}.get(
                name, place + 1
            )
            nodes[f"{name}{number}"] = Node(value.item(), slope.item())
    sums = b.detach().requires_grad_()
    (direct,) = torch.autograd.grad(F.binary_cross_entropy_with_logits(sums, target), sums)
    return Worked(nodes, direct.item())


def stepped(question: Question, worked: Worked, rate: float) -> Question:
    """The question with its weights one step of gradient descent further: w <- w - rate dJ/dw."""

    def moved(name: str, value: float) -> float:
        return value - rate * worked.nodes[name].slope

    return Question(
        question.inputs,
        tuple(
            tuple(moved(f"w{j}{i}", value) for i, value in enumerate(row, 1))
            for j, row in enumerate(question.hidden, 1)
        ),
        tuple(moved(f"v{j}", value) for j, value in enumerate(question.output, 1)),
        question.target,
        question.activation,
    )


def _leaf(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)
