"""Batches: every row once an epoch, in an order that only seed and epoch decide."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bionn.data.batches import (
    EVALUATION_NUMBERS,
    EVALUATION_ROWS,
    Batch,
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


def double(inputs: torch.Tensor, /, *, seed: int, epoch: int, step: int) -> torch.Tensor:
    """An augmentation that depends on all it may depend on, and on the place within the step."""
    return inputs * (1 + seed + 10 * epoch + 100 * step) + torch.arange(len(inputs))[:, None]


@given(
    st.one_of(st.just("full"), st.integers(1, 9)),
    st.integers(1, 5),
    st.booleans(),
    st.integers(0, 3),
)
def test_the_ranks_share_the_steps_of_one_process(
    batch_size: Any, world_size: int, balance: bool, epoch: int
) -> None:
    options = {"shuffle": True, "seed": 3, "augment": double}
    if balance:
        options["classes"] = torch.tensor([0, 0, 0, 0, 1, 1, 2])
    alone = batches(batch_size, **options)
    ranks = [
        batches(batch_size, rank=rank, world_size=world_size, **options)
        for rank in range(world_size)
    ]
    for of in (alone, *ranks):
        of.batch_sampler.sampler.set_epoch(epoch)
        assert len(of) == len(alone)
    for whole, *shares in zip(alone, *ranks, strict=True):
        for name in Batch._fields:
            joined = [list(getattr(share, name)) for share in shares]
            dealt = [joined[row % world_size][row // world_size] for row in range(len(whole.ids))]
            assert torch.equal(torch.stack(dealt), getattr(whole, name))
        assert sum(len(share.ids) for share in shares) == len(whole.ids)


@given(st.integers(1, 8), st.integers(0, 7), st.integers(0, 3))
def test_an_epoch_goes_on_at_a_step(batch_size: int, step: int, epoch: int) -> None:
    options = {"shuffle": True, "seed": 5, "augment": double}
    whole, resumed = batches(batch_size, **options), batches(batch_size, **options)
    step %= len(whole)
    for of in (whole, resumed):
        of.batch_sampler.sampler.set_epoch(epoch)
    resumed.resume_at(step)
    assert len(resumed) == len(whole)
    rest, expected = list(resumed), list(whole)[step:]
    assert len(rest) == len(expected)
    for found, known in zip(rest, expected, strict=True):
        assert all(map(torch.equal, found, known))
    assert order(resumed, epoch + 1) == order(whole, epoch + 1)  # whole again


def test_a_state_says_which_step_comes_next() -> None:
    of = batches(shuffle=True)
    assert of.state_dict() == {"step": 0}
    known = [batch.ids.tolist() for batch in of]
    assert of.state_dict() == {"step": 0}
    stream = iter(of)
    for taken in range(len(of)):
        other = batches(shuffle=True)
        other.load_state_dict(of.state_dict())
        assert other.state_dict() == of.state_dict()
        assert [batch.ids.tolist() for batch in other] == known[taken:]
        next(stream)


def test_a_step_that_an_epoch_does_not_have_is_refused() -> None:
    for step in (-1, 3):
        with refused("resume", "from 0 to 2", str(step)):
            batches().resume_at(step)


def test_no_rows_are_no_batches() -> None:
    of = ResidentBatches(INPUTS, TARGETS, ROWS[:0], batch_size=3)
    assert len(of) == 0
    assert list(of) == []
    of.load_state_dict(of.state_dict())


class Recorder(L.LightningModule):
    """Notes the rows of each step; keeps a checkpoint after some, or stops with an error there."""

    def __init__(self, stop_at: int | None = None) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.stop_at = stop_at
        self.seen: list[list[int]] = []

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        self.seen.append([self.current_epoch, batch_idx, *batch.ids.tolist()])
        return self.weight * 1.0

    def on_train_batch_end(self, *_: Any) -> None:
        if self.trainer.global_step == self.stop_at:
            self.trainer.save_checkpoint(Path(self.trainer.default_root_dir) / "stopped.ckpt")
            raise KeyboardInterrupt

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


@pytest.mark.parametrize("stop_at", [1, 2, 3, 4, 6])
def test_a_lightning_checkpoint_carries_the_step(tmp_path: Path, stop_at: int) -> None:
    def fit(module: Recorder, checkpoint: Path | None = None) -> list[list[int]]:
        trainer = L.Trainer(
            max_epochs=3,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=tmp_path,
        )
        with contextlib.suppress(SystemExit):
            trainer.fit(module, batches(shuffle=True), ckpt_path=checkpoint)
        return module.seen

    whole = fit(Recorder())
    assert len(whole) == 9
    begun = fit(Recorder(stop_at))
    assert begun == whole[:stop_at]
    assert fit(Recorder(), tmp_path / "stopped.ckpt") == whole[stop_at:]


def test_a_batch_can_be_asked_for_without_notice() -> None:
    batches = ResidentBatches(
        torch.arange(10.0)[:, None], torch.arange(10), torch.arange(10), batch_size=3, shuffle=True
    )
    every = [batch.ids.tolist() for batch in batches]
    seen = []
    for batch in batches:
        assert batches.at(2).ids.tolist() == every[2]
        seen.append(batch.ids.tolist())
    assert seen == every
    assert batches.state_dict() == {"step": 0}
    batches.resume_at(1)
    assert batches.at(3).ids.tolist() == every[3]
    assert [batch.ids.tolist() for batch in batches] == every[1:]
