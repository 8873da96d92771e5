"""What the ops share: the pair chooses by caller, gradients return to shapes, casts follow policy."""

import pytest
import torch

from bionn.ops import activations, base
from bionn.ops.base import (
    cast_for_loss,
    cast_for_product,
    readable,
    sum_to_shape,
    widen,
)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 1), (1, 3), (2, 3), (4, 2, 3)])
def test_sum_to_shape_is_what_autograd_does_for_expand(shape: tuple[int, ...]) -> None:
    small = torch.randn(shape, requires_grad=True)
    large = torch.randn(4, 2, 3)
    (expected,) = torch.autograd.grad(small.expand(4, 2, 3), small, large)
    torch.testing.assert_close(sum_to_shape(large, small.shape), expected)


def test_the_pair_takes_forward_mode_only_outside_the_compiler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called: list[str] = []
    pair = activations.tanh.pair
    monkeypatch.setattr(pair.reverse, "apply", lambda *args: called.append("reverse"))
    monkeypatch.setattr(pair.both, "apply", lambda *args: called.append("both"))
    with monkeypatch.context() as patch:
        patch.setattr(base, "apply_plainly", lambda function, *args: function.apply(*args))
        pair(torch.zeros(1), ())
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    pair(torch.zeros(1), ())
    assert called == ["both", "reverse"]
    assert "jvp" not in vars(pair.reverse)
    assert "jvp" in vars(pair.both)


def test_widen_touches_half_precision_only() -> None:
    expected = {
        torch.float16: torch.float32,
        torch.bfloat16: torch.float32,
        torch.float32: torch.float32,
        torch.float64: torch.float64,
        torch.int64: torch.int64,
    }
    assert {dtype: widen(torch.zeros(1, dtype=dtype)).dtype for dtype in expected} == expected


def test_casts_leave_everything_alone_without_autocast() -> None:
    for dtype in (torch.float32, torch.bfloat16, torch.float64, torch.int64):
        tensor = torch.zeros(1, dtype=dtype)
        assert cast_for_product(tensor) is tensor
        assert cast_for_loss(tensor) is tensor
    assert cast_for_product(None) is None
    assert cast_for_loss(None) is None


def test_casts_under_autocast_spare_float64_and_integers() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert cast_for_product(torch.zeros(1)).dtype == torch.bfloat16
        assert cast_for_loss(torch.zeros(1, dtype=torch.bfloat16)).dtype == torch.float32
        for dtype in (torch.float64, torch.int64):
            assert cast_for_product(torch.zeros(1, dtype=dtype)).dtype == dtype
            assert cast_for_loss(torch.zeros(1, dtype=dtype)).dtype == dtype
        with torch.autocast("cpu", enabled=False):
            assert cast_for_product(torch.zeros(1)).dtype == torch.float32


def test_values_are_readable_only_where_they_are_plain_numbers() -> None:
    seen: list[bool] = []

    def look(tensor: torch.Tensor) -> torch.Tensor:
        seen.append(readable(tensor))
        return tensor

    assert readable(torch.zeros(2))
    assert readable(torch.nn.Parameter(torch.zeros(2)))
    torch.func.vmap(look)(torch.zeros(2))
    assert seen == [False]
    assert not readable(torch.zeros(2, device="meta"))
