"""AdamW on views takes torch's own steps, whatever the layout, and keeps torch's states."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from bionn.kernels import nodes
from bionn.kernels.library import library
from bionn.nn.linear import OneHotLinear
from bionn.tasks.optimizer import AdamW, as_stored

LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "contiguous": lambda t: t.contiguous(),
    "position major": lambda t: t.permute(2, 1, 0).contiguous().permute(2, 1, 0),
    "rotated": lambda t: t.permute(1, 2, 0).contiguous().permute(2, 0, 1),
    "one of each": lambda t: t[:, :1, :1].clone(),
}


def stepped(kind: type[torch.optim.AdamW], layout: str, **options: object) -> torch.optim.AdamW:
    generator = torch.Generator().manual_seed(0)
    weight, bias = (torch.randn(5, 4, 3, generator=generator) for _ in range(2))
    parameters = [torch.nn.Parameter(LAYOUTS[layout](weight)), torch.nn.Parameter(bias)]
    optimizer = kind(parameters, lr=0.1, **options)  # pyright: ignore[reportArgumentType]
    for _ in range(4):
        for p in parameters:
            p.grad = LAYOUTS[layout](torch.randn(5, 4, 3, generator=generator)).expand_as(p)
            p.grad = torch.empty_like(p).copy_(p.grad)
        optimizer.step()
    return optimizer


@pytest.mark.parametrize("options", [{}, {"amsgrad": True}, {"foreach": True}], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_steps_and_states_are_those_of_torch(layout: str, options: dict[str, bool]) -> None:
    options = {"fused": "foreach" not in options} | options
    ours, theirs = (stepped(kind, layout, **options) for kind in (AdamW, torch.optim.AdamW))
    pairs = zip(ours.param_groups[0]["params"], theirs.param_groups[0]["params"], strict=True)
    for one, other in pairs:
        assert torch.equal(one, other)
        assert one.stride() == other.stride()
        for name, state in ours.state[one].items():
            assert torch.equal(state, theirs.state[other][name]), name
            assert state.stride() == theirs.state[other][name].stride(), name


def test_a_state_saved_by_either_goes_on_in_the_other() -> None:
    ours, theirs = (stepped(kind, "rotated") for kind in (AdamW, torch.optim.AdamW))
    theirs.load_state_dict(copy.deepcopy(ours.state_dict()))
    for optimizer in (ours, theirs):
        optimizer.step()
    assert torch.equal(ours.param_groups[0]["params"][0], theirs.param_groups[0]["params"][0])


def copies(kind: type[torch.optim.AdamW], layer: torch.nn.Module, input: Tensor) -> int:
    """Copies that a fused step makes, the small ones for its scalars among them."""
    optimizer = kind(layer.parameters(), fused=True)
    layer(input).sum().backward()
    optimizer.step()
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        optimizer.step()
    counts = {event.key: event.count for event in recorded.key_averages()}
    assert counts["aten::_fused_adamw_"] == 1
    return counts.get("aten::copy_", 0)


def test_the_one_hot_layer_is_not_copied() -> None:
    codes, rows = torch.zeros(2, 6, dtype=torch.uint8), torch.zeros(2, 24)
    least = copies(torch.optim.AdamW, torch.nn.Linear(24, 5), rows)
    assert copies(AdamW, OneHotLinear(4, 6, 5), codes) == least
    assert copies(torch.optim.AdamW, OneHotLinear(4, 6, 5), codes) > least


def test_what_no_order_makes_contiguous_is_left_alone() -> None:
    sliced = torch.zeros(6, 4)[:, ::2]
    assert as_stored(sliced) == (sliced,)
    one, other = torch.zeros(3, 2), torch.zeros(2, 3).t()
    assert all(a is b for a, b in zip(as_stored(other, one), (other, one), strict=True))


def mixed(kind: type[torch.optim.AdamW]) -> list[Tensor]:
    """Weights after steps of two groups, one of two dtypes, whose gradients are not always there."""
    generator = torch.Generator().manual_seed(0)
    weights = [torch.nn.Parameter(torch.randn(3, 2, generator=generator)) for _ in range(4)]
    weights[1] = torch.nn.Parameter(weights[1].detach().double())
    groups = [{"params": weights[:2]}, {"params": weights[2:], "weight_decay": 0.5, "lr": 0.3}]
    optimizer = kind(groups, lr=0.1, fused=True)  # pyright: ignore[reportArgumentType]
    for step in range(6):

        def closure(step: int = step) -> float:
            optimizer.zero_grad()
            total = sum((weight.double() ** 2).sum() for weight in weights[step % 3 :])
            assert isinstance(total, Tensor)
            total.backward()
            return float(total.detach())

        assert optimizer.step(closure) > 0
        optimizer.param_groups[0]["lr"] *= 0.9
    return list(weights)


def test_groups_dtypes_closures_and_missing_gradients_are_torchs() -> None:
    for one, other in zip(mixed(AdamW), mixed(torch.optim.AdamW), strict=True):
        assert torch.equal(one, other)


def test_hooks_of_a_step_are_called() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = AdamW([weight], fused=True)
    told: list[str] = []
    before = optimizer.register_step_pre_hook(lambda *_: told.append("before"))
    after = optimizer.register_step_post_hook(lambda *_: told.append("after"))
    for _ in range(2):
        weight.grad = torch.ones(2)
        optimizer.step()
    assert told == ["before", "after"] * 2
    before.remove()
    after.remove()
    optimizer.step()
    assert len(told) == 4
    assert optimizer.state[weight]["step"] == 3


def test_a_scaler_of_gradients_is_heeded() -> None:
    def stepped_by(kind: type[torch.optim.AdamW]) -> Tensor:
        weight = torch.nn.Parameter(torch.ones(2))
        optimizer = kind([weight], lr=0.1, fused=True)
        for overflow in (0.0, 1.0, 0.0):
            weight.grad = torch.tensor([2.0, -6.0])
            optimizer.grad_scale = torch.tensor(2.0)  # pyright: ignore[reportAttributeAccessIssue]
            optimizer.found_inf = torch.tensor(overflow)  # pyright: ignore[reportAttributeAccessIssue]
            optimizer.step()
        assert optimizer.state[weight]["step"] == 2
        return weight

    assert torch.equal(stepped_by(AdamW), stepped_by(torch.optim.AdamW))


def test_gradients_are_forgotten_or_set_to_zero() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = AdamW([weight], fused=True)
    weight.grad = torch.ones(2)
    optimizer.zero_grad(set_to_none=False)
    assert torch.equal(weight.grad, torch.zeros(2))
    optimizer.zero_grad()
    assert weight.grad is None


@pytest.mark.skipif(library() is None, reason="no compiled kernels here")
@pytest.mark.parametrize(
    ("weight", "kernels"),
    [
        (torch.ones(3, 2), True),
        (torch.ones(2, 4, 3).permute(2, 1, 0), True),
        (torch.ones(6, 4)[:, ::2], True),
        (torch.ones(3, 2, dtype=torch.float64), False),
        (torch.ones(3, 2, dtype=torch.bfloat16), False),
    ],
    ids=["plain", "permuted", "strided", "float64", "bfloat16"],
)
def test_plain_steps_are_the_librarys_and_all_are_torchs(
    weight: Tensor, kernels: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[bool] = []
    known = nodes.operation("adamw")
    assert known is not None

    def spy(*args: object) -> bool:
        taken.append(known(*args))
        return taken[-1]

    monkeypatch.setattr(nodes, "operation", lambda name: spy)
    results = []
    for kind in (AdamW, torch.optim.AdamW):
        one, other = (torch.nn.Parameter(weight.clone()) for _ in range(2))
        groups = [{"params": [one]}, {"params": [other], "lr": 0.3, "weight_decay": 0.0}]
        optimizer = kind(groups, lr=0.1, weight_decay=0.5, fused=True)
        for step in range(4):
            one.grad = torch.full_like(one, 1.0 + step)
            other.grad = None if step % 2 else torch.full_like(other, 2.0 - step)
            optimizer.step()
        kept = [optimizer.state[p][name] for p in (one, other) for name in ("step", "exp_avg")]
        results.append([one, other, *kept])
    assert all(map(torch.equal, *results))
    assert taken == [kernels] * 3  # the first step makes the states


@pytest.mark.skipif(library() is None, reason="no compiled kernels here")
def test_a_state_that_somebody_replaces_is_the_one_that_is_used() -> None:
    weights = []
    for kind in (AdamW, torch.optim.AdamW):
        weight = torch.nn.Parameter(torch.ones(2))
        optimizer = kind([weight], lr=0.1, fused=True)
        for step in range(6):
            weight.grad = torch.tensor([1.0, -2.0]) * (step + 1)
            if step == 2:
                optimizer.state[weight]["exp_avg"] = torch.zeros(2)
            if step == 3:
                optimizer.state.clear()
            if step == 4:
                weight.data = weight.data.clone()
            optimizer.step()
        weights.append(weight)
    assert torch.equal(*weights)


def test_a_closure_derives_also_where_gradients_are_off() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = AdamW([weight], fused=True)

    def closure() -> float:
        optimizer.zero_grad()
        loss = (weight**2).sum()
        loss.backward()
        return float(loss.detach())

    with torch.no_grad():
        losses = [optimizer.step(closure) for _ in range(3)]
        assert not torch.is_grad_enabled()
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]
