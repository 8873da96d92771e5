"""What a trained model of a table makes of each feature: gradients, and importance by permutation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bionn.explain.attribution import at_rest, gradient
from bionn.explain.permutation import permutation_importance
from bionn.explain.trained import output_names, output_weights
from bionn.models.heads import objective
from bionn.predict import Predictor
from bionn.preprocess.features import FeatureEncoder

MOST_ROWS = 1000
"""Rows that features are permuted over: evenly drawn from those given."""

MOST_FEATURES = 200
"""Features that are permuted: those with the largest gradient x input."""


def feature_table(
    predictor: Predictor,
    inputs: Tensor,
    targets: Tensor | None = None,
    *,
    repeats: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """A row a feature, the most important first.

    Args:
        predictor: a model of features.
        inputs: encoded rows ``(N, F)`` that it was not trained on.
        targets: theirs, as the loss takes them; without them nothing is permuted.
        repeats: permutations a feature.
        seed: of the permutations.

    Returns:
        ``feature``; ``importance`` and ``importance_std``: the rise of the loss when the feature's
        values are exchanged between rows (empty for features beyond :data:`MOST_FEATURES`);
        ``gradient_x_input``: the mean size of slope times input; ``gradient``: the mean slope. The
        last two for each output, named after it where there are several.
    """
    encoder = predictor.encoder
    assert isinstance(encoder, FeatureEncoder)
    rows = np.unique(np.linspace(0, len(inputs) - 1, min(len(inputs), MOST_ROWS)).round())
    index = torch.from_numpy(rows.astype(np.int64))
    x = inputs[index].to(predictor.device)
    sources = np.array(encoder.sources, dtype=object)
    names = list(dict.fromkeys(encoder.sources))
    columns = {name: np.flatnonzero(sources == name) for name in names}
    frame = pd.DataFrame({"feature": names, "importance": np.nan, "importance_std": np.nan})
    size = np.zeros(len(names))
    outputs = output_names(predictor)
    for output in outputs:
        with at_rest(predictor.model):
            weights = output_weights(predictor, output).to(predictor.device)
            slope = gradient(predictor.model, x, weights)[1]
        product, slope = (slope * x).cpu().double().numpy(), slope.cpu().double().numpy()
        suffix = f"_{output}" if len(outputs) > 1 else ""
        own = np.array([np.abs(product[:, columns[n]].sum(1)).mean() for n in names])
        frame[f"gradient_x_input{suffix}"] = own
        frame[f"gradient{suffix}"] = [slope[:, columns[n]].sum(1).mean() for n in names]
        size += own
    if targets is None:
        left = frame.drop(columns=["importance", "importance_std"])
        return left.iloc[np.argsort(-size, kind="stable")].reset_index(drop=True)
    y = targets[index].to(predictor.device)
    chosen = np.sort(np.argsort(-size, kind="stable")[:MOST_FEATURES])
    found = permutation_importance(
        predictor.model,
        x,
        lambda logits: objective(predictor.task, logits, y),
        groups=[columns[names[place]].tolist() for place in chosen],
        repeats=repeats,
        generator=torch.Generator().manual_seed(seed),
    )
    frame.loc[chosen, "importance"] = found.mean.double().numpy()
    frame.loc[chosen, "importance_std"] = found.std.double().numpy()
    order = np.lexsort([-size, -frame["importance"].fillna(-np.inf).to_numpy()])
    return frame.iloc[order].reset_index(drop=True)
