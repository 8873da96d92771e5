"""What torch's tools do to a module (swap, copy, prune, reparametrise) works on ours."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import Module, Parameter
from torch.nn.utils import parametrizations, parametrize, prune

from bionn import nn
from tests.blocks.networks import jobs

LETTERS, LENGTH, OUT = 4, 6, 3
FLAT = LETTERS * LENGTH
INPUT = torch.randn(5, FLAT, generator=torch.Generator().manual_seed(0))


class Flattened(Module):
    """torch.nn's twin of OneHotLinear: one-hot ``(N, A, L)``, flattened, into its Linear."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(FLAT, OUT)

    def forward(self, input: Tensor) -> Tensor:
        return self.linear(input.flatten(1))


class Twins:
    """One of our two linear layers, torch's Linear with the same numbers, and an input."""

    def __init__(self, name: str) -> None:
        self.onehot = name == "OneHotLinear"
        sizes = (LETTERS, LENGTH, OUT) if self.onehot else (FLAT, OUT)
        torch.manual_seed(3)
        self.ours: Any = getattr(nn, name)(*sizes)
        torch.manual_seed(3)
        self.whole: Any = Flattened() if self.onehot else torch.nn.Linear(FLAT, OUT)
        self.theirs: Any = self.whole.linear if self.onehot else self.whole
        self.input = INPUT.unflatten(1, (LETTERS, LENGTH)) if self.onehot else INPUT

    def same(self, rtol: float | None = None, atol: float | None = None) -> None:
        """Assert equal outputs, gradients of the input, and gradients of every parameter."""
        results = []
        for module in (self.ours, self.whole):
            dtype = next(module.parameters()).dtype
            input = self.input.to(dtype, copy=True).requires_grad_()
            output = module(input)
            asked = [p for p in module.parameters() if p.requires_grad]
            gradients = torch.autograd.grad(output.square().sum(), [input, *asked])
            results.append(
                [output, gradients[0], *(g.flatten(1) if g.dim() > 1 else g for g in gradients[1:])]
            )
        torch.testing.assert_close(*results, rtol=rtol, atol=atol)


@pytest.fixture(params=["Linear", "OneHotLinear"])
def twins(request: pytest.FixtureRequest) -> Twins:
    return Twins(request.param)


def test_functional_call_uses_the_given_parameters_and_differentiates_them(twins: Twins) -> None:
    own = copy.deepcopy(twins.ours.state_dict())
    given = {name: torch.randn_like(p) for name, p in twins.ours.named_parameters()}
    flat = {"weight": given["weight"].flatten(1), "bias": given["bias"]}

    def loss(module: Module, input: Tensor) -> Callable[[dict[str, Tensor]], Tensor]:
        return lambda state: torch.func.functional_call(module, state, (input,)).square().sum()

    gradient, value = torch.func.grad_and_value(loss(twins.ours, twins.input))(given)
    expected, expected_value = torch.func.grad_and_value(loss(twins.theirs, INPUT))(flat)
    torch.testing.assert_close(value, expected_value)
    torch.testing.assert_close(gradient["weight"].flatten(1), expected["weight"])
    torch.testing.assert_close(gradient["bias"], expected["bias"])
    torch.testing.assert_close(twins.ours.state_dict(), own, rtol=0, atol=0)


def test_an_ensemble_of_stacked_states_is_mapped_by_vmap(twins: Twins) -> None:
    models = [copy.deepcopy(twins.ours) for _ in range(3)]
    for model in models:
        model.reset_parameters()
    states, buffers = torch.func.stack_module_state(models)

    def call(state: dict[str, Tensor], buffer: dict[str, Tensor]) -> Tensor:
        return torch.func.functional_call(twins.ours, (state, buffer), (twins.input,))

    expected = torch.stack([model(twins.input) for model in models])
    torch.testing.assert_close(torch.func.vmap(call)(states, buffers), expected)
    assert not torch.allclose(expected[0], expected[1])


@pytest.mark.parametrize(
    "transport",
    [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))],
    ids=["deepcopy", "pickle"],
)
def test_a_copy_is_equal_and_apart(twins: Twins, transport: Callable[[Module], Module]) -> None:
    moved = transport(twins.ours)
    with torch.no_grad():
        twins.ours.weight.zero_()
    twins.ours = moved
    twins.same()


@pytest.mark.parametrize("name", jobs())
def test_a_networks_state_goes_both_ways(name: str) -> None:
    job = jobs()[name]
    ours, theirs = job.network(nn), job.network(torch.nn)
    assert not torch.allclose(ours(*job.inputs), theirs(*job.inputs))
    theirs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours(*job.inputs), theirs(*job.inputs))
    other = job.network(torch.nn)
    ours.load_state_dict(other.state_dict(), assign=True)
    torch.testing.assert_close(ours(*job.inputs), other(*job.inputs))
    state = other.state_dict()
    del state["head.bias"]
    with pytest.raises(RuntimeError, match=r"Missing key.*head\.bias"):
        ours.load_state_dict(state)


