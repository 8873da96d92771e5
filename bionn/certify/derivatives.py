"""Properties of an op's derivatives: of first and second order, in both modes of differentiation."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.func import jacfwd, jacrev

from bionn.certify.cases import Case
from bionn.certify.probe import Device, bind, close, on_cpu, smooth


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
    """Finite differences confirm the gradient, also batched and from undefined gradients."""
    _finite_differences(case, device, check_batched_grad=True)


def forward(case: Case, device: Device) -> None:
    """Finite differences confirm the forward-mode derivative, also batched."""
    _finite_differences(
        case,
        device,
        check_backward_ad=False,
        check_undefined_grad=False,
        check_forward_ad=True,
        check_batched_forward_grad=True,
    )


def _second(case: Case, device: Device, **options: Any) -> None:
    for sample in smooth(case, device):
        call = bind(case.function, sample)
        try:
            gradgradcheck(call.function, call.copies(), nondet_tol=_tolerance(device), **options)
        except RuntimeError as error:
            raise AssertionError(f"{sample.label}: {error}") from error


def second_reverse(case: Case, device: Device) -> None:
    """Finite differences confirm the second derivative by two backward passes."""
    _second(case, device)


def second_forward(case: Case, device: Device) -> None:
    """Finite differences confirm the second derivative, forward over reverse."""
    _second(
        case,
        device,
        check_fwd_over_rev=True,
        check_rev_over_rev=False,
        check_undefined_grad=False,
    )


def jacobians(case: Case, device: Device) -> None:
    """The Jacobians by both modes are equal."""
    for sample in smooth(case, device):
        call = bind(case.function, sample)
        # copies, as torch's own forward mode refuses an expanded tensor
        function, tensors = call.function, tuple(leaf.detach() for leaf in call.copies())
        numbers = tuple(range(len(tensors)))
        by_rows = jacrev(function, numbers)(*tensors)
        by_columns = jacfwd(function, numbers)(*tensors)
        close(by_columns, by_rows, sample.label, rtol=1e-11, atol=1e-12)


_OTHER_ROUTES = (
    ("forward over reverse", jacfwd, jacrev),
    ("reverse over forward", jacrev, jacfwd),
    ("forward over forward", jacfwd, jacfwd),
)


def hessian(case: Case, device: Device) -> None:
    """The squared output's Hessian is symmetric, the oracle's, the same by four routes."""
    for sample in smooth(case, device)[:3]:
        call = bind(case.function, sample)
        function, tensors = call.function, tuple(leaf.detach() for leaf in call.copies())
        numbers = tuple(range(len(tensors)))

        def total(*arguments: Tensor, function: Any = function) -> Tensor:
            return (function(*arguments) ** 2).sum()

        twice = jacrev(jacrev(total, numbers), numbers)(*tensors)
        for name, outer, inner in _OTHER_ROUTES:
            other = outer(inner(total, numbers), numbers)(*tensors)
            close(other, twice, f"{sample.label}, {name}", rtol=1e-10, atol=1e-11)
        for i, row in enumerate(twice):
            for j, block in enumerate(row):
                size = (tensors[i].numel(), tensors[j].numel())
                mirrored = twice[j][i].reshape(size[::-1]).t()
                label = f"{sample.label}, symmetry of block {i}, {j}"
                close(block.reshape(size), mirrored, label, rtol=1e-10, atol=1e-11)
        if case.differentiable:
            plain = bind(case.oracle, sample.to("cpu"))

            def truth(*arguments: Tensor, function: Any = plain.function) -> Tensor:
                return (function(*arguments) ** 2).sum()

            known = jacrev(jacrev(truth, numbers), numbers)(*plain.tensors)
            for ours, theirs in zip(twice, known, strict=True):
                close(on_cpu(ours), theirs, f"{sample.label}, oracle", rtol=1e-8, atol=1e-10)
