"""Three networks: forward and backward written out by hand, and the same in bionn's layers.

A network is a chain of named values. Forward computes each from the one before; backward finds
dJ/dv for each, from the loss down, by the chain rule:

    dJ/dv = sum_u dJ/du du/dv ,   u the values computed from v.

The loss has its minus sign, ``J = -(y* log y + (1 - y*) log(1 - y))``: it falls as y nears y*. The
lecture's slides on backpropagation leave it out, so their dJ/dy has the other sign than here. With
it, a sigmoid below a binary cross-entropy, or a softmax below a K-class one, gives the error

    dJ/d(sums) = y - y* .
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from bionn import functional as F
from bionn.nn import Linear

Values = dict[str, Tensor]


class Layers(Protocol):
    """Builds the network of bionn's layers; ``fused`` takes the loss on the sums, not on y."""

    def __call__(self, given: Values, *, fused: bool) -> Values:
        """Return J and every value to differentiate it by."""
        ...


class Network(NamedTuple):
    """One network, in plain arithmetic and in bionn's layers.

    Attributes:
        name: Its name in the settings.
        modules: What stands behind each derivative: ``{"y": "Loss", "b": "Sigmoid", ...}``.
        sums: The name of the weighted sums that the output's sigmoid or softmax takes.
        forward: From sample, label and weights to all values. A value that is given already is
            taken as it is, and what follows is computed from it.
        backward: From all values to all derivatives, by hand, in the order they are found.
        layers: The same forward, recorded by autograd.
        classes: K, from the given values; None for a single output.
    """

    name: str
    modules: dict[str, str]
    sums: str
    forward: Callable[[Values], Values]
    backward: Callable[[Values], Values]
    layers: Layers
    classes: Callable[[Values], int] | None = None


# ---- by hand: the modules ------------------------------------------------------------------


def sigmoid(a: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-a))


def binary_cross_entropy(y: Tensor, target: Tensor) -> Tensor:
    return -(target * torch.log(y) + (1 - target) * torch.log(1 - y)).sum()


