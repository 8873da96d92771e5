"""Modules over bionn.functional: drop-ins for those of torch.nn of the same name."""

from bionn.nn import init
from bionn.nn.activation import (
    ELU,
    GELU,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Step,
    Tanh,
)
from bionn.nn.dropout import Dropout
from bionn.nn.linear import Linear, OneHotLinear
from bionn.nn.loss import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HalfSquaredError,
    MSELoss,
)

__all__ = [
    "ELU",
    "GELU",
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "Dropout",
    "HalfSquaredError",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "OneHotLinear",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Step",
    "Tanh",
    "init",
]
