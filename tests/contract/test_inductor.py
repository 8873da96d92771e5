"""Every op through inductor, torch's default compiler: values and gradients as in eager mode."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from bionn.certify.cases import CASES
from bionn.certify.probe import bind, cotangent, draw
from bionn.certify.runner import undisturbed


def test_inductor_gives_every_op_its_eager_numbers() -> None:
    """One graph holds all ops, so that the C++ that inductor writes is compiled once."""
    calls = {
        case.name: bind(case.function, draw(case.samples, torch.float32, "cpu", empty=False)[0])
        for case in CASES
    }

    def every(*leaves: Tensor) -> tuple[Tensor, ...]:
        left = list(leaves)
        return tuple(call.function(*[left.pop(0) for _ in call.tensors]) for call in calls.values())

    def numbers(function: Any) -> tuple[list[Tensor], list[Tensor]]:
        leaves = [leaf for call in calls.values() for leaf in call.leaves()]
        outputs = function(*leaves)
        total = sum((output * cotangent(output)).sum() for output in outputs)
        return list(outputs), list(torch.autograd.grad(total, leaves))

    torch.compiler.reset()
    with undisturbed():
        try:
            values, gradients = numbers(torch.compile(every, fullgraph=True, backend="inductor"))
        except torch._inductor.exc.InvalidCxxCompiler:
            pytest.skip("no C++ compiler here")
        known_values, known_gradients = numbers(every)
    for case, value, known in zip(CASES, values, known_values, strict=True):
        torch.testing.assert_close(value, known, msg=lambda text, n=case.name: f"{n}: {text}")
    owners = [name for name, call in calls.items() for _ in call.tensors]
    for name, gradient, known in zip(owners, gradients, known_gradients, strict=True):
        torch.testing.assert_close(gradient, known, msg=lambda text, n=name: f"{n}: {text}")
