"""Suspicious columns: planted ones found, honest ones left alone, areas against scikit-learn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from bionn.data.suspects import areas, counts_rows, find_suspects
from bionn.data.targets import Targets

RNG = np.random.default_rng(0)
CLASSES = RNG.integers(0, 2, 200)
BINARY = Targets("binary", CLASSES, ("no", "yes"), ("y",))


def found(columns: dict[str, np.ndarray], targets: Targets) -> dict[str, str]:
    return {s.column: s.kind for s in find_suspects(pd.DataFrame(columns), targets)}


def test_planted_columns_are_found_and_honest_ones_are_not() -> None:
    honest = {f"gene{n}": RNG.normal(size=200) + CLASSES * 0.8 for n in range(30)}
    planted = {
        "code": CLASSES.astype(float),
        "upside_down": 5.0 - CLASSES + RNG.normal(size=200) * 0.01,
        "number": np.arange(200.0) * 3 + 7,
        "falling": -np.arange(200.0),
    }
    planted["upside_down"][:2] = np.nan
    assert found(honest | planted, BINARY) == {
        "code": "predictor",
        "upside_down": "predictor",
        "number": "id",
        "falling": "id",
    }


def test_copies_of_a_regression_target_are_found() -> None:
    values = RNG.normal(size=(300, 2))
    values[3, 0] = np.nan
    targets = Targets("regression", values, (), ("a", "b"))
    columns = {
        "log": np.exp(values[:, 1]),
        "minus": -3 * np.nan_to_num(values[:, 0]),
        "half": values[:, 1] + RNG.normal(size=300),
        "constant": np.ones(300),
        "empty": np.full(300, np.nan),
    }
    assert found(columns, targets) == {"log": "target", "minus": "target"}
    whys = [s.why for s in find_suspects(pd.DataFrame(columns), targets)]
    assert any("'a'" in why and "-1.000" in why for why in whys)


def test_a_column_that_tells_one_of_several_classes_is_found_once() -> None:
    classes = RNG.integers(0, 4, 400)
    targets = Targets("multiclass", classes, ("a", "b", "c", "d"), ("y",))
    columns = {
        "marks_c": (classes == 2) + RNG.normal(size=400) * 0.01,
        "none": RNG.normal(size=400),
    }
    suspects = find_suspects(pd.DataFrame(columns), targets)
    assert [(s.column, s.kind) for s in suspects] == [("marks_c", "predictor")]
    assert "'c'" in suspects[0].why


def test_chance_in_few_rows_and_many_columns_is_no_finding() -> None:
    classes = np.array([0, 1] * 4)
    columns = {f"g{n}": RNG.normal(size=8) for n in range(3000)}
    best = areas(np.column_stack(list(columns.values())), classes == 1)
    assert max(best.max(), 1 - best.min()) == 1  # some do order the rows
    assert found(columns, Targets("binary", classes, ("no", "yes"), ("y",))) == {}


@given(
    st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=40).filter(
        lambda rows: len({positive for _, positive in rows}) == 2
    )
)
def test_areas_are_those_of_scikit_learn_ties_and_all(rows: list[tuple[int, bool]]) -> None:
    values, positive = (np.array(column) for column in zip(*rows, strict=True))
    expected = roc_auc_score(positive, values)
    assert areas(values[:, None].astype(float), positive)[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, 3, 4, 5], True),
        ([10, 8, 6, 4, 1], True),
        ([1, 2, 3, 4], False),
        ([1, 2, 3, 5, 4], False),
        ([1, 1, 2, 3, 4], False),
        ([0.5, 1.5, 2.5, 3.5, 4.5], False),
        ([1, 2, 3, 4, np.nan], False),
    ],
)
def test_counting_columns(values: list[float], expected: bool) -> None:
    assert counts_rows(np.array(values, dtype=float)) == expected
