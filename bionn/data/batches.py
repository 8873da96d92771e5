"""Batches cut by index from resident tensors: no DataLoader, no copy a sample, no worker."""

from __future__ import annotations

import math
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from bionn.data.stores import Inputs, ResidentStore, Store, StreamedStore, place
from bionn.errors import InputError

BatchSize = int | Literal["full"]

EVALUATION_ROWS = 4096
"""Rows a batch where no gradient is kept: validation, test, prediction."""

EVALUATION_NUMBERS = 2**26
"""Numbers that such a batch may hold: 256 MB."""


class Batch(NamedTuple):
    """B samples.

    Attributes:
        inputs: codes ``uint8 (B, L)`` or features ``float32 (B, F)``.
        targets: class indices ``int64 (B,)`` or standardised targets ``float32 (B, T)``.
        ids: row numbers ``int64 (B,)`` in the table of samples, where their ids stand.
    """

    inputs: Tensor
    targets: Tensor
    ids: Tensor


class Augment(Protocol):
    """Alters the inputs of a training batch by what (seed, epoch, step) say, and nothing else."""

    def __call__(self, inputs: Tensor, /, *, seed: int, epoch: int, step: int) -> Tensor:
        """Altered inputs of the same shape."""
        ...


class EpochOrder:
    """The order of the rows in an epoch, a pure function of (seed, epoch), dealt to the ranks.

    The ranks together take the steps that one process would take: of the rows of a step, rank r of
    W has every W-th from the r-th on. No row is doubled; where a last step has fewer rows than
    there are ranks, some rank has none of them.

    Lightning calls ``set_epoch`` on ``batch_sampler.sampler`` of what it iterates over, before each
    epoch; hence the name of the attribute that holds this.

    Args:
        rows: the row numbers, ``int64``.
        shuffle: a new order each epoch.
        seed: of the orders.
        classes: of each row, ``int64``, to draw as many rows of each class, and as many in all as
            there are: those of a rare class several times an epoch, each equally often but for one,
            those of a common class some at a time. None: every row once.
        rank: which of the processes this is.
        world_size: how many processes there are.

    Example:
        >>> order = EpochOrder(torch.arange(5), shuffle=False, seed=0, rank=1, world_size=2)
        >>> order.share(order.indices())
        tensor([1, 3])
    """

    def __init__(
        self,
        rows: Tensor,
        *,
        shuffle: bool,
        seed: int,
        classes: Tensor | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        assert 0 <= rank < world_size
        self.rows = rows
        self.rank = rank
        self.world_size = world_size
        self._members = (
            [] if classes is None else [rows[classes == c] for c in classes.unique().tolist()]
        )
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order :meth:`indices` gives."""
        self.epoch = epoch

    def share(self, of_step: Tensor) -> Tensor:
        """What this rank has of the rows of a step, or of anything in their order."""
        return of_step if self.world_size == 1 else of_step[self.rank :: self.world_size]

    def indices(self) -> Tensor:
        """The row numbers of all ranks in this epoch's order, ``int64``."""
        generator = torch.Generator().manual_seed((self.seed << 20) + self.epoch)
        rows = self._balanced(generator) if self._members else self.rows
        if not self.shuffle:
            return rows
        return rows[torch.randperm(len(rows), generator=generator)]

    def _balanced(self, generator: torch.Generator) -> Tensor:
        """As many rows of each class; the classes take turns with what does not divide evenly."""
        each, left = divmod(len(self.rows), len(self._members))
        drawn = []
        for number, members in enumerate(self._members):
            quota = each + ((number + self.epoch) % len(self._members) < left)
            times, rest = divmod(quota, len(members))
            some = torch.randperm(len(members), generator=generator)[:rest]
            drawn += [members] * times + [members[some]]
        return torch.cat(drawn)


class ResidentBatches:
    """An iterable of :class:`Batch` over some rows of tensors that stay in memory.

    Any Lightning module takes it in place of a DataLoader. Batches are on the device of the tensors.

    Args:
        inputs: ``(N, ...)``: codes, codes packed in two bits each, or features.
        targets: ``(N, ...)``.
        rows: the row numbers to visit, ``int64``.
        batch_size: rows a step, of all ranks together; ``full`` for all of them; the last step may
            have fewer.
        shuffle: a new order each epoch.
        seed: of the orders, and of the augmentation.
        augment: alters the inputs of each batch; None: they stay as they are.
        classes: of those rows, to draw as many of each; see :class:`EpochOrder`.
        rank: which of the processes this is; its batches hold its share of each step.
        world_size: how many processes there are.
        device: where the batches are wanted; where the tensors are when None. The set is put there
            if it leaves the network room, else sent in blocks; see :mod:`bionn.data.stores`.
        block_bytes: send the set in blocks of so many bytes in any case.

    Lightning keeps the ``state_dict`` in its checkpoints, so that an epoch goes on where it was.

    Example:
        >>> batches = ResidentBatches(torch.eye(5), torch.arange(5), torch.arange(5), batch_size=2)
        >>> [len(batch.ids) for batch in batches]
        [2, 2, 1]
    """

    def __init__(
        self,
        inputs: Inputs,
        targets: Tensor,
        rows: Tensor,
        *,
        batch_size: BatchSize,
        shuffle: bool = False,
        seed: int = 0,
        augment: Augment | None = None,
        classes: Tensor | None = None,
        rank: int = 0,
        world_size: int = 1,
        device: torch.device | None = None,
        block_bytes: int | None = None,
    ) -> None:
        self.augment = augment
        self.store: Store
        if block_bytes is not None:
            self.store = StreamedStore(inputs, targets, device or inputs.device, block_bytes)
        elif device in (None, inputs.device):
            self.store = ResidentStore(inputs, targets)
        else:
            self.store = place(inputs, targets, device)
        self.batch_size = resolve_batch_size(batch_size, len(rows))
        self.order = EpochOrder(
            rows, shuffle=shuffle, seed=seed, classes=classes, rank=rank, world_size=world_size
        )
        self.batch_sampler = SimpleNamespace(sampler=self.order)
        self._start = 0
        self._position = 0

    def __len__(self) -> int:
        """Steps of a whole epoch, wherever an iteration begins."""
        return math.ceil(len(self.order.rows) / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        start, self._start = self._start, 0
        order = self.order
        steps = order.indices().split(self.batch_size)[start : len(self)]
        if self.augment is None:
            steps = [order.share(rows) for rows in steps]
        for step, (inputs, targets, rows) in enumerate(self.store.cut(steps), start):
            self._position = step + 1
            if self.augment is None:
                yield Batch(inputs, targets, rows)
                continue
            # what is drawn for a row does not depend on who has it: the whole step is altered
            inputs = self.augment(inputs, seed=order.seed, epoch=order.epoch, step=step)
            yield Batch(order.share(inputs), order.share(targets), order.share(rows))

    def resume_at(self, step: int) -> None:
        """Begin the next iteration at a step instead of at 0; those after it are whole again.

        Raises:
            InputError: an epoch has no such step.
        """
        if not 0 <= step < max(len(self), 1):
            raise InputError(
                f"resume: a step from 0 to {len(self) - 1} needed, {step} found; take the batch size "
                "and the data that training began with"
            )
        self._start = self._position = step

    def at(self, step: int) -> Batch:
        """The batch of a step of the epoch in hand; whoever iterates does not notice."""
        kept = self._start, self._position
        self.resume_at(step)
        try:
            return next(iter(self))
        finally:
            self._start, self._position = kept

    def state_dict(self) -> dict[str, int]:
        """The step that comes next in this epoch; 0 when it is over."""
        return {"step": self._position % max(len(self), 1)}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on at that step, see :meth:`resume_at`."""
        self.resume_at(state_dict["step"])


def evaluation_rows(input_shape: int | tuple[int, int]) -> int:
    """Rows a batch where no gradient is kept: fewer where a row has very many features.

    Args:
        input_shape: the number of features, or ``(A, L)``.
    """
    width = input_shape if isinstance(input_shape, int) else math.prod(input_shape)
    return min(EVALUATION_ROWS, max(1, EVALUATION_NUMBERS // max(width, 1)))


def resolve_batch_size(batch_size: BatchSize, rows: int) -> int:
    """``full`` is gradient descent, 1 is stochastic, anything between is mini-batch.

    Raises:
        InputError: neither ``full`` nor a number of at least 1.
    """
    if batch_size == "full":
        return max(rows, 1)
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise InputError(
            f"batch-size: 'full' or a number from 1 needed, {batch_size!r} found; choose one"
        )
    return batch_size
