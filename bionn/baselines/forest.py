"""A random forest by scikit-learn, for tables of features."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from bionn.baselines.choosing import (
    PLAIN,
    Baseline,
    Fitted,
    Rules,
    as_they_come,
    best_of,
    one_column_of_two,
    with_gaps,
)
from bionn.data.prepared import Prepared

TREES = 200

LEAVES = (1, 5)
"""The fewest rows of a leaf, chosen by validation loss."""

TREE_ROWS = 10_000
"""The most rows that a tree is grown on."""

SPLIT_FEATURES = 64
"""The most features that a split of a regression is chosen from, unless their root is more."""


@dataclass(frozen=True)
class Forest:
    """A forest with all its settings.

    Attributes:
        prepared: the data, a table.
        leaf: the fewest rows of a leaf.
        weights: of the classes.
        seed: of the rows and features that are drawn.
    """

    prepared: Prepared
    leaf: int
    weights: np.ndarray | None
    seed: int

    @property
    def name(self) -> str:
        """The model and its settings."""
        rows = "1 row" if self.leaf == 1 else f"{self.leaf} rows"
        return f"random forest, {TREES} trees, leaves of {rows} or more"

    @property
    def split_features(self) -> int:
        """From how many features a split is chosen: their root; a third of them for a regression."""
        count = self.prepared.inputs.shape[1]
        root = max(math.isqrt(count), 1)
        if self.prepared.targets.task != "regression":
            return root
        return max(root, min(math.ceil(count / 3), SPLIT_FEATURES))

    def fit(self, rows: np.ndarray) -> Fitted:
        """Grow the trees."""
        values, inputs = self.prepared.targets.values, self.prepared.inputs.numpy()
        if values.ndim == 2:
            return Fitted(with_gaps(self._regressor, rows, values))
        each = None if self.weights is None else dict(enumerate(self.weights.tolist()))
        model = RandomForestClassifier(class_weight=each, **self._settings(len(rows)))
        model.fit(inputs[rows], values[rows])

        def outputs(asked: np.ndarray) -> np.ndarray:
            chances = np.asarray(model.predict_proba(inputs[asked]))
            # So many trees cannot tell a chance of 0 from a small one.
            chances = (chances * TREES + 1 / chances.shape[1]) / (TREES + 1)
            return one_column_of_two(as_they_come(chances, self.weights))

        return Fitted(outputs)

    def _regressor(
        self, rows: np.ndarray, values: np.ndarray
    ) -> Callable[[np.ndarray], np.ndarray]:
        inputs = self.prepared.inputs.numpy()
        model = RandomForestRegressor(**self._settings(len(rows)))
        model.fit(inputs[rows], values[:, 0] if values.shape[1] == 1 else values)
        return lambda asked: model.predict(inputs[asked])

    def _settings(self, rows: int) -> dict[str, Any]:
        return {
            "n_estimators": TREES,
            "min_samples_leaf": self.leaf,
            "max_features": self.split_features,
            "max_samples": TREE_ROWS if rows > TREE_ROWS else None,
            "n_jobs": torch.get_num_threads(),
            "random_state": self.seed,
        }


def forest(prepared: Prepared, rules: Rules = PLAIN) -> Baseline:
    """A random forest, the size of its leaves chosen."""
    weights = rules.weights(prepared)
    return best_of(
        prepared, [Forest(prepared, leaf, weights, rules.seed) for leaf in LEAVES], rules
    )
