"""The linear baseline of many sequences: one-hot rows a few at a time, and fitted to a part of them."""

from __future__ import annotations

import numpy as np
import pytest

from bionn.baselines import linear as module
from bionn.baselines.choosing import Rules
from bionn.baselines.linear import linear
from tests.small_sets import prepared


def test_one_hot_rows_are_the_same_however_many_are_made_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = prepared("binary")
    whole = linear(data)
    monkeypatch.setattr(module, "BLOCK_NUMBERS", 1)
    assert np.array_equal(linear(data).test, whole.test)


@pytest.mark.parametrize("seed", [0, 1])
def test_of_many_rows_some_are_drawn_and_it_is_said(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = prepared("binary")
    assert data.code_table is not None
    whole = linear(data)
    monkeypatch.setattr(
        module, "ONE_HOT_NUMBERS", 30 * data.code_table.shape[1] * data.inputs.shape[1]
    )
    found = linear(data, Rules(seed=seed))
    assert f"on 30 of {len(data.split.train)} rows" in found.setting
    assert found.test.shape == whole.test.shape
    assert not np.array_equal(found.test, whole.test)
    assert np.array_equal(found.test, linear(data, Rules(seed=seed)).test)
