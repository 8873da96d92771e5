"""Properties of an op under torch's transforms: vmap, per-sample gradients, compilers, autocast."""

import itertools
from typing import Any

import torch
from torch import Tensor
from torch._dynamo.backends.debugging import aot_eager

from bionn.certify.cases import Case
from bionn.certify.probe import Device, bind, close, draw, evaluate, smooth
from bionn.certify.samples import Sample


def _positions(sample: Sample) -> list[int]:
    """Positions of all tensors, differentiable or not."""
    return [i for i, arg in enumerate(sample.args) if isinstance(arg, Tensor)]


def _stack(tensor: Tensor, dim: int) -> Tensor:
    """Two of a kind: the tensor, and another one that is valid wherever it is."""
    return torch.stack([tensor, tensor * 0.5 if tensor.is_floating_point() else tensor * 0], dim)


def vmap(case: Case, device: Device) -> None:
    """Mapping by vmap equals a loop, whichever arguments it maps."""
    for sample in smooth(case, device):
        positions = _positions(sample)
        call = bind(case.function, sample, positions)
        for batched in itertools.product((0, -1, None), repeat=len(positions)):
            if all(dim is None for dim in batched):
                continue
            pairs = zip(call.tensors, batched, strict=True)
            inputs = [t if dim is None else _stack(t, dim) for t, dim in pairs]
            rows = [
                call.function(
                    *(
                        t if dim is None else t.select(dim, i)
                        for t, dim in zip(inputs, batched, strict=True)
                    )
                )
                for i in range(2)
            ]
            label = f"{sample.label}, in_dims {batched}"
            close(torch.func.vmap(call.function, batched)(*inputs), torch.stack(rows), label)


def per_sample(case: Case, device: Device) -> None:
    """Per-sample gradients, vmap of grad, equal a loop."""
    for sample in smooth(case, device):
        positions = _positions(sample)
        call = bind(case.function, sample, positions)

        def total(*tensors: Tensor, function: Any = call.function) -> Tensor:
            return (function(*tensors) ** 2).sum()

        for position, shared in itertools.product(sample.differentiable, (True, False)):
            place = positions.index(position)
            gradient = torch.func.grad(total, place)
            dims = tuple(None if shared and i == place else 0 for i in range(len(positions)))
            if all(dim is None for dim in dims):
                continue
            pairs = zip(call.tensors, dims, strict=True)
            inputs = [t if dim is None else _stack(t, 0) for t, dim in pairs]
            loop = [
                gradient(*(t if d is None else t[i] for t, d in zip(inputs, dims, strict=True)))
                for i in range(2)
            ]
            label = f"{sample.label}, argument {position}{' shared' if shared else ''}"
            close(torch.func.vmap(gradient, dims)(*inputs), torch.stack(loop), label)


def compiled(case: Case, device: Device) -> None:
    """One graph for torch.compile, with the eager numbers."""
    torch.compiler.reset()
    function = torch.compile(case.function, fullgraph=True, backend="aot_eager")
    samples = draw(case.samples, torch.float32, device, empty=False)
    for sample in samples[:2]:
        close(evaluate(function, sample), evaluate(case.function, sample), sample.label)
    with torch.no_grad():
        actual, expected = (
            f(*samples[0].args, **samples[0].kwargs) for f in (function, case.function)
        )
    close(actual, expected, f"{samples[0].label}, without gradients")


def _grown(sample: Sample) -> Sample:
    """The same call with two more rows in each tensor that has a row per row of the input."""
    rows = sample.args[0].shape[0]

    def grow(value: Any) -> Any:
        if not isinstance(value, Tensor) or value.dim() == 0 or value.shape[0] != rows:
            return value
        return torch.cat([value, value[:2]])

    return sample._replace(args=tuple(grow(value) for value in sample.args))


def dynamic(case: Case, device: Device) -> None:
    """One graph for every batch size, compiled once."""
    torch.compiler.reset()
    graphs = []

    def backend(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return aot_eager(graph, inputs)

    function = torch.compile(case.function, fullgraph=True, dynamic=True, backend=backend)
    sample = draw(case.samples, torch.float32, device, empty=False)[0]
    first = 0
    for _ in range(3):
        sample = _grown(sample)  # from the start: a size is then equal to no other one by chance
        close(evaluate(function, sample), evaluate(case.function, sample), sample.label)
        first = first or len(graphs)
    assert len(graphs) == first, f"{sample.label}: compiled anew for another batch size"


class _Exportable(torch.nn.Module):
    """A module that calls an op with fixed options."""

    def __init__(self, case: Case, sample: Sample) -> None:
        super().__init__()
        self.call = bind(case.function, sample, _positions(sample)).function

    def forward(self, *tensors: Tensor) -> Tensor:
        """Apply the op."""
        return self.call(*tensors)


def export(case: Case, device: Device) -> None:
    """A program for torch.export, with the same numbers."""
    sample = draw(case.samples, torch.float32, device, empty=False)[0]
    tensors = tuple(sample.args[i] for i in _positions(sample))
    program = torch.export.export(_Exportable(case, sample), tensors)
    close(program.module()(*tensors), case.function(*sample.args, **sample.kwargs), sample.label)


def autocast(case: Case, device: Device) -> None:
    """Autocast gives torch's dtype, and gradients their arguments'."""
    kind = torch.device(device).type
    for dtype in (torch.bfloat16, torch.float32, torch.float64):
        for sample in draw(case.samples, dtype, device, empty=False):
            if not sample.autocast:
                continue
            label = f"{sample.label}, {dtype}"
            with torch.autocast(kind, dtype=torch.bfloat16):
                call = bind(case.function, sample)
                leaves = call.leaves()
                ours = call.function(*leaves)
                theirs = case.twin(*sample.args, **sample.kwargs)
            close(ours.detach(), theirs, label, rtol=2e-2, atol=2e-2)
            gradients = torch.autograd.grad(ours.sum(), leaves)
            dtypes = [gradient.dtype for gradient in gradients]
            assert dtypes == [leaf.dtype for leaf in leaves], f"{label}: gradients in {dtypes}"
