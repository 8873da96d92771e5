"""The whole way of the features against scikit-learn's pipelines; order, names, manifests."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler, normalize

from bionn.preprocess.features import (
    BATCH_EFFECTS,
    IMPUTATIONS,
    TRANSFORMS,
    FeatureEncoder,
    FeatureOptions,
)
from tests.support.refusals import refused

GENES = ["a", "b", "c", "d"]


def table(rows: int, seed: int, gaps: float = 0.2) -> pd.DataFrame:
    """Counts of four genes on different scales, some missing, with a batch and a tissue."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson([5, 200, 40, 3000], (rows, 4)).astype(float)
    counts[rng.random((rows, 4)) < gaps] = np.nan
    counts[:, 3] = np.nan_to_num(counts[:, 3], nan=3000)  # no row is empty
    frame = pd.DataFrame(counts, columns=GENES)
    frame["batch"] = rng.choice(["b1", "b2", "b3"], rows).astype(object)
    frame["tissue"] = rng.choice(["leaf", "root", ""], rows).astype(object)
    return frame


def test_by_default_it_does_what_scikit_learn_does() -> None:
    train, new = table(40, 0)[GENES], table(15, 1)[GENES]
    twin = make_pipeline(SimpleImputer(strategy="median"), StandardScaler()).fit(train)
    encoder = FeatureEncoder.fit(train)
    for frame in (train, new):
        result = encoder.transform(frame)
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, twin.transform(frame), rtol=1e-5, atol=1e-5)
    assert encoder.input_shape == 4
    assert encoder.describe() == "4 features, imputed by the median, standardised"


def test_counts_per_million_see_whole_rows_before_genes_are_chosen() -> None:
    train, new = table(60, 0, gaps=0)[GENES], table(20, 1, gaps=0)[GENES]
    encoder = FeatureEncoder.fit(train, FeatureOptions(transform="log-cpm", top_genes=2))

    def logarithms(frame: pd.DataFrame) -> np.ndarray:
        return np.log1p(normalize(frame.to_numpy(), norm="l1") * 1e6)

    chosen = np.sort(np.argsort(-logarithms(train).var(axis=0))[:2])
    twin = make_pipeline(FunctionTransformer(logarithms), StandardScaler()).fit(train)
    np.testing.assert_allclose(
        encoder.transform(new), twin.transform(new)[:, chosen], rtol=1e-5, atol=1e-5
    )
    assert encoder.names == tuple(GENES)  # the sum needs them all


def test_without_sums_of_rows_the_genes_left_out_are_not_needed() -> None:
    train = table(60, 0, gaps=0)[GENES]
    train["flat"] = 1.0
    encoder = FeatureEncoder.fit(train, FeatureOptions(transform="log1p", top_genes=2))
    assert set(encoder.names) == set(np.log1p(train).var().nlargest(2).index)
    new = table(5, 1, gaps=0)
    np.testing.assert_array_equal(
        encoder.transform(new[list(encoder.names)]), encoder.transform(new[GENES[::-1]])
    )
    assert any("flat" in note for note in encoder.notes)


def test_flags_of_gaps_batches_and_categories_stand_beside_the_numbers_unscaled() -> None:
    train, new = table(80, 0), table(30, 1)
    encoder = FeatureEncoder.fit(
        train, FeatureOptions(missing_indicators=True, batch_column="batch")
    )
    one_hot = OneHotEncoder(
        categories=[["b1", "b2", "b3"], ["leaf", "root"]], handle_unknown="ignore"
    )
    twin = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), GENES),
            ("gaps", FunctionTransformer(np.isnan), ["a", "b", "c"]),
            ("text", one_hot, ["batch", "tissue"]),
        ],
        sparse_threshold=0,
    ).fit(train)
    np.testing.assert_allclose(
        encoder.transform(new), twin.transform(new).astype(float), rtol=1e-5, atol=1e-5
    )
    assert encoder.input_shape == 4 + 3 + 3 + 2


def test_centred_batches_are_gone_and_no_input_tells_of_them() -> None:
    train = table(200, 0, gaps=0).drop(columns="tissue")
    shifted = train.copy()
    for gene, batch in itertools.product(GENES, ["b1", "b2", "b3"]):
        shifted.loc[shifted["batch"] == batch, gene] += 100 * int(batch[1])
    options = FeatureOptions(batch_column="batch", batch_effect="center")
    plain, moved = FeatureEncoder.fit(train, options), FeatureEncoder.fit(shifted, options)
    assert plain.input_shape == moved.input_shape == 4
    np.testing.assert_allclose(moved.transform(shifted), plain.transform(train), atol=1e-4)


def test_values_that_no_training_row_has_are_told() -> None:
    encoder = FeatureEncoder.fit(table(80, 0))
    new = table(6, 1)
    assert encoder.unseen(new) == []
    new.loc[[2, 4], "batch"] = ["b8", "b9"]
    (note,) = encoder.unseen(new)
    assert "batch: 2 rows" in note
    assert "b8, b9" in note


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("impute", IMPUTATIONS)
@pytest.mark.parametrize("effect", BATCH_EFFECTS)
def test_a_manifest_gives_an_equal_encoder(transform: str, impute: str, effect: str) -> None:
    gaps = 0 if impute == "error" else 0.2
    options = FeatureOptions(transform, impute, True, 3, "batch", effect)
    encoder = FeatureEncoder.fit(table(40, 0, gaps), options)
    again = FeatureEncoder.from_manifest(json.loads(json.dumps(encoder.to_manifest())))
    new = table(15, 1, gaps)
    expected = encoder.transform(new)
    np.testing.assert_array_equal(again.transform(new[::-1])[::-1], expected)
    assert np.isfinite(expected).all()
    assert expected.shape == (15, encoder.input_shape)
    assert (again.columns, again.input_shape) == (encoder.columns, encoder.input_shape)
    assert again.unseen(new.assign(batch="b7")) == encoder.unseen(new.assign(batch="b7")) != []


def test_an_unknown_choice_offers_the_nearest() -> None:
    with refused("transform", "'log-cmp'", "did you mean 'log-cpm'"):
        FeatureOptions(transform="log-cmp")
    with refused("impute", "'mean'"):
        FeatureOptions(impute="mean")
    with refused("batch-effect", "'centre'", "did you mean 'center'"):
        FeatureOptions(batch_effect="centre")
