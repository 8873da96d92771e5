"""Properties of an op's values and first gradients: right everywhere, however the input lies."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction
from torch.utils import deterministic as _deterministic

from bionn.certify.cases import Case
from bionn.certify.probe import Device, bind, close, cotangent, draw, evaluate, on_cpu, smooth
from bionn.certify.samples import Maker, Sample


def oracle(case: Case, device: Device) -> None:
    """Values and gradients equal the textbook formula's in float64."""
    for sample in smooth(case, device):
        expected = evaluate(case.oracle, sample.to("cpu"), differentiable=case.differentiable)
        close(
            on_cpu(evaluate(case.function, sample)), expected, sample.label, rtol=1e-10, atol=1e-12
        )


def _equals_twin(case: Case, device: Device, dtype: torch.dtype, tolerance: float) -> None:
    for sample in draw(case.samples, dtype, device):
        expected = evaluate(case.twin, sample, differentiable=case.differentiable)
        label = f"{sample.label}, {dtype}"
        close(evaluate(case.function, sample), expected, label, rtol=tolerance, atol=tolerance)


def twin(case: Case, device: Device) -> None:
    """Values, gradients, dtypes, shapes equal torch's, 0-d and empty."""
    _equals_twin(case, device, torch.float64, 1e-12)
    _equals_twin(case, device, torch.float32, 2e-6)


def half(case: Case, device: Device) -> None:
    """The same in float16 and bfloat16."""
    _equals_twin(case, device, torch.bfloat16, 2e-2)
    _equals_twin(case, device, torch.float16, 3e-3)


def extremes(case: Case, device: Device) -> None:
    """Infinities, NaN and huge numbers go as through torch's."""
    for sample in draw(case.extremes, torch.float32, device):
        expected = evaluate(case.twin, sample, differentiable=case.differentiable)
        close(evaluate(case.function, sample), expected, sample.label, rtol=1e-5, atol=1e-7)


def _every_other(tensor: Tensor) -> Tensor:
    room = torch.stack([tensor, torch.full_like(tensor, float("nan"))], -1)
    return room[..., 0]


def _transposed(tensor: Tensor) -> Tensor:
    if tensor.dim() < 2:
        return tensor
    return tensor.transpose(0, -1).contiguous().transpose(0, -1)


def _expanded(tensor: Tensor) -> Tensor:
    return tensor.narrow(0, 0, 1).expand_as(tensor) if tensor.dim() > 0 else tensor


def _offset(tensor: Tensor) -> Tensor:
    room = tensor.new_full((tensor.numel() + 3,), float("nan"))
    room[3:] = tensor.flatten()
    return room[3:].view(tensor.shape)


def _flipped(tensor: Tensor) -> Tensor:
    return tensor.flip(tuple(range(tensor.dim())))


def _negative_view(tensor: Tensor) -> Tensor:
    return torch.ops.aten._neg_view(-tensor)


def _channels_last(tensor: Tensor) -> Tensor:
    if tensor.dim() != 4:
        return tensor
    return tensor.contiguous(memory_format=torch.channels_last)


def _is_channels_last(tensor: Tensor) -> bool:
    return tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last)


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "every other": _every_other,
    "transposed": _transposed,
    "expanded": _expanded,
    "offset": _offset,
    "flipped": _flipped,
    "negative view": _negative_view,
    "channels last": _channels_last,
}


def _laid_out(
    sample: Sample, layout: Callable[[Tensor], Tensor]
) -> Iterator[tuple[Sample, Sample]]:
    """Lay out each differentiable argument alone, then all; with its contiguous copy."""
    choices: list[tuple[int, ...]] = [(position,) for position in sample.differentiable]
    if len(choices) > 1:
        choices.append(sample.differentiable)
    for chosen in choices:
        laid = [layout(arg) if i in chosen else arg for i, arg in enumerate(sample.args)]
        plain = [
            arg.clone(memory_format=torch.contiguous_format).resolve_neg()
            if isinstance(arg, Tensor)
            else arg
            for arg in laid
        ]
        yield sample._replace(args=tuple(laid)), sample._replace(args=tuple(plain))


def layouts(case: Case, device: Device) -> None:
    """Strides, expanding, flipping, channels last change nothing."""
    for sample in smooth(case, device):
        for name, layout in LAYOUTS.items():
            if name == "channels last" and sample.label != "image":
                continue
            for laid, plain in _laid_out(sample, layout):
                label = f"{sample.label}, {name}"
                expected = evaluate(case.twin, plain, differentiable=case.differentiable)
                close(evaluate(case.function, laid), expected, label, rtol=1e-11, atol=1e-12)
                if name == "channels last":
                    ours, theirs = (
                        f(*laid.args, **laid.kwargs) for f in (case.function, case.twin)
                    )
                    assert _is_channels_last(ours) or not _is_channels_last(theirs), (
                        f"{label}: torch keeps the layout, but strides are {ours.stride()}"
                    )


