"""Splits: disjoint and complete, in the shares asked for, by class, by group, by column, in folds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from bionn.data.parts import random_parts, stratified_parts
from bionn.errors import FormatError
from tests.support.refusals import refused
from tests.support.split_sets import FRACTIONS, PARTS, assert_partition, data, sequences, splits_of

# --- splits of samples


@pytest.mark.parametrize("kind", ["random", "stratified"])
@pytest.mark.parametrize("target", ["label", "x"])
def test_a_split_is_a_partition_that_the_seed_alone_decides(kind: str, target: str) -> None:
    frame = data(other=1.0)
    options = {"split": kind, "target": target, "features": ["other"]}
    (split,), *_ = splits_of(frame, **options, seed=3)
    assert_partition(split, 100)
    sizes = [len(getattr(split, part)) for part in PARTS]
    assert np.abs(np.array(sizes) - [80, 10, 10]).max() <= (3 if target == "x" else 0)  # 3 strata
    (again,), *_ = splits_of(frame, **options, seed=3)
    (other,), *_ = splits_of(frame, **options, seed=4)
    assert again.parts(100) == split.parts(100) != other.parts(100)
    stratum = "class" if target == "label" else "target quantile"
    assert split.name == (f"stratified by {stratum}" if kind == "stratified" else "random")


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
    assert split.name == "by group" + ", stratified by class" * (kind != "random")


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
    if grouped:  # no group may stand in both
        parts = ["test" if group in ("g2", "g6") else "train" for group in data()["group"]]
    options = {"group_column": "group"} if grouped else {}
    (split,), _, targets = splits_of(data(part=parts), split_column="part", **options)
    assert_partition(split, 100)
    np.testing.assert_array_equal(split.test, np.flatnonzero(np.array(parts) == "test"))
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
        ({"folds": 101, "split": "random"}, "a row for each of 101 folds needed"),
        ({"folds": 11, "group_column": "group"}, "each of 11 folds needed, 10 groups found"),
        ({"fold_column": "group", "folds": 5}, "fold-column: not together"),
        ({"fold_column": "group", "split_column": "part"}, "fold-column: not together"),
        ({"fractions": (1, 0, 0)}, "1, 0, 0 found"),
        ({"fractions": (0.8, 0.1, float("nan"))}, "above 0"),
        ({"split": "randm", "split_column": "part"}, "did you mean 'random'"),
        ({"folds": 5, "split_column": "part"}, "split-column"),
    ],
)
def test_splits_that_cannot_be_made_are_refused(options: dict[str, Any], found: str) -> None:
    with refused(found):
        splits_of(data(**({"part": "test"} if "split_column" in options else {})), **options)


def test_a_class_without_a_training_row_is_refused() -> None:
    frame = data()
    frame["part"] = frame["label"].map({"a": "train", "b": "val", "c": "test"})
    with refused("class 'b'", "no training row"):
        splits_of(frame, split_column="part")


def test_a_part_without_rows_is_refused_with_the_sizes_of_all() -> None:
    with refused("at least 1 row", "the val part has no rows", "20 rows in all: train 20, val 0"):
        splits_of(data(20, label=["a", "b"] * 10), split="random", fractions=(98, 1, 1))


# --- groups beside a given split


@pytest.mark.parametrize("how", ["group_column", "group_pattern"])
@pytest.mark.parametrize(
    ("option", "parts", "found"),
    [
        ("split_column", ["train", "val", "test", "train"], "test here and in train"),
        ("split_column", ["", "", "test", "test"], "test here and in train"),
        ("fold_column", ["0", "1", "2", "00"], "fold 2 here and in fold 0"),
    ],
)
def test_a_group_in_two_given_parts_is_refused_with_both_lines(
    tmp_path: Any, how: str, option: str, parts: list[str], found: str
) -> None:
    frame = data(40, kind=parts * 10).assign(group=["d1", "d2", "d1", "d3"] * 10)
    frame["id"] = frame["group"] + "_" + frame.index.astype(str)
    path = tmp_path / "a.csv"
    frame.to_csv(path, index=False)
    groups = {"group_column": "group"} if how == "group_column" else {"group_pattern": "^(.*)_"}
    with refused(f"{path}:4: group 'd1' stands in {found} ({path}:2)"):
        splits_of(path, **groups, **{option: "kind"})


def test_groups_that_no_given_part_cuts_are_no_matter() -> None:
    frame = data(80, kind=["train", "val", "test", "drop"] * 20)
    frame["group"] = ["d1", "d2", "d3", "d1"] * 20
    (split,), *_ = splits_of(frame, group_column="group", split_column="kind")
    assert split.name == "as given"
    frame["kind"] = ["0", "1", "2", "drop"] * 20
    assert len(splits_of(frame, group_column="group", fold_column="kind")[0]) == 3
    held = frame["group"] == "d3"
    with refused("group 'd3' stands in test here and in train"):
        splits_of(frame, group_column="group", test=frame[held])
    (split,), *_ = splits_of(frame[~held], group_column="group", test=frame[held])
    assert len(split.test) == held.sum()


# --- equal sequences


@pytest.mark.parametrize("options", [{}, {"split": "random"}, {"target": "y"}, {"folds": 4}])
def test_equal_sequences_stay_together_whatever_their_case(options: dict[str, Any]) -> None:
    frame = sequences(60, 3)
    splits, *_ = splits_of(frame, features=None, **options)
    for split in splits:
        assert_partition(split, 180)
        parts = pd.Series(split.parts(180))
        assert (parts.groupby(frame["sequence"].str.upper()).nunique() == 1).all()
        assert split.name.endswith("equal sequences together")
    if "folds" not in options:
        assert [len(getattr(splits[0], part)) for part in PARTS] == [144, 18, 18]


@pytest.mark.parametrize("kind", ["stratified", "random"])
def test_without_equal_sequences_the_split_is_that_of_rows(kind: str) -> None:
    (split,), _, targets = splits_of(sequences(90, 1), features=None, split=kind, seed=5)
    generator = np.random.default_rng([5, 0x5B117])
    if kind == "stratified":
        rows = stratified_parts(targets.values, FRACTIONS, generator)
    else:
        rows = random_parts(90, FRACTIONS, generator)
    assert split.parts(90) == [PARTS[part] for part in rows]
    assert "together" not in split.name


def test_validation_rows_cut_from_training_rows_are_none_of_theirs() -> None:
    held = sequences(8, 1)
    held["sequence"] = "GATTACA" + held["sequence"]
    both = pd.concat([sequences(40, 3).assign(part="train"), held.assign(part="test")])
    (split,), samples, _ = splits_of(both, features=None, split_column="part")
    contents = samples.contents()
    assert len(split.val)
    assert not set(contents[split.train]) & set(contents[split.val])
    assert split.name == "as given, validation cut stratified by class, equal sequences together"
