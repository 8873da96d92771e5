"""Splits: disjoint and complete, in the shares asked for, by class, by group, by column, in folds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bionn.data.reading import read_samples
from bionn.data.samples import DataOptions, Samples
from bionn.data.splits import Split, group_parts, make_splits, random_parts, stratified_parts
from bionn.data.targets import Targets, find_targets
from bionn.errors import FormatError
from tests.support.refusals import refused

FRACTIONS = (0.8, 0.1, 0.1)
fractions = st.lists(st.floats(0.05, 1), min_size=2, max_size=5)
seeds = st.integers(0, 2**32 - 1)
PARTS = ("train", "val", "test")


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def data(rows: int = 100, **columns: Any) -> pd.DataFrame:
    """One feature, three classes of 60, 30 and 10 per cent, ten groups of differing sizes."""
    labels = np.repeat(["a", "b", "c"], [rows * 6 // 10, rows * 3 // 10, rows // 10])
    groups = [f"g{int(n**0.5)}" for n in range(rows)]
    shuffled = rng(0).permutation(labels)
    frame = pd.DataFrame({"x": np.arange(rows) / 2, "label": shuffled, "group": groups})
    return frame.assign(**columns)


def splits_of(frame: pd.DataFrame, **options: Any) -> tuple[list[Split], Samples, Targets]:
    given = DataOptions(**({"target": "label", "features": ["x"]} | options))
    samples, targets = find_targets(read_samples(frame, given), given)
    return make_splits(samples, targets, given), samples, targets


def assert_partition(split: Split, rows: int, dropped: int = 0) -> None:
    """No row in two parts, all but the dropped in one, each part ascending."""
    joined = np.concatenate([split.train, split.val, split.test])
    assert len(joined) == rows - dropped
    assert len(set(joined.tolist())) == len(joined)
    assert all((np.diff(getattr(split, part)) > 0).all() for part in PARTS)
    assert split.parts(rows).count("drop") == dropped


# --- the three ways of dividing rows


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


# --- splits of samples


@pytest.mark.parametrize("kind", ["random", "stratified"])
@pytest.mark.parametrize("target", ["label", "x"])
def test_a_split_is_a_partition_that_the_seed_alone_decides(kind: str, target: str) -> None:
    frame = data(other=1.0)
    options = {"split": kind, "target": target, "features": ["other"]}
    (split,), *_ = splits_of(frame, **options, seed=3)
    assert_partition(split, 100)
    assert [len(getattr(split, part)) for part in PARTS] == [80, 10, 10]
    (again,), *_ = splits_of(frame, **options, seed=3)
    (other,), *_ = splits_of(frame, **options, seed=4)
    assert again.parts(100) == split.parts(100) != other.parts(100)
    by_class = kind == "stratified" and target == "label"
    assert split.name == ("stratified by class" if by_class else "random")


def test_a_stratified_split_has_small_classes_in_every_part() -> None:
    (split,), _, targets = splits_of(data(30))
    for part in PARTS:
        assert set(targets.values[getattr(split, part)].tolist()) == {0, 1, 2}


@pytest.mark.parametrize("kind", [None, "group", "stratified", "random"])
@pytest.mark.parametrize("how", ["group_column", "group_pattern"])
def test_named_groups_stay_together_whatever_the_split(kind: str | None, how: str) -> None:
    frame = data()
    frame["id"] = frame["group"] + "_" + frame.index.astype(str)
    grouped = (
        {"group_column": "group"} if how == "group_column" else {"group_pattern": "^(g[0-9]+)_"}
    )
    (split,), *_ = splits_of(frame, split=kind, **grouped)
    assert_partition(split, 100)
    parts = pd.Series(split.parts(100))
    assert (parts.groupby(frame["group"]).nunique() == 1).all()
    assert split.name == "group"


@pytest.mark.parametrize("kind", ["random", "stratified", "group"])
@pytest.mark.parametrize("count", [3, 5])
def test_folds_test_each_row_once_and_validate_on_the_next_fold(kind: str, count: int) -> None:
    options = {"group_column": "group"} if kind == "group" else {}
    splits, *_ = splits_of(data(label=["a", "b"] * 50), split=kind, folds=count, **options)
    assert len(splits) == count
    for fold, split in enumerate(splits):
        assert_partition(split, 100)
        np.testing.assert_array_equal(split.val, splits[(fold + 1) % count].test)
    tested = np.concatenate([split.test for split in splits])
    np.testing.assert_array_equal(np.sort(tested), np.arange(100))


def test_a_fold_column_is_followed_and_drops_what_it_says() -> None:
    folds = [("0", "1", "2", "drop")[row % 4] for row in range(100)]
    splits, *_ = splits_of(data(fold=folds), fold_column="fold")
    assert len(splits) == 3
    for fold, split in enumerate(splits):
        assert_partition(split, 100, dropped=25)
        assert {folds[row] for row in split.test} == {str(fold)}
        assert {folds[row] for row in split.val} == {str((fold + 1) % 3)}
        assert {folds[row] for row in split.train} == {str((fold + 2) % 3)}


@pytest.mark.parametrize(
    ("folds", "found"),
    [
        (["0", "1", "2", "x"], "row 4: fold-column: a number from 0 or drop needed, 'x' found"),
        (["0", "1", "2", "-1"], "row 4: fold-column"),
        (["0", "1", "2", ""], "row 4: fold-column"),
        (["0", "1", "2", "²"], "row 4: fold-column"),
        (["0", "1", "3", "4"], "0, 1, 3, 4 found"),
        (["1", "2", "3", "1"], "1, 2, 3 found"),
        (["0", "1", "0", "1"], "0, 1 found"),
        (["drop"] * 4, "none found"),
    ],
)
def test_a_fold_column_with_gaps_or_other_words_is_refused(folds: list[str], found: str) -> None:
    with refused(found, "fold-column"):
        splits_of(data(fold=folds * 25), fold_column="fold")


def test_a_bad_fold_in_a_file_is_told_with_its_line(tmp_path: Any) -> None:
    path = tmp_path / "a.csv"
    data(30, fold=["0", "1", "2"] * 9 + ["0", "one", "2"]).to_csv(path, index=False)
    with refused(f"{path}:30: fold-column", "'one'", kind=FormatError):
        splits_of(path, fold_column="fold")


def test_given_parts_are_followed_and_empty_ones_are_training_rows() -> None:
    parts = [("train", "val", "test", "", "drop")[row % 5] for row in range(100)]
    (split,), *_ = splits_of(data(part=parts), split_column="part")
    assert_partition(split, 100, dropped=20)
    for part in PARTS:
        assert {parts[row] or "train" for row in getattr(split, part)} == {part}
    assert split.name == "as given"


@pytest.mark.parametrize("grouped", [False, True])
def test_without_given_validation_rows_they_are_cut_from_training(grouped: bool) -> None:
    parts = ["test" if row % 5 == 0 else "train" for row in range(100)]
    options = {"group_column": "group"} if grouped else {}
    (split,), _, targets = splits_of(data(part=parts), split_column="part", **options)
    assert_partition(split, 100)
    np.testing.assert_array_equal(split.test, np.arange(0, 100, 5))
    if grouped:
        groups = data()["group"].to_numpy()
        assert not set(groups[split.train]) & set(groups[split.val])
    else:
        assert abs(len(split.val) - 80 / 9) <= 2
        assert set(targets.values[split.val].tolist()) == {0, 1, 2}


def test_files_of_validation_and_test_rows_are_followed() -> None:
    frame = data().sample(frac=1, random_state=0)
    (split,), *_ = splits_of(frame[:60], val=frame[60:80], test=frame[80:])
    assert [split.train.tolist(), split.val.tolist(), split.test.tolist()] == [
        list(range(60)),
        list(range(60, 80)),
        list(range(80, 100)),
    ]
    with refused("test", "none found"):
        splits_of(frame[:60], val=frame[60:])


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"split": "stratfied"}, "did you mean 'stratified'"),
        ({"split": "group"}, "group-column or group-pattern"),
        ({"fractions": (0.8, 0.2)}, "3 shares"),
        ({"fractions": (0.8, 0.2, 0.0)}, "above 0"),
        ({"folds": 2}, "at least 3 needed, 2 found"),
        ({"folds": 200, "split": "random"}, "has no rows"),
        ({"folds": 5, "split_column": "part"}, "split-column"),
    ],
)
def test_splits_that_cannot_be_made_are_refused(options: dict[str, Any], found: str) -> None:
    with refused(found):
        splits_of(data(part="test"), **options)


def test_a_class_without_a_training_row_is_refused() -> None:
    frame = data()
    frame["part"] = frame["label"].map({"a": "train", "b": "val", "c": "test"})
    with refused("class 'b'", "no training row"):
        splits_of(frame, split_column="part")
