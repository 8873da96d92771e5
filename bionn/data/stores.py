"""Where the rows of a set lie while batches are cut of them: on the device, or sent there in blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from bionn.sequences.twobit import TwoBitCodes

Inputs = Tensor | TwoBitCodes

BLOCK_BYTES = 2**28
"""What a block that is sent to a device may hold; three of them are there at a time."""

RESIDENT_SHARE = 0.5
"""The part of a device's free memory that a set may take; the rest is the network's."""


class Rows(NamedTuple):
    """Some rows of a set.

    Attributes:
        inputs: ``(B, ...)``.
        targets: ``(B, ...)``.
        ids: their row numbers, ``int64 (B,)``.
    """

    inputs: Tensor
    targets: Tensor
    ids: Tensor


class Store(Protocol):
    """N rows of inputs and targets."""

    def cut(self, steps: Sequence[Tensor]) -> Iterator[Rows]:
        """The rows of each step, given their row numbers ``int64 (B,)`` on the CPU."""
        ...


@dataclass(frozen=True)
class ResidentStore:
    """Rows that lie where the batches are wanted: each is cut by one gather.

    Attributes:
        inputs: ``(N, ...)``.
        targets: ``(N, ...)`` on the same device.
    """

    inputs: Inputs
    targets: Tensor

    def cut(self, steps: Sequence[Tensor]) -> Iterator[Rows]:
        """The rows of each step; the row numbers of all of them go to the device at once."""
        if self.inputs.device.type != "cpu" and steps:
            numbers = torch.cat(list(steps)).to(self.inputs.device)
            steps = numbers.split([len(rows) for rows in steps])
        for rows in steps:
            yield Rows(_gather(self.inputs, rows), _gather(self.targets, rows), rows)


def _gather(inputs: Inputs, rows: Tensor) -> Tensor:
    # for whole rows on a CPU several times as fast as indexing
    return inputs.index_select(0, rows) if isinstance(inputs, Tensor) else inputs[rows]


class _Block(NamedTuple):
    """Rows of several steps, as they arrive on the device."""

    inputs: Inputs
    targets: Tensor
    ids: Tensor
    arrived: torch.cuda.Event | None


@dataclass(frozen=True)
class StreamedStore:
    """Rows of a set too large for the device: gathered on the CPU and sent in blocks of many steps.

    The next block is fetched while the steps of one are taken. The batches are those of a
    :class:`ResidentStore`. The tensors may be memory-mapped files, larger than the memory.

    Attributes:
        inputs: ``(N, ...)`` on the CPU.
        targets: ``(N, ...)`` on the CPU.
        device: where the batches are wanted.
        block_bytes: of inputs in a block, or those of one step if that has more.
    """

    inputs: Inputs
    targets: Tensor
    device: torch.device
    block_bytes: int = BLOCK_BYTES

    def cut(self, steps: Sequence[Tensor]) -> Iterator[Rows]:
        """The rows of each step."""
        blocks = self._blocks(steps)
        with ThreadPoolExecutor(max_workers=1) as elsewhere:
            coming = [elsewhere.submit(self._fetch, block) for block in blocks[:1]]
            for number, block in enumerate(blocks):
                here = coming.pop().result()
                if number + 1 < len(blocks):
                    coming.append(elsewhere.submit(self._fetch, blocks[number + 1]))
                if here.arrived is not None:
                    stream = torch.cuda.current_stream(self.device)
                    stream.wait_event(here.arrived)
                    for tensor in here[:3]:
                        tensor.record_stream(stream)
                end = 0
                for rows in block:
                    start, end = end, end + len(rows)
                    own = slice(start, end)
                    yield Rows(here.inputs[own], here.targets[own], here.ids[own])

    def _blocks(self, steps: Sequence[Tensor]) -> list[list[Tensor]]:
        """Consecutive steps that have at most so many bytes together."""
        bytes_each = self.inputs.nbytes / max(len(self.inputs), 1)
        blocks: list[list[Tensor]] = []
        free = 0.0
        for rows in steps:
            if not blocks or len(rows) * bytes_each > free:
                blocks.append([])
                free = self.block_bytes
            blocks[-1].append(rows)
            free -= len(rows) * bytes_each
        return blocks

    def _fetch(self, block: Sequence[Tensor]) -> _Block:
        """Gather the rows of a block and send them; on a GPU this goes on beside its computations."""
        ids = torch.cat(list(block))
        inputs, targets = self.inputs.index_select(0, ids), self.targets.index_select(0, ids)
        if self.device.type != "cuda":
            there = self.device
            return _Block(inputs.to(there), targets.to(there), ids.to(there), None)
        stream, arrived = torch.cuda.Stream(self.device), torch.cuda.Event()
        with torch.cuda.stream(stream):
            inputs = inputs.pin_memory().to(self.device, non_blocking=True)
            targets = targets.pin_memory().to(self.device, non_blocking=True)
            ids = ids.pin_memory().to(self.device, non_blocking=True)
            arrived.record(stream)
        return _Block(inputs, targets, ids, arrived)


def place(inputs: Inputs, targets: Tensor, device: torch.device) -> ResidentStore | StreamedStore:
    """The set on the device if it fits there, beside a network; else in blocks.

    Args:
        inputs: ``(N, ...)`` on the CPU.
        targets: ``(N, ...)`` on the CPU.
        device: where the batches are wanted.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if inputs.nbytes + targets.nbytes > RESIDENT_SHARE * free:
            return StreamedStore(inputs, targets, device)
    return ResidentStore(inputs.to(device), targets.to(device))
