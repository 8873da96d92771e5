"""Selection: constants and copies left out and counted, the most variable kept, names matched."""

from __future__ import annotations

import numpy as np
import pytest

from bionn.preprocess.selection import Selection
from bionn.preprocess.steps import Features
from tests.support.refusals import refused


def features(**columns: list[float]) -> Features:
    return Features(np.array(list(columns.values())).T, tuple(columns))


NAN = float("nan")


def test_constants_and_copies_go_and_are_named() -> None:
    data = features(
        a=[1, 2, 3, NAN],
        flat=[5, 5, 5, 5],
        copy=[1, 2, 3, NAN],
        gap=[7, NAN, 7, NAN],
        near=[1, 2, 3, 4],
        zero=[0, -0.0, 0, 0],
        b=[4, 2, 9, 1],
    )
    found = Selection.fit(data)
    assert found.names == ("a", "near", "b")
    assert found.notes == (
        "left out 3 features, constant in the training rows: flat, gap, zero",
        "left out 1 feature, copies of other features in the training rows: copy",
    )
    np.testing.assert_array_equal(found.transform(data).numbers, data.numbers[:, [0, 4, 6]])


@pytest.mark.parametrize("value", [0.0, 0.1, 1e-13, 1e20])
def test_a_constant_is_one_in_any_unit_and_tiny_units_are_none(value: float) -> None:
    rng = np.random.default_rng(0)
    data = features(a=[value] * 50, molar=rng.normal(0, 1e-15, 50).tolist())
    assert Selection.fit(data).names == ("molar",)


@pytest.mark.parametrize("count", [1, 7, 19, 20, 50])
def test_the_most_variable_are_kept_in_the_tables_order(count: int) -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(0, rng.permutation(np.arange(1, 21)), (200, 20))
    data = Features(values, tuple(f"g{n}" for n in range(20)))
    found = Selection.fit(data, most_variable=count)
    variances = values.var(axis=0)
    least = np.sort(variances)[::-1][min(count, 20) - 1]
    assert found.names == tuple(data.names[n] for n in np.flatnonzero(variances >= least))
    assert (f"left out {20 - count} features that vary less" in str(found.notes)) is (count < 20)
    assert ("50: there are no more than 20 features" in str(found.notes)) is (count > 20)


def test_constants_do_not_count_among_the_most_variable() -> None:
    data = features(flat=[1e9] * 3, a=[1, 2, 3], copy=[1, 2, 3], b=[0, 0, 0.1])
    assert Selection.fit(data, most_variable=2).names == ("a", "b")


def test_features_are_found_by_name_in_any_order() -> None:
    data = features(a=[1, 2, 3], b=[3, 1, 2], c=[0, 1, 0])
    step = Selection.fit(data)
    shuffled = Features(data.numbers[:, [2, 0, 1]], ("c", "a", "b"))
    np.testing.assert_array_equal(step.transform(shuffled).numbers, data.numbers)


def test_what_leaves_nothing_to_learn_from_is_refused() -> None:
    with refused("'b'", "no value in any training row", "features"):
        Selection.fit(features(a=[1, 2], b=[NAN, NAN]))
    with refused("all 2 are constant"):
        Selection.fit(features(a=[1, 1], b=[2, NAN]))
    with refused("top-genes", "0 found"):
        Selection.fit(features(a=[1, 2]), most_variable=0)
