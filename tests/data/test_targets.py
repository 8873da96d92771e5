"""What is to be predicted: the task found from the values, classes chosen, numbers checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bionn.data.reading import read_samples
from bionn.data.samples import DataOptions, Samples
from bionn.data.targets import Targets, find_targets, infer_task
from bionn.errors import FormatError
from tests.support.refusals import refused


def found(values: Sequence[Any], **options: Any) -> tuple[Samples, Targets]:
    """The targets of a table with one feature."""
    frame = pd.DataFrame({"x": np.arange(len(values)) * 1.0, "y": values})
    given = DataOptions(target="y", features=["x"], **options)
    return find_targets(read_samples(frame, given), given)


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["0", "1"], "binary"),
        (["0.0", "1.0"], "binary"),
        (["-1", "1"], "binary"),
        (["yes", "no"], "binary"),
        (["True", "False"], "binary"),
        (["1_0", "2_0"], "binary"),
        (["1", "2", "3"], "multiclass"),
        (["a", "1", "2.5"], "multiclass"),
        ([str(n) for n in range(20)], "multiclass"),
        ([str(n) for n in range(21)], "regression"),
        (["0.5", "1"], "regression"),
        (["1e-3", "2"], "regression"),
        (["5,893", "6,1"], "regression"),
        (["5,893", "6", "7"], "regression"),
        (["5,893", "6", "1,2E-03", "-"], "regression"),
        (["a", "b", "1,5"], "multiclass"),
    ],
)
def test_text_and_few_integers_are_classes_other_numbers_regression(
    values: list[str], task: str
) -> None:
    assert infer_task(values * 3) == task


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        (["0", "1"], "1"),
        (["1", "-1"], "1"),
        (["yes", "no"], "yes"),
        ([True, False], "True"),
        (["9", "10"], "10"),
    ],
)
def test_the_later_of_two_classes_is_positive_and_said(values: list[Any], positive: str) -> None:
    samples, targets = found(values * 3)
    assert targets.classes[1] == positive
    np.testing.assert_array_equal(targets.values, [str(v) == positive for v in values * 3])
    assert f"(positive: {positive})" in samples.notes[-1]
    assert targets.num_outputs == 1


def test_several_classes_have_an_output_each() -> None:
    _, targets = found(["c10", "c9", "c1"] * 3)
    assert targets.classes == ("c1", "c9", "c10")
    assert targets.num_outputs == 3
    assert [targets.classes[value] for value in targets.values] == ["c10", "c9", "c1"] * 3


def test_a_regression_keeps_its_numbers() -> None:
    values = [1.5, -2e10, 3e-7]
    samples, targets = found(values)
    assert (targets.task, targets.classes, targets.num_outputs) == ("regression", (), 1)
    np.testing.assert_allclose(targets.values, np.array(values)[:, None])
    assert "regression of 1 target" in samples.notes[-1]


def test_the_task_can_be_forced() -> None:
    assert found(["0", "1"] * 3, task="regression")[1].task == "regression"
    assert found([str(n) for n in range(30)] * 3, task="multiclass")[1].num_outputs == 30
    with refused("task", "'binry'", "did you mean 'binary'"):
        found(["0", "1"] * 3, task="binry")
    with refused("task", "has 3", "classes"):
        found(["0", "1", "2"] * 3, task="binary")


def test_two_classes_are_binary_even_when_called_multiclass() -> None:
    """Classifier(classes=two names) has one sigmoid unit: the targets must agree."""
    _, targets = found(["0", "1"] * 3, task="multiclass")
    assert (targets.task, targets.num_outputs) == ("binary", 1)


@pytest.mark.parametrize(
    ("keep", "task"), [(["a", "c"], "binary"), (["a", "b", "d"], "multiclass")]
)
def test_only_rows_of_the_classes_asked_for_are_kept(keep: list[str], task: str) -> None:
    samples, targets = found(list("abcd") * 3, classes=keep)
    assert (targets.task, targets.classes) == (task, tuple(keep))
    assert len(samples) == 3 * len(keep)
    assert any(f"left out {12 - len(samples)} rows" in note for note in samples.notes)


def test_numbers_can_be_chosen_as_classes() -> None:
    values = [f"{n}.5" for n in range(30)] * 3
    assert found(values, classes=["1.5", "2.5", "3.5"])[1].task == "multiclass"
    with refused("classes", "regression"):
        found(values, classes=["1.5", "2.5", "3.5"], task="regression")


def test_an_unknown_class_offers_the_nearest() -> None:
    with refused("'promotr'", "did you mean 'promoter'", "other, promoter"):
        found(["promoter", "other"] * 3, classes=["promotr", "other"])


@pytest.mark.parametrize(
    ("values", "line", "fact"),
    [
        (list("aaabbbcc"), "row 7", "'c' has 2 rows"),
        (list("aaa"), "<table>, row 1: target 'y'", "only 'a'"),
    ],
)
def test_classes_that_cannot_be_split_are_refused(values: list[str], line: str, fact: str) -> None:
    with refused(line, fact):
        found(values)


@pytest.mark.parametrize(
    ("cell", "remedy"),
    [
        ("high", "correct it"),
        ("1,5", "decimal point"),
        ("inf", "finite"),
        ("1_000", "correct it"),
    ],
)
def test_a_target_that_is_no_number_is_refused_with_its_row(cell: str, remedy: str) -> None:
    with refused("row 2", "'y'", repr(cell), remedy, kind=FormatError):
        found(["0.5", cell, "1.5"], task="regression")


def test_classes_are_predicted_one_at_a_time() -> None:
    frame = pd.DataFrame({"x": range(6), "y": list("ababab"), "z": list("aabbab")})
    options = DataOptions(target=["y", "z"], task="multiclass")
    with refused("target", "(y, z)"):
        find_targets(read_samples(frame, options), options)


@pytest.mark.parametrize("task", ["auto", "regression"])
def test_a_target_with_decimal_commas_is_refused_with_its_row(task: str) -> None:
    with refused(
        "row 2: target 'y': a finite number needed, a decimal comma found in '5,893'; write '.'",
        kind=FormatError,
    ):
        found(["6", "5,893", "1.234,5"], task=task)


def test_a_constant_target_is_refused_with_its_value() -> None:
    with refused("<table>, row 1: target 'y'", "2 different values", "'1.5' found in every row"):
        found(["1.5"] * 5)
    assert found(["1.5"] * 5 + ["1.25"])[1].task == "regression"
