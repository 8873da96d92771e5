"""Batches: every row once an epoch, in an order that only seed and epoch decide."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bionn.data.batches import (
    EVALUATION_NUMBERS,
    EVALUATION_ROWS,
    ResidentBatches,
    evaluation_rows,
    resolve_batch_size,
)
from tests.support.refusals import refused

INPUTS = torch.arange(60).reshape(20, 3)
TARGETS = torch.arange(20) * 10
ROWS = torch.tensor([3, 4, 7, 8, 9, 15, 19])


def batches(batch_size: Any = 3, **options: Any) -> ResidentBatches:
    return ResidentBatches(INPUTS, TARGETS, ROWS, batch_size=batch_size, **options)


def order(of: ResidentBatches, epoch: int = 0) -> list[int]:
    """The rows of an epoch, chosen as Lightning chooses it."""
    of.batch_sampler.sampler.set_epoch(epoch)
    return [row for batch in of for row in batch.ids.tolist()]


@given(
    st.one_of(st.just("full"), st.integers(1, 30)),
    st.booleans(),
    st.integers(0, 2**32 - 1),
    st.integers(0, 10_000),
)
def test_every_row_comes_once_an_epoch_with_its_input_and_target(
    batch_size: Any, shuffle: bool, seed: int, epoch: int
) -> None:
    of = batches(batch_size, shuffle=shuffle, seed=seed)
    rows = order(of, epoch)
    assert sorted(rows) == ROWS.tolist()
    assert shuffle or rows == ROWS.tolist()
    seen = list(of)
    assert len(seen) == len(of)
    size = len(ROWS) if batch_size == "full" else batch_size
    assert all(len(batch.ids) == size for batch in seen[:-1])
    assert 1 <= len(seen[-1].ids) <= size
    for batch in seen:
        assert torch.equal(batch.inputs, INPUTS[batch.ids])
        assert torch.equal(batch.targets, TARGETS[batch.ids])


def test_the_order_is_a_function_of_seed_and_epoch_alone() -> None:
    first, second = batches(shuffle=True, seed=5), batches(shuffle=True, seed=5)
    orders = [order(first, epoch) for epoch in range(6)]
    torch.manual_seed(123)  # the global generator has no say
    assert [order(second, epoch) for epoch in reversed(range(6))] == orders[::-1]
    assert [order(batches(1, shuffle=True, seed=5), epoch) for epoch in range(6)] == orders


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    orders = {
        tuple(order(batches(shuffle=True, seed=seed), epoch))
        for seed in (0, 1, 2, 2**32 - 1)
        for epoch in range(10)
    }
    assert len(orders) == 40  # of 5040 orders: a chance collision would be seen with these seeds


def test_looking_at_batches_does_not_touch_the_global_generator() -> None:
    state = torch.get_rng_state()
    order(batches(shuffle=True))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, True, "all", None])
def test_what_is_no_batch_size_is_refused(batch_size: Any) -> None:
    with refused("batch-size", "'full' or a number from 1", repr(batch_size)):
        resolve_batch_size(batch_size, 10)


def test_batch_sizes_from_full_to_one() -> None:
    assert [resolve_batch_size(size, 10) for size in ("full", 1, 7, 99)] == [10, 1, 7, 99]


def test_evaluation_batches_are_smaller_where_a_row_has_very_many_features() -> None:
    assert evaluation_rows((4, 251)) == evaluation_rows(4096) == EVALUATION_ROWS
    assert evaluation_rows(2**17) * 2**17 == EVALUATION_NUMBERS
    assert evaluation_rows(0) == EVALUATION_ROWS
    assert evaluation_rows(10**12) == 1


def balanced(counts: list[int], seed: int = 0, **options: Any) -> ResidentBatches:
    classes = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    rows = torch.arange(len(classes)) * 2 + 1
    inputs = torch.zeros(2 * len(classes) + 1, 1)
    return ResidentBatches(
        inputs, torch.zeros(len(inputs)), rows, classes=classes, seed=seed, batch_size=4, **options
    )


@given(
    st.lists(st.integers(1, 30), min_size=2, max_size=4), st.integers(0, 50), st.integers(0, 2**32)
)
def test_a_balanced_epoch_has_as_many_rows_of_each_class(
    counts: list[int], epoch: int, seed: int
) -> None:
    rows = torch.tensor(order(balanced(counts, seed=seed, shuffle=True), epoch))
    total, classes = sum(counts), len(counts)
    assert len(rows) == total
    bounds = torch.tensor([0, *torch.tensor(counts).cumsum(0).tolist()]) * 2
    for low, high in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        own = rows[(rows > low) & (rows <= high)]
        assert abs(len(own) - total / classes) < 1
        times = torch.bincount(own, minlength=high + 1)[low + 1 : high + 1 : 2]
        assert times.max() - times.min() <= 1  # each row as often as any other of its class
    assert (rows % 2 == 1).all()


def test_every_row_of_a_common_class_has_its_turn() -> None:
    of = balanced([90, 10], shuffle=True)
    seen = set(itertools.chain.from_iterable(order(of, epoch) for epoch in range(25)))
    assert len(seen) == 100


def test_a_balanced_order_is_a_function_of_seed_and_epoch_alone() -> None:
    orders = [order(balanced([30, 5, 9], shuffle=True), epoch) for epoch in range(5)]
    torch.manual_seed(5)
    again = balanced([30, 5, 9], shuffle=True)
    assert [order(again, epoch) for epoch in reversed(range(5))] == orders[::-1]
    assert len({tuple(one) for one in orders}) == 5
    assert order(balanced([30, 5, 9], seed=1, shuffle=True)) != orders[0]
    assert sorted(order(balanced([30, 5, 9]), 2)) == sorted(orders[2])  # drawn though not shuffled
