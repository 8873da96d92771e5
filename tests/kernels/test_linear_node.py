"""The linear layer's node in C++ gives the Function's bits, and leaves alone what is not for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from bionn import functional as F
from bionn.kernels.library import library
from bionn.ops import linear as linear_ops

pytestmark = pytest.mark.skipif(library() is None, reason="no compiled kernels here")


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def arguments(*shape: int, out: int = 3, bias: bool = True) -> list[Tensor]:
    tensors = [normal(*shape), normal(out, shape[-1], seed=1)]
    return [*tensors, normal(out, seed=2)] if bias else tensors


def has_node(output: Tensor) -> bool:
    assert output.grad_fn is not None
    return "LinearNode" in output.grad_fn.name()


def through(
    function: Callable[..., Tensor], tensors: Sequence[Tensor], upstream: Tensor
) -> tuple[Tensor, ...]:
    leaves = [t.detach().requires_grad_() for t in tensors]
    output = function(*leaves, *[None] * (3 - len(leaves)))
    return (output, *torch.autograd.grad(output, leaves, upstream))


@pytest.mark.parametrize("upstream", ["own", "expanded", "transposed"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("out", [1, 2, 33, 128])
@pytest.mark.parametrize(
    "shape", [(1, 5), (32, 50), (128, 200), (7, 3, 50), (4, 3, 2, 17), (0, 5), (3, 0)]
)
def test_the_node_gives_the_bits_of_the_function(
    shape: tuple[int, ...], out: int, bias: bool, upstream: str
) -> None:
    tensors = arguments(*shape, out=out, bias=bias)
    u = {
        "own": normal(*shape[:-1], out, seed=3),
        "expanded": torch.ones(()).expand(*shape[:-1], out),
        "transposed": normal(out, *shape[:-1], seed=3).movedim(0, -1),
    }[upstream]
    node = through(F.linear, tensors, u)
    function = through(linear_ops.linear, tensors, u)
    assert has_node(node[0])
    assert not has_node(function[0])
    for ours, known in zip(node, function, strict=True):
        assert ours.shape == known.shape
        assert torch.equal(ours, known)


def test_strided_matrices_give_the_bits_of_the_function() -> None:
    x, weight, bias = normal(50, 32).t(), normal(50, 6).t(), normal(12, seed=2)[::2]
    u = normal(32, 6, seed=3)
    node, function = (
        through(layer, (x, weight, bias), u) for layer in (F.linear, linear_ops.linear)
    )
    assert has_node(node[0])
    assert all(map(torch.equal, node, function))


class Named(Tensor):
    """A tensor of a class of its own."""


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda x, w, b: (x.double(), w.double(), b.double()), id="float64"),
        pytest.param(lambda x, w, b: (x.bfloat16(), w.bfloat16(), b.bfloat16()), id="bfloat16"),
        pytest.param(lambda x, w, b: (x[0], w, b), id="one dimension"),
        pytest.param(lambda x, w, b: (x, w[0], b[0]), id="one output"),
        pytest.param(lambda x, w, b: (x, w, b[:1]), id="a bias that is broadcast"),
        pytest.param(
            lambda x, w, b: (torch.stack([x, x]).transpose(0, 1), w, b),
            id="three dimensions, strided",
        ),
        pytest.param(lambda x, w, b: (x.as_subclass(Named), w, b), id="a subclass"),
        pytest.param(lambda x, w, b: (torch.ops.aten._neg_view(x), w, b), id="a negative view"),
        pytest.param(
            lambda x, w, b: (x.to("meta"), w.to("meta"), b.to("meta")), id="another device"
        ),
    ],
)
def test_what_is_not_for_the_node_goes_the_functions_way(
    change: Callable[..., tuple[Tensor, Tensor, Tensor]],
) -> None:
    x, weight, bias = change(*arguments(4, 5))
    output = F.linear(x, weight.requires_grad_(), bias)
    assert not has_node(output)
    if output.device.type != "meta":
        known = torch.nn.functional.linear(x, torch.atleast_2d(weight), bias)
        assert torch.equal(output, known.reshape(output.shape))


@pytest.mark.parametrize(
    "shapes", [((4, 5), (3, 4), (3,)), ((4, 5), (3, 5), (4,)), ((2, 4, 5), (3, 4), (3,))]
)
def test_shapes_that_do_not_fit_are_refused_in_torchs_words(
    shapes: tuple[tuple[int, ...], ...],
) -> None:
    tensors = [torch.ones(shape) for shape in shapes]
    with pytest.raises(RuntimeError) as known:
        torch.nn.functional.linear(*tensors)
    with pytest.raises(RuntimeError) as found:
        F.linear(*tensors)
    assert str(found.value) == str(known.value)


@pytest.mark.parametrize("wanted", [(0,), (1,), (2,), (0, 2), (1, 2)])
def test_only_what_asks_for_a_gradient_gets_one(wanted: tuple[int, ...]) -> None:
    tensors = arguments(6, 5)
    u = normal(6, 3, seed=3)
    whole = through(F.linear, tensors, u)[1:]
    for place in wanted:
        tensors[place].requires_grad_()
    output = F.linear(*tensors)
    assert has_node(output)
    output.backward(u)
    for place, tensor in enumerate(tensors):
        if place in wanted:
            assert tensor.grad is not None
            assert torch.equal(tensor.grad, whole[place])
        else:
            assert tensor.grad is None


def test_without_gradients_there_is_no_node() -> None:
    tensors = arguments(6, 5)
    assert F.linear(*tensors).grad_fn is None
    for tensor in tensors:
        tensor.requires_grad_()
    with torch.no_grad():
        assert F.linear(*tensors).grad_fn is None
    with torch.inference_mode():
        assert torch.equal(F.linear(*tensors), torch.nn.functional.linear(*tensors))


@pytest.mark.parametrize("shape", [(6, 5), (2, 3, 5)])
def test_second_derivatives_are_torchs(shape: tuple[int, ...]) -> None:
    tensors, u = arguments(*shape), normal(*shape[:-1], 3, seed=3)

    def second(layer: Callable[..., Tensor]) -> tuple[Tensor, ...]:
        leaves = [t.clone().requires_grad_() for t in (*tensors, u)]
        output = layer(*leaves[:3])
        first = torch.autograd.grad(output, leaves[:3], leaves[3], create_graph=True)
        penalty = torch.stack([(g**3).sum() for g in first]).sum()
        return torch.autograd.grad(penalty, (leaves[0], leaves[1], leaves[3]))

    for ours, known in zip(second(F.linear), second(torch.nn.functional.linear), strict=True):
        torch.testing.assert_close(ours, known)


# what torch says of its own code when forward mode is loaded
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*is deprecated:DeprecationWarning")
def test_transforms_give_torchs_numbers() -> None:
    x, weight, bias = arguments(6, 5)

    def results(layer: Callable[..., Tensor]) -> list[Tensor]:
        def total(w: Tensor) -> Tensor:
            return (layer(x, w, bias) ** 3).sum()

        return [
            torch.func.vmap(lambda row: layer(row[None], weight, bias))(x),
            torch.func.vmap(lambda w: layer(x, w, bias))(torch.stack([weight, weight * 2])),
            torch.func.grad(total)(weight),
            torch.func.hessian(total)(weight),
            torch.func.jvp(lambda w: layer(x, w, bias), (weight,), (weight,))[1],
            torch.func.jacrev(lambda z: layer(z, weight, bias))(x),
        ]

    for ours, known in zip(results(F.linear), results(torch.nn.functional.linear), strict=True):
        torch.testing.assert_close(ours, known, rtol=1e-5, atol=1e-5)


def test_batched_gradients_equal_a_loop() -> None:
    leaves = [t.requires_grad_() for t in arguments(6, 5)]
    output, upstreams = F.linear(*leaves), normal(4, 6, 3, seed=3)
    options = {"retain_graph": True, "is_grads_batched": True}
    together = torch.autograd.grad(output, leaves, upstreams, **options)
    mapped = torch.func.vmap(lambda u: torch.autograd.grad(output, leaves, u, retain_graph=True))(
        upstreams
    )
    alone = [torch.autograd.grad(output, leaves, u, retain_graph=True) for u in upstreams]
    for place, known in enumerate(zip(*alone, strict=True)):
        for found in (together[place], mapped[place]):
            torch.testing.assert_close(found, torch.stack(known))


@pytest.mark.parametrize("place", [0, 1])
def test_what_was_kept_may_not_be_written_over(place: int) -> None:
    leaves = [t.requires_grad_() for t in arguments(6, 5)]
    copies = [t * 1 for t in leaves]
    output = F.linear(*copies)
    with torch.no_grad():
        copies[place].zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


def test_a_graph_is_gone_through_twice_only_if_it_was_to_be_kept() -> None:
    tensors = arguments(6, 5)
    tensors[1].requires_grad_()
    value = F.linear(*tensors).sum()
    first, second = (torch.autograd.grad(value, tensors[1], retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)
    value.backward()
    with pytest.raises(RuntimeError, match="a second time"):
        value.backward()


def test_hooks_see_what_is_kept_and_their_numbers_are_used() -> None:
    leaves = [t.requires_grad_() for t in arguments(6, 5)]
    seen: list[int] = []

    def pack(tensor: Tensor) -> Tensor:
        seen.append(tensor.data_ptr())
        return tensor.detach() * 2

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = F.linear(*leaves)
    assert has_node(output)
    assert seen == [leaves[0].data_ptr(), leaves[1].data_ptr()]
    u = normal(6, 3, seed=3)
    by_input, by_weight = torch.autograd.grad(output, leaves[:2], u)
    torch.testing.assert_close(by_input, 2 * u @ leaves[1])
    torch.testing.assert_close(by_weight, 2 * u.t() @ leaves[0])


def test_autocast_multiplies_in_bfloat16() -> None:
    leaves = [t.requires_grad_() for t in arguments(6, 5)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = F.linear(*leaves)
    assert output.dtype == torch.bfloat16
    output.sum().backward()
    assert all(t.grad is not None and t.grad.dtype == torch.float32 for t in leaves)