def linear(weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    # a_j = sum_i w_ji x_i, from i = 0 with x_0 = 1, whose weight w_j0 is the bias
    return (weight * x).sum(1) + bias


def loss_backward(y: Tensor, target: Tensor) -> Tensor:
    # dJ/dy = -(y* / y + (1 - y*) / (y - 1))
    return -(target / y + (1 - target) / (y - 1))


def sigmoid_backward(dy: Tensor, a: Tensor) -> Tensor:
    # dJ/da = dJ/dy dy/da ,   dy/da = exp(-a) / (exp(-a) + 1)^2
    return dy * torch.exp(-a) / (torch.exp(-a) + 1) ** 2


def linear_backward(da: Tensor, weight: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    # dJ/dw_ji = dJ/da_j da_j/dw_ji ,   da_j/dw_ji = x_i , and 1 for i = 0
    # dJ/dx_i = sum_j dJ/da_j da_j/dx_i ,   da_j/dx_i = w_ji
    return da[:, None] * x[None, :], da, (da[:, None] * weight).sum(0)


# ---- logistic regression -------------------------------------------------------------------


def logistic_forward(given: Values) -> Values:
    v = dict(given)
    v.setdefault("a", linear(v["theta"], v["theta_0"], v["x"]))
    v.setdefault("y", sigmoid(v["a"]))
    v["J"] = binary_cross_entropy(v["y"], v["y*"])
    return v


def logistic_backward(v: Values) -> Values:
    dy = loss_backward(v["y"], v["y*"])
    da = sigmoid_backward(dy, v["a"])
    dtheta, dtheta_0, dx = linear_backward(da, v["theta"], v["x"])
    return {"y": dy, "a": da, "theta": dtheta, "theta_0": dtheta_0, "x": dx}


def logistic_layers(given: Values, *, fused: bool) -> Values:
    x = given["x"].clone().requires_grad_()
    neuron = layer(given["theta"], given["theta_0"])
    a = neuron(x)
    graph = {"a": a, "x": x, **parameters(neuron, "theta")}
    return graph | binary_output(a, given["y*"], fused=fused)


# ---- the two-layer network -----------------------------------------------------------------


def two_layer_forward(given: Values) -> Values:
    v = dict(given)
    v.setdefault("a", linear(v["alpha"], v["alpha_0"], v["x"]))
    v.setdefault("z", sigmoid(v["a"]))
    v.setdefault("b", linear(v["beta"], v["beta_0"], v["z"]))
    v.setdefault("y", sigmoid(v["b"]))
    v["J"] = binary_cross_entropy(v["y"], v["y*"])
    return v


def two_layer_backward(v: Values) -> Values:
    dy = loss_backward(v["y"], v["y*"])
    db = sigmoid_backward(dy, v["b"])
    dbeta, dbeta_0, dz = linear_backward(db, v["beta"], v["z"])
    da = sigmoid_backward(dz, v["a"])
    dalpha, dalpha_0, dx = linear_backward(da, v["alpha"], v["x"])
    output = {"y": dy, "b": db, "beta": dbeta, "beta_0": dbeta_0}
    return output | {"z": dz, "a": da, "alpha": dalpha, "alpha_0": dalpha_0, "x": dx}


def two_layer_layers(given: Values, *, fused: bool) -> Values:
    x = given["x"].clone().requires_grad_()
    hidden = layer(given["alpha"], given["alpha_0"])
    output = layer(given["beta"], given["beta_0"])
    a = hidden(x)
    z = F.sigmoid(a)
    b = output(z)
    graph = {"b": b, "z": z, "a": a, "x": x}
    graph |= parameters(hidden, "alpha") | parameters(output, "beta")
    return graph | binary_output(b, given["y*"], fused=fused)


# ---- softmax regression --------------------------------------------------------------------


def softmax_forward(given: Values) -> Values:
    v = dict(given)
    v.setdefault("b", linear(v["theta"], v["theta_0"], v["x"]))
    # y_k = exp(b_k) / sum_l exp(b_l)
    v.setdefault("y", torch.exp(v["b"]) / torch.exp(v["b"]).sum())
    # J = -sum_k y*_k log y_k
    v["J"] = -(v["y*"] * torch.log(v["y"])).sum()
    return v


def softmax_backward(v: Values) -> Values:
    y = v["y"]
    # dJ/dy_k = -y*_k / y_k
    dy = -v["y*"] / y
    # dJ/db_l = sum_k dJ/dy_k dy_k/db_l ,   dy_k/db_l = y_k ([k = l] - y_l)
    jacobian = y[:, None] * (torch.eye(len(y), dtype=y.dtype) - y[None, :])
    db = (dy[:, None] * jacobian).sum(0)
    dtheta, dtheta_0, dx = linear_backward(db, v["theta"], v["x"])
    return {"y": dy, "b": db, "theta": dtheta, "theta_0": dtheta_0, "x": dx}


def softmax_layers(given: Values, *, fused: bool) -> Values:
    x = given["x"].clone().requires_grad_()
    neurons = layer(given["theta"], given["theta_0"])
    b = neurons(x)
    graph = {"b": b, "x": x, **parameters(neurons, "theta")}
    if fused:
        return graph | {"J": F.cross_entropy(b, given["y*"])}
    y = F.softmax(b, dim=0)
    # bionn's cross-entropy is that of the sums; of probabilities it is this one line
    return graph | {"y": y, "J": -(given["y*"] * y.log()).sum()}


# ---- in bionn's layers: what they share ----------------------------------------------------


def layer(weight: Tensor, bias: Tensor) -> Linear:
    made = Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
    made.load_state_dict({"weight": weight, "bias": bias})
    return made


def parameters(linear: Linear, name: str) -> Values:
    assert linear.bias is not None
    return {name: linear.weight, f"{name}_0": linear.bias}


def binary_output(sums: Tensor, target: Tensor, *, fused: bool) -> Values:
    if fused:
        return {"J": F.binary_cross_entropy_with_logits(sums, target)}
    y = F.sigmoid(sums)
    return {"y": y, "J": F.binary_cross_entropy(y, target)}


LINEAR = "Linear"
NETWORKS = (
    Network(
        "logistic_regression",
        {"y": "Loss", "a": "Sigmoid", "theta": LINEAR, "theta_0": LINEAR, "x": LINEAR},
        "a",
        logistic_forward,
        logistic_backward,
        logistic_layers,
    ),
    Network(
        "two_layer_network",
        {
            "y": "Loss",
            "b": "Sigmoid",
            **dict.fromkeys(("beta", "beta_0", "z"), LINEAR),
            "a": "Sigmoid",
            **dict.fromkeys(("alpha", "alpha_0", "x"), LINEAR),
        },
        "b",
        two_layer_forward,
        two_layer_backward,
        two_layer_layers,
    ),
    Network(
        "softmax_regression",
        {"y": "Loss", "b": "Softmax", "theta": LINEAR, "theta_0": LINEAR, "x": LINEAR},
        "b",
        softmax_forward,
        softmax_backward,
        softmax_layers,
        lambda given: len(given["theta"]),
    ),
)
