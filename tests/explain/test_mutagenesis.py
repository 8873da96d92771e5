"""The short way of mutagenesis gives what running every mutant gives; both give what is defined."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bionn import nn
from bionn.explain import mutagenesis as module
from bionn.explain.first_layer import first_layer
from bionn.explain.mutagenesis import coded, mutagenesis
from bionn.kernels import cpu
from bionn.kernels.library import library
from bionn.models import MLP, LogisticRegression, SoftmaxRegression
from bionn.models.layers import ACTIVATIONS, set_code_table
from bionn.sequences.alphabet import DNA, PROTEIN
from bionn.sequences.onehot import one_hot

L = 13
TABLE = torch.from_numpy(DNA.code_table(unknown="uniform"))


def draw(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def codes_of(count: int, seed: int = 0, symbols: int = DNA.num_codes) -> Tensor:
    return torch.randint(0, symbols, (count, L), generator=draw(seed), dtype=torch.uint8)


class Opaque(torch.nn.Module):
    """The same network, not known to be a chain."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)


def defined(model: torch.nn.Module, x: Tensor) -> Tensor:
    """Effects by the definition, one mutant at a time, in float64."""
    model = model.double().eval()
    x = x.double()
    out = torch.zeros(*x.shape, model(x).shape[1], dtype=torch.float64)
    for n in range(len(x)):
        for position in range(x.shape[2]):
            for letter in range(x.shape[1]):
                mutant = x[n : n + 1].clone()
                mutant[0, :, position] = 0
                mutant[0, letter, position] = 1
                out[n, letter, position] = (model(mutant) - model(x[n : n + 1]))[0]
    model.float()
    return out.detach().float()


def networks() -> dict[str, torch.nn.Module]:
    torch.manual_seed(0)
    deep = {
        name: MLP((4, L), (24, 9), 3, activation=name, dropout=0.4, input_dropout=0.3)
        for name in ACTIVATIONS
    }
    return deep | {
        "one layer": LogisticRegression((4, L)),
        "three classes": SoftmaxRegression((4, L), 3),
        "one hidden": MLP((4, L), (70,), 2),
        "no bias": MLP((4, L), (33, 5), 1, bias=False),
        "torch": torch.nn.Sequential(
            torch.nn.Flatten(),
            torch.nn.Linear(4 * L, 20),
            torch.nn.BatchNorm1d(20),
            torch.nn.ReLU(inplace=True),
            torch.nn.Linear(20, 2),
        ),
        "chain": torch.nn.Sequential(nn.OneHotLinear(4, L, 17), nn.ReLU(), nn.Linear(17, 1)),
        "convolution": torch.nn.Sequential(
            torch.nn.Conv1d(4, 5, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(55, 2)
        ),
    }


NETWORKS = networks()
with torch.no_grad():
    for network in NETWORKS.values():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw(parameter.numel())) * 0.3)


@pytest.mark.parametrize("name", NETWORKS)
def test_effects_are_those_of_the_definition(name: str) -> None:
    model = NETWORKS[name]
    x = one_hot(codes_of(3), TABLE)
    found = mutagenesis(model, x)
    torch.testing.assert_close(found.effects, defined(model, x), rtol=0, atol=1e-5)
    model.eval()
    torch.testing.assert_close(found.reference, model(x).detach(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_short_way_is_taken_for_chains_and_equals_brute_force(name: str) -> None:
    model = NETWORKS[name]
    assert (first_layer(model, 4, L) is None) == (name == "convolution")
    x = one_hot(codes_of(20, seed=1), TABLE)
    short, force = mutagenesis(model, x), mutagenesis(Opaque(model), x)
    torch.testing.assert_close(short, force, rtol=0, atol=1e-5)


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 130), st.integers(0, 3))
def test_any_sizes(length: int, count: int, width: int, seed: int) -> None:
    model = MLP((20, length), (width, 6), 2, generator=draw(seed), init="normal")
    table = torch.from_numpy(PROTEIN.code_table())
    codes = torch.randint(0, len(table), (count, length), generator=draw(seed), dtype=torch.uint8)
    set_code_table(model, table)
    short = mutagenesis(model, codes, table=table, padding=PROTEIN.padding_code)
    force = mutagenesis(Opaque(model), codes, table=table, padding=PROTEIN.padding_code)
    torch.testing.assert_close(short, force, rtol=0, atol=1e-5)


@pytest.mark.parametrize("wrap", [lambda model: model, Opaque])
def test_letters_that_are_there_and_padding_have_no_effect_and_the_others_do(wrap: Any) -> None:
    model = wrap(NETWORKS["tanh"])
    codes = codes_of(6, seed=2)
    set_code_table(model, TABLE)
    found = mutagenesis(model, codes, table=TABLE, padding=DNA.padding_code).effects
    there = codes.long().unsqueeze(1) == torch.arange(4)[:, None]
    padding = (codes == DNA.padding_code).unsqueeze(1).expand_as(there)
    assert (found[there | padding] == 0).all()
    assert (found[~(there | padding)].abs().amax(1) > 0).all()


