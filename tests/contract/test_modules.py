"""Modules under torch's own tools: functional_call, parametrizations, pruning, meta, the compiler."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch._dynamo.backends.common import aot_autograd
from torch.nn.utils import parametrizations, parametrize, prune

from bionn import functional as F
from bionn import nn

ACTIVATIONS = ["Sigmoid", "Tanh", "ReLU", "LeakyReLU", "ELU", "Softplus", "GELU", "SiLU"]
# torch speaks against itself where it traces a Function and where it loads forward mode
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*should not be instantiated.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.script.*is deprecated.*:DeprecationWarning"),
]


def network(room: object) -> torch.nn.Sequential:
    """Every trainable activation between linear layers, from ``bionn.nn`` or ``torch.nn``."""
    torch.manual_seed(0)
    layers = []
    for name in ACTIVATIONS:
        layers += [room.Linear(4, 4), getattr(room, name)()]
    return torch.nn.Sequential(*layers, room.Linear(4, 3), room.LogSoftmax(1))


X = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))


def gradients(module: torch.nn.Module) -> list[Tensor]:
    output = module(X)
    return [output.detach(), *torch.autograd.grad(output.square().sum(), [*module.parameters()])]


class Doubled(torch.nn.Module):
    """A parametrization: twice the parameter."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight * 2


def doubled(layer: torch.nn.Module) -> None:
    parametrize.register_parametrization(layer, "weight", Doubled())


def pruned(layer: torch.nn.Module) -> None:
    prune.l1_unstructured(layer, "weight", amount=0.5)


TOOLS = [parametrizations.weight_norm, parametrizations.spectral_norm, doubled, pruned]


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.__name__)
def test_tools_for_parameters_do_to_our_linear_what_they_do_to_torchs(
    tool: Callable[[torch.nn.Module], object],
) -> None:
    ours, theirs = network(nn), network(torch.nn)
    for module in (ours, theirs):
        torch.manual_seed(2)
        tool(module[0])
    assert list(ours.state_dict()) == list(theirs.state_dict())
    torch.testing.assert_close(gradients(ours), gradients(theirs), rtol=1e-5, atol=1e-6)
    theirs.load_state_dict(ours.state_dict())
    ours.load_state_dict(theirs.state_dict())


def test_functional_call_gives_an_ensemble_of_models_by_vmap() -> None:
    models = [network(nn) for _ in range(3)]
    for number, model in enumerate(models):
        torch.nn.init.normal_(model[0].weight, generator=torch.Generator().manual_seed(number))
    parameters, buffers = torch.func.stack_module_state(models)
    base = copy.deepcopy(models[0]).to("meta")

    def loss(parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(base, (parameters, buffers), (x,)).square().sum()

    found = torch.func.vmap(torch.func.grad(loss), (0, 0, None))(parameters, buffers, X)
    for number, model in enumerate(models):
        torch.testing.assert_close(
            [value[number] for value in found.values()], gradients(model)[1:]
        )


def test_forward_mode_goes_through_vmap_and_through_forward_mode() -> None:
    ours, theirs = network(nn).double(), network(torch.nn).double()
    x = X.double()

    def second(module: torch.nn.Module) -> Tensor:
        return torch.func.jacfwd(torch.func.jacfwd(torch.func.vmap(lambda row: module(row[None]))))(
            x[:2]
        )

    torch.testing.assert_close(second(ours), second(theirs))


def test_shapes_and_dtypes_are_inferred_on_the_meta_device() -> None:
    for dtype in (torch.float64, torch.bfloat16):
        with torch.device("meta"):
            module = network(nn).to(dtype)
            output = module(torch.empty(7, 4, dtype=dtype))
        assert (output.shape, output.dtype, output.device.type) == ((7, 3), dtype, "meta")


def test_one_dynamic_graph_serves_every_batch_size() -> None:
    torch.compiler.reset()
    module, graphs = network(nn), []

    def count(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., object]:
        graphs.append(graph)
        return graph.forward

    backend = aot_autograd(fw_compiler=count)
    compiled = torch.compile(module, fullgraph=True, dynamic=True, backend=backend)
    for size in (3, 5, 8):
        x = torch.randn(size, 4)
        torch.testing.assert_close(compiled(x), module(x))
    assert len(graphs) == 2  # one forward, one backward


def test_the_losses_compile_with_dynamic_shapes() -> None:
    torch.compiler.reset()

    @torch.compile(fullgraph=True, dynamic=True, backend="aot_eager")
    def total(z: Tensor, y: Tensor, label: Tensor) -> Tensor:
        parts = [F.mse_loss(z, y), F.half_squared_error(z, y), F.cross_entropy(z, label)]
        parts += [F.cross_entropy(z, F.softmax(y, 1)), F.binary_cross_entropy_with_logits(z, y)]
        return torch.stack([*parts, F.binary_cross_entropy(F.sigmoid(z), y)]).sum()

    for size in (3, 6):
        z, y = torch.randn(size, 4, requires_grad=True), torch.rand(size, 4)
        label = torch.arange(size) % 4
        (found,) = torch.autograd.grad(total(z, y, label), z)
        eager = total._torchdynamo_orig_callable(z, y, label)
        torch.testing.assert_close(found, torch.autograd.grad(eager, z)[0])
