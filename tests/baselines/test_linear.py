"""Baselines against closed forms and against scikit-learn fitted here on the same rows."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn import linear_model
from sklearn import metrics as sk

from bionn.baselines import linear as module
from bionn.baselines.all import fit_baselines
from bionn.baselines.choosing import Rules
from bionn.baselines.constant import constant
from bionn.baselines.linear import (
    KMER_ALPHAS,
    KMER_CS,
    LOGISTIC_CS,
    RIDGE_ALPHAS,
    kmer,
    kmer_sizes,
    linear,
)
from bionn.data.modules import load_prepared
from bionn.data.samples import DataOptions
from tests.small_sets import expression, prepared, sequences

LETTERS = {"A": [1, 0, 0, 0], "C": [0, 1, 0, 0], "G": [0, 0, 1, 0], "T": [0, 0, 0, 1]} | {
    "N": [0, 0, 0, 0],
    "R": [0.5, 0, 0.5, 0],
}


def one_hot_rows() -> np.ndarray:
    """The sequences' letters, written out by hand."""
    return np.array([[x for s in text for x in LETTERS[s]] for text in sequences()["sequence"]])


def scaled_genes(train: np.ndarray) -> np.ndarray:
    """The genes filled and scaled by the training rows, by pandas."""
    genes = expression()[[f"gene{n}" for n in range(1, 6)]]
    genes = genes.fillna(genes.iloc[train].median())
    return ((genes - genes.iloc[train].mean()) / genes.iloc[train].std(ddof=0)).to_numpy()


def test_each_task_has_its_baselines() -> None:
    assert list(fit_baselines(prepared("binary"), Rules())) == ["majority", "linear", "kmer"]
    assert list(fit_baselines(prepared("regression"), Rules())) == ["mean", "linear", "forest"]


@pytest.mark.parametrize("part", ["val", "test"])
@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_majority_in_closed_form(kind: str, part: str) -> None:
    data = prepared(kind)
    train, truth = (data.targets.values[getattr(data.split, name)] for name in ("train", part))
    found = constant(data).scores(data)[part]
    assert found["accuracy"] == pytest.approx((truth == np.bincount(train).argmax()).mean())
    assert found["auroc"] == pytest.approx(0.5)  # all rows tie
    shares = [(truth == k).mean() for k in range(len(data.targets.classes))]
    chance = shares[1] if kind == "binary" else np.mean(shares)
    assert found["auprc"] == pytest.approx(chance)  # the precision of calling every row positive
    assert found["mcc"] == pytest.approx(0)


@pytest.mark.parametrize("part", ["val", "test"])
def test_mean_in_closed_form(part: str) -> None:
    data = prepared("regression")
    train, truth = (data.targets.values[getattr(data.split, name)] for name in ("train", part))
    found = constant(data).scores(data)[part]["per_target"]
    for t, name in enumerate(data.targets.names):
        shift = (truth[:, t].mean() - train[:, t].mean()) ** 2
        assert found[name]["mse"] == pytest.approx(truth[:, t].var() + shift)
        assert found[name]["r2"] == pytest.approx(-shift / truth[:, t].var())
        assert np.isnan(found[name]["pearson"])


@pytest.mark.parametrize("kind", ["binary", "multiclass", "state"])
def test_logistic_regression_is_scikit_learns_at_its_best_penalty(kind: str) -> None:
    data = prepared(kind)
    train, val, test = data.split.train, data.split.val, data.split.test
    inputs = scaled_genes(train) if kind == "state" else one_hot_rows()
    truth = data.targets.values
    models = {
        c: linear_model.LogisticRegression(C=c, max_iter=1000).fit(inputs[train], truth[train])
        for c in LOGISTIC_CS
    }
    losses = {c: sk.log_loss(truth[val], m.predict_proba(inputs[val])) for c, m in models.items()}
    best = min(losses, key=losses.__getitem__)
    found = linear(data).scores(data)
    assert found["setting"] == f"logistic regression, C {best:g}"
    chances = models[best].predict_proba(inputs[test])
    assert found["test"]["accuracy"] == pytest.approx(
        sk.accuracy_score(truth[test], chances.argmax(axis=1))
    )
    score = chances if kind == "multiclass" else chances[:, 1]
    auroc = sk.roc_auc_score(truth[test], score, multi_class="ovr")
    assert found["test"]["auroc"] == pytest.approx(auroc, abs=1e-6)


