"""What a task remembers of its steps, on their device: nothing waits for it before an epoch ends."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_
from torch.optim import Optimizer

from bionn.tasks.processes import process_count, process_rank, summed


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
        self._steps: list[tuple[Tensor, Tensor]] = []

    def __len__(self) -> int:
        return len(self._steps)

    def add(self, loss: Tensor, size: Tensor) -> None:
        """Remember the mean ``loss`` of ``size`` rows of this process."""
        self._steps.append((loss.detach(), size))

    def of_all(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Losses and sizes ``(S,)``; of several processes, of the rows that they had together in a step.

        Args:
            device: where they are summed up; all processes must ask.
        """
        if not self._steps:
            return torch.zeros(0, device=device), torch.zeros(0, device=device)
        means = torch.stack([loss.to(device) for loss, _ in self._steps])
        sizes = torch.stack([size.to(device) for _, size in self._steps])
        if process_count() == 1:
            return means, sizes
        totals = summed(torch.stack([means * sizes, sizes.to(means.dtype)]))
        return totals[0] / totals[1].clamp(min=1), totals[1]

    def mean(self, device: torch.device) -> Tensor:
        """The mean over rows, or over targets that are there, not over batches."""
        means, sizes = self.of_all(device)
        return (means * sizes).sum() / sizes.sum().clamp(min=1)

    def clear(self) -> None:
        """Forget them."""
        self._steps.clear()

    def to_checkpoint(self, device: torch.device) -> list[tuple[Tensor, Tensor]]:
        """Those of all processes, for :meth:`load`."""
        losses, sizes = self.of_all(device)
        return list(zip(losses.cpu(), sizes.cpu(), strict=True))

    def load(self, steps: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Go on after these; the first process counts them, for all."""
        first = process_rank() == 0
        self._steps = [(loss, size * first) for loss, size in steps]


class GradientNorms:
    """The Euclidean norms of each step's gradients, by parameter, before they are clipped.

    Attributes:
        names: of the P parameters; empty before the first step.
        steps: ``(P,)`` for each step of the epoch.
        wanted: whether somebody asks for them; else there are none but where gradients are clipped.
    """

    def __init__(self) -> None:
        self.wanted = False
        self.names: list[str] = []
        self.steps: list[Tensor] = []
        self._ended: list[Tensor] = []

    def add(self, model: torch.nn.Module, parameters: Sequence[torch.nn.Parameter]) -> Tensor:
        """Remember the norms ``(P,)`` of the gradients that these parameters of a network have."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        norms = torch.stack(torch._foreach_norm(gradients))  # pyright: ignore[reportPrivateImportUsage]
        self.steps.append(norms)
        if not self.names:
            names = {parameter: name for name, parameter in model.named_parameters()}
            self.names = [names[parameter] for parameter in parameters]
        return norms

    def end_epoch(self) -> None:
        """Begin anew; those of the epoch that has ended can still be asked for."""
        self._ended, self.steps = self.steps, []

    def of_epoch(self) -> tuple[list[str], Tensor] | None:
        """Names and norms ``(S, P)`` of this epoch, or of the one that has just ended; None if none."""
        norms = self.steps or self._ended
        return (self.names, torch.stack(norms)) if norms else None


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
