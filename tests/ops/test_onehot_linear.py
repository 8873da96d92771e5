"""The one-hot layer's shortest way gives what its long way gives, wherever a derivative is asked for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from bionn import functional as F
from bionn.kernels.library import library
from bionn.ops import onehot_linear as ops

pytestmark = pytest.mark.skipif(library() is None, reason="no compiled kernels here")


def layer(samples: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(5, (samples, 7), dtype=torch.uint8, generator=generator)
    weight = torch.randn(7, 4, 3, generator=generator).permute(2, 1, 0).requires_grad_()
    return codes, weight, torch.randn(3, generator=generator).requires_grad_()


def takes(*arguments: Tensor | None) -> bool:
    codes, weight, bias, table = arguments
    assert codes is not None
    assert weight is not None
    return ops.compiled(codes, weight, bias, table) is not None


def dense(codes: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    rows = torch.eye(5, 4)[codes.long()].mT.flatten(1)
    return torch.nn.functional.linear(rows, weight.flatten(1), bias)


@pytest.mark.parametrize("samples", [0, 6, 40])
def test_gradients_of_expanded_upstreams_equal_the_dense_layers(samples: int) -> None:
    codes, weight, bias = layer(samples)
    assert takes(codes, weight, bias, None)
    gradients = [
        torch.autograd.grad(function(codes, weight, bias).sum(), (weight, bias))
        for function in (F.onehot_linear, dense)
    ]
    torch.testing.assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize("samples", [0, 6, 40])
@pytest.mark.parametrize(("letters", "outputs"), [(4, 0), (0, 3), (0, 0)])
def test_a_layer_without_outputs_or_letters_is_a_sum_of_nothing(
    samples: int, letters: int, outputs: int
) -> None:
    codes = layer(samples)[0]
    weight = torch.empty(7, letters, outputs).permute(2, 1, 0).requires_grad_()
    bias, table = torch.arange(float(outputs)), torch.eye(5, letters)
    assert takes(codes, weight, bias, table)
    out = F.onehot_linear(codes, weight, bias, table=table)
    assert torch.equal(out, bias.expand(samples, outputs))
    (gradient,) = torch.autograd.grad(out.sum(), weight)
    assert gradient.shape == (outputs, letters, 7)


def test_the_table_of_the_letters_is_float32_whatever_the_default_is() -> None:
    ops.letters_and_zero.cache_clear()
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        ops.letters_and_zero(4)
    finally:
        torch.set_default_dtype(before)
    codes, weight, bias = layer()
    assert takes(codes, weight, bias, None)


def test_a_gradient_may_be_differentiated_again_or_taken_for_many_upstreams() -> None:
    codes, weight, bias = layer()
    upstream = torch.randn(6, 3, requires_grad=True)
    found = []
    for function in (F.onehot_linear, dense):
        out = function(codes, weight, bias)
        inputs = (weight, bias)
        first = torch.autograd.grad(out, inputs, upstream, create_graph=True)
        second = torch.autograd.grad(torch.cat([g.flatten() for g in first]).norm(), upstream)
        many = torch.autograd.grad(
            out, inputs, torch.eye(18).reshape(18, 6, 3), is_grads_batched=True
        )
        found.append([*first, *second, *many])
    torch.testing.assert_close(found[0], found[1])


def test_other_layouts_dtypes_and_transforms_go_the_long_way() -> None:
    codes, weight, bias = layer()
    table = torch.eye(5, 4)
    assert takes(codes, weight, bias, table)
    assert takes(codes, weight, None, None)
    refused = {
        "indices": (codes.long(), weight, bias, None),
        "one sequence": (codes[0], weight, bias, None),
        "another length": (codes[:, 1:].contiguous(), weight, bias, None),
        "a transposed weight": (codes, weight.detach().contiguous(), bias, None),
        "float64": (codes, weight.detach().double(), bias, None),
        "a bias of another shape": (codes, weight, bias[:1], None),
        "a table of other letters": (codes, weight, bias, torch.eye(5, 3)),
    }
    for name, arguments in refused.items():
        assert not takes(*arguments), name
    with torch.autocast("cpu"):
        assert not takes(codes, weight, bias, None)
    with pytest.raises(IndexError, match="but the largest is 5"):
        F.onehot_linear(torch.full_like(codes, 5), weight, bias)
