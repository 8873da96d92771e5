"""The certificate of a split against counting by hand and comparing all pairs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bionn.data.certificate import certificate_note, certify, torn_groups
from bionn.data.samples import DataOptions
from bionn.sequences.alphabet import DNA
from bionn.sequences.identity import CodedSequences, identities
from tests.support.mutants import families, random_sequence
from tests.support.split_sets import PARTS, data, rng, sequences, splits_of


def certified(frame: Any, **options: Any) -> tuple[dict[str, Any], list[Any]]:
    splits, samples, targets = splits_of(frame, **options)
    given = DataOptions(**({"target": "label", "features": ["x"]} | options))
    return certify(samples, targets, splits, given), splits


def test_equal_inputs_in_given_parts_are_counted() -> None:
    frame = sequences(30, 2).assign(part=["train"] * 30 + ["val"] * 15 + ["test"] * 15)
    found, _ = certified(frame, features=None, split_column="part")
    upper = frame["sequence"].str.upper()
    train, val, test = (upper[frame["part"] == part] for part in PARTS)
    counts = [int(test.isin(seen).sum()) for seen in (train, val, [*train, *val])]
    assert min(counts) > 0
    assert [found["test"][f"equal_in_{name}"] for name in ("train", "val", "either")] == counts
    assert found["val"]["rows"] == 15
    assert found["val"]["equal_in_train"] == int(val.isin(train).sum())
    assert found["val"]["largest_in_train"]["identity"] == 1
    assert found["test"]["identity_at_least"]["1"] == counts[2]
    largest = found["test"]["largest"]
    assert largest["identity"] == 1
    rows = [int(largest[who]["id"].removeprefix("row")) - 1 for who in ("test", "other")]
    assert upper[rows[0]] == upper[rows[1]]
    assert frame["part"][rows[1]] == largest["other"]["part"] != frame["part"][rows[0]] == "test"
    assert certificate_note(found).endswith(f"{counts[2]} equal")


def test_rows_of_features_are_compared_by_value() -> None:
    frame = data(30, x=np.arange(30.0), z=[np.nan, 0.0, 1.0] * 10)
    frame["part"] = ["train"] * 20 + ["val"] * 5 + ["test"] * 5
    frame.loc[20, ["x", "z"]] = [1.0, -0.0]  # row 1
    frame.loc[21, ["x", "z"]] = [3.0, np.nan]  # row 3
    frame.loc[25, ["x", "z"]] = [3.0, 0.0]  # row 3 has a gap
    found, _ = certified(frame, features=["x", "z"], split_column="part")
    assert found["val"]["equal_in_train"] == 2
    assert found["test"]["equal_in_either"] == 0
    assert found["test"]["largest"] is None
    assert "none of 5 test rows was found equal" in certificate_note(found)
    frame.loc[25, "z"] = np.nan
    found, _ = certified(frame, features=["x", "z"], split_column="part")
    assert found["test"]["equal_in_train"] == found["test"]["equal_in_val"] == 1
    assert found["test"]["largest"]["test"]["id"] == "row26"
    assert any("alike but not equal were not looked for" in text for text in found["not_checked"])


def test_folds_are_counted_together_each_test_row_once() -> None:
    frame = data(30, x=np.arange(30.0), fold=["0", "1", "2", "3", "4"] * 6)
    frame.loc[4, "x"] = 3.0  # in folds 3 and 4
    found, splits = certified(frame, fold_column="fold")
    assert found["test"]["rows"] == 30
    assert found["test"]["equal_in_either"] == 2
    assert found["folds"] == [{"train": 18, "val": 6, "test": 6}] * 5
    assert found["parts"]["test"]["rows"] == len(splits[0].test)


@pytest.mark.parametrize("options", [{}, {"folds": 4}, {"split": "homology"}])
def test_the_largest_identity_is_that_of_all_pairs_across_the_parts(
    options: dict[str, Any],
) -> None:
    texts, _ = families(rng(0), 30, 4, 90, 8)
    texts += [random_sequence(rng(100 + n), 90) for n in range(60)]
    frame = pd.DataFrame({"sequence": texts, "label": ["a", "b"] * 90})
    found, splits = certified(frame, features=None, **options)
    coded = CodedSequences.encode(texts, DNA)
    best, same = np.zeros(180), np.zeros(180, dtype=bool)
    classes = frame["label"].to_numpy()
    for split in splits:
        others = np.concatenate([split.train, split.val])
        for row in split.test:
            own = np.full(len(others), row)
            turned = np.ones(len(others), dtype=bool)
            both = identities(coded, own, others), identities(coded, own, others, turned)
            either = np.maximum(*both)
            best[row] = either.max()
            same[row] = classes[others[np.argmax(either)]] == classes[row]
    tested = np.concatenate([split.test for split in splits])
    for level in (0.8, 0.9, 1.0):
        counted = found["test"]["identity_at_least"][f"{level:g}"]
        alike = tested[best[tested] >= level - 1e-9]
        assert counted == len(alike)
        # Of several equally alike rows any may be the one.
        assert abs(found["test"]["of_same_class"][f"{level:g}"] - same[alike].sum()) <= 4
    _check_val(found, splits, coded)
    largest = found["test"]["largest"]
    if options.get("split") == "homology":
        assert found["test"]["identity_at_least"] == {"0.8": 0, "0.9": 0, "1": 0}
        assert largest is None or largest["identity"] < 0.8
        assert found["made_from"]["families"] == 90
    else:
        assert best[tested].max() > 0.8
        assert largest["identity"] == best[tested].max()


def _check_val(found: dict[str, Any], splits: list[Any], coded: CodedSequences) -> None:
    """The most alike pairs of val rows, against all pairs; not told of folds."""
    if len(splits) > 1:
        assert set(found["val"]) == {"rows", "equal_in_train"}
        assert any("val rows were compared" in sentence for sentence in found["not_checked"])
        return
    assert not any("val rows were compared" in sentence for sentence in found["not_checked"])
    (split,) = splits
    for other in ("train", "test"):
        rows, others = split.val, getattr(split, other)
        own, beside = np.repeat(rows, len(others)), np.tile(others, len(rows))
        turned = np.ones(len(own), dtype=bool)
        truth = np.maximum(identities(coded, own, beside), identities(coded, own, beside, turned))
        pair = found["val"][f"largest_in_{other}"]
        if truth.max() < 0.8:  # seeds are chosen for pairs that are more alike
            assert pair is None or pair["identity"] <= truth.max()
            continue
        assert pair["identity"] == truth.max()
        named = [int(pair[who]["id"].removeprefix("row")) - 1 for who in ("val", "other")]
        assert named[0] in rows
        assert named[1] in others
        assert truth[(own == named[0]) & (beside == named[1])] == pair["identity"]


def test_what_was_dropped_and_left_out_is_told() -> None:
    parts = [("train", "val", "test", "train", "drop")[row % 5] for row in range(100)]
    found, _ = certified(data(part=parts), split_column="part", classes=["a", "b"])
    whole = data(part=parts)
    kept = whole.loc[whole["label"] != "c"]
    assert found["dropped"] == (kept["part"] == "drop").sum()
    assert found["left_out"] == ["left out 10 rows of other classes"]
    assert found["parts"]["test"]["classes"] == (
        dict(Counter(kept.loc[kept["part"] == "test", "label"].tolist()))
    )


def test_repetitions_that_were_not_compared_are_told() -> None:
    found, _ = certified(sequences(40, 1), features=None, folds=4, repeats=2)
    assert found["repeats"] == 2
    assert len(found["folds"]) == 8
    assert found["test"]["rows"] == 40
    assert "repetitions 2 to 2" in found["not_checked"][0]


def test_torn_groups_are_those_of_the_test_part_and_another() -> None:
    (split,), *_ = splits_of(data(), split="random")
    groups = data()["group"].to_numpy()
    parts = np.array(split.parts(100))
    truth = {g for g in set(groups) if "test" in (own := set(parts[groups == g])) and len(own) > 1}
    assert torn_groups(groups, [split]) == len(truth) > 0
    found, _ = certified(data(), group_column="group")
    assert found["groups"] == {"number": 10, "in_several_parts": 0}
