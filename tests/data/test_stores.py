"""Sets sent in blocks give the batches of resident ones, row for row, wherever they lie."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bionn.data.batches import Batch, ResidentBatches
from bionn.data.stores import Inputs, ResidentStore, StreamedStore, place
from bionn.sequences.twobit import TwoBitCodes

CPU = torch.device("cpu")
CODES = torch.randint(4, (23, 7), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
KINDS: dict[str, Inputs] = {
    "codes": CODES,
    "packed": TwoBitCodes.pack(CODES),
    "expression": torch.randn(23, 3, generator=torch.Generator().manual_seed(1)),
}
TARGETS = torch.arange(23) * 10
ROWS = torch.arange(2, 23)


def double(inputs: Tensor, /, *, seed: int, epoch: int, step: int) -> Tensor:
    return inputs * (2 + seed + epoch + step)


def batches(inputs: Inputs, **options: Any) -> list[Batch]:
    """The second epoch."""
    of = ResidentBatches(inputs, TARGETS, ROWS, shuffle=True, seed=4, **options)
    of.order.set_epoch(1)
    return list(of)


@pytest.mark.parametrize("kind", KINDS)
@given(
    block_bytes=st.integers(1, 200),
    batch_size=st.one_of(st.just("full"), st.integers(1, 22)),
    ranks=st.sampled_from([(0, 1), (0, 2), (2, 3)]),
    augmented=st.booleans(),
)
def test_a_streamed_set_gives_the_batches_of_a_resident_one(
    kind: str, block_bytes: int, batch_size: Any, ranks: tuple[int, int], augmented: bool
) -> None:
    options = {"batch_size": batch_size, "rank": ranks[0], "world_size": ranks[1]}
    options["augment"] = double if augmented else None
    streamed = batches(KINDS[kind], block_bytes=block_bytes, **options)
    resident = batches(KINDS[kind], **options)
    assert len(streamed) == len(resident)
    for one, other in zip(streamed, resident, strict=True):
        assert all(map(torch.equal, one, other))


def test_packed_codes_give_the_batches_of_bytes() -> None:
    for one, other in zip(
        batches(KINDS["packed"], batch_size=4), batches(CODES, batch_size=4), strict=True
    ):
        assert all(map(torch.equal, one, other))


def test_a_streamed_epoch_goes_on_at_a_step() -> None:
    options: dict[str, Any] = {"batch_size": 4, "shuffle": True, "block_bytes": 60}
    whole = ResidentBatches(CODES, TARGETS, ROWS, **options)
    resumed = ResidentBatches(CODES, TARGETS, ROWS, **options)
    resumed.resume_at(3)
    for one, other in zip(resumed, list(whole)[3:], strict=True):
        assert all(map(torch.equal, one, other))


def test_a_file_larger_than_the_memory_may_be_streamed(tmp_path: Path) -> None:
    stored = np.memmap(tmp_path / "codes", mode="w+", shape=CODES.shape, dtype=np.uint8)
    stored[:] = CODES.numpy()
    mapped = torch.from_numpy(stored)
    for one, other in zip(
        batches(mapped, batch_size=5, block_bytes=40), batches(CODES, batch_size=5), strict=True
    ):
        assert all(map(torch.equal, one, other))


class Watched(StreamedStore):
    """Counts the blocks fetched so far, and in which threads."""

    fetched = 0
    threads: frozenset[int] = frozenset()

    def _fetch(self, block: Any) -> Any:
        type(self).fetched += 1
        type(self).threads |= {threading.get_ident()}
        return super()._fetch(block)


def test_one_block_is_fetched_ahead_in_a_second_thread_and_no_more() -> None:
    Watched.fetched, Watched.threads = 0, frozenset()
    steps = list(torch.arange(20).split(2))  # 14 bytes each: two fit into a block
    for step, rows in enumerate(Watched(CODES, TARGETS, CPU, block_bytes=30).cut(steps)):
        assert torch.equal(rows.inputs, CODES[steps[step]])
        blocks = step // 2 + 1
        assert blocks <= Watched.fetched <= blocks + 1
    assert Watched.fetched == 5
    assert len(Watched.threads) == 1
    assert threading.get_ident() not in Watched.threads


def test_an_epoch_left_early_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    stream = StreamedStore(CODES, TARGETS, CPU, block_bytes=1).cut(list(ROWS.split(2)))
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_an_error_in_a_block_reaches_whoever_takes_it() -> None:
    with pytest.raises(IndexError):
        list(StreamedStore(CODES, TARGETS, CPU, block_bytes=1).cut([torch.tensor([99])]))


def test_no_steps_are_no_rows() -> None:
    assert list(StreamedStore(CODES, TARGETS, CPU).cut([])) == []
    assert list(ResidentStore(CODES, TARGETS).cut([])) == []


def test_a_set_is_placed_where_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(place(CODES, TARGETS, CPU), ResidentStore)
    need = CODES.nbytes + TARGETS.nbytes
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2 * need - 1, 10**9))
    store = place(CODES, TARGETS, torch.device("cuda:0"))
    assert isinstance(store, StreamedStore)
    assert store.device == torch.device("cuda:0")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block_bytes", [None, 60])
def test_batches_on_a_gpu_are_those_of_the_cpu(kind: str, block_bytes: int | None) -> None:
    there = batches(
        KINDS[kind], batch_size=4, device=torch.device("cuda:0"), block_bytes=block_bytes
    )
    for one, other in zip(there, batches(KINDS[kind], batch_size=4), strict=True):
        assert all(tensor.is_cuda for tensor in one)
        assert all(torch.equal(a.cpu(), b) for a, b in zip(one, other, strict=True))
