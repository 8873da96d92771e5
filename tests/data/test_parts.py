"""Rows dealt to parts: the shares asked for, in every stratum, and no group in two parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bionn.data.parts import group_parts, random_parts, strata, stratified_parts
from bionn.data.targets import Targets
from tests.support.refusals import refused

FRACTIONS = (0.8, 0.1, 0.1)
fractions = st.lists(st.floats(0.05, 1), min_size=2, max_size=5)
seeds = st.integers(0, 2**32 - 1)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(st.integers(0, 200), fractions, seeds)
def test_random_parts_have_the_shares_asked_for(rows: int, shares: list[float], seed: int) -> None:
    parts = random_parts(rows, shares, rng(seed))
    want = np.array(shares) / sum(shares) * rows
    assert np.abs(np.bincount(parts, minlength=len(shares)) - want).max() <= 1
    np.testing.assert_array_equal(parts, random_parts(rows, shares, rng(seed)))


def test_every_row_is_as_likely_in_every_part() -> None:
    draws = np.array([random_parts(10, FRACTIONS, rng(seed)) for seed in range(3000)])
    np.testing.assert_allclose((draws == 2).mean(axis=0), 0.1, atol=0.03)  # 5 standard errors


@given(st.lists(st.integers(0, 4), min_size=1, max_size=120), fractions, seeds)
def test_stratified_parts_have_the_shares_in_every_class_and_every_class_in_every_part(
    classes: list[int], shares: list[float], seed: int
) -> None:
    labels = np.array(classes)
    parts = stratified_parts(labels, shares, rng(seed))
    for name in set(classes):
        sizes = np.bincount(parts[labels == name], minlength=len(shares))
        want = np.array(shares) / sum(shares) * sizes.sum()
        if sizes.sum() >= len(shares):
            assert sizes.min() >= 1
        if want.min() >= 2:  # otherwise rows move to parts that had none
            assert np.abs(sizes - want).max() <= 1


@given(st.lists(st.integers(0, 15), min_size=1, max_size=120), fractions, seeds)
def test_no_group_is_in_two_parts_and_every_part_has_a_group(
    groups: list[int], shares: list[float], seed: int
) -> None:
    names = [f"g{group}" for group in groups]
    if len(set(groups)) < len(shares):
        with refused(f"{len(shares)} groups needed, {len(set(groups))} found"):
            group_parts(names, shares, rng(seed))
        return
    parts = group_parts(names, shares, rng(seed))
    assert len(set(zip(names, parts.tolist(), strict=True))) == len(set(names))
    assert set(parts.tolist()) == set(range(len(shares)))


def test_many_small_groups_give_the_shares_asked_for() -> None:
    groups = [str(n // 3) for n in range(900)]
    sizes = np.bincount(group_parts(groups, FRACTIONS, rng(0)))
    assert np.abs(sizes - 900 * np.array(FRACTIONS)).max() <= 3


def test_groups_of_one_row_are_dealt_like_rows() -> None:
    classes = rng(0).integers(0, 3, 1000)
    parts = group_parts(np.arange(1000), FRACTIONS, rng(1), classes)
    for name in range(3):
        sizes = np.bincount(parts[classes == name], minlength=3)
        assert np.abs(sizes - np.array(FRACTIONS) * sizes.sum()).max() <= 1


def test_large_groups_come_into_every_part_and_sizes_and_classes_hold() -> None:
    """Not all large groups into the training part, as by the simplest greedy rule."""
    groups = np.concatenate([np.repeat(np.arange(300), 5), np.arange(300, 1800)])
    classes = (groups % 3 == 0).astype(int)
    parts = group_parts(groups, FRACTIONS, rng(2), classes)
    large = np.bincount(parts[:1500:5], minlength=3)
    # A group falls into the test part with chance 1/10: 30 of 300, standard deviation 5.2.
    assert np.abs(large - 300 * np.array(FRACTIONS)).max() <= 26
    for part, share in enumerate(FRACTIONS):
        assert abs((parts == part).sum() - 3000 * share) <= 5
        assert classes[parts == part].mean() == pytest.approx(classes.mean(), abs=0.02)


def test_classes_of_groups_are_kept_even_where_chance_would_not() -> None:
    """Sixty groups of ten rows of one class each: with classes the parts differ less than without."""
    groups = np.repeat(np.arange(60), 10)
    classes = (groups % 5 == 0).astype(int)

    def unevenness(given: np.ndarray | None) -> float:
        shares = []
        for seed in range(40):
            parts = group_parts(groups, (0.5, 0.25, 0.25), rng(seed), given)
            shares += [classes[parts == part].mean() for part in range(3)]
        return float(np.std(shares))

    assert unevenness(classes) < unevenness(None) / 1.5


def regression(values: np.ndarray) -> Targets:
    return Targets("regression", values, (), tuple(f"y{n}" for n in range(values.shape[1])))


def test_strata_of_a_regression_are_its_quantiles() -> None:
    values = rng(0).exponential(size=(400, 1))
    found = strata(regression(values))
    assert np.bincount(found).tolist() == [40] * 10
    order = np.argsort(values[:, 0])
    assert (np.diff(found[order]) >= 0).all()


def test_a_stratified_split_has_every_quantile_in_every_part() -> None:
    values = rng(1).lognormal(size=(600, 1))
    found = strata(regression(values))
    parts = stratified_parts(found, FRACTIONS, rng(1))
    bounds = np.quantile(values, np.arange(1, 10) / 10)
    for part, share in enumerate(FRACTIONS):
        inside = np.bincount(np.searchsorted(bounds, values[parts == part, 0]), minlength=10)
        assert np.abs(inside - 60 * share).max() <= 1


def test_strata_of_several_targets_and_missing_values() -> None:
    level = rng(2).normal(size=300)
    values = np.column_stack([level * 1000, level, level + 5])
    values[7] = np.nan
    values[8, 0] = np.nan
    found = strata(regression(values))
    known = np.arange(300) > 8
    order = np.argsort(level[known])
    assert (np.diff(found[known][order]) >= 0).all()
    assert found[7] in (4, 5)  # as the mean
    assert (strata(regression(np.ones((300, 1)))) == strata(regression(np.ones((300, 1))))[0]).all()
    assert set(strata(regression(rng(0).normal(size=(59, 1))))) == {0}