@pytest.mark.parametrize("way", ["skip_init", "argument", "context"])
def test_a_linear_layer_is_made_on_meta_and_filled_later(way: str) -> None:
    twins = Twins("Linear")
    if way == "skip_init":
        layer: Any = torch.nn.utils.skip_init(nn.Linear, FLAT, OUT)
    elif way == "argument":
        layer = nn.Linear(FLAT, OUT, device="meta").to_empty(device="cpu")
    else:
        with torch.device("meta"):
            layer = nn.Linear(FLAT, OUT)
        assert layer.weight.is_meta
        layer.to_empty(device="cpu")
    torch.manual_seed(3)
    layer.reset_parameters()
    torch.testing.assert_close(layer.state_dict(), twins.theirs.state_dict(), rtol=0, atol=0)
    twins.ours = layer
    twins.same()


def _from_meta(way: str, state: dict[str, Tensor]) -> Any:
    if way == "skip_init":
        layer: Any = torch.nn.utils.skip_init(nn.OneHotLinear, LETTERS, LENGTH, OUT)
    else:
        layer = nn.OneHotLinear(LETTERS, LENGTH, OUT, device="meta")
        layer = layer if way == "assign" else layer.to_empty(device="cpu")
    layer.load_state_dict(state, assign=way == "assign")
    return layer


@pytest.mark.parametrize("way", ["skip_init", "to_empty", "assign"])
def test_onehot_linear_is_made_on_meta_and_loaded_later(way: str) -> None:
    twins = Twins("OneHotLinear")
    twins.ours = _from_meta(way, twins.ours.state_dict())
    twins.same()
    if way != "assign":
        assert twins.ours.weight.permute(2, 1, 0).is_contiguous()


@pytest.mark.parametrize("way", ["skip_init", "to_empty", "assign"])
def test_onehot_linear_made_on_meta_still_knows_its_codes(way: str) -> None:
    twins = Twins("OneHotLinear")
    layer = _from_meta(way, twins.ours.state_dict())
    if way != "assign":
        layer.reset_parameters()
        layer.load_state_dict(twins.ours.state_dict())
    codes = torch.tensor([[0, 1, 2, 3, 4, 4]])
    torch.testing.assert_close(layer(codes), twins.ours(codes))


class Symmetric(Module):
    """The average with the transpose of the last two dimensions."""

    def forward(self, weight: Tensor) -> Tensor:
        return (weight + weight.mT) / 2


