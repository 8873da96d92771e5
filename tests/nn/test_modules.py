"""Modules against torch.nn's: same state, same numbers, same gradients, copied and pickled whole."""

import copy
import io
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from bionn import nn

LOGITS = torch.randn(5, 3)
UNIT = torch.rand(5, 3)
LABELS = torch.tensor([0, 2, 1, 1, 0])
WEIGHT = torch.rand(3)

ACTIVATIONS = [
    ("Sigmoid", {}),
    ("Tanh", {}),
    ("ReLU", {}),
    ("LeakyReLU", {}),
    ("LeakyReLU", {"negative_slope": 0.3}),
    ("ELU", {"alpha": 0.5}),
    ("Softplus", {"beta": 2.0, "threshold": 5.0}),
    ("GELU", {}),
    ("GELU", {"approximate": "tanh"}),
    ("SiLU", {}),
    ("Softmax", {"dim": 1}),
    ("LogSoftmax", {"dim": -1}),
]
LOSSES = [
    ("MSELoss", {}, LOGITS, UNIT),
    ("MSELoss", {"reduction": "sum"}, LOGITS, UNIT),
    ("BCELoss", {}, UNIT, UNIT.flip(0)),
    ("BCELoss", {"weight": WEIGHT, "reduction": "none"}, UNIT, UNIT.flip(0)),
    ("BCEWithLogitsLoss", {"reduction": "sum"}, LOGITS, UNIT),
    ("BCEWithLogitsLoss", {"weight": WEIGHT, "pos_weight": 3 * WEIGHT}, LOGITS, UNIT),
    ("CrossEntropyLoss", {}, LOGITS, LABELS),
    ("CrossEntropyLoss", {"weight": WEIGHT, "label_smoothing": 0.1}, LOGITS, LABELS),
    ("CrossEntropyLoss", {"ignore_index": 1, "reduction": "none"}, LOGITS, LABELS),
    ("CrossEntropyLoss", {"weight": WEIGHT}, LOGITS, UNIT),
]


def twins(name: str, *args: object, **kwargs: object) -> tuple[torch.nn.Module, torch.nn.Module]:
    """Make our module and torch's from the same random state."""
    torch.manual_seed(3)
    ours = getattr(nn, name)(*args, **kwargs)
    torch.manual_seed(3)
    return ours, getattr(torch.nn, name)(*args, **kwargs)


def run(module: torch.nn.Module, *inputs: Tensor) -> list[Tensor]:
    """Return output, gradient of the input, gradients of the parameters."""
    first = inputs[0].clone().requires_grad_(inputs[0].is_floating_point())
    output = module(first, *inputs[1:])
    asked = [first] if first.requires_grad else []
    return [output, *torch.autograd.grad(output.square().sum(), [*asked, *module.parameters()])]


@pytest.mark.parametrize(("name", "kwargs"), ACTIVATIONS)
def test_activations_are_drop_ins(name: str, kwargs: dict[str, object]) -> None:
    ours, theirs = twins(name, **kwargs)
    torch.testing.assert_close(run(ours, LOGITS), run(theirs, LOGITS), rtol=1e-5, atol=1e-6)
    assert repr(ours) == repr(theirs)
    assert ours.state_dict() == theirs.state_dict() == {}


@pytest.mark.parametrize(("name", "kwargs", "input", "target"), LOSSES)
def test_losses_are_drop_ins_with_torchs_state(
    name: str, kwargs: dict[str, object], input: Tensor, target: Tensor
) -> None:
    ours, theirs = twins(name, **kwargs)
    expected = run(theirs, input, target)
    torch.testing.assert_close(run(ours, input, target), expected, rtol=1e-5, atol=1e-6)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())
    ours.load_state_dict(theirs.state_dict())


@pytest.mark.parametrize("bias", [True, False])
def test_linear_is_a_drop_in(bias: bool) -> None:
    ours, theirs = twins("Linear", 3, 4, bias)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=0)
    torch.testing.assert_close(run(ours, LOGITS), run(theirs, LOGITS))
    assert repr(ours) == repr(theirs)
    other = torch.nn.Linear(3, 4, bias)
    ours.load_state_dict(other.state_dict())
    torch.testing.assert_close(ours(LOGITS), other(LOGITS))
    theirs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(theirs(LOGITS), other(LOGITS))


def test_linear_takes_device_and_dtype() -> None:
    layer = nn.Linear(3, 4, device="meta", dtype=torch.float64)
    assert layer.weight.is_meta
    assert layer.weight.dtype == torch.float64


def test_linear_draws_from_the_generator_it_is_given() -> None:
    layer, other = nn.Linear(3, 4), nn.Linear(3, 4)
    state = torch.get_rng_state()
    layer.reset_parameters(torch.Generator().manual_seed(5))
    other.reset_parameters(torch.Generator().manual_seed(5))
    assert torch.equal(layer.weight, other.weight)
    assert torch.equal(layer.bias, other.bias)
    assert torch.equal(torch.get_rng_state(), state)


