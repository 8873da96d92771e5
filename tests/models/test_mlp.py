"""The MLP against a torch.nn.Sequential twin: outputs, gradients, names, dropout, errors."""

import itertools

import pytest
import torch
from torch import Tensor

from bionn.errors import InputError
from bionn.models import MLP
from bionn.models.layers import set_code_table
from bionn.sequences.alphabet import DNA
from bionn.sequences.onehot import one_hot

TABLE = torch.from_numpy(DNA.code_table(unknown="uniform"))
CODES = torch.randint(0, len(TABLE), (32, 6), dtype=torch.uint8)
FEATURES = torch.randn(32, 5)
ACTIVATIONS = {
    "relu": torch.nn.ReLU,
    "leaky_relu": torch.nn.LeakyReLU,
    "sigmoid": torch.nn.Sigmoid,
    "tanh": torch.nn.Tanh,
    "elu": torch.nn.ELU,
    "softplus": torch.nn.Softplus,
    "gelu": torch.nn.GELU,
    "silu": torch.nn.SiLU,
}


def twin_of(model: MLP, activation: str) -> torch.nn.Sequential:
    """Torch's network of the same weights, on flattened inputs."""
    layers: list[torch.nn.Module] = []
    own = [layer for layer in model.layers if hasattr(layer, "weight")]
    for layer in own:
        weight = layer.weight.detach().flatten(1)
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=layer.bias is not None)
        linear.load_state_dict(
            {"weight": weight} | ({} if layer.bias is None else {"bias": layer.bias.detach()})
        )
        layers += [linear, ACTIVATIONS[activation]()]
    return torch.nn.Sequential(*layers[:-1])


def gradients(output: Tensor, model: torch.nn.Module) -> list[Tensor]:
    """Of a scalar that weighs the outputs differently, the weights flattened as torch has them."""
    scale = torch.arange(1.0, 1 + output.numel()).view_as(output)
    found = torch.autograd.grad((output * scale).sum(), list(model.parameters()))
    return [g.flatten(1) if g.ndim > 1 else g for g in found]


@pytest.mark.parametrize(
    ("hidden", "activation", "bias"),
    [
        ((), "relu", True),
        ((7,), "relu", True),
        ((7,), "tanh", False),
        ((7, 5), "gelu", True),
        ((7, 5, 4), "silu", True),
        ((7, 5, 4, 3), "elu", True),
        *(((7, 5), name, True) for name in ("leaky_relu", "sigmoid", "softplus")),
    ],
)
@pytest.mark.parametrize("in_features", [5, (4, 6)], ids=["features", "sequences"])
def test_outputs_gradients_and_names_are_torchs(in_features, hidden, activation, bias) -> None:
    torch.manual_seed(0)
    model = MLP(in_features, hidden, 2, activation=activation, bias=bias)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    twin = twin_of(model, activation)
    if isinstance(in_features, int):
        inputs = dense = FEATURES
    else:
        set_code_table(model, TABLE)
        inputs, dense = CODES, one_hot(CODES, TABLE).flatten(1)
    output, expected = model(inputs), twin(dense)
    torch.testing.assert_close(output, expected)
    for own, other in zip(gradients(output, model), gradients(expected, twin), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-4)
    assert list(model.state_dict()) == [f"layers.{name}" for name in twin.state_dict()]


@pytest.mark.parametrize("hidden", [(), (8,), (8, 4)])
def test_codes_and_their_one_hot_give_equal_outputs(hidden) -> None:
    model = MLP((4, 6), hidden, 3)
    set_code_table(model, TABLE)
    torch.testing.assert_close(model(CODES), model(one_hot(CODES, TABLE)))


def test_biases_begin_at_zero_and_the_generator_decides_the_weights() -> None:
    one, same, other = (
        MLP((4, 6), (8,), 1, generator=torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)
    )
    for (name, a), b, c in zip(
        one.named_parameters(), same.parameters(), other.parameters(), strict=True
    ):
        assert torch.equal(a, b)
        assert torch.equal(a, c) == name.endswith("bias")
        assert not name.endswith("bias") or not a.any()