def test_codes_and_one_hot_of_them_give_the_same() -> None:
    model, codes = NETWORKS["relu"], codes_of(5, seed=3, symbols=5)
    set_code_table(model, TABLE)
    by_codes = mutagenesis(model, codes, table=TABLE)
    torch.testing.assert_close(by_codes, mutagenesis(model, one_hot(codes, TABLE)))


def test_coding_a_one_hot_tensor_loses_nothing() -> None:
    x = one_hot(codes_of(8, seed=4), TABLE)
    x[0, :, 0] = torch.tensor([0.3, -1.0, 2.0, 0.0])
    codes, table = coded(x, None)
    assert torch.equal(one_hot(codes, table), x)


def test_blocks_of_sequences_and_mutants_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x = one_hot(codes_of(9, seed=5), TABLE)
    for name in ("relu", "convolution"):
        whole = mutagenesis(NETWORKS[name], x)
        with monkeypatch.context() as patch:
            patch.setattr(module, "MUTANT_NUMBERS", 500)
            torch.testing.assert_close(mutagenesis(NETWORKS[name], x), whole, rtol=0, atol=1e-5)


def test_the_model_is_left_as_it_was() -> None:
    model = MLP((4, L), (8,), 1, dropout=0.5).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    mutagenesis(model, one_hot(codes_of(2), TABLE))
    assert model.training
    assert all(module.training for module in model.modules())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_chain_that_does_more_than_its_modules_is_run_on_every_mutant() -> None:
    model = torch.nn.Sequential(nn.OneHotLinear(4, L, 7), nn.ReLU(), nn.Linear(7, 1))
    x = one_hot(codes_of(3), TABLE)
    handle = model[0].register_forward_hook(lambda module, inputs, value: 2 * value)
    assert first_layer(model, 4, L) is None
    torch.testing.assert_close(mutagenesis(model, x).effects, defined(model, x), rtol=0, atol=1e-5)
    handle.remove()
    assert first_layer(model, 4, L) is not None


def test_codes_without_a_table_are_refused() -> None:
    with pytest.raises(ValueError, match="table: needed with codes"):
        mutagenesis(NETWORKS["relu"], codes_of(1))


class TestKernel:
    """The compiled kernel where it is: the numbers of the definition at every size and layout."""

    pytestmark = pytest.mark.skipif(library() is None, reason="no compiled kernels here")

    @pytest.fixture
    def calls(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        called: list[int] = []
        kernel = cpu.mutants_value

        def spy(*arguments: Any) -> Tensor:
            called.append(len(arguments[-1]))
            return kernel(*arguments)

        monkeypatch.setattr(cpu, "mutants_value", spy)
        return called

    @pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
    @pytest.mark.parametrize("bias", [True, False])
    @pytest.mark.parametrize(
        "hidden", [(1,), (15, 1), (16, 16), (33, 17), (70, 64), (9, 65), (40, 130, 5)]
    )
    def test_every_width(
        self, calls: list[int], hidden: tuple[int, ...], bias: bool, activation: str
    ) -> None:
        rest = {"activation": activation, "bias": bias, "dropout": 0.2}
        model = MLP((4, L), hidden, 2, generator=draw(len(hidden)), **rest)  # type: ignore[arg-type]
        with torch.no_grad():
            for number, parameter in enumerate(model.parameters()):
                parameter.add_(torch.randn(parameter.shape, generator=draw(number)) * 0.2)
        x = one_hot(codes_of(4, seed=6), TABLE)
        found = mutagenesis(model, x)
        assert calls == [min(len(hidden), 2)]
        torch.testing.assert_close(found.effects, defined(model, x), rtol=1e-5, atol=1e-5)

    def test_more_outputs_than_are_folded(self, calls: list[int]) -> None:
        model = MLP((4, L), (20, 30), 17, generator=draw(1))
        x = one_hot(codes_of(2, seed=7), TABLE)
        torch.testing.assert_close(
            mutagenesis(model, x).effects, defined(model, x), rtol=0, atol=1e-5
        )
        assert calls == [1]

    def test_the_number_of_threads_changes_no_bit(self) -> None:
        x = one_hot(codes_of(30, seed=8), TABLE)
        found, threads = [], torch.get_num_threads()
        try:
            for number in (1, 2, 5):
                torch.set_num_threads(number)
                found.append(mutagenesis(NETWORKS["relu"], x).effects)
        finally:
            torch.set_num_threads(threads)
        assert torch.equal(found[0], found[1])
        assert torch.equal(found[0], found[2])

    def test_other_dtypes_and_networks_take_another_way(self, calls: list[int]) -> None:
        x = one_hot(codes_of(2), TABLE)
        mutagenesis(MLP((4, L), (8,), 1).double(), x.double())
        mutagenesis(NETWORKS["tanh"], x)
        mutagenesis(NETWORKS["torch"], x)
        assert calls == []