def test_ridge_is_scikit_learns_at_its_best_penalty() -> None:
    data = prepared("regression")
    train, val, test = data.split.train, data.split.val, data.split.test
    inputs, truth = scaled_genes(train), data.targets.values
    models = {a: linear_model.Ridge(alpha=a).fit(inputs[train], truth[train]) for a in RIDGE_ALPHAS}
    weights = 1 / truth[val].var(axis=0)  # both targets count alike, whatever their units
    losses = {
        a: np.average(((m.predict(inputs[val]) - truth[val]) ** 2).mean(axis=0), weights=weights)
        for a, m in models.items()
    }
    best = min(losses, key=losses.__getitem__)
    found = linear(data).scores(data)
    assert found["setting"] == f"ridge, alpha {best:g}"
    expected = sk.r2_score(truth[test], models[best].predict(inputs[test]))
    assert found["test"]["r2"] == pytest.approx(expected, abs=1e-4)


def test_refit_tests_the_chosen_penalty_on_training_and_validation_rows() -> None:
    data = prepared("regression")
    rows = np.union1d(data.split.train, data.split.val)
    inputs, truth = scaled_genes(data.split.train), data.targets.values
    once, again = (linear(data, Rules(refit=r)).scores(data) for r in (False, True))
    assert (again["setting"], again["val"]) == (once["setting"], once["val"])
    alpha = float(again["setting"].split()[-1])
    model = linear_model.Ridge(alpha=alpha).fit(inputs[rows], truth[rows])
    expected = sk.r2_score(truth[data.split.test], model.predict(inputs[data.split.test]))
    assert again["test"]["r2"] == pytest.approx(expected, abs=1e-4)
    assert again["test"]["r2"] != once["test"]["r2"]


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_with_kmers_the_linear_model_is_that_of_scikit_learn_on_their_counts(kind: str) -> None:
    frame = sequences()
    if kind == "regression":
        frame["y"] = [text.count("ACG") + text.count("A") / 10 for text in frame["sequence"]]
    target = {"binary": "label", "regression": "y"}[kind]
    options = DataOptions(target=target, encoding="kmer:1-2", task=kind)
    data = load_prepared(frame[["id", "sequence", target]], options)
    kmers = [a + b for a in ("", *"ACGT") for b in "ACGT"]
    counts = np.array([[count(text, kmer) for kmer in kmers] for text in frame["sequence"]])
    train, test = data.split.train, data.split.test
    inputs = counts * np.sqrt(3 / 16 / counts[train].var(axis=0).mean())
    truth = data.targets.values
    found = linear(data).scores(data)
    penalty = float(found["setting"].split()[-1])
    if kind == "binary":
        model = linear_model.LogisticRegression(C=penalty, max_iter=1000)
        chances = model.fit(inputs[train], truth[train]).predict_proba(inputs[test])[:, 1]
        expected = sk.roc_auc_score(truth[test], chances)
        assert found["test"]["auroc"] == pytest.approx(expected, abs=1e-6)
    else:
        model = linear_model.Ridge(alpha=penalty).fit(inputs[train], truth[train])
        expected = sk.r2_score(truth[test], model.predict(inputs[test]))
        assert found["test"]["r2"] == pytest.approx(expected, rel=1e-4)


def count(text: str, kmer: str) -> int:
    return sum(text[start : start + len(kmer)] == kmer for start in range(len(text)))


