"""Categories and batches against scikit-learn and pandas; values that no training row has."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.preprocessing import OneHotEncoder

from bionn.preprocess.categories import MOST_LEVELS, BatchCentring, OneHot
from bionn.preprocess.steps import Features
from tests.support.refusals import refused


def measured(batches: list[str], seed: int = 0) -> Features:
    values = np.random.default_rng(seed).normal(size=(len(batches), 3))
    frame = pd.DataFrame(values, columns=["a", "b", "c"]).assign(batch=batches)
    return Features.of(frame)


TRAIN = ["b10", "b9", "b10", "", "b1", "b9", "b1"]


def test_one_hot_is_scikit_learns_in_natural_order() -> None:
    levels = ["b1", "b9", "b10"]
    twin = OneHotEncoder(categories=[levels], handle_unknown="ignore", sparse_output=False)
    twin.fit(np.array(levels)[:, None])
    step = OneHot.fit(measured(TRAIN), ["batch"])
    new = ["b9", "b77", "", "b10", "b1"]
    found = step.transform(measured(new))
    np.testing.assert_array_equal(found.flags, twin.transform(np.array(new)[:, None]))
    assert found.flag_names == ("batch is b1", "batch is b9", "batch is b10")
    np.testing.assert_array_equal(found.numbers, measured(new).numbers)


def test_centring_takes_each_batchs_training_mean() -> None:
    train = measured(TRAIN)
    step = BatchCentring.fit(train, "batch")
    frame = pd.DataFrame(train.numbers)
    means = frame.groupby(TRAIN).transform("mean").to_numpy()
    overall = frame.mean().to_numpy()
    expected = train.numbers - np.where(np.array(TRAIN)[:, None] == "", overall, means)
    np.testing.assert_allclose(step.transform(train).numbers, expected)
    for batch in ("b1", "b9", "b10"):
        rows = np.array(TRAIN) == batch
        np.testing.assert_allclose(step.transform(train).numbers[rows].mean(axis=0), 0, atol=1e-12)


def test_a_batch_that_no_training_row_is_of_stays_where_it_was_measured() -> None:
    train, new = measured(TRAIN), measured(["b77", ""], seed=1)
    found = BatchCentring.fit(train, "batch").transform(new).numbers
    np.testing.assert_allclose(found, new.numbers - train.numbers.mean(axis=0))


def test_text_of_too_many_values_is_no_category() -> None:
    with refused("'batch'", f"{MOST_LEVELS + 1} different values"):
        OneHot.fit(measured([f"sample{n}" for n in range(MOST_LEVELS + 1)]), ["batch"])
