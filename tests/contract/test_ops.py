"""What every op of the registry promises: torch's values, exact derivatives, every transform."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad, gradcheck, gradgradcheck

from bionn import functional as F
from bionn.certify.cases import CASES, Case, Maker, Sample

# torch goes against its own advice where it traces a Function and where it loads forward mode.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*should not be instantiated.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.script.*is deprecated.*:DeprecationWarning"),
]
EVERY = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
SMOOTH = pytest.mark.parametrize(
    "case", [case for case in CASES if case.differentiable], ids=lambda case: case.name
)


def bind(
    function: Callable[..., Tensor], sample: Sample
) -> tuple[Callable[..., Tensor], tuple[Tensor, ...]]:
    """Fix all but the differentiable arguments; return the function of those, and their values."""

    def bound(*tensors: Tensor) -> Tensor:
        args = list(sample.args)
        for position, tensor in zip(sample.differentiable, tensors, strict=True):
            args[position] = tensor
        return function(*args, **sample.kwargs)

    return bound, tuple(sample.args[position] for position in sample.differentiable)


def with_gradients(
    function: Callable[..., Tensor], sample: Sample
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return the output, and the gradients of its product with fixed cotangents."""
    bound, tensors = bind(function, sample)
    leaves = tuple(tensor.detach().requires_grad_() for tensor in tensors)
    output = bound(*leaves)
    cotangent = torch.linspace(0.5, 1.5, output.numel(), dtype=torch.float64)
    cotangent = cotangent.reshape(output.shape).to(output.dtype)
    return output.detach(), torch.autograd.grad(output, leaves, cotangent)


def nonempty(case: Case, dtype: torch.dtype = torch.float64) -> list[Sample]:
    samples = case.samples(Maker(dtype))
    return [s for s in samples if all(a.numel() for a in s.args if isinstance(a, Tensor))]


def close(actual: Any, expected: Any, label: str, **tolerance: Any) -> None:
    torch.testing.assert_close(
        actual, expected, msg=lambda text: f"{label}: {text}", equal_nan=True, **tolerance
    )


@EVERY
def test_values_and_gradients_equal_the_oracles(case: Case) -> None:
    for sample in nonempty(case):
        if case.differentiable:
            actual, expected = (with_gradients(f, sample) for f in (case.function, case.oracle))
        else:
            actual, expected = (f(*sample.args) for f in (case.function, case.oracle))
        close(actual, expected, sample.label, rtol=1e-10, atol=1e-12)


@EVERY
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float64, 1e-12), (torch.float32, 2e-6), (torch.bfloat16, 2e-2)],
    ids=["float64", "float32", "bfloat16"],
)
def test_values_gradients_dtype_and_shape_equal_torchs(
    case: Case, dtype: torch.dtype, tolerance: float
) -> None:
    for sample in case.samples(Maker(dtype)):
        if case.differentiable:
            actual, expected = (with_gradients(f, sample) for f in (case.function, case.twin))
        else:
            actual, expected = (f(*sample.args) for f in (case.function, case.twin))
        close(actual, expected, sample.label, rtol=tolerance, atol=tolerance)


@EVERY
def test_extreme_values_and_gradients_equal_torchs(case: Case) -> None:
    for sample in case.extremes(Maker(torch.float32)):
        if case.differentiable:
            actual, expected = (with_gradients(f, sample) for f in (case.function, case.twin))
        else:
            actual, expected = (f(*sample.args) for f in (case.function, case.twin))
        close(actual, expected, sample.label, rtol=1e-5, atol=1e-7)


@EVERY
def test_arguments_are_left_as_they_were(case: Case) -> None:
    for sample in nonempty(case):
        before = [a.clone() if isinstance(a, Tensor) else a for a in sample.args]
        if case.differentiable:
            with_gradients(case.function, sample)
        else:
            case.function(*sample.args, **sample.kwargs)
        for kept, now in zip(before, sample.args, strict=True):
            assert not isinstance(now, Tensor) or torch.equal(kept, now)


@SMOOTH
def test_finite_differences_confirm_first_derivatives_in_both_modes(case: Case) -> None:
    for sample in nonempty(case):
        bound, tensors = bind(case.function, sample)
        leaves = tuple(tensor.detach().clone().requires_grad_() for tensor in tensors)
        assert gradcheck(
            bound,
            leaves,
            check_forward_ad=True,
            check_batched_grad=True,
            check_batched_forward_grad=True,
        ), sample.label


@SMOOTH
def test_finite_differences_confirm_second_derivatives(case: Case) -> None:
    for sample in nonempty(case):
        bound, tensors = bind(case.function, sample)
        leaves = tuple(tensor.detach().clone().requires_grad_() for tensor in tensors)
        assert gradgradcheck(bound, leaves, check_fwd_over_rev=True), sample.label


