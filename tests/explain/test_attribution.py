"""Attributions beside Captum's, a closed form, and the sum that they must have."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from captum import attr as captum
from torch import Tensor

from bionn import nn
from bionn.errors import InputWarning
from bionn.explain.attribution import Attribution, against
from bionn.explain.backgrounds import shuffled
from bionn.explain.deep_lift import RESCALED, deep_lift
from bionn.explain.expected_gradients import expected_gradients
from bionn.explain.input_x_gradient import input_x_gradient
from bionn.explain.integrated_gradients import integrated_gradients
from bionn.explain.registration import register_captum
from bionn.models import MLP
from bionn.models.layers import ACTIVATIONS
from bionn.sequences.alphabet import DNA

pytestmark = pytest.mark.filterwarnings("ignore:Setting forward, backward hooks:UserWarning")
A, L, K = 4, 11, 3
GAP = 1e-5


def draw(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def onehot(count: int, seed: int) -> Tensor:
    codes = torch.randint(0, A, (count, L), generator=draw(seed))
    return torch.eye(A)[codes].mT.contiguous()


X, B = onehot(5, 0), onehot(5, 1)


def mlp(activation: str = "relu", **options: Any) -> MLP:
    options = {"dropout": 0.3, "input_dropout": 0.2} | options
    return MLP((A, L), (24, 16), K, activation=activation, generator=draw(2), **options)


def torchs(activation: torch.nn.Module) -> torch.nn.Sequential:
    torch.manual_seed(3)
    return torch.nn.Sequential(
        torch.nn.Conv1d(A, 6, 3),
        torch.nn.BatchNorm1d(6),
        activation,
        torch.nn.AvgPool1d(3),
        torch.nn.Flatten(),
        torch.nn.Linear(18, 8),
        activation,  # one module, called twice
        torch.nn.Dropout(0.5),
        torch.nn.Linear(8, K),
    )


def wanted(x: Tensor) -> Tensor:
    return x.clone().requires_grad_()


def difference(model: torch.nn.Module, output: int = 1) -> Tensor:
    model.eval()
    with torch.no_grad():
        return (model(X) - model(B))[:, output]


class TestDeepLift:
    @pytest.mark.parametrize("activation", ACTIVATIONS)
    def test_adds_up_and_equals_captum_for_our_layers(self, activation: str) -> None:
        register_captum()
        model = mlp(activation).eval()
        found = deep_lift(model, X, B, output=1)
        theirs = captum.DeepLift(model).attribute(wanted(X), B, target=1)
        torch.testing.assert_close(found.contributions, theirs.detach(), rtol=1e-4, atol=1e-6)
        missed = found.contributions.sum((1, 2)) - difference(model)
        assert missed.abs().max() < GAP
        assert found.gap.max() < GAP

    @pytest.mark.parametrize(
        "kind", [torch.nn.ReLU, torch.nn.Tanh, torch.nn.ELU, torch.nn.Softplus, torch.nn.LeakyReLU]
    )
    def test_equals_captum_for_torchs_layers(self, kind: Callable[[], torch.nn.Module]) -> None:
        model = torchs(kind()).eval()
        del model[6]  # Captum refuses a module that is called twice
        found = deep_lift(model, X, B, output=2)
        theirs = captum.DeepLift(model).attribute(wanted(X), B, target=2)
        torch.testing.assert_close(found.contributions, theirs.detach(), rtol=1e-4, atol=1e-6)

    @pytest.mark.parametrize(
        "kind", RESCALED, ids=lambda kind: f"{kind.__module__}.{kind.__name__}"
    )
    def test_adds_up_for_every_module_with_a_rule(self, kind: type[torch.nn.Module]) -> None:
        options: dict[str, Any] = {"threshold": 0.1, "value": 0.0}
        if kind is not torch.nn.Threshold:
            options = {"dim": -1} if re.search("Soft(max|min)", kind.__name__) else {}
        found = deep_lift(torchs(kind(**options)), X, B, output=1)
        assert found.gap.max() < GAP

    def test_an_activation_in_place_is_taken_for_what_it_is_and_stays_so(self) -> None:
        plain, in_place = torchs(torch.nn.ReLU()), torchs(torch.nn.ReLU(inplace=True))
        found = deep_lift(in_place, X, B)
        torch.testing.assert_close(found, deep_lift(plain, X, B))
        assert in_place[2].inplace

    def test_equal_inputs_and_baselines_give_the_gradient_as_multiplier(self) -> None:
        model = mlp("gelu").eval()
        found = deep_lift(model, X, X, output=1)
        assert found.contributions.abs().max() == 0
        x = wanted(X)
        (slope,) = torch.autograd.grad(model(x)[:, 1].sum(), x)
        expected = slope - (X * slope).sum(1, keepdim=True)
        torch.testing.assert_close(found.hypothetical, expected, rtol=1e-5, atol=1e-6)

    def test_several_baselines_are_averaged(self) -> None:
        model = mlp()
        both = deep_lift(model, X, torch.stack([B, B.flip(2)], 1), output=1)
        each = [deep_lift(model, X, b, output=1) for b in (B, B.flip(2))]
        for part in (0, 1):
            mean = (each[0][part] + each[1][part]) / 2
            torch.testing.assert_close(both[part], mean, rtol=1e-5, atol=1e-6)

    def test_what_has_no_rule_is_warned_of(self) -> None:
        class Functional(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.layers = torchs(torch.nn.Identity())

            def forward(self, x: Tensor) -> Tensor:
                return torch.tanh(5 * self.layers(x))

        with pytest.warns(InputWarning, match="a step without a rule"):
            deep_lift(Functional(), X, B)


class TestIntegratedGradients:
    @pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
    def test_equals_captum(self, activation: str) -> None:
        model = mlp(activation).eval()
        found = integrated_gradients(model, X, B, output=1, steps=20)
        theirs = captum.IntegratedGradients(model).attribute(X, B, target=1, n_steps=20)
        torch.testing.assert_close(found.contributions, theirs.float(), rtol=1e-4, atol=1e-6)

    def test_adds_up_for_a_smooth_activation(self) -> None:
        model = mlp("tanh")
        found = integrated_gradients(model, X, B, output=1)
        assert (found.contributions.sum((1, 2)) - difference(model)).abs().max() < GAP


class TestInputXGradient:
    def test_equals_captum(self) -> None:
        model = mlp("silu").eval()
        found = input_x_gradient(model, X, output=1)
        theirs = captum.InputXGradient(model).attribute(wanted(X), target=1)
        torch.testing.assert_close(found.contributions, theirs.detach(), rtol=1e-5, atol=1e-6)

    def test_of_features_equals_the_closed_form(self) -> None:
        model = nn.Linear(6, 2)
        x = torch.randn(7, 6, generator=draw(4))
        found = input_x_gradient(model, x, output=1)
        torch.testing.assert_close(found.contributions, x * model.weight[1].detach())


class TestExpectedGradients:
    def test_is_exact_for_a_linear_network(self) -> None:
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(A * L, 1))
        backgrounds = torch.stack([B, B.flip(2), B.flip(0)], 1)
        found = expected_gradients(model, X, backgrounds, generator=draw(5))
        weight = model[1].weight.detach().view(A, L)
        torch.testing.assert_close(found.contributions, (X - backgrounds.mean(1)) * weight)
        assert found.gap.max() < GAP

    def test_approaches_integrated_gradients_with_many_places(self) -> None:
        model = mlp("tanh")
        exact = integrated_gradients(model, X[:1], B[:1], output=1).contributions
        many = B[:1].unsqueeze(1).expand(1, 4000, A, L)
        found = expected_gradients(model, X[:1], many, output=1, generator=draw(6)).contributions
        error = (found - exact).norm() / exact.norm()
        assert error < 0.02

    def test_the_same_generator_gives_the_same_numbers(self) -> None:
        one, two = (
            expected_gradients(mlp(), X, B[:, None], generator=draw(7)).contributions
            for _ in range(2)
        )
        assert torch.equal(one, two)


METHODS: dict[str, Callable[..., Attribution]] = {
    "input_x_gradient": lambda model, x, output: input_x_gradient(model, x, output=output),
    "integrated_gradients": lambda model, x, output: integrated_gradients(
        model, x, B, output=output
    ),
    "deep_lift": lambda model, x, output: deep_lift(model, x, B, output=output),
    "expected_gradients": lambda model, x, output: expected_gradients(
        model, x, B[:, None], output=output, generator=draw(8)
    ),
}


@pytest.mark.parametrize("method", METHODS)
class TestEveryMethod:
    def test_leaves_the_model_as_it_was(self, method: str) -> None:
        model = mlp().train()
        model.layers[1].eval()
        frozen = next(model.parameters())
        frozen.requires_grad_(False)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        told = [(m.training, dict(vars(m))["_forward_hooks"].copy()) for m in model.modules()]
        random = torch.get_rng_state()
        METHODS[method](model, X, 1)
        assert told == [(m.training, dict(vars(m))["_forward_hooks"]) for m in model.modules()]
        assert not frozen.requires_grad
        for name, parameter in model.named_parameters():
            assert parameter.grad is None
            assert parameter is frozen or parameter.requires_grad
            assert torch.equal(parameter, before[name])
        assert torch.equal(torch.get_rng_state(), random)

    def test_works_in_inference_mode_and_without_gradients(self, method: str) -> None:
        model = mlp()
        expected = METHODS[method](model, X, 1)
        for context in (torch.no_grad, torch.inference_mode):
            with context():
                found = METHODS[method](model, X * 1, 1)
            torch.testing.assert_close(found, expected)

    def test_a_sum_of_logits_has_the_sum_of_contributions(self, method: str) -> None:
        model = mlp()
        weights = torch.tensor([1.0, -2.0, 0.5])
        whole = METHODS[method](model, X, weights).contributions
        if method == "deep_lift":  # the rule is linear in the logits
            parts = [METHODS[method](model, X, k).contributions for k in range(K)]
            torch.testing.assert_close(
                whole,
                sum(w * p for w, p in zip(weights, parts, strict=True)),
                rtol=1e-4,
                atol=1e-6,
            )
        assert whole.shape == X.shape

    def test_no_rows_give_none(self, method: str) -> None:
        if method in ("input_x_gradient",):
            assert METHODS[method](mlp(), X[:0], 1).contributions.shape == (0, A, L)


def test_blocks_of_rows_give_what_all_at_once_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = deep_lift(mlp(), X, B)
    monkeypatch.setattr("bionn.explain.attribution.PAIR_NUMBERS", 2 * A * L)
    torch.testing.assert_close(deep_lift(mlp(), X, B), whole, rtol=1e-5, atol=1e-6)


def test_codes_and_odd_baselines_are_refused() -> None:
    with pytest.raises(ValueError, match="floating point needed"):
        deep_lift(mlp(), torch.zeros(2, L, dtype=torch.uint8))
    with pytest.raises(ValueError, match="baselines: shape"):
        against(lambda x, b: (x, x[:, 0, 0]), X, B[:, :, :-1])
    with pytest.raises(ValueError, match="output: 0 to 2 needed, 3 found"):
        deep_lift(mlp(), X, output=3)


def test_hypothetical_contributions_are_those_of_letters_that_are_there() -> None:
    found = deep_lift(mlp(), X, B, output=1)
    there = (found.hypothetical * X).sum(1)
    torch.testing.assert_close(there, found.contributions.sum(1), rtol=1e-4, atol=1e-6)


def test_shuffled_backgrounds_keep_pairs_padding_and_ends() -> None:
    codes = torch.from_numpy(DNA.encode(["ACGTTGCAACGTAGGATC", "TTGACANNRTATAATGCA"]))
    codes[1, :3] = DNA.padding_code
    table = torch.eye(DNA.num_codes)  # every code tells itself
    found = shuffled(codes, table, count=6, generator=draw(9), padding=DNA.padding_code)
    assert found.shape == (2, 6, DNA.num_codes, 18)
    for row, shuffles in zip(codes, found.argmax(2), strict=True):
        pairs = sorted(pairwise(row.tolist()))
        for other in shuffles.tolist():
            assert sorted(pairwise(other)) == pairs
            assert [c == DNA.padding_code for c in other] == (row == DNA.padding_code).tolist()
    assert len({tuple(row) for row in found.argmax(2)[0].tolist()}) > 1


def test_no_warning_for_a_network_that_adds_up() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        deep_lift(mlp(), X, B)
