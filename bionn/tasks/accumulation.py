"""A step for which memory does not suffice: gradients of parts of its batch, summed up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from bionn.data.batches import Batch
from bionn.models.heads import evidence
from bionn.ops.dropout import part_of_rows


def loss_in_parts(
    loss: Callable[[Batch], Tensor],
    batch: Batch,
    rows: int,
    parameters: Sequence[Tensor],
    *,
    scale: float = 1.0,
    same_draws: bool = True,
) -> Tensor:
    """The mean loss of a batch, whose gradient is there already, without more than some rows at a time.

    Value and gradient are those of the whole batch, but for rounding: each part counts by its rows, or
    by its targets that are there, and has the random numbers that its rows would have had in the whole
    batch.

    Args:
        loss: the mean loss of a batch, with a graph behind it.
        batch: all rows.
        rows: how many of them a part has.
        parameters: by which to derive.
        scale: by which losses are multiplied before and gradients divided after they are derived, so
            that half precision does not lose small ones.
        same_draws: have dropout draw for all rows in each part; else each part draws for itself.

    Returns:
        A number to call ``backward`` on once.
    """
    count, total = len(batch.targets), evidence(batch.targets).clamp(min=1)
    value: Tensor | None = None
    sums: list[Tensor | None] = [None] * len(parameters)
    for start in range(0, count, rows):
        part = Batch(*(tensor[start : start + rows] for tensor in batch))
        with _drawn_for_all(start, len(part.targets), count) if same_draws else nullcontext():
            share = loss(part) * (evidence(part.targets).to(total.device) / total)
        gradients = torch.autograd.grad(share * scale, parameters, allow_unused=True)
        value = share.detach() if value is None else value + share.detach()
        for k, gradient in enumerate(gradients):
            if gradient is not None:
                before = sums[k]
                sums[k] = (
                    gradient / scale if before is None else before.add_(gradient, alpha=1 / scale)
                )
    assert value is not None, "a batch has rows"
    return _Known.apply(value, sums, *parameters)  # pyright: ignore[reportReturnType]


class _Known(torch.autograd.Function):
    """A loss whose gradient by the parameters was computed before."""

    @staticmethod
    def forward(
        ctx: Any, value: Tensor, gradients: list[Tensor | None], *parameters: Tensor
    ) -> Tensor:
        del parameters
        ctx.gradients = gradients
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Any:
        # dL/dw = dL/dloss * dloss/dw
        found = [None if g is None else g.mul_(grad_outputs[0]) for g in ctx.gradients]
        ctx.gradients = None
        return None, None, *found


@contextmanager
def _drawn_for_all(start: int, rows: int, of: int) -> Iterator[None]:
    """Draw for rows what they would get among so many, and the same again unless they are the last."""
    again = nullcontext() if start + rows >= of else torch.random.fork_rng()
    with again, _DrawnForAll(start, rows, of), part_of_rows(start, rows):
        yield


class _DrawnForAll(TorchFunctionMode):
    """Has random numbers drawn for all rows of a batch, where only a part of the rows is there.

    Torch's ``dropout`` and ``rand`` do; others draw for the rows that are there.
    """

    def __init__(self, start: int, rows: int, of: int) -> None:
        super().__init__()
        self._part = slice(start, start + rows)
        self._rows, self._of = rows, of

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call a function; two of them with more rows, of which these are taken."""
        kwargs = kwargs or {}
        if func is torch.rand:
            shape = tuple(args[0] if len(args) == 1 and not isinstance(args[0], int) else args)
            if shape[:1] == (self._rows,):
                return torch.rand((self._of, *shape[1:]), **kwargs)[self._part]
        if func is torch.nn.functional.dropout:
            return self._dropout(*args, **kwargs)
        return func(*args, **kwargs)

    def _dropout(
        self, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Tensor:
        if not training or len(input) != self._rows:
            return torch.nn.functional.dropout(input, p, training, inplace)
        shape = (self._of, *input.shape[1:])
        if input.device.type == "cpu":  # as torch draws there, without a second and a third array
            return input * input.new_empty(shape).bernoulli_(1 - p)[self._part].div(1 - p)
        return input * torch.nn.functional.dropout(input.new_ones(shape), p)[self._part]
