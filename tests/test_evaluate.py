"""Losses, scores and the table of predictions against scikit-learn and SciPy on the same arrays."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from sklearn import metrics as sk

from bionn.data.modules import load_prepared
from bionn.data.prepared import Prepared
from bionn.data.samples import DataOptions
from bionn.evaluate import evaluate, prediction_tables
from bionn.metrics import REGRESSION
from bionn.models import MLP
from bionn.models.layers import set_code_table
from bionn.predict import Predictor
from tests.small_sets import prepared, sequences


def trained(kind: str) -> tuple[Predictor, Prepared, np.ndarray]:
    """A network, its set, and its logits for every row computed without the package."""
    torch.manual_seed(1)
    data = prepared(kind)
    model = MLP(data.encoder.input_shape, (), data.targets.num_outputs, init="xavier_normal")
    dense = data.inputs
    if data.code_table is not None:
        set_code_table(model, data.code_table)
        dense = data.code_table[data.inputs.long()].transpose(1, 2).flatten(1)
    weight = model.layers[0].weight.detach().flatten(1).numpy().astype(np.float64)
    return Predictor(model, data.manifest()), data, dense.numpy().astype(np.float64) @ weight.T


@pytest.mark.parametrize("part", ["val", "test"])
def test_binary(part: str) -> None:
    predictor, data, logits = trained("binary")
    rows = getattr(data.split, part)
    truth, chance = data.targets.values[rows], 1 / (1 + np.exp(-logits[rows, 0]))
    expected = {
        "loss": sk.log_loss(truth, chance),
        "accuracy": sk.accuracy_score(truth, chance > 0.5),
        "auroc": sk.roc_auc_score(truth, chance),
        "auprc": sk.average_precision_score(truth, chance),
        "mcc": sk.matthews_corrcoef(truth, chance > 0.5),
        "f1": sk.f1_score(truth, chance > 0.5),
    }
    found = evaluate(predictor, data, rows)
    assert found.pop("confusion") == sk.confusion_matrix(truth, chance > 0.5).tolist()
    assert found == pytest.approx(expected, rel=1e-5)


def test_multiclass() -> None:
    predictor, data, logits = trained("multiclass")
    rows = data.split.test
    chances = np.exp(logits[rows]) / np.exp(logits[rows]).sum(axis=1, keepdims=True)
    truth, guess = data.targets.values[rows], logits[rows].argmax(axis=1)
    onehot = np.eye(3)[truth]
    expected = {
        "loss": sk.log_loss(truth, chances),
        "accuracy": sk.accuracy_score(truth, guess),
        "auroc": sk.roc_auc_score(truth, chances, multi_class="ovr", average="macro"),
        "auprc": sk.average_precision_score(onehot, chances, average="macro"),
        "mcc": sk.matthews_corrcoef(truth, guess),
        "f1": sk.f1_score(truth, guess, average="macro"),
    }
    found = evaluate(predictor, data, rows)
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    values = sk.precision_recall_fscore_support(truth, guess, zero_division=0)
    for k, name in enumerate(data.targets.classes):
        own = found["per_class"][name]
        shown = [own["precision"], own["recall"], own["f1"], own["n"]]
        assert shown == pytest.approx([v[k] for v in values], rel=1e-5)
        assert own["auroc"] == pytest.approx(sk.roc_auc_score(onehot[:, k], chances[:, k]))


def test_regression_loss_is_in_standard_units_and_scores_in_the_targets_own() -> None:
    predictor, data, standard = trained("regression")
    rows, train = data.split.test, data.targets.values[data.split.train]
    truth = data.targets.values[rows]
    guess = standard[rows] * train.std(axis=0) + train.mean(axis=0)
    found = evaluate(predictor, data, rows)
    scaled = (truth - train.mean(axis=0)) / train.std(axis=0)
    assert found["loss"] == pytest.approx(((standard[rows] - scaled) ** 2).mean(), rel=1e-5)
    per_target = {
        name: {
            "r2": sk.r2_score(truth[:, t], guess[:, t]),
            "pearson": stats.pearsonr(truth[:, t], guess[:, t]).statistic,
            "spearman": stats.spearmanr(truth[:, t], guess[:, t]).statistic,
            "mse": sk.mean_squared_error(truth[:, t], guess[:, t]),
            "mae": sk.mean_absolute_error(truth[:, t], guess[:, t]),
            "n": len(rows),
        }
        for t, name in enumerate(data.targets.names)
    }
    for name, expected in per_target.items():
        assert found["per_target"][name] == pytest.approx(expected, rel=1e-5)
    for score in REGRESSION:
        mean = np.mean([values[score] for values in per_target.values()])
        assert found[score] == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_the_table_has_every_row_of_the_split_in_file_order(kind: str) -> None:
    predictor, data, _ = trained(kind)
    table = pd.concat(prediction_tables(predictor, data))
    assert table["id"].tolist() == data.samples.ids
    for part in ("train", "val", "test"):
        assert np.flatnonzero(table["split"] == part).tolist() == getattr(data.split, part).tolist()
    if kind == "regression":
        ends = [f"{what}_{name}" for what in ("target", "prediction") for name in ("y1", "y2")]
        assert list(table) == ["id", "split", *ends]
        np.testing.assert_array_equal(table[["target_y1", "target_y2"]], data.targets.values)
    else:
        classes = data.targets.classes
        columns = ["id", "split", "target", "prediction", *(f"prob_{name}" for name in classes)]
        assert list(table) == columns
        assert table["target"].tolist() == [classes[k] for k in data.targets.values]


@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_the_table_comes_in_parts(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor, data, _ = trained(kind)
    other, _, _ = trained(kind)
    torch.nn.init.ones_(next(other.model.parameters()))
    (whole,) = prediction_tables(predictor, data, selected=other)
    monkeypatch.setattr("bionn.evaluate.AT_ONCE", 7)
    parts = list(prediction_tables(predictor, data, selected=other))
    assert [len(part) for part in parts[:-1]] == [7] * (len(parts) - 1)
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), whole)


def test_rows_left_out_of_the_folds_are_not_in_the_table() -> None:
    frame = sequences()[["id", "sequence", "label"]]
    frame["fold"] = ["drop" if row == 5 else str(row % 3) for row in range(len(frame))]
    data = load_prepared(frame, DataOptions(target="label", fold_column="fold"))
    model = MLP((4, 12), (), 1)
    set_code_table(model, data.code_table)
    table = pd.concat(prediction_tables(Predictor(model, data.manifest()), data))
    assert table["id"].tolist() == [name for name in frame["id"] if name != "s5"]
