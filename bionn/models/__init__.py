"""Networks of hand-written layers that return logits: the MLP and its one-layer relatives."""

from bionn.models.ensemble import Ensemble
from bionn.models.mlp import MLP
from bionn.models.single import LinearRegression, LogisticRegression, SoftmaxRegression

__all__ = ["MLP", "Ensemble", "LinearRegression", "LogisticRegression", "SoftmaxRegression"]