def test_ridge_fits_each_target_on_the_rows_that_have_it() -> None:
    whole = prepared("regression")
    values = whole.targets.values.copy()
    values[np.random.default_rng(0).random(values.shape) < 0.3] = np.nan
    data = replace(whole, targets=replace(whole.targets, values=values))
    train, val, test = data.split.train, data.split.val, data.split.test
    inputs, found = scaled_genes(train), linear(data).scores(data)

    def fitted(alpha: float, t: int) -> linear_model.Ridge:
        rows = train[~np.isnan(values[train, t])]
        return linear_model.Ridge(alpha=alpha).fit(inputs[rows], values[rows, t])

    def error(alpha: float) -> float:
        """Over the cells that are there, each target in units of its spread."""
        errors = []
        for t in range(2):
            rows = val[~np.isnan(values[val, t])]
            guess = fitted(alpha, t).predict(inputs[rows])
            errors.append((guess - values[rows, t]) / values[rows, t].std())
        return float((np.concatenate(errors) ** 2).mean())

    best = min(RIDGE_ALPHAS, key=error)
    assert found["setting"] == f"ridge, alpha {best:g}"
    for t, name in enumerate(data.targets.names):
        rows = test[~np.isnan(values[test, t])]
        expected = sk.r2_score(values[rows, t], fitted(best, t).predict(inputs[rows]))
        assert found["test"]["per_target"][name]["r2"] == pytest.approx(expected, abs=1e-4)
        assert found["test"]["per_target"][name]["n"] == len(rows)
    mean = constant(data).scores(data)["val"]["per_target"]["y1"]["mse"]
    rows = val[~np.isnan(values[val, 0])]
    assert mean == pytest.approx(((values[rows, 0] - np.nanmean(values[train, 0])) ** 2).mean())


def test_kmer_sizes_are_the_largest_that_fit_columns_and_sequences() -> None:
    for letters, length in ((4, 200), (5, 200), (20, 300), (4, 4), (20, 1), (2, 60)):
        sizes = kmer_sizes(letters, length)
        assert sizes
        assert all(1 <= k <= length and letters**k <= module.KMER_COLUMNS for k in sizes)
        larger = sizes[-1] + 1
        assert larger > length or letters**larger > module.KMER_COLUMNS


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_the_kmer_baseline_is_scikit_learns_at_the_best_size_and_penalty(kind: str) -> None:
    """Of all sizes and penalties, fitted here to counts that are made here."""
    frame = sequences(length=20, letters="ACGT")
    frame["y"] = [text.count("ACGA") + text.count("TT") / 3 for text in frame["sequence"]]
    target = {"binary": "label", "regression": "y"}[kind]
    data = load_prepared(frame[["id", "sequence", target]], DataOptions(target=target, task=kind))
    train, val, test = data.split.train, data.split.val, data.split.test
    truth = data.targets.values
    losses, models = {}, {}
    for k in kmer_sizes(4, 20):
        windows = {text[i : i + k] for text in frame["sequence"] for i in range(20 - k + 1)}
        counts = np.array([[count(t, kmer) for kmer in sorted(windows)] for t in frame["sequence"]])
        # Columns that no row has change nothing but the scale, which is by the mean of all columns.
        variance = counts[train].var(axis=0).sum() / 4**k
        inputs = counts * np.sqrt(3 / 16 / variance)
        for penalty in KMER_CS if kind == "binary" else KMER_ALPHAS:
            if kind == "binary":
                model = linear_model.LogisticRegression(C=penalty, max_iter=1000)
                chances = model.fit(inputs[train], truth[train]).predict_proba(inputs)[:, 1]
                loss = sk.log_loss(truth[val], chances[val])
            else:
                model = linear_model.Ridge(alpha=penalty).fit(inputs[train], truth[train])
                chances = model.predict(inputs).ravel()
                loss = sk.mean_squared_error(truth[val, 0], chances[val])
            losses[k, penalty], models[k, penalty] = loss, chances
    best = min(losses, key=losses.__getitem__)
    found = kmer(data)
    assert f"{best[0]}-mers" in found.setting
    assert found.setting.endswith(f" {best[1]:g}")
    np.testing.assert_allclose(np.ravel(found.test), models[best][test], rtol=2e-3, atol=1e-4)


def test_kmers_of_both_strands_are_canonical_where_the_network_reads_both() -> None:
    assert "canonical" not in kmer(prepared("binary")).setting
    for options in ({"both_strands": True}, {"encoding": "kmer:2,canonical"}):
        assert "canonical" in kmer(prepared("binary", **options)).setting


def test_of_many_rows_some_are_drawn_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KMER_SYMBOLS", 12 * 30)
    data = prepared("binary")
    found = kmer(data)
    assert f"on 30 of {len(data.split.train)} rows" in found.setting
    assert np.array_equal(found.test, kmer(data).test)
    assert not np.array_equal(found.test, kmer(data, Rules(seed=1)).test)
