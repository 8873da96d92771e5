"""What a task remembers of its steps, on their device: nothing waits for it before an epoch ends."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_
from torch.optim import Optimizer

from bionn.tasks.processes import process_count, process_rank, summed

STACKED = 64
"""Steps whose numbers become one tensor: small tensors, one a step, would lie between the larger ones
that come and go, and keep their memory from being of use again."""


class Stack:
    """Tensors of one shape, one a step.

    Example:
        >>> stack = Stack()
        >>> stack.add(torch.tensor(1.0))
        >>> stack.add(torch.tensor(2.0))
        >>> len(stack), stack.whole(torch.device("cpu"))
        (2, tensor([1., 2.]))
    """

    def __init__(self, values: Sequence[Tensor] = ()) -> None:
        self._blocks = [torch.stack(list(values))] if values else []
        self._last: list[Tensor] = []

    def __len__(self) -> int:
        return sum(map(len, self._blocks)) + len(self._last)

    def add(self, values: Tensor) -> None:
        """Put one more behind the others."""
        self._last.append(values)
        if len(self._last) == STACKED:
            self._blocks.append(torch.stack(self._last))
            self._last = []

    def whole(self, device: torch.device) -> Tensor:
        """All of them ``(S, ...)``; of none, ``(0,)``."""
        if not len(self):
            return torch.zeros(0, device=device)
        last = [torch.stack(self._last)] if self._last else []
        return torch.cat([block.to(device) for block in (*self._blocks, *last)])


class StepLosses:
    """The losses of steps, each a mean, and of how many rows (or targets) it is the mean.

    Example:
        >>> losses = StepLosses()
        >>> losses.add(torch.tensor(1.0), torch.tensor(3))
        >>> losses.add(torch.tensor(5.0), torch.tensor(1))
        >>> float(losses.mean(torch.device("cpu")))
        2.0
    """

    def __init__(self) -> None:
        self._losses, self._sizes = Stack(), Stack()

    def __len__(self) -> int:
        return len(self._losses)

    def add(self, loss: Tensor, size: Tensor) -> None:
        """Remember the mean ``loss`` of ``size`` rows of this process."""
        self._losses.add(loss.detach())
        self._sizes.add(size)

    def of_all(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Losses and sizes ``(S,)``; of several processes, of the rows that they had together in a step.

        Args:
            device: where they are summed up; all processes must ask.
        """
        means, sizes = self._losses.whole(device), self._sizes.whole(device)
        if not len(self) or process_count() == 1:
            return means, sizes
        totals = summed(torch.stack([means * sizes, sizes.to(means.dtype)]))
        return totals[0] / totals[1].clamp(min=1), totals[1]

    def mean(self, device: torch.device) -> Tensor:
        """The mean over rows, or over targets that are there, not over batches."""
        means, sizes = self.of_all(device)
        return (means * sizes).sum() / sizes.sum().clamp(min=1)

    def clear(self) -> None:
        """Forget them."""
        self._losses, self._sizes = Stack(), Stack()

    def to_checkpoint(self, device: torch.device) -> list[tuple[Tensor, Tensor]]:
        """Those of all processes, for :meth:`load`."""
        losses, sizes = self.of_all(device)
        return list(zip(losses.cpu(), sizes.cpu(), strict=True))

    def load(self, steps: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Go on after these; the first process counts them, for all."""
        first = process_rank() == 0
        self._losses = Stack([loss for loss, _ in steps])
        self._sizes = Stack([size * first for _, size in steps])


class GradientNorms:
    """The Euclidean norms of each step's gradients, by parameter, before they are clipped.

    Attributes:
        names: of the P parameters; empty before the first step.
        wanted: whether somebody asks for them; else there are none but where gradients are clipped.
    """

    def __init__(self) -> None:
        self.wanted = False
        self.names: list[str] = []
        self._steps, self._ended = Stack(), Stack()

    def add(self, model: torch.nn.Module, parameters: Sequence[torch.nn.Parameter]) -> Tensor:
        """Remember the norms ``(P,)`` of the gradients that these parameters of a network have."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        norms = torch.stack(torch._foreach_norm(gradients))  # pyright: ignore[reportPrivateImportUsage]
        self._steps.add(norms)
        if not self.names:
            names = {parameter: name for name, parameter in model.named_parameters()}
            self.names = [names[parameter] for parameter in parameters]
        return norms

    def end_epoch(self) -> None:
        """Begin anew; those of the epoch that has ended can still be asked for."""
        self._ended, self._steps = self._steps, Stack()

    def of_epoch(self) -> tuple[list[str], Tensor] | None:
        """Names and norms ``(S, P)`` of this epoch, or of the one that has just ended; None if none.

        They come to the CPU.
        """
        steps = self._steps if len(self._steps) else self._ended
        return (self.names, steps.whole(torch.device("cpu"))) if len(steps) else None

    def to_checkpoint(self) -> list[Tensor]:
        """Those of the epoch in hand, for :meth:`load`."""
        return list(self._steps.whole(torch.device("cpu")))

    def load(self, steps: Sequence[Tensor]) -> None:
        """Go on after these."""
        self._steps = Stack(steps)


def with_gradients(optimizer: Optimizer) -> list[torch.nn.Parameter]:
    """The parameters that an optimiser is about to step on."""
    return [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]


def clip_by_norm(parameters: Sequence[torch.nn.Parameter], most: float, norm: Tensor) -> None:
    """Scale gradients down to a norm, if theirs is larger.

    Args:
        parameters: that have gradients.
        most: the norm.
        norm: of all gradients together.
    """
    # torch multiplies them by 1 where nothing is to be done, as it does not wait for a device
    if norm.device.type != "cpu" or not float(norm + 1e-6) <= most:
        clip_grads_with_norm_(parameters, most, norm)
