"""Our modules inside other people's networks learn exactly as torch.nn's do there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from bionn import functional as F
from bionn import nn
from tests.blocks.networks import Attention, Job, Recurrence, jobs

OPTIMIZERS: dict[str, Callable[[Iterable[Tensor]], torch.optim.Optimizer]] = {
    "sgd": partial(torch.optim.SGD, lr=0.05, momentum=0.9),
    "adam": partial(torch.optim.Adam, lr=0.01),
}
STEPS = 10


def build(job: Job, kit: ModuleType, dtype: torch.dtype) -> torch.nn.Module:
    torch.manual_seed(1)
    return job.network(kit).to(dtype)


def train(
    network: torch.nn.Module,
    loss_module: torch.nn.Module,
    job: Job,
    make_optimizer: Callable[[Iterable[Tensor]], torch.optim.Optimizer],
) -> Tensor:
    """Train in place; return the loss before each step and after the last."""
    optimizer = make_optimizer(network.parameters())
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_module(network(*job.inputs), job.target)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    with torch.no_grad():
        losses.append(loss_module(network(*job.inputs), job.target))
    return torch.stack(losses)


@pytest.mark.parametrize("name", jobs())
def test_the_same_seed_gives_the_same_network(name: str) -> None:
    job = jobs()[name]
    ours, theirs = (build(job, kit, torch.float32) for kit in (nn, torch.nn))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=0)
    assert any(type(module).__module__.startswith("bionn.") for module in ours.modules())
    assert not any(type(module).__module__.startswith("bionn.") for module in theirs.modules())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", jobs())
def test_training_follows_torchs_losses(name: str, optimizer: str, dtype: torch.dtype) -> None:
    job = jobs(dtype)[name]
    ours, theirs = build(job, nn, dtype), build(job, torch.nn, dtype)
    for parameter in ours.parameters():
        torch.nn.init.zeros_(parameter)
    ours.load_state_dict(theirs.state_dict())
    losses = train(ours, getattr(nn, job.loss)(), job, OPTIMIZERS[optimizer])
    expected = train(theirs, getattr(torch.nn, job.loss)(), job, OPTIMIZERS[optimizer])
    tolerance = 1e-5 if dtype == torch.float32 else 1e-11
    torch.testing.assert_close(losses, expected, rtol=tolerance, atol=0)
    assert losses[-1] < 0.98 * losses[0]


def test_the_recurrent_cell_is_torchs_cell() -> None:
    ours = Recurrence(nn, features=4, width=6)
    theirs = torch.nn.RNNCell(4, 6)
    ours.from_input.load_state_dict({"weight": theirs.weight_ih, "bias": theirs.bias_ih})
    ours.from_hidden.load_state_dict({"weight": theirs.weight_hh, "bias": theirs.bias_hh})
    input, hidden = torch.randn(5, 4), torch.randn(5, 6)
    torch.testing.assert_close(ours.cell(input, hidden), theirs(input, hidden))


def test_the_attention_is_torchs_attention() -> None:
    ours = Attention(nn, width=8, heads=2)
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    ours.in_proj.load_state_dict({"weight": theirs.in_proj_weight, "bias": theirs.in_proj_bias})
    ours.out_proj.load_state_dict(theirs.out_proj.state_dict())
    input = torch.randn(3, 7, 8)
    expected, _ = theirs(input, input, input, need_weights=False)
    torch.testing.assert_close(ours(input), expected)


@pytest.mark.parametrize("training", [True, False])
def test_our_parts_can_be_put_into_torchs_own_encoder_layer(training: bool) -> None:
    theirs = torch.nn.TransformerEncoderLayer(8, 2, 16, 0.0, activation="gelu", batch_first=True)
    ours: Any = torch.nn.TransformerEncoderLayer(8, 2, 16, 0.0, activation=F.gelu, batch_first=True)
    ours.linear1, ours.linear2 = nn.Linear(8, 16), nn.Linear(16, 8)
    ours.load_state_dict(theirs.state_dict())
    input = torch.randn(3, 7, 8)
    torch.testing.assert_close(ours.train(training)(input), theirs.train(training)(input))
