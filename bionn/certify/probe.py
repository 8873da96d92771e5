"""How a property calls an op: samples on a device, arguments bound, numbers compared."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from bionn.certify.cases import Case
from bionn.certify.samples import Builder, Maker, Sample

Device = torch.device | str


class Call(NamedTuple):
    """A function of some tensors, all other arguments being fixed, and values for those tensors."""

    function: Callable[..., Tensor]
    tensors: tuple[Tensor, ...]

    def leaves(self) -> tuple[Tensor, ...]:
        """The tensors, each detached and asking for a gradient."""
        return tuple(tensor.detach().requires_grad_() for tensor in self.tensors)

    def copies(self) -> tuple[Tensor, ...]:
        """The tensors as leaves with memory of their own, as finite differences need them."""
        return tuple(
            tensor.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
            for tensor in self.tensors
        )


def draw(
    builder: Builder, dtype: torch.dtype, device: Device, *, empty: bool = True
) -> list[Sample]:
    """Make a builder's samples on a device; leave out those without elements if asked to."""
    samples = [sample.to(device) for sample in builder(Maker(dtype))]
    if empty:
        return samples
    return [s for s in samples if all(a.numel() for a in s.args if isinstance(a, Tensor))]


def smooth(case: Case, device: Device) -> list[Sample]:
    """The samples with elements in float64, in which derivatives are checked."""
    return draw(case.samples, torch.float64, device, empty=False)


def small(case: Case, device: Device) -> list[Sample]:
    """The samples for second derivatives, to which a fourth dimension matters no more."""
    return [sample for sample in smooth(case, device) if sample.label != "image"]


def bind(
    function: Callable[..., Tensor], sample: Sample, positions: Sequence[int] | None = None
) -> Call:
    """Fix all positional arguments but some, by default all but the differentiable ones."""
    free = sample.differentiable if positions is None else tuple(positions)

    def bound(*tensors: Tensor) -> Tensor:
        args = list(sample.args)
        for position, tensor in zip(free, tensors, strict=True):
            args[position] = tensor
        return function(*args, **sample.kwargs)

    return Call(bound, tuple(sample.args[position] for position in free))


def cotangent(output: Tensor) -> Tensor:
    """A fixed dJ/d(output) whose entries all differ."""
    numbers = torch.linspace(0.5, 1.5, output.numel(), dtype=torch.float64)
    return numbers.reshape(output.shape).to(output)


def evaluate(
    function: Callable[..., Tensor], sample: Sample, *, differentiable: bool = True
) -> tuple[Tensor, ...]:
    """Return the value, then the gradients of its product with `cotangent`.

    Args:
        function: An op, its oracle or its twin.
        sample: The call.
        differentiable: False for a function without a derivative: its gradients are zeros.
    """
    call = bind(function, sample)
    if not differentiable:
        zeros = (torch.zeros_like(t, memory_format=torch.contiguous_format) for t in call.tensors)
        return (call.function(*call.tensors), *zeros)
    leaves = call.leaves()
    output = call.function(*leaves)
    return (output.detach(), *torch.autograd.grad(output, leaves, cotangent(output)))


def close(actual: Any, expected: Any, label: str, **tolerance: Any) -> None:
    """Raise AssertionError, naming the sample, unless numbers, dtypes and shapes agree."""
    torch.testing.assert_close(
        actual, expected, msg=lambda text: f"{label}: {text}", equal_nan=True, **tolerance
    )


def on_cpu(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Bring tensors to the CPU, where the oracles are evaluated."""
    return tuple(tensor.cpu() for tensor in tensors)