def arguments(case: Case, device: Device) -> None:
    """Arguments and incoming gradients are left as they were."""
    for sample in smooth(case, device):
        before = [arg.clone() if isinstance(arg, Tensor) else arg for arg in sample.args]
        call = bind(case.function, sample)
        leaves = call.leaves()
        output = call.function(*leaves)
        value, grad = output.detach().clone(), cotangent(output)
        torch.autograd.grad(output, leaves, grad)
        for kept, now in zip(before, sample.args, strict=True):
            assert not isinstance(now, Tensor) or torch.equal(kept, now), f"{sample.label}: changed"
        close(output.detach(), value, f"{sample.label}, output", rtol=0, atol=0)
        close(grad, cotangent(output), f"{sample.label}, incoming gradient", rtol=0, atol=0)


def _refusal(function: Callable[..., Tensor], sample: Sample) -> Exception | None:
    try:
        function(*sample.args, **sample.kwargs)
    except Exception as error:
        return error
    return None


def errors(case: Case, device: Device) -> None:
    """Torch's refusals: same exception; its words, or better ones."""
    for sample in draw(case.errors, torch.float32, device):
        if sample.label.startswith("value") and torch.device(device).type != "cpu":
            continue  # an accelerator finds a wrong number too late, and stops for good
        known, given = _refusal(case.twin, sample), _refusal(case.function, sample)
        assert known is not None, f"{sample.label}: torch takes it"
        assert type(given) is type(known), (
            f"{sample.label}: raised {type(given)}, but torch {type(known)}"
        )
        text = str(known) if sample.refusal is None else sample.refusal
        assert str(given) == text, f"{sample.label}: said {given}, not {text}"


def _hand_written(output: Tensor) -> Iterator[Any]:
    """Nodes of the graph whose backward is a Python function."""
    waiting: list[Any] = [output.grad_fn]
    seen: set[Any] = set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if isinstance(node, BackwardCFunction):
            yield node
        waiting.extend(edge[0] for edge in node.next_functions)


def shapes(case: Case, device: Device) -> None:
    """Backward itself returns each argument's own shape and dtype.

    The engine would sum a gradient that broadcasts and cast one of another dtype, in silence.
    """
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        for sample in draw(case.samples, dtype, device):
            call = bind(case.function, sample)
            for node in _hand_written(call.function(*call.leaves())):
                grads = [
                    torch.ones(known.shape, dtype=known.dtype, device=known.device)
                    for known in node._input_metadata
                ]
                returned = [grad for grad in node.apply(*grads) if grad is not None]
                edges = [(after, at) for after, at in node.next_functions if after is not None]
                label = f"{sample.label}, {dtype}"
                assert len(returned) == len(edges), (
                    f"{label}: {len(edges)} gradients asked for, {len(returned)} given"
                )
                for number, (grad, (after, at)) in enumerate(zip(returned, edges, strict=True)):
                    known = after._input_metadata[at]
                    given, wanted = ((tuple(thing.shape), thing.dtype) for thing in (grad, known))
                    assert given == wanted, f"{label}, gradient {number}: {given}, not {wanted}"


# a module whose attributes are made at run time
deterministic: Any = _deterministic


def memory(case: Case, device: Device) -> None:
    """Nothing changes when all fresh memory is filled with NaN."""
    was_on = torch.are_deterministic_algorithms_enabled()
    was_warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    was_filling = deterministic.fill_uninitialized_memory
    samples = [s.to(device) for s in case.samples(Maker(torch.float32))]
    expected = [evaluate(case.function, sample) for sample in samples]
    try:
        # only deterministic mode fills; which algorithms are so is no matter here: warn only
        torch.use_deterministic_algorithms(True, warn_only=True)
        deterministic.fill_uninitialized_memory = True
        actual = [evaluate(case.function, sample) for sample in samples]
    finally:
        torch.use_deterministic_algorithms(was_on, warn_only=was_warn_only)
        deterministic.fill_uninitialized_memory = was_filling
    for sample, ours, known in zip(samples, actual, expected, strict=True):
        close(ours, known, sample.label)


def meta(case: Case, device: Device) -> None:
    """Shapes and dtypes are known without numbers (meta device)."""
    for sample in draw(case.samples, torch.float32, device):
        value, *gradients = evaluate(case.function, sample.to("meta"))
        known, *slopes = evaluate(case.function, sample)
        assert (value.shape, value.dtype) == (known.shape, known.dtype), sample.label
        shapes = [gradient.shape for gradient in gradients]
        assert shapes == [slope.shape for slope in slopes], sample.label