class LettersSumToZero(Module):
    """Takes from each position its mean over the letters, which the bias could carry as well."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight - weight.mean(1, keepdim=True)


@pytest.mark.parametrize("make", [
    lambda layer: parametrize.register_parametrization(layer, "weight", Symmetric()),
    parametrizations.orthogonal,
], ids=["symmetric", "orthogonal"])  # fmt: skip
def test_a_square_linear_layer_takes_parametrizations(make: Callable[[Module], Module]) -> None:
    torch.manual_seed(3)
    ours: Any = make(nn.Linear(FLAT, FLAT))
    torch.manual_seed(3)
    theirs: Any = make(torch.nn.Linear(FLAT, FLAT))
    twins = Twins("Linear")
    twins.ours, twins.whole = ours, theirs
    ours.load_state_dict(theirs.state_dict())
    twins.same()
    optimizer = torch.optim.SGD(ours.parameters(), lr=0.1)
    ours(INPUT).square().mean().backward()
    optimizer.step()
    weight = ours.weight.detach()
    if isinstance(ours.parametrizations.weight[0], Symmetric):
        torch.testing.assert_close(weight, weight.T)
    else:
        torch.testing.assert_close(weight @ weight.T, torch.eye(FLAT), rtol=0, atol=1e-5)
    assert not torch.allclose(weight, theirs.weight)
    parametrize.remove_parametrizations(ours, "weight")
    torch.testing.assert_close(ours(INPUT), INPUT @ weight.T + ours.bias)


def test_onehot_linear_takes_a_parametrization_through_an_optimiser_step() -> None:
    layer: Any = nn.OneHotLinear(LETTERS, LENGTH, OUT)
    codes = torch.randint(0, LETTERS, (8, LENGTH))
    parametrize.register_parametrization(layer, "weight", LettersSumToZero())
    layer(codes).square().mean().backward()
    torch.optim.SGD(layer.parameters(), lr=0.5).step()
    weight = layer.weight.detach()
    torch.testing.assert_close(weight.sum(1), torch.zeros(OUT, LENGTH), rtol=0, atol=1e-6)
    expected = torch.eye(LETTERS)[codes].mT.flatten(1) @ weight.flatten(1).T + layer.bias
    torch.testing.assert_close(layer(codes), expected)


@pytest.mark.parametrize("norm", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_weight_and_spectral_norm_give_torchs_numbers(
    twins: Twins, norm: Callable[[Module], Module]
) -> None:
    for module in (twins.ours, twins.theirs):
        torch.manual_seed(5)
        norm(module)
        module.eval()  # spectral norm then keeps its singular vectors
    twins.same()
    if norm is parametrizations.spectral_norm:
        largest = torch.linalg.matrix_norm(twins.ours.weight.flatten(1), 2)
        torch.testing.assert_close(largest, torch.tensor(1.0), rtol=0.01, atol=0)


def prune_both_and_compare(twins: Twins) -> None:
    for module in (twins.ours, twins.theirs):
        prune.l1_unstructured(module, "weight", amount=0.4)
    mask = twins.ours.weight_mask
    assert torch.equal(mask.flatten(1), twins.theirs.weight_mask)
    assert (mask == 0).sum() == round(0.4 * mask.numel())
    twins.same()
    twins.ours(twins.input).square().sum().backward()
    assert (twins.ours.weight_orig.grad[mask == 0] == 0).all()
    for module in (twins.ours, twins.theirs):
        prune.remove(module, "weight")
    assert isinstance(twins.ours.weight, Parameter)
    twins.same()


def test_pruning_masks_what_torch_masks_in_linear() -> None:
    prune_both_and_compare(Twins("Linear"))


@pytest.mark.parametrize("norm", [1, 2])
def test_pruning_whole_units_masks_what_torch_masks(twins: Twins, norm: int) -> None:
    for module in (twins.ours, twins.theirs):
        prune.ln_structured(module, "weight", amount=1, n=norm, dim=0)
    assert torch.equal(twins.ours.weight_mask.flatten(1), twins.theirs.weight_mask)
    twins.same()


def test_torchs_tools_that_view_a_parameter_flat_take_onehot_linear_laid_out_plainly() -> None:
    twins = Twins("OneHotLinear")
    twins.ours.weight = Parameter(twins.ours.weight.detach().contiguous())
    prune_both_and_compare(twins)
    vector = torch.nn.utils.parameters_to_vector(twins.ours.parameters())
    expected = torch.nn.utils.parameters_to_vector(twins.theirs.parameters())
    torch.testing.assert_close(vector.sort().values, expected.sort().values)


def _l1_unstructured(layer: Module) -> None:
    prune.l1_unstructured(layer, "weight", amount=0.4)


def _vector(layer: Module) -> None:
    torch.nn.utils.parameters_to_vector(layer.parameters())


def _lbfgs(layer: Module) -> None:
    optimizer = torch.optim.LBFGS(layer.parameters())

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = layer(torch.zeros(2, LENGTH, dtype=torch.uint8)).square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)


@pytest.mark.parametrize("tool", [_l1_unstructured, _vector, _lbfgs])
def test_torchs_tools_that_view_a_parameter_flat_take_it_once_contiguous(
    tool: Callable[[Module], None],
) -> None:
    layer = Twins("OneHotLinear").ours
    with pytest.raises(RuntimeError, match="view"):
        tool(layer)
    layer = Twins("OneHotLinear").ours
    layer.weight = torch.nn.Parameter(layer.weight.detach().contiguous())
    tool(layer)


def test_hooks_see_and_change_what_torchs_do(twins: Twins) -> None:
    records: list[list[Tensor]] = []
    for module in (twins.ours, twins.theirs):
        seen: list[Tensor] = []
        records.append(seen)
        module.register_forward_pre_hook(lambda _, args: (2 * args[0],))
        module.register_forward_hook(lambda _, args, output: output + 1)
        module.register_full_backward_pre_hook(lambda _, grads: (3 * grads[0],))
        module.register_full_backward_hook(
            lambda _, inputs, outputs, seen=seen: seen.extend((inputs[0].flatten(1), outputs[0]))
        )
        module.weight.register_hook(lambda grad: -grad)
    twins.same()
    torch.testing.assert_close(*records)
    assert len(records[0]) == 2


@pytest.mark.parametrize("cast", ["half", "bfloat16", "float", "double"])
def test_casting_the_module_gives_torchs_numbers(twins: Twins, cast: str) -> None:
    for module in (twins.ours, twins.whole):
        getattr(module, cast)()
    twins.same()


def test_frozen_parameters_get_no_gradient_and_pass_it_on(twins: Twins) -> None:
    for module in (twins.ours, twins.theirs):
        module.weight.requires_grad_(False)
    twins.same()
    for module in (twins.ours, twins.theirs):
        module.requires_grad_(False)
    twins.same()
    assert twins.ours(twins.input).grad_fn is None
    assert twins.ours.weight.grad is None
