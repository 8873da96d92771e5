"""Sums over the processes that train together, so that what they find is what one would have found."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.distributed as dist
from torch import Tensor


def process_count() -> int:
    """How many processes train together; 1 where there is no process group.

    Example:
        >>> process_count()
        1
    """
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def process_rank() -> int:
    """Which of them this is, from 0."""
    return dist.get_rank() if process_count() > 1 else 0


def summed(tensor: Tensor) -> Tensor:
    """The sum of a tensor over all processes, on each of them; all must ask for it.

    Args:
        tensor: of one shape everywhere, on the device of the process; it stays as it is.
    """
    total = tensor.detach().clone()
    if process_count() > 1:
        dist.all_reduce(total)
    return total


def summing(tensor: Tensor) -> Callable[[], Tensor]:
    """The same, begun; what is returned waits for it, after something else has been computed."""
    total = tensor.detach().clone()
    work = dist.all_reduce(total, async_op=True) if process_count() > 1 else None

    def result() -> Tensor:
        if work is not None:
            work.wait()
        return total

    return result


def share_of_mean(mean: Tensor, weight: Tensor, total: Tensor) -> Tensor:
    """What a process minimises so that the gradients' average is that of the mean over all its rows.

    Data-parallel training averages gradients over the processes, each as if it had as many rows as
    the others. With n_r of the N rows, process r of W has to count n_r W / N times.

    Args:
        mean: the loss, a mean over the rows of this process; 0 where it has none.
        weight: n_r, how many those are.
        total: N, how many rows all processes have.
    """
    share = weight.double() * process_count() / total.clamp(min=1)
    return mean * share.to(mean.dtype)


def in_order(share: Tensor) -> Tensor:
    """The rows of all processes, on each of them, where process r of W has every W-th from the r-th on.

    Args:
        share: ``(n, ...)``, the rows of this process; the first processes may have one more.
    """
    if process_count() == 1:
        return share
    sizes = torch.zeros(process_count(), dtype=torch.int64, device=share.device)
    sizes[process_rank()] = len(share)
    sizes = summed(sizes)
    padded = share.new_zeros(int(sizes.max()), *share.shape[1:])
    padded[: len(share)] = share
    shares = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(shares, padded)
    return torch.stack(shares, dim=1).flatten(0, 1)[: int(sizes.sum())]


def constant_buffers(module: torch.nn.Module) -> list[str]:
    """The names of buffers that no checkpoint holds: they are made of the data, and stay.

    Example:
        >>> constant_buffers(torch.nn.BatchNorm1d(3))
        []
    """
    return [
        f"{prefix}.{name}" if prefix else name
        for prefix, part in module.named_modules()
        for name in part._non_persistent_buffers_set
    ]
