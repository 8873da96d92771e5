"""Properties of an op's derivatives: of first and second order, in both modes of differentiation."""

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.func import jacfwd, jacrev

from bionn.certify.cases import Case
from bionn.certify.probe import Device, bind, close, on_cpu, small, smooth


def _tolerance(device: Device) -> float:
    """How far two runs may differ: on accelerators sums are taken in no fixed order."""
    return 0.0 if torch.device(device).type == "cpu" else 1e-10


def _finite_differences(case: Case, device: Device, **options: Any) -> None:
    for sample in smooth(case, device):
        call = bind(case.function, sample)
        try:
            gradcheck(call.function, call.copies(), nondet_tol=_tolerance(device), **options)
        except RuntimeError as error:
            raise AssertionError(f"{sample.label}: {error}") from error


def reverse(case: Case, device: Device) -> None:
    """Finite differences confirm gradients, batched and undefined."""
    _finite_differences(case, device, check_batched_grad=True)


def forward(case: Case, device: Device) -> None:
    """Finite differences confirm forward mode, also batched."""
    _finite_differences(
        case,
        device,
        check_backward_ad=False,
        check_undefined_grad=False,
        check_forward_ad=True,
        check_batched_forward_grad=True,
    )


def _second(case: Case, device: Device, **options: Any) -> None:
    for sample in small(case, device):
        call = bind(case.function, sample)
        try:
            gradgradcheck(call.function, call.copies(), nondet_tol=_tolerance(device), **options)
        except RuntimeError as error:
            raise AssertionError(f"{sample.label}: {error}") from error


def second_reverse(case: Case, device: Device) -> None:
    """Finite differences confirm reverse over reverse."""
    _second(case, device)


def second_forward(case: Case, device: Device) -> None:
    """Finite differences confirm forward over reverse."""
    _second(
        case,
        device,
        check_fwd_over_rev=True,
        check_rev_over_rev=False,
        check_undefined_grad=False,
    )


def jacobians(case: Case, device: Device) -> None:
    """The Jacobians by both modes are equal, also through vmap."""
    for sample in smooth(case, device):
        call = bind(case.function, sample)
        # copies, as torch's own forward mode refuses an expanded tensor
        function, tensors = call.function, tuple(leaf.detach() for leaf in call.copies())
        numbers = tuple(range(len(tensors)))
        by_rows = jacrev(function, numbers)(*tensors)
        by_columns = jacfwd(function, numbers)(*tensors)
        close(by_columns, by_rows, sample.label, rtol=1e-11, atol=1e-12)
        mapped, stacks = torch.func.vmap(function), [torch.stack([t, t / 2]) for t in tensors]
        by_rows, by_columns = (jac(mapped, numbers)(*stacks) for jac in (jacrev, jacfwd))
        close(by_columns, by_rows, f"{sample.label}, through vmap", rtol=1e-11, atol=1e-12)


_OTHER_ROUTES = (
    ("forward over reverse", jacfwd, jacrev),
    ("reverse over forward", jacrev, jacfwd),
    ("forward over forward", jacfwd, jacfwd),
)


def _curved(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Put an op into a chain with curvature on both sides, so that no part of a rule drops out.

    Numbers in [0, 1] stay there, and every number keeps its sign.
    """

    def total(*tensors: Tensor) -> Tensor:
        return (function(*(t * (1 + t * t) * 0.5 for t in tensors)) ** 2).sum()

    return total


def hessian(case: Case, device: Device) -> None:
    """Hessians are symmetric, the oracle's, one by four routes."""
    for sample in small(case, device):
        call = bind(case.function, sample)
        tensors = tuple(leaf.detach() for leaf in call.copies())
        numbers = tuple(range(len(tensors)))
        total = _curved(call.function)
        twice = jacrev(jacrev(total, numbers), numbers)(*tensors)
        for name, outer, inner in _OTHER_ROUTES:
            other = outer(inner(total, numbers), numbers)(*tensors)
            close(other, twice, f"{sample.label}, {name}", rtol=1e-10, atol=1e-11)
        for i, j in itertools.combinations_with_replacement(numbers, 2):
            sizes = (tensors[i].numel(), tensors[j].numel())
            mirrored = twice[j][i].reshape(sizes[::-1]).t()
            label = f"{sample.label}, symmetry of block {i}, {j}"
            close(twice[i][j].reshape(sizes), mirrored, label, rtol=1e-10, atol=1e-11)
        if case.differentiable:
            plain = bind(case.oracle, sample.to("cpu"))
            known = jacrev(jacrev(_curved(plain.function), numbers), numbers)(*plain.tensors)
            for ours, theirs in zip(twice, known, strict=True):
                close(on_cpu(ours), theirs, f"{sample.label}, oracle", rtol=1e-8, atol=1e-10)
