"""The folder ``explain/`` of a run: examples and motifs of sequences, or a table of features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from bionn.data.prepared import Prepared
from bionn.explain.examples import examples
from bionn.explain.features import feature_table
from bionn.explain.model_motifs import MOST_ROWS, model_motifs, write_motifs
from bionn.explain.trained import SequenceExplainer
from bionn.formats.output import write_json, write_table
from bionn.memory import give_back
from bionn.predict import Predictor
from bionn.preprocess.features import FeatureEncoder


def write_explanations(folder: Path, predictor: Predictor, prepared: Prepared) -> None:
    """Explain a model by its test rows.

    Args:
        folder: the run's; what is written goes into its ``explain/``.
        predictor: the model.
        prepared: the data that it was trained on and is tested on.
    """
    rows, into = prepared.split.test, folder / "explain"
    if not len(rows):
        return
    if isinstance(predictor.encoder, FeatureEncoder):
        index = torch.from_numpy(rows)
        table = feature_table(predictor, prepared.inputs[index], prepared.outputs[index])
        write_table(table, into / "features.tsv")
        return
    write_json(examples(predictor, prepared), into / "examples.json", indent=None)
    # of the rows that the network was tested on first: what it looks at is the same in all
    give_back()  # what the outputs of all test rows needed
    split = prepared.split
    parts = np.concatenate([part[:MOST_ROWS] for part in (rows, split.val, split.train)])
    parts = parts[:MOST_ROWS]
    explainer = SequenceExplainer(predictor, backgrounds=0)
    found = model_motifs(explainer, prepared.inputs[torch.from_numpy(parts)])
    write_motifs(found, into)