@pytest.mark.parametrize("inputs", ["codes", "one-hot", "features"])
def test_input_dropout_is_unbiased_in_front_of_the_weights(inputs: str) -> None:
    torch.manual_seed(0)
    in_features = 5 if inputs == "features" else (4, 6)
    model = MLP(in_features, (), 3, input_dropout=0.4)
    torch.nn.init.normal_(model.layers[0].bias)
    set_code_table(model, TABLE)
    one = FEATURES[:1] if inputs == "features" else CODES[:1]
    if inputs == "one-hot":
        one = one_hot(one, TABLE)
    truth = model.eval()(one)
    draws = model.train()(one.expand(20000, *one.shape[1:]))
    error = draws.std(dim=0) / 20000**0.5
    assert (draws.std(dim=0) > 0).all()
    assert ((draws.mean(dim=0) - truth[0]).abs() < 5 * error).all()


@pytest.mark.parametrize("as_codes", [True, False])
def test_input_dropout_drops_whole_positions(as_codes: bool) -> None:
    torch.manual_seed(0)
    share, length = 0.25, 6
    model = MLP((4, length), (), 1, input_dropout=share)
    torch.nn.init.ones_(model.layers[0].weight)
    set_code_table(model, TABLE)
    unknown = torch.full((20000, length), DNA.unknown_code, dtype=torch.uint8)  # 1/4 of each letter
    output = model(unknown if as_codes else one_hot(unknown, TABLE)) * (1 - share)
    torch.testing.assert_close(output, output.round(), rtol=0, atol=1e-4)
    assert output.mean().item() == pytest.approx(length * (1 - share), rel=0.02)
    assert output.var().item() == pytest.approx(length * share * (1 - share), rel=0.05)


def test_a_dropped_position_is_zero_even_where_the_table_has_no_zero_row() -> None:
    model = MLP((4, 6), (), 1, input_dropout=0.5)
    torch.nn.init.ones_(model.layers[0].weight)
    set_code_table(model, torch.eye(4))
    output = model(torch.zeros(1000, 6, dtype=torch.uint8))
    assert 4 < output.mean().item() < 8
    assert output.min().item() < 6


def test_hidden_dropout_is_unbiased_for_the_layer_behind_it() -> None:
    torch.manual_seed(0)
    model = MLP(5, (50,), 1, dropout=0.5)
    one = FEATURES[:1]
    truth = model.eval()(one).item()
    draws = model.train()(one.expand(20000, -1))
    assert draws.std() > 0
    assert abs(draws.mean().item() - truth) < 5 * draws.std().item() / 20000**0.5


def test_nothing_is_dropped_in_evaluation() -> None:
    model = MLP((4, 6), (8,), 2, dropout=0.5, input_dropout=0.5).eval()
    plain = MLP((4, 6), (8,), 2)
    for own, other in zip(plain.parameters(), model.parameters(), strict=True):
        own.data.copy_(other.data)
    codes = CODES.clamp(max=4)
    assert torch.equal(model(codes), plain(codes))
    assert not torch.equal(model.train()(codes), plain(codes))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_features": (8, 0)}, r"widths from 1 needed, \[8, 0, 2\] found"),
        ({"out_features": 0}, "widths from 1 needed"),
        ({"hidden_features": (-3,)}, "widths from 1 needed"),
        ({"in_features": 0}, "in_features: sizes from 1 needed, 0 found"),
        ({"in_features": (4, 0)}, "in_features: sizes from 1 needed"),
        ({"activation": "rellu"}, "activation: one of .*did you mean 'relu'"),
        ({"init": "kaiming_unifrom"}, "init: one of .*did you mean 'kaiming_uniform'"),
        ({"dropout": 1.0}, "dropout: a share from 0 to below 1 needed, 1.0 found"),
        ({"input_dropout": -0.1}, "input_dropout: a share from 0 to below 1"),
    ],
)
def test_what_makes_no_network_is_refused(change: dict, message: str) -> None:
    arguments = {"in_features": 5, "hidden_features": (8,), "out_features": 2} | change
    with pytest.raises(InputError, match=message):
        MLP(**arguments)


def test_any_depth_and_width_is_trained_by_every_parameter() -> None:
    for depth, width in itertools.product(range(4), (1, 3)):
        model = MLP(5, (width,) * depth, 2, activation="tanh")
        model(FEATURES).square().sum().backward()
        assert all(p.grad is not None and p.grad.any() for p in model.parameters())
