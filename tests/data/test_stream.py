"""Blocks of inputs: of equal size whatever came in, in order, made and computed ahead of their use."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bionn.data.stream import Encoded, ahead, mapped, regrouped


def encoded(first: int, rows: int, width: int = 3, *, windows: bool = False) -> Encoded:
    numbers = np.arange(first, first + rows)
    places = {"start": numbers, "end": numbers + 9} if windows else {}
    ids = pa.chunked_array([[f"s{n}" for n in numbers]], type=pa.large_string())
    return Encoded(ids, np.repeat(numbers[:, None], width, axis=1).astype(np.uint8), places)


@given(st.lists(st.integers(0, 7), max_size=9), st.integers(1, 6), st.booleans())
def test_regrouped_rows_are_the_same_rows(sizes: list[int], rows: int, windows: bool) -> None:
    firsts = np.cumsum([0, *sizes])
    blocks = [encoded(int(f), n, windows=windows) for f, n in zip(firsts, sizes, strict=False)]
    found = list(regrouped(blocks, rows, padding=0))
    assert [len(block) for block in found[:-1]] == [rows] * (len(found) - 1)
    whole = encoded(0, sum(sizes), windows=windows)
    if not found:
        assert len(whole) == 0
        return
    ids = [name for block in found for name in block.ids.to_pylist()]
    assert ids == whole.ids.to_pylist()
    np.testing.assert_array_equal(np.concatenate([block.inputs for block in found]), whole.inputs)
    assert all(block.places.keys() == whole.places.keys() for block in found)
    for name, column in whole.places.items():
        places = np.concatenate([block.places[name] for block in found])
        np.testing.assert_array_equal(places, column)


def test_rows_of_different_widths_are_padded() -> None:
    (block,) = regrouped([encoded(1, 1, 2), encoded(2, 1, 4)], 5, padding=9)
    assert block.inputs.tolist() == [[1, 1, 9, 9], [2, 2, 2, 2]]


def test_an_item_is_made_while_the_one_before_is_in_use() -> None:
    made = [threading.Event() for _ in range(3)]

    def items() -> Iterator[int]:
        for number, event in enumerate(made):
            event.set()
            yield number

    for number in ahead(items()):
        assert made[min(number + 1, 2)].wait(10)


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("two")

    found = []
    with pytest.raises(ValueError, match="two"):
        found.extend(ahead(items()))
    assert found == [1]


def test_who_stops_early_does_not_wait_for_the_next_item() -> None:
    never, ended = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield 1
        never.wait(60)
        ended.set()

    for _ in ahead(items()):
        break
    assert not ended.is_set()
    never.set()
    assert ended.wait(10)


def test_who_stops_early_waits_for_an_item_that_comes() -> None:
    begun, ended = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield 1
        begun.set()
        time.sleep(0.2)
        ended.set()

    for _ in ahead(items()):
        assert begun.wait(10)
        break
    assert ended.is_set()


def test_an_item_is_made_and_one_computed_while_one_is_in_use() -> None:
    made, computed = ([threading.Event() for _ in range(4)] for _ in range(2))

    def items() -> Iterator[int]:
        for number, event in enumerate(made):
            event.set()
            yield number

    def double(number: int) -> int:
        computed[number].set()
        return 2 * number

    found = []
    for twice in mapped(double, items()):
        found.append(twice)
        assert computed[min(twice // 2 + 1, 3)].wait(10)
        assert made[min(twice // 2 + 2, 3)].wait(10)
    assert found == [0, 2, 4, 6]


@pytest.mark.parametrize("fails", ["items", "function"])
def test_an_error_comes_after_what_was_computed_before_it(fails: str) -> None:
    def items() -> Iterator[int]:
        yield 1
        if fails == "items":
            raise ValueError("two")
        yield 0

    def inverse(number: int) -> float:
        if not number:
            raise ValueError("two")
        return 1 / number

    found = []
    with pytest.raises(ValueError, match="two"):
        found.extend(mapped(inverse, items()))
    assert found == [1]


def test_who_stops_early_waits_for_what_is_computed() -> None:
    begun, ended = threading.Event(), threading.Event()

    def slow(number: int) -> int:
        if number:
            begun.set()
            time.sleep(0.2)
            ended.set()
        return number

    for _ in mapped(slow, [0, 1, 2]):
        assert begun.wait(10)
        break
    assert ended.is_set()
