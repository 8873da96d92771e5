"""What each op keeps for its derivative, and that it computes no gradient nobody asked for."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from bionn import functional as F


def run_and_list_kept(function: Callable[[], Tensor]) -> tuple[Tensor, dict[int, int]]:
    """Run a function; return its output, and {address: bytes} of the storages it saves."""
    found: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        found[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = function()
    return output, found


@pytest.mark.parametrize("activation", [F.sigmoid, F.tanh, F.relu])
def test_saturating_activations_keep_their_output_alone(
    activation: Callable[[Tensor], Tensor],
) -> None:
    z = torch.randn(5, 4, requires_grad=True)
    output, kept = run_and_list_kept(lambda: activation(z))
    assert kept == {output.data_ptr(): z.numel() * 4}


@pytest.mark.parametrize(
    "activation", [F.leaky_relu, F.elu, F.softplus, F.gelu, F.silu], ids=lambda f: f.__name__
)
def test_other_activations_keep_their_input_alone(activation: Callable[[Tensor], Tensor]) -> None:
    z = torch.randn(5, 4, requires_grad=True)
    _, kept = run_and_list_kept(lambda: activation(z))
    assert kept == {z.data_ptr(): z.numel() * 4}


def test_step_keeps_nothing() -> None:
    z = torch.randn(5, 4, requires_grad=True)
    assert run_and_list_kept(lambda: F.step(z))[1] == {}


@pytest.mark.parametrize("probabilities", [False, True])
def test_cross_entropy_keeps_one_copy_of_the_log_probabilities(probabilities: bool) -> None:
    z = torch.randn(64, 10, requires_grad=True)
    target = torch.softmax(torch.randn(64, 10), 1) if probabilities else torch.arange(64) % 10
    _, kept = run_and_list_kept(lambda: F.cross_entropy(z, target))
    assert kept.pop(target.data_ptr()) == target.nbytes
    assert z.data_ptr() not in kept
    assert list(kept.values()) == [z.numel() * 4]


def test_onehot_linear_keeps_a_byte_a_base_and_never_the_onehot() -> None:
    codes = torch.randint(0, 5, (64, 50), dtype=torch.uint8)
    table = torch.eye(5, 4)
    weight = torch.randn(8, 4, 50, requires_grad=True)
    _, kept = run_and_list_kept(lambda: F.onehot_linear(codes, weight, table=table))
    assert set(kept) == {codes.data_ptr(), table.data_ptr()}
    assert kept[codes.data_ptr()] == 64 * 50


def test_linear_copies_nothing() -> None:
    x, weight = torch.randn(5, 4, requires_grad=True), torch.randn(3, 4, requires_grad=True)
    _, kept = run_and_list_kept(lambda: F.linear(x, weight))
    assert set(kept) <= {x.data_ptr(), weight.data_ptr()}


class _Count(TorchDispatchMode):
    """Counts the matrix products run under it."""

    def __init__(self) -> None:
        super().__init__()
        self.products = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func.overloadpacket in (torch.ops.aten.mm, torch.ops.aten.bmm):
            self.products += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(("ask_input", "ask_weight"), [(True, True), (True, False), (False, True)])
def test_linear_multiplies_once_for_each_gradient_asked_for(
    ask_input: bool, ask_weight: bool
) -> None:
    x = torch.randn(5, 4, requires_grad=ask_input)
    weight = torch.randn(3, 4, requires_grad=ask_weight)
    loss = F.linear(x, weight).sum()
    with _Count() as count:
        loss.backward()
    assert count.products == ask_input + ask_weight
