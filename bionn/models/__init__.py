"""Networks of hand-written layers that return logits: the MLP and its one-layer relatives."""

from bionn.models.mlp import MLP
from bionn.models.single import LinearRegression, LogisticRegression, SoftmaxRegression

__all__ = ["MLP", "LinearRegression", "LogisticRegression", "SoftmaxRegression"]
