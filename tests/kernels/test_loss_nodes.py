"""The losses' nodes in C++ derive as the Functions do, and leave alone what is not for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from bionn import functional as F
from bionn.kernels.library import library

pytestmark = pytest.mark.skipif(library() is None, reason="no compiled kernels here")

REDUCTIONS = ("none", "mean", "sum")
CLASSES = torch.tensor([0, 2, 1, -100, 2])
WEIGHT = torch.tensor([0.5, 1.0, 2.0])
SHARES = torch.rand(5, 3, generator=torch.Generator().manual_seed(9))


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# each of logits (5, 3), in whatever precision they come
LOSSES: dict[str, Callable[[Tensor, str], Tensor]] = {
    "mse": lambda z, r: F.mse_loss(z, SHARES.to(z.dtype), r),
    "half squared": lambda z, r: F.half_squared_error(z, SHARES.to(z.dtype), r),
    "logits": lambda z, r: F.binary_cross_entropy_with_logits(z, SHARES.to(z.dtype), reduction=r),
    "classes": lambda z, r: F.cross_entropy(z, CLASSES, reduction=r),
    "weighted classes": lambda z, r: F.cross_entropy(z, CLASSES, WEIGHT.to(z.dtype), reduction=r),
}
everywhere = pytest.mark.parametrize("name", LOSSES)
reduced = pytest.mark.parametrize("reduction", REDUCTIONS)


def has_node(loss: Tensor) -> bool:
    assert loss.grad_fn is not None
    return "CppNode" in loss.grad_fn.name()


def close(found: Tensor, exact: Tensor) -> None:
    torch.testing.assert_close(found.double(), exact.double(), rtol=1e-5, atol=1e-6)


@everywhere
@reduced
def test_second_derivatives_are_those_of_float64(name: str, reduction: str) -> None:
    def penalty(z: Tensor) -> tuple[Tensor, ...]:
        leaf = z.clone().requires_grad_()
        loss = LOSSES[name](leaf, reduction)
        assert has_node(loss) == (z.dtype == torch.float32)
        u = normal(*loss.shape, seed=3).to(z.dtype).requires_grad_()
        (slope,) = torch.autograd.grad(loss, leaf, u, create_graph=True)
        return (slope, *torch.autograd.grad((slope**3).sum(), (leaf, u)))

    for found, exact in zip(penalty(normal(5, 3)), penalty(normal(5, 3).double()), strict=True):
        close(found, exact)


# what torch says of its own code when forward mode is loaded
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*is deprecated:DeprecationWarning")
@everywhere
def test_transforms_give_the_numbers_of_float64(name: str) -> None:
    def total(z: Tensor) -> Tensor:
        return LOSSES[name](z, "mean")

    transforms: list[Callable[[Tensor], Tensor]] = [
        torch.func.grad(total),
        torch.func.hessian(total),
        lambda z: torch.func.vmap(total)(torch.stack([z, 2 * z])),
        lambda z: torch.func.jvp(total, (z,), (z,))[1],
    ]
    for transform in transforms:
        close(transform(normal(5, 3)), transform(normal(5, 3).double()))


@everywhere
@reduced
def test_batched_gradients_equal_a_loop(name: str, reduction: str) -> None:
    z = normal(5, 3).requires_grad_()
    loss = LOSSES[name](z, reduction)
    upstreams = normal(4, *loss.shape, seed=3)
    (found,) = torch.autograd.grad(loss, z, upstreams, retain_graph=True, is_grads_batched=True)
    alone = [torch.autograd.grad(loss, z, u, retain_graph=True)[0] for u in upstreams]
    close(found, torch.stack(alone))


@everywhere
def test_an_upstream_gradient_may_be_strided(name: str) -> None:
    z = normal(5, 3).requires_grad_()
    loss = LOSSES[name](z, "none")
    strided = torch.ones(()).expand(loss.shape)
    (found,) = torch.autograd.grad(loss, z, strided, retain_graph=True)
    (known,) = torch.autograd.grad(loss, z, strided.contiguous())
    close(found, known)


@everywhere
def test_a_graph_is_gone_through_twice_only_if_it_was_to_be_kept(name: str) -> None:
    z = normal(5, 3).requires_grad_()
    loss = LOSSES[name](z, "mean")
    first, second = (torch.autograd.grad(loss, z, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)
    loss.backward()
    with pytest.raises(RuntimeError, match="a second time"):
        loss.backward()


@pytest.mark.parametrize("loss", [F.mse_loss, F.binary_cross_entropy_with_logits])
@pytest.mark.parametrize("place", [0, 1])
def test_what_was_kept_may_not_be_written_over(loss: Callable[..., Tensor], place: int) -> None:
    z, target = normal(5).requires_grad_(), SHARES[:, 0].clone()
    given = [z * 1, target]
    value = loss(*given)
    assert has_node(value)
    with torch.no_grad():
        given[place].zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()


@everywhere
def test_hooks_see_what_is_kept_and_their_numbers_are_used(name: str) -> None:
    z = normal(5, 3).requires_grad_()
    seen: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda kept: (seen.append(kept), kept.double())[1], lambda kept: kept
    ):
        loss = LOSSES[name](z, "mean")
    assert has_node(loss)
    assert all(kept.shape in (z.shape, CLASSES.shape, WEIGHT.shape) for kept in seen)
    if "classes" not in name:  # whose indices would come back as numbers
        (found,) = torch.autograd.grad(loss, z)
        (known,) = torch.autograd.grad(LOSSES[name](z, "mean"), z)
        close(found, known)


@pytest.mark.parametrize(
    ("loss", "given", "options"),
    [
        pytest.param(F.mse_loss, (normal(5, 3).t(), normal(3, 5)), {}, id="strided"),
        pytest.param(F.mse_loss, (normal(5), normal(5).double()), {}, id="of two precisions"),
        pytest.param(
            F.mse_loss, (normal(5), normal(5)), {"weight": SHARES[:, 0].clone()}, id="weighted"
        ),
        pytest.param(
            F.binary_cross_entropy_with_logits,
            (normal(5), SHARES[:, 0].clone()),
            {"pos_weight": torch.tensor(2.0)},
            id="pos_weight",
        ),
        pytest.param(F.cross_entropy, (normal(2, 3, 4), torch.ones(2, 4).long()), {}, id="places"),
        pytest.param(F.cross_entropy, (normal(3), torch.tensor(1)), {}, id="no batch"),
        pytest.param(F.cross_entropy, (normal(2, 3), torch.ones(2).byte()), {}, id="bytes"),
        pytest.param(F.cross_entropy, (normal(2, 3), SHARES[:2]), {}, id="probabilities"),
        pytest.param(
            F.cross_entropy,
            (normal(2, 3), torch.ones(2).long()),
            {"label_smoothing": 0.1},
            id="smoothed",
        ),
    ],
)
def test_what_is_not_for_the_node_goes_the_functions_way(
    loss: Callable[..., Tensor], given: tuple[Tensor, ...], options: dict[str, Any]
) -> None:
    z = given[0].detach().requires_grad_()
    value = loss(z, *given[1:], **options)
    assert not has_node(value)
    twin = getattr(torch.nn.functional, loss.__name__)
    close(value, twin(z, *given[1:], **options))


@pytest.mark.parametrize(
    "loss", [F.mse_loss, F.half_squared_error, F.binary_cross_entropy_with_logits]
)
@pytest.mark.parametrize("alone", [False, True])
def test_a_target_that_asks_gets_its_gradient(loss: Callable[..., Tensor], alone: bool) -> None:
    def derivatives(dtype: torch.dtype) -> tuple[Tensor, ...]:
        z, target = normal(5, 3).to(dtype), SHARES.to(dtype, copy=True).requires_grad_()
        wanted = (target,) if alone else (target, z.requires_grad_())
        value = loss(z, target)
        assert has_node(value) == (dtype == torch.float32)
        first = torch.autograd.grad(value, wanted, create_graph=True)
        second = torch.autograd.grad(torch.stack(first).pow(3).sum(), z) if not alone else ()
        return (*first, *second)

    for found, exact in zip(derivatives(torch.float32), derivatives(torch.float64), strict=True):
        close(found, exact)


@pytest.mark.parametrize("wrong", [-1, 3])
def test_an_index_that_is_no_class_is_refused_but_for_the_ignored(wrong: int) -> None:
    target = torch.tensor([0, wrong])
    z = normal(2, 3).requires_grad_()
    with pytest.raises(IndexError, match=f"Target {wrong} is out of bounds"):
        F.cross_entropy(z, target)
    loss = F.cross_entropy(z, target, ignore_index=wrong)
    assert has_node(loss)
    close(loss, torch.nn.functional.cross_entropy(z[:1], target[:1]))


def test_without_gradients_there_is_no_node() -> None:
    z = normal(5, 3).requires_grad_()
    for loss in LOSSES.values():
        assert loss(z.detach(), "mean").grad_fn is None
        with torch.inference_mode():
            found = loss(z, "mean")
        close(found.clone(), loss(z.detach().double(), "mean"))
