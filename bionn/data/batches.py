"""Batches cut by index from resident tensors: no DataLoader, no copy a sample, no worker."""

from __future__ import annotations

import math
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

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
    """The order of the rows in an epoch: a pure function of (seed, epoch).

    Lightning calls ``set_epoch`` on ``batch_sampler.sampler`` of what it iterates over, before each
    epoch; hence the name of the attribute that holds this.

    Args:
        rows: the row numbers, ``int64``.
        shuffle: a new order each epoch.
        seed: of the orders.
        classes: of each row, ``int64``, to draw as many rows of each class, and as many in all as
            there are: those of a rare class several times an epoch, each equally often but for one,
            those of a common class some at a time. None: every row once.
    """

    def __init__(
        self, rows: Tensor, *, shuffle: bool, seed: int, classes: Tensor | None = None
    ) -> None:
        self.rows = rows
        self._members = (
            [] if classes is None else [rows[classes == c] for c in classes.unique().tolist()]
        )
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order :meth:`indices` gives."""
        self.epoch = epoch

    def indices(self) -> Tensor:
        """The row numbers in this epoch's order, ``int64``."""
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

    Args:
        inputs: ``(N, ...)``.
        targets: ``(N, ...)``.
        rows: the row numbers to visit, ``int64``.
        batch_size: rows a batch; ``full`` for all of them; the last batch may be smaller.
        shuffle: a new order each epoch.
        seed: of the orders, and of the augmentation.
        augment: alters the inputs of each batch; None: they stay as they are.
        classes: of those rows, to draw as many of each; see :class:`EpochOrder`.

    Example:
        >>> batches = ResidentBatches(torch.eye(5), torch.arange(5), torch.arange(5), batch_size=2)
        >>> [len(batch.ids) for batch in batches]
        [2, 2, 1]
    """

    def __init__(
        self,
        inputs: Tensor,
        targets: Tensor,
        rows: Tensor,
        *,
        batch_size: BatchSize,
        shuffle: bool = False,
        seed: int = 0,
        augment: Augment | None = None,
        classes: Tensor | None = None,
    ) -> None:
        self.augment = augment
        self.inputs = inputs
        self.targets = targets
        self.batch_size = resolve_batch_size(batch_size, len(rows))
        self.order = EpochOrder(rows, shuffle=shuffle, seed=seed, classes=classes)
        self.batch_sampler = SimpleNamespace(sampler=self.order)

    def __len__(self) -> int:
        return math.ceil(len(self.order.rows) / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        order = self.order
        for step, rows in enumerate(order.indices().split(self.batch_size)):
            inputs = self.inputs[rows]
            if self.augment is not None:
                inputs = self.augment(inputs, seed=order.seed, epoch=order.epoch, step=step)
            yield Batch(inputs, self.targets[rows], rows)


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
