"""The C++ kernels give the plain route's numbers at every size, and leave alone what is not theirs."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from bionn import functional as F
from bionn.kernels import cpu, nodes
from bionn.kernels.library import library
from bionn.ops.base import unpacked

pytestmark = pytest.mark.skipif(library() is None, reason="no compiled kernels here")

# around the width of a vector, of a summed block and of a thread's share
SIZES = (0, 1, 15, 16, 17, 33, 4095, 4097, 32769, 70001)

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": F.sigmoid,
    "tanh": F.tanh,
    "relu": F.relu,
    "leaky_relu": lambda z: F.leaky_relu(z, 0.2),
    "elu": lambda z: F.elu(z, 0.7),
    "softplus": lambda z: F.softplus(z, 2.0, 5.0),
    "gelu": F.gelu,
    "gelu_tanh": lambda z: F.gelu(z, approximate="tanh"),
    "silu": F.silu,
}
SWITCHES = {"relu": 0.0, "leaky_relu": 0.5}
"""Those that keep a bit an element, and their slope below 0."""

LOSSES: dict[str, Callable[..., Tensor]] = {
    "mse": F.mse_loss,
    "half squared": F.half_squared_error,
    "logits": F.binary_cross_entropy_with_logits,
}
LOSS_OPS = {
    "mse": "squared_error",
    "half squared": "squared_error",
    "logits": "binary_cross_entropy_with_logits",
}


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 3


def value_and_slope(function: Callable[..., Tensor], z: Tensor) -> tuple[Tensor, Tensor]:
    leaf = z.clone().requires_grad_()
    value = function(leaf)
    upstream = torch.linspace(-1, 1, max(value.numel(), 2))[: value.numel()].reshape(value.shape)
    (slope,) = torch.autograd.grad(value, leaf, upstream.to(z.dtype).contiguous())
    return value.detach(), slope


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kernels called so far, ops with nodes of their own, and their derivatives in torch."""
    called: list[str] = []
    function, operation = cpu._function, nodes.operation

    def spy(kind: str, name: str) -> Callable[..., None]:
        called.append(f"{name}_{kind.split('_')[1]}")
        return function(kind, name)

    def operation_spied(name: str) -> Callable[..., Tensor | None]:
        def call(*args: Any) -> Tensor | None:
            found = operation(name)
            output = None if found is None else found(*args)
            if output is not None:
                called.append(name)
            return output

        return call

    def chain_spied(name: str, chain: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def call(*args: Any) -> Tensor:
            called.append(f"{name} in torch")
            return chain(*args)

        return call

    monkeypatch.setattr(cpu, "_function", spy)
    monkeypatch.setattr(nodes, "operation", operation_spied)
    for name, chain in nodes._CHAINS.items():
        monkeypatch.setitem(nodes._CHAINS, name, chain_spied(name, chain))
    return called


def equal_to_float64(function: Callable[..., Tensor], z: Tensor) -> None:
    for ours, exact in zip(
        value_and_slope(function, z), value_and_slope(function, z.double()), strict=True
    ):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours.double(), exact, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_equals_float64_at_every_size(name: str, size: int, calls: list[str]) -> None:
    equal_to_float64(ACTIVATIONS[name], normal(size))
    assert calls == [name]


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("name", LOSSES)
def test_loss_equals_float64_at_every_size(name: str, reduction: str, calls: list[str]) -> None:
    for size in SIZES[1:]:
        target = torch.rand(size, generator=torch.Generator().manual_seed(1))

        def loss(z: Tensor, target: Tensor = target) -> Tensor:
            return LOSSES[name](z, target.to(z.dtype), reduction=reduction)

        ours, exact = (value_and_slope(loss, z) for z in (normal(size), normal(size).double()))
        for one, other in zip(ours, exact, strict=True):
            torch.testing.assert_close(one.double(), other, rtol=2e-6, atol=2e-6)
    assert calls == [LOSS_OPS[name]] * len(SIZES[1:])  # and none for float64


@pytest.mark.parametrize(
    "shape", [(1, 1), (3, 2), (5, 17), (2, 4097), (700, 64), (2, 3, 5), (0, 3)]
)
@pytest.mark.parametrize("function", [F.softmax, F.log_softmax], ids=["softmax", "log_softmax"])
def test_softmax_of_rows_equals_float64(
    function: Callable[..., Tensor], shape: tuple[int, ...], calls: list[str]
) -> None:
    equal_to_float64(lambda z: function(z, dim=-1), normal(*shape))
    assert calls == [function.__name__]


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy_equals_float64(weighted: bool, reduction: str, calls: list[str]) -> None:
    shapes = [(1, 1), (3, 2), (700, 64), (2, 4097)]
    for rows, classes in shapes:
        generator = torch.Generator().manual_seed(2)
        target = torch.randint(classes, (rows,), generator=generator)
        target[rows // 2] = -100 if rows > 1 else 0
        weight = torch.rand(classes, generator=generator) + 0.5 if weighted else None

        def loss(z: Tensor, target: Tensor = target, weight: Tensor | None = weight) -> Tensor:
            own = None if weight is None else weight.to(z.dtype)
            return F.cross_entropy(z, target, own, reduction=reduction)

        equal_to_float64(loss, normal(rows, classes))
    assert calls == ["cross_entropy"] * len(shapes)  # and none for float64


def test_kernels_stay_within_their_arrays() -> None:
    for size in SIZES[1:-1]:
        room = torch.full((size + 64,), float("nan"))
        room[32:-32] = normal(size)
        inner, outside = room[32:-32], room[-32:].clone()
        for name, function in ACTIVATIONS.items():
            leaf = inner.detach().requires_grad_()
            value = function(leaf)
            (slope,) = torch.autograd.grad(value, leaf, inner)
            assert value.isfinite().all(), name  # no NaN from beyond its ends has come in
            assert slope.isfinite().all(), name
        assert room[-32:].isnan().all()
        assert outside.isnan().all()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_keeps_a_bit_an_element(name: str, size: int) -> None:
    z = normal(size)
    z[::7] = 0
    value, bits = torch.empty(size), torch.empty(-(-size // 512) * 16)
    kernel = getattr(library(), f"{name}_switch_value")
    places = [ctypes.c_void_p(tensor.data_ptr()) for tensor in (z, value, bits)]
    kernel(*places, ctypes.c_int64(size), ctypes.c_float(SWITCHES[name]))
    assert torch.equal(value, F.leaky_relu(z, SWITCHES[name]))
    assert torch.equal(unpacked(bits, z.shape), (z > 0).int())


@pytest.mark.parametrize("function", [F.relu, F.leaky_relu], ids=lambda f: f.__name__)
def test_a_switch_keeps_no_array(function: Callable[[Tensor], Tensor]) -> None:
    # what is written over was not kept, else torch would refuse to derive by it
    z = normal(100).requires_grad_()
    scaled = z * 1
    value = function(scaled)
    on = scaled.detach() > 0
    with torch.no_grad():
        scaled.zero_()
        value.zero_()
    (slope,) = torch.autograd.grad(value, z, torch.ones(100))
    assert torch.equal(slope == 1, on)


@pytest.mark.parametrize("function", [F.sigmoid, F.tanh, F.elu, F.gelu, F.silu, F.softplus])
def test_what_was_kept_may_not_be_written_over(function: Callable[[Tensor], Tensor]) -> None:
    z = normal(100).requires_grad_()
    scaled = z * 1
    value = function(scaled)
    with torch.no_grad():
        (value if function in (F.sigmoid, F.tanh) else scaled).zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.sum().backward()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_graph_is_gone_through_twice_only_if_it_was_to_be_kept(name: str) -> None:
    z = normal(100).requires_grad_()
    value = ACTIVATIONS[name](z).sum()
    first, second = (torch.autograd.grad(value, z, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)
    value.backward()
    with pytest.raises(RuntimeError, match="a second time"):
        value.backward()


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_passes_what_is_not_finite_as_torch_does(name: str) -> None:
    z = torch.tensor([-1.0, 0.0, 1.0, float("nan"), float("inf"), -float("inf")])
    for u in (float("inf"), float("nan"), 1.0):
        found, known = (
            value_and_upstream(function, z, u)
            for function in (getattr(F, name), getattr(torch.nn.functional, name))
        )
        for one, other in zip(found, known, strict=True):
            assert torch.equal(one.nan_to_num(7), other.nan_to_num(7))


def value_and_upstream(
    function: Callable[[Tensor], Tensor], z: Tensor, u: float
) -> tuple[Tensor, Tensor]:
    leaf = z.clone().requires_grad_()
    value = function(leaf)
    value.backward(torch.full_like(z, u))
    assert leaf.grad is not None
    return value.detach(), leaf.grad


@pytest.mark.parametrize("name", SWITCHES)
def test_the_gradient_of_a_switch_hangs_together_with_its_input(name: str) -> None:
    # as torch's: a gradient penalty may be taken on it, though its derivative by the input is zero
    z = normal(5).requires_grad_()
    (slope,) = torch.autograd.grad(getattr(F, name)(z).sum(), z, create_graph=True)
    (second,) = torch.autograd.grad(slope.sum(), z)
    assert torch.equal(second, torch.zeros(5))


@pytest.mark.parametrize("name", SWITCHES)
def test_hooks_that_round_what_is_kept_do_not_spoil_a_switch(name: str) -> None:
    z = normal(40).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(
        lambda kept: kept.bfloat16() if kept.is_floating_point() else kept,
        lambda kept: kept.float() if kept.is_floating_point() else kept,
    ):
        value = getattr(F, name)(z)
    (slope,) = torch.autograd.grad(value, z, torch.ones(40))
    known = torch.where(z > 0, 1.0, 0.0 if name == "relu" else 0.01)
    torch.testing.assert_close(slope, known)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_sums_do_not_depend_on_the_number_of_threads(threads: int) -> None:
    z, target = normal(200_003), torch.rand(200_003, generator=torch.Generator().manual_seed(1))
    before = torch.get_num_threads()
    with torch.no_grad():
        try:
            torch.set_num_threads(1)
            alone = F.binary_cross_entropy_with_logits(z, target)
            torch.set_num_threads(threads)
            together = F.binary_cross_entropy_with_logits(z, target)
        finally:
            torch.set_num_threads(before)
    assert alone.item() == together.item()


def test_takes_only_what_it_can_compute_with() -> None:
    z = normal(4, 6)
    with torch.no_grad():
        assert cpu.takes(z)
        assert cpu.takes(torch.nn.Parameter(z))
        with torch.inference_mode():
            assert cpu.takes(normal(2))
        refused = {
            "float64": z.double(),
            "bfloat16": z.bfloat16(),
            "transposed": z.t(),
            "expanded": z[:1].expand(4, 6),
            "negative view": torch.ops.aten._neg_view(z),
            "meta": z.to("meta"),
            "sparse": z.to_sparse(),
            "zero tensor": torch._efficientzerotensor(4, 6),  # pyright: ignore[reportPrivateImportUsage]
        }
        for name, tensor in refused.items():
            assert not cpu.takes(z, tensor), name
    assert not cpu.takes(z)  # where gradients of the result could be asked for


# what torch says of its own code when forward mode is loaded
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_transforms_give_the_numbers_of_float64(name: str) -> None:
    function, z = ACTIVATIONS[name], normal(3, 5)

    def total(x: Tensor) -> Tensor:
        return function(x).sum()

    transforms: list[Callable[[Tensor], Tensor]] = [
        torch.func.vmap(function),
        torch.func.grad(total),
        torch.func.vmap(torch.func.grad(total)),
        lambda x: torch.func.jvp(function, (x,), (x,))[1],
        torch.func.hessian(total),
    ]
    for transform in transforms:
        exact = transform(z.double())
        torch.testing.assert_close(transform(z).double(), exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_batched_gradients_equal_a_loop(name: str) -> None:
    z, upstreams = normal(3, 5).requires_grad_(), normal(4, 3, 5, seed=1)
    value = ACTIVATIONS[name](z)
    together = torch.autograd.grad(value, z, upstreams, retain_graph=True, is_grads_batched=True)[0]
    mapped = torch.func.vmap(lambda u: torch.autograd.grad(value, z, u, retain_graph=True)[0])
    one_by_one = [torch.autograd.grad(value, z, u, retain_graph=True)[0] for u in upstreams]
    for found in (together, mapped(upstreams)):
        torch.testing.assert_close(found, torch.stack(one_by_one), rtol=1e-5, atol=1e-6)


def test_second_derivatives_go_the_plain_way(calls: list[str]) -> None:
    z = normal(7).requires_grad_()
    (slope,) = torch.autograd.grad(F.sigmoid(z), z, torch.ones(7), create_graph=True)
    assert calls == ["sigmoid", "sigmoid in torch"]
    (second,) = torch.autograd.grad(slope, z, torch.ones(7))
    s = torch.sigmoid(z.detach())
    torch.testing.assert_close(second, s * (1 - s) * (1 - 2 * s))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("symbols", [4, 5, 9])
@pytest.mark.parametrize("shared", [False, True], ids=["letters", "shares"])
@pytest.mark.parametrize(
    "shape",
    [(1, 1, 1), (3, 7, 5), (31, 6, 16), (32, 5, 17), (40, 9, 33), (300, 11, 65), (1100, 4, 130)],
)
def test_onehot_linear_is_the_dense_layer_of_the_one_hot(
    shape: tuple[int, int, int], shared: bool, symbols: int, dtype: torch.dtype, calls: list[str]
) -> None:
    samples, length, outputs = shape
    generator = torch.Generator().manual_seed(3)
    codes = torch.randint(symbols, (samples, length), dtype=torch.uint8, generator=generator)
    codes[0, 0] = symbols - 1
    table = torch.rand(symbols, 4, generator=generator).to(dtype)
    if not shared:  # a code a letter, a row of zeros, shares of the third and fourth letter
        table[:5, :] = torch.eye(5, 4)[[1, 0, 2, 3, 4]][: len(table)]
        table[5:, :2] = 0
    stored = normal(length, 4, outputs).to(dtype).permute(2, 1, 0).requires_grad_()
    bias, upstream = normal(outputs, seed=4).to(dtype), normal(samples, outputs, seed=5).to(dtype)
    out = F.onehot_linear(codes, stored, bias, table=table)
    (gradient,) = torch.autograd.grad(out, stored, upstream)
    long_way = f"onehot_{'float64' if dtype == torch.float64 else 'float32'}_"
    assert calls == (
        ["onehot_linear"] if dtype == torch.float32 else [f"{long_way}value", f"{long_way}chain"]
    )
    rows = table.double()[codes.long()].mT.flatten(1)
    exact = rows @ stored.detach().double().flatten(1).T + bias.double()
    exact_gradient = (upstream.double().T @ rows).reshape(outputs, 4, length)
    tolerance = {torch.float32: 1e-6, torch.float64: 1e-14, torch.bfloat16: 8e-3}[dtype]
    for ours, known in ((out, exact), (gradient, exact_gradient)):
        assert ours.dtype == dtype
        scale = known.abs().max().item()
        torch.testing.assert_close(ours.double(), known, rtol=0, atol=tolerance * scale)


def test_onehot_linear_is_the_same_whatever_the_number_of_threads() -> None:
    codes = torch.randint(4, (400, 23), dtype=torch.uint8)
    weight, upstream, table = normal(23, 4, 70), normal(400, 70, seed=6), torch.eye(4)
    before = torch.get_num_threads()
    results = []
    with torch.no_grad():
        try:
            for threads in (1, 2, 5):
                torch.set_num_threads(threads)
                value = cpu.onehot_value(codes, weight, None, table)
                results.append((value, cpu.onehot_chain(codes, upstream, table)))
        finally:
            torch.set_num_threads(before)
    for value, gradient in results[1:]:
        assert torch.equal(value, results[0][0])
        assert torch.equal(gradient, results[0][1])