@SMOOTH
def test_jacobians_of_both_modes_and_hessians_of_every_order_agree(case: Case) -> None:
    for sample in nonempty(case)[:3]:
        bound, tensors = bind(case.function, sample)
        numbers = tuple(range(len(tensors)))
        reverse = torch.func.jacrev(bound, numbers)(*tensors)
        close(torch.func.jacfwd(bound, numbers)(*tensors), reverse, sample.label)

        def total(*arguments: Tensor, bound: Callable[..., Tensor] = bound) -> Tensor:
            return (bound(*arguments) ** 2).sum()

        mixed = torch.func.jacfwd(torch.func.jacrev(total))(*tensors)
        twice = torch.func.jacrev(torch.func.jacrev(total))(*tensors)
        close(mixed, twice, sample.label)


@EVERY
def test_vmap_equals_a_loop(case: Case) -> None:
    for sample in nonempty(case):
        bound, tensors = bind(case.function, sample)
        if not tensors:
            continue
        stacks = tuple(torch.stack([tensor, tensor * 0.5]) for tensor in tensors)
        for batched in itertools.product((True, False), repeat=len(stacks)):
            if not any(batched):
                continue
            dims = tuple(0 if yes else None for yes in batched)
            inputs = tuple(s if yes else s[0] for s, yes in zip(stacks, batched, strict=True))
            rows = [
                bound(*(s[i] if yes else s[0] for s, yes in zip(stacks, batched, strict=True)))
                for i in range(2)
            ]
            close(torch.func.vmap(bound, dims)(*inputs), torch.stack(rows), sample.label)


@SMOOTH
def test_per_sample_gradients_equal_a_loop(case: Case) -> None:
    sample = nonempty(case)[0]
    bound, (first, *others) = bind(case.function, sample)
    stack = torch.stack([first, first * 0.5])

    def gradient(tensor: Tensor) -> Tensor:
        return torch.func.grad(lambda t: bound(t, *others).sum())(tensor)

    loop = torch.stack([gradient(row) for row in stack])
    close(torch.func.vmap(gradient)(stack), loop, sample.label)


@EVERY
def test_compiles_into_one_graph_with_the_eager_numbers(case: Case) -> None:
    torch._dynamo.reset()
    for sample in nonempty(case, torch.float32)[:2]:
        compiled = torch.compile(case.function, fullgraph=True, backend="aot_eager")
        if case.differentiable:
            actual, expected = (with_gradients(f, sample) for f in (compiled, case.function))
        else:
            actual, expected = compiled(*sample.args), case.function(*sample.args)
        close(actual, expected, sample.label)
        with torch.no_grad():
            actual, expected = (f(*sample.args, **sample.kwargs) for f in (compiled, case.function))
        close(actual, expected, sample.label)


@EVERY
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_autocast_gives_torchs_dtype_and_gradients_in_the_arguments_dtype(
    case: Case, dtype: torch.dtype
) -> None:
    for sample in nonempty(case, dtype):
        if case.name == "mse_loss" and "weight" in sample.kwargs:
            continue  # torch's, made of parts, stays in bfloat16 on a CPU alone
        with torch.autocast("cpu", dtype=torch.bfloat16):
            bound, tensors = bind(case.function, sample)
            leaves = tuple(tensor.detach().requires_grad_() for tensor in tensors)
            ours, theirs = bound(*leaves), case.twin(*sample.args, **sample.kwargs)
            assert ours.dtype == theirs.dtype, sample.label
            close(ours.detach(), theirs, sample.label, rtol=2e-2, atol=2e-2)
        if case.differentiable:
            gradients = torch.autograd.grad(ours.sum(), leaves)
            assert [g.dtype for g in gradients] == [leaf.dtype for leaf in leaves], sample.label


@SMOOTH
def test_dual_numbers_carry_the_product_of_jacobian_and_direction(case: Case) -> None:
    for sample in nonempty(case):
        bound, views = bind(case.function, sample)
        tensors = tuple(view.clone(memory_format=torch.contiguous_format) for view in views)
        directions = tuple(torch.linspace(-1, 1, t.numel()).reshape(t.shape).to(t) for t in tensors)
        step = 1e-6
        above = bound(*(t + step * d for t, d in zip(tensors, directions, strict=True)))
        below = bound(*(t - step * d for t, d in zip(tensors, directions, strict=True)))
        with forward_ad.dual_level():
            pairs = zip(tensors, directions, strict=True)
            output = bound(*(forward_ad.make_dual(t, d) for t, d in pairs))
            tangent = forward_ad.unpack_dual(output).tangent
        assert tangent is not None
        close(tangent, (above - below) / (2 * step), sample.label, rtol=1e-6, atol=1e-8)


def test_step_sends_back_zeros() -> None:
    z = torch.linspace(-1, 1, 5, requires_grad=True)
    (gradient,) = torch.autograd.grad(F.step(z).sum(), z)
    assert torch.equal(gradient, torch.zeros(5))


def test_every_function_has_a_case() -> None:
    public = {
        name
        for name, value in vars(F).items()
        if getattr(value, "__module__", None) == F.__name__ and not name.startswith("_")
    }
    assert {case.name for case in CASES} == public
    assert len(CASES) == len(public)