def test_half_squared_error_has_the_residual_as_gradient() -> None:
    y = LOGITS.clone().requires_grad_()
    loss = nn.HalfSquaredError(reduction="sum")(y, UNIT)
    torch.testing.assert_close(torch.autograd.grad(loss, y)[0], LOGITS - UNIT)
    torch.testing.assert_close(loss.detach(), ((LOGITS - UNIT) ** 2).sum() / 2)


def test_step_is_one_above_zero_only() -> None:
    assert nn.Step()(torch.tensor([-1.0, 0.0, 1e-9])).tolist() == [0.0, 0.0, 1.0]


class TestOneHotLinear:
    codes = torch.randint(0, 5, (6, 7), dtype=torch.uint8)

    def pair(self, bias: bool = True) -> tuple[nn.OneHotLinear, torch.nn.Linear]:
        torch.manual_seed(3)
        ours = nn.OneHotLinear(4, 7, 3, bias)
        torch.manual_seed(3)
        return ours, torch.nn.Linear(28, 3, bias)

    @pytest.mark.parametrize("bias", [True, False])
    def test_equals_linear_on_the_flattened_onehot_from_the_same_seed(self, bias: bool) -> None:
        ours, theirs = self.pair(bias)
        assert torch.equal(ours.weight.flatten(1), theirs.weight)
        onehot = torch.eye(5, 4)[self.codes.long()].transpose(1, 2)
        output, *gradients = run(ours, self.codes)
        expected, _, *expected_gradients = run(theirs, onehot.flatten(1))
        torch.testing.assert_close(output, expected)
        torch.testing.assert_close(gradients[0].flatten(1), expected_gradients[0])
        torch.testing.assert_close(gradients[1:], expected_gradients[1:])
        torch.testing.assert_close(ours(onehot), expected)

    def test_weight_is_stored_position_first(self) -> None:
        layer = nn.OneHotLinear(4, 7, 3)
        assert layer.weight.shape == (3, 4, 7)
        assert layer.weight.permute(2, 1, 0).is_contiguous()

    def test_table_moves_with_the_module_but_stays_out_of_its_state(self) -> None:
        table = torch.rand(9, 4)
        layer = nn.OneHotLinear(4, 7, 3, table=table).to(torch.float64)
        assert layer.table.dtype == torch.float64
        assert set(layer.state_dict()) == {"weight", "bias"}
        codes = torch.full((1, 7), 8)
        expected = (table[8].double()[:, None] * layer.weight).sum((1, 2)) + layer.bias
        torch.testing.assert_close(layer(codes), expected[None])

    def test_optimiser_steps_keep_the_layout(self) -> None:
        layer = nn.OneHotLinear(4, 7, 3)
        optimizer = torch.optim.AdamW(layer.parameters())
        layer(self.codes).square().sum().backward()
        optimizer.step()
        assert layer.weight.permute(2, 1, 0).is_contiguous()
        assert optimizer.state[layer.weight]["exp_avg"].stride() == layer.weight.stride()

    def test_shows_its_sizes(self) -> None:
        shown = "OneHotLinear(num_symbols=4, length=7, out_features=3, bias=True)"
        assert repr(nn.OneHotLinear(4, 7, 3)) == shown


def _pickled(module: torch.nn.Module) -> torch.nn.Module:
    return pickle.loads(pickle.dumps(module))


def _saved(module: torch.nn.Module) -> torch.nn.Module:
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("transport", [copy.deepcopy, _pickled, _saved])
def test_every_module_travels_whole(
    transport: Callable[[torch.nn.Module], torch.nn.Module],
) -> None:
    network = torch.nn.Sequential(
        nn.OneHotLinear(4, 7, 3),
        *(getattr(nn, name)(**kwargs) for name, kwargs in ACTIVATIONS),
        nn.Linear(3, 2),
        nn.Step(),
    )
    moved = transport(network)
    assert repr(moved) == repr(network)
    assert torch.equal(moved(TestOneHotLinear.codes), network(TestOneHotLinear.codes))
    assert moved[0].weight.stride() == network[0].weight.stride()
    for name, kwargs, input, target in LOSSES:
        loss = getattr(nn, name)(**kwargs)
        assert torch.equal(transport(loss)(input, target), loss(input, target))


def test_dropout_is_torchs_but_for_what_it_draws() -> None:
    ours, twin, input = nn.Dropout(0.4), torch.nn.Dropout(0.4), torch.ones(40, 5)
    assert isinstance(ours, torch.nn.Dropout)
    assert repr(ours) == repr(twin)
    assert set(ours(input).unique().tolist()) == set(twin(input).unique().tolist())
    assert ours.eval()(input) is input
    assert nn.Dropout(0.4, inplace=True)(input) is input


def test_the_page_of_names_is_complete() -> None:
    names = {name for name, *_ in (*ACTIVATIONS, *LOSSES)}
    others = {"Dropout", "HalfSquaredError", "Linear", "OneHotLinear", "Step", "init"}
    assert set(nn.__all__) == names | others
