"""A network applied by one op gives the bits of its layers one after another, and knows when not to."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import pytest
import torch
from torch import Tensor

from bionn.kernels.library import library
from bionn.models import MLP
from bionn.models.at_once import at_once
from bionn.nn.activation import LeakyReLU, ReLU, Softplus
from bionn.nn.dropout import Dropout
from bionn.nn.linear import Linear, OneHotLinear

pytestmark = pytest.mark.skipif(library() is None, reason="no compiled kernels here")

ACTIVATIONS = ("relu", "leaky_relu", "sigmoid", "tanh", "elu", "softplus", "gelu", "silu")
INPUTS: dict[str, tuple[int | tuple[int, int], Callable[[int], Tensor]]] = {
    "codes": ((4, 30), lambda rows: draw(5, rows, 30)),
    "features": (20, lambda rows: normal(rows, 20)),
}


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def draw(symbols: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, symbols, shape, generator=generator, dtype=torch.uint8)


def network(in_features: int | tuple[int, int] = 20, *hidden: int, **options: object) -> MLP:
    generator = torch.Generator().manual_seed(1)
    return MLP(in_features, hidden or (33, 17), 3, generator=generator, **options)  # type: ignore[arg-type]


def in_turn(model: MLP, input: Tensor) -> Tensor:
    for layer in model.layers:
        input = layer(input)
    return input


def through(
    forward: Callable[[Tensor], Tensor], leaves: Sequence[Tensor], input: Tensor
) -> list[Tensor]:
    torch.manual_seed(0)  # for what is dropped
    output = forward(input)
    upstream = torch.linspace(-1, 1, output.numel()).reshape(output.shape)
    return [output, *torch.autograd.grad(output, leaves, upstream)]


def leaves_of(model: MLP, input: Tensor) -> list[Tensor]:
    learned: list[Tensor] = [each for each in model.parameters() if each.requires_grad]
    return [*learned, input] if input.requires_grad else learned


def is_whole(output: Tensor | None) -> bool:
    return output is not None and "MlpNode" in str(output.grad_fn and output.grad_fn.name())


def equal_in_turn(model: MLP, input: Tensor) -> bool:
    """Whether values and gradients are those of the layers, bit for bit.

    Behind codes and ReLU the gradient of the first bias is summed in another order.
    """
    leaves = leaves_of(model, input)
    whole, each = (through(f, leaves, input) for f in (model, lambda x: in_turn(model, x)))
    first_bias = model.layers[0].bias
    reordered = type(model.layers[1]) is ReLU and not input.is_floating_point()
    for leaf, ours, known in zip([None, *leaves], whole, each, strict=True):
        if leaf is not None and leaf is first_bias and reordered:
            torch.testing.assert_close(ours, known, rtol=1e-5, atol=1e-5)
        elif not torch.equal(ours, known):
            return False
    return True


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("hidden", [(16,), (33, 17), (5, 64, 8)], ids=str)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kind", INPUTS)
def test_values_and_gradients_have_the_bits_of_the_layers(
    kind: str, activation: str, hidden: tuple[int, ...], bias: bool, dropout: float
) -> None:
    in_features, make = INPUTS[kind]
    model = network(in_features, *hidden, activation=activation, bias=bias, dropout=dropout)
    for rows in (0, 1, 40, 70, 600):
        input = make(rows)
        if input.is_floating_point():
            input.requires_grad_()
        assert is_whole(model(input))
        assert equal_in_turn(model, input)
        model.eval()
        with torch.no_grad():
            assert torch.equal(model(input), in_turn(model, input))
        model.train()


@pytest.mark.parametrize("kind", INPUTS)
def test_inputs_are_dropped_as_without_the_op(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    in_features, make = INPUTS[kind]
    model, input = network(in_features, dropout=0.4, input_dropout=0.3), make(600)
    leaves = leaves_of(model, input)
    whole = through(model, leaves, input)
    assert is_whole(whole[0])
    monkeypatch.setattr("bionn.models.mlp.at_once", lambda *_: None)
    each = through(model, leaves, input)
    assert not is_whole(each[0])
    for ours, known in zip(whole, each, strict=True):
        torch.testing.assert_close(ours, known, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kind", INPUTS)
def test_gradients_can_be_differentiated_again(kind: str, activation: str, dropout: float) -> None:
    in_features, make = INPUTS[kind]
    model = network(in_features, activation=activation, dropout=dropout)
    input = make(9)
    if input.is_floating_point():
        input.requires_grad_()
    leaves = leaves_of(model, input)

    def second(forward: Callable[[Tensor], Tensor]) -> tuple[Tensor, ...]:
        torch.manual_seed(0)
        gradients = torch.autograd.grad(forward(input).square().sum(), leaves, create_graph=True)
        total = torch.stack([each.square().sum() for each in gradients]).sum()
        return torch.autograd.grad(total, leaves)

    assert is_whole(model(input))
    for ours, known in zip(second(model), second(lambda x: in_turn(model, x)), strict=True):
        torch.testing.assert_close(ours, known, rtol=1e-4, atol=1e-5 * float(known.abs().max()))


def test_a_wide_first_layer_goes_as_a_product() -> None:
    model, input = network((4, 300), 256, 16), draw(5, 40, 300)
    assert is_whole(model(input))
    assert equal_in_turn(model, input)


@pytest.mark.parametrize("rows", [5, 100])
def test_what_is_not_a_number_passes_the_rectifier(rows: int) -> None:
    model, input = network((4, 30), 16, 8), draw(4, rows, 30)
    with torch.no_grad():
        model.layers[0].bias[3] = torch.nan  # type: ignore[union-attr,operator,index]
    leaves = leaves_of(model, input)
    whole, each = (through(f, leaves, input) for f in (model, lambda x: in_turn(model, x)))
    for ours, known in zip(whole, each, strict=True):
        torch.testing.assert_close(ours, known, equal_nan=True)


def test_many_upstream_gradients_at_once() -> None:
    model = network()
    output = model(normal(4, 20))
    upstream = torch.eye(output.numel()).reshape(-1, *output.shape)
    leaves = list(model.parameters())
    batched = torch.autograd.grad(
        output, leaves, upstream, is_grads_batched=True, retain_graph=True
    )
    for row, u in enumerate(upstream):
        for ours, known in zip(
            batched, torch.autograd.grad(output, leaves, u, retain_graph=True), strict=True
        ):
            torch.testing.assert_close(ours[row], known)


@pytest.mark.parametrize(
    "frozen", [each for n in range(1, 6) for each in itertools.combinations(range(6), n)], ids=str
)
@pytest.mark.parametrize("kind", INPUTS)
def test_what_does_not_learn_gets_no_gradient_and_the_rest_keeps_its_bits(
    kind: str, frozen: tuple[int, ...]
) -> None:
    in_features, make = INPUTS[kind]
    model, input = network(in_features), make(40)
    for place, parameter in enumerate(model.parameters()):
        parameter.requires_grad_(place not in frozen)
    assert is_whole(model(input))
    assert equal_in_turn(model, input)


def test_the_backward_notices_weights_that_have_changed_meanwhile() -> None:
    model = network()
    output = model(normal(4, 20))
    with torch.no_grad():
        model.layers[2].weight.add_(1)  # type: ignore[union-attr,operator]
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


def test_the_backward_may_be_inside_autocast() -> None:
    model, input = network(8, 300, 300), normal(64, 8)
    leaves = list(model.parameters())
    output = model(input).square().sum()
    known = torch.autograd.grad(in_turn(model, input).square().sum(), leaves)
    with torch.autocast("cpu", torch.bfloat16):
        found = torch.autograd.grad(output, leaves)
    assert all(map(torch.equal, found, known))


@pytest.mark.parametrize("again", [False, True])
def test_a_weight_of_two_layers_gets_the_sum_of_both_gradients(again: bool) -> None:
    model, input = network(8, 8, 8, 8), normal(5, 8)
    model.layers[4].weight = model.layers[2].weight  # type: ignore[union-attr,assignment]
    leaves = list(model.parameters())
    whole, each = (
        torch.autograd.grad(f(input).square().sum(), leaves, create_graph=again)
        for f in (model, lambda x: in_turn(model, x))
    )
    for ours, known in zip(whole, each, strict=True):
        torch.testing.assert_close(ours, known, rtol=1e-5, atol=1e-5)


def test_a_copy_that_holds_plain_tensors_is_applied_layer_by_layer() -> None:
    model, input = network(), normal(4, 20)
    known = model(input)
    for layer in (model.layers[0], model.layers[2], model.layers[4]):
        weight = layer.weight
        del layer.weight
        layer.weight = weight.detach()  # type: ignore[assignment]
    assert not is_whole(model(input))
    assert torch.equal(model(input), known)


def test_a_table_says_what_codes_stand_for() -> None:
    model = network((4, 30))
    first = model.layers[0]
    assert isinstance(first, OneHotLinear)
    first.table = torch.tensor([[0.5, 0.5, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]])
    input = draw(3, 50, 30)
    assert is_whole(model(input))
    assert torch.equal(model(input), in_turn(model, input))


def hooks(model: MLP) -> Iterator[Callable[[], object]]:
    seen = []
    for layer in model.layers:
        for register in (
            layer.register_forward_hook,
            layer.register_forward_pre_hook,
            layer.register_full_backward_hook,
            layer.register_full_backward_pre_hook,
        ):
            handle = register(lambda *_: seen.append(1))  # type: ignore[arg-type]
            yield lambda: (model(normal(4, 20).requires_grad_()).sum().backward(), seen)[1]
            handle.remove()
            seen.clear()


def test_hooks_of_each_layer_are_called() -> None:
    model = network()
    assert is_whole(model(normal(4, 20)))
    calls = [len(run()) for run in hooks(model) if run]  # type: ignore[arg-type]
    assert calls == [1] * 20
    assert is_whole(model(normal(4, 20)))


def replaced(place: int, module: torch.nn.Module) -> Callable[[MLP], object]:
    return lambda model: model.layers.__setitem__(place, module)


class Loud(ReLU):
    """An activation of a class of its own."""


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(replaced(1, torch.nn.ReLU()), id="torch's activation"),
        pytest.param(replaced(1, Loud()), id="a subclass"),
        pytest.param(replaced(1, Softplus()), id="two kinds of activations"),
        pytest.param(replaced(1, torch.nn.Identity()), id="no activation"),
        pytest.param(replaced(2, torch.nn.Linear(33, 17)), id="torch's layer"),
        pytest.param(replaced(4, Linear(17, 3, bias=False)), id="one layer without bias"),
        pytest.param(lambda model: model.double(), id="float64"),
        pytest.param(lambda model: model.bfloat16(), id="bfloat16"),
        pytest.param(
            lambda model: setattr(model.layers[1], "forward", torch.relu), id="a replaced forward"
        ),
        pytest.param(
            lambda model: torch.nn.utils.parametrize.register_parametrization(
                model.layers[2], "weight", torch.nn.Identity()
            ),
            id="a parametrisation",
        ),
    ],
)
def test_what_is_not_for_the_op_is_applied_layer_by_layer(change: Callable[[MLP], object]) -> None:
    model = network()
    change(model)
    input = normal(4, 20).to(next(model.parameters()).dtype)
    output = model(input)
    assert not is_whole(output)
    assert torch.equal(output, in_turn(model, input))


def test_a_slope_below_zero_is_not_for_the_op() -> None:
    model = network(activation="leaky_relu")
    for layer in (model.layers[1], model.layers[3]):
        assert isinstance(layer, LeakyReLU)
        layer.negative_slope = -0.5
    input = normal(4, 20)
    assert not is_whole(model(input))
    assert torch.equal(model(input), in_turn(model, input))


@pytest.mark.parametrize(
    ("activation", "name", "value"),
    [("leaky_relu", "negative_slope", 0.5), ("elu", "alpha", 2.0), ("gelu", "approximate", "tanh")],
)
def test_activations_of_different_constants_are_not_for_the_op(
    activation: str, name: str, value: float | str
) -> None:
    model, input = network(activation=activation), normal(4, 20)
    assert is_whole(model(input))
    setattr(model.layers[1], name, value)
    assert not is_whole(model(input))
    assert torch.equal(model(input), in_turn(model, input))
    setattr(model.layers[3], name, value)
    assert is_whole(model(input))
    assert torch.equal(model(input), in_turn(model, input))


class Always(torch.nn.Dropout):
    """Drops in evaluation too."""

    def forward(self, input: Tensor) -> Tensor:
        return torch.nn.functional.dropout(input, self.p, True)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(replaced(2, torch.nn.Dropout(0.4)), id="torch's"),
        pytest.param(replaced(2, Dropout(1.0)), id="all units"),
        pytest.param(replaced(2, Dropout(0.0)), id="the second hidden layer alone"),
        pytest.param(replaced(5, Dropout(0.0)), id="the first hidden layer alone"),
        pytest.param(replaced(2, Always(0.4)), id="a subclass"),
        pytest.param(replaced(1, Dropout(0.4)), id="twice and no activation"),
    ],
)
def test_other_dropout_is_applied_layer_by_layer(change: Callable[[MLP], object]) -> None:
    model, input = network(dropout=0.4), normal(40, 20)
    assert is_whole(model(input))
    change(model)
    assert not is_whole(model(input))
    assert equal_in_turn(model, input)
    assert after(lambda: model(input)) == after(lambda: in_turn(model, input))


def after(run: Callable[[], object]) -> float:
    """A number that is drawn behind others."""
    torch.manual_seed(0)
    run()
    return torch.rand(()).item()


def test_a_share_that_is_none_is_refused_as_by_torch() -> None:
    model = network(dropout=0.4)
    model.layers[2].p = -0.2  # type: ignore[assignment]
    with pytest.raises(ValueError, match="probability has to be between 0 and 1"):
        model(normal(40, 20))


@pytest.mark.parametrize("kind", [torch.int64, torch.uint8, torch.float32])
def test_what_is_drawn_does_not_hang_on_how_sequences_are_given(kind: torch.dtype) -> None:
    model, codes = network((4, 30), dropout=0.4), draw(4, 40, 30)
    one_hot = torch.nn.functional.one_hot(codes.long(), 4).mT.float()
    input = one_hot if kind is torch.float32 else codes.to(kind)
    torch.manual_seed(0)
    known = model(codes)
    torch.manual_seed(0)
    torch.testing.assert_close(model(input), known, rtol=1e-5, atol=1e-5)


def test_dropout_that_goes_on_in_evaluation_does() -> None:
    model, input = network(dropout=0.4).eval(), normal(40, 20)
    known = model(input)
    replaced(2, Always(0.4).eval())(model)
    assert not torch.equal(model(input), known)


def test_torchs_dropout_is_no_hindrance_in_evaluation() -> None:
    model, input = network(dropout=0.4), normal(4, 20)
    replaced(2, torch.nn.Dropout(0.4))(model)
    model.eval()
    assert is_whole(model(input))
    assert torch.equal(model(input), in_turn(model, input))


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
def test_transforms_and_contexts_go_through_the_layers() -> None:
    model, input = network(), normal(4, 20)
    parameters: dict[str, Tensor] = dict(model.named_parameters())

    def loss(values: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(model, values, (x[None],)).square().sum()

    per_sample = torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, input)
    for row in range(4):
        for name, known in torch.func.grad(loss)(parameters, input[row]).items():
            torch.testing.assert_close(per_sample[name][row], known)
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: kept.append(t.numel()), lambda _: Tensor()
    ):
        model(input)
    assert len(kept) > 6
    with torch.autocast("cpu", torch.bfloat16):
        assert model(input).dtype is torch.bfloat16
    assert at_once(model.layers, input.to("meta")) is None
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(input), model(input))
