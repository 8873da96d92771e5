"""Whole networks of our modules compile as one graph, export and checkpoint, numbers unchanged."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import Module
from torch.utils.checkpoint import checkpoint

from bionn import nn
from bionn.models import MLP
from tests.blocks.networks import jobs

# What Dynamo says of itself when it traces any autograd.Function
DYNAMO = pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")

LETTERS, LENGTH, OUT = 4, 6, 3


class Scaled(Module):
    """Keeps the signals of a deep network apart from one another."""

    def forward(self, input: Tensor) -> Tensor:
        return 3 * input


def whole_network() -> tuple[Module, Module, Tensor]:
    """Every trainable activation of ours behind a one-hot layer, torch.nn's twin, one-hot input."""

    def make(kit: Any, *first: Module) -> Module:
        torch.manual_seed(4)
        layers = list(first)
        for name in ("ReLU", "LeakyReLU", "Sigmoid", "Tanh", "ELU", "Softplus", "GELU", "SiLU"):
            layers += [kit.Linear(OUT, OUT), Scaled(), getattr(kit, name)()]
        return torch.nn.Sequential(*layers, kit.Softmax(dim=1), kit.LogSoftmax(dim=-1))

    first = nn.OneHotLinear(LETTERS, LENGTH, OUT)
    flat = torch.nn.Linear(LETTERS * LENGTH, OUT)
    flat.load_state_dict({"weight": first.weight.flatten(1), "bias": first.bias})
    codes = torch.randint(0, LETTERS, (5, LENGTH))
    theirs = make(torch.nn, torch.nn.Flatten(), flat)
    return make(nn, first), theirs, torch.eye(LETTERS)[codes].mT


def value_and_gradients(network: Module, *inputs: Tensor) -> tuple[Tensor, ...]:
    output = network(*inputs)
    gradients = torch.autograd.grad(output.square().sum(), list(network.parameters()))
    return output, *(g.flatten(1) if g.dim() > 1 else g for g in gradients)


def test_checkpointing_recomputes_the_same_gradients() -> None:
    ours, theirs, input = whole_network()

    class Recomputed(Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = ours

        def forward(self, input: Tensor) -> Any:
            return checkpoint(self.body, input, use_reentrant=False)

    expected = value_and_gradients(theirs, input)
    torch.testing.assert_close(value_and_gradients(Recomputed(), input), expected)


@DYNAMO
def test_a_whole_network_compiles_as_one_graph() -> None:
    ours, theirs, input = whole_network()
    torch.compiler.reset()
    compiled: Any = torch.compile(ours, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(
        value_and_gradients(compiled, input), value_and_gradients(theirs, input)
    )


@DYNAMO
@pytest.mark.parametrize("name", jobs())
def test_other_peoples_networks_compile_as_one_graph(name: str) -> None:
    job = jobs()[name]
    network = job.network(nn)
    torch.compiler.reset()
    compiled: Any = torch.compile(network, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(
        value_and_gradients(compiled, *job.inputs), value_and_gradients(network, *job.inputs)
    )


@pytest.mark.parametrize("as_codes", [True, False], ids=["codes", "onehot"])
def test_an_mlp_is_exported_for_any_batch_size(as_codes: bool) -> None:
    model = MLP((LETTERS, LENGTH), (8, 5), OUT, activation="gelu").eval()
    codes = torch.randint(0, LETTERS + 1, (7, LENGTH), dtype=torch.uint8)
    input = codes if as_codes else torch.eye(LETTERS + 1, LETTERS)[codes.long()].mT
    batch = torch.export.Dim("batch", min=2)
    program = torch.export.export(model, (input[:3],), dynamic_shapes=({0: batch},))
    torch.testing.assert_close(program.module()(input), model(input))
    assert not any("bionn" in str(node.target) for node in program.graph.nodes)


def test_a_whole_network_is_exported_with_torchs_numbers() -> None:
    ours, theirs, input = whole_network()
    program = torch.export.export(ours.eval(), (input,))
    torch.testing.assert_close(program.module()(input), theirs(input))
