"""Interactions of two substitutions beside the four sequences that define them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from bionn.explain.epistasis import epistasis
from bionn.models import MLP, LogisticRegression
from bionn.models.layers import set_code_table
from bionn.sequences.alphabet import DNA
from bionn.sequences.onehot import one_hot

L = 7
TABLE = torch.from_numpy(DNA.code_table())


def draw(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def defined(model: torch.nn.Module, x: Tensor, output: int) -> Tensor:
    """By running all four sequences of every pair in float64."""
    model, x = model.double().eval(), x.double()

    def value(*changes: tuple[int, int]) -> float:
        mutant = x.clone()
        for letter, position in changes:
            mutant[:, position] = 0
            mutant[letter, position] = 1
        with torch.no_grad():
            return float(model(mutant.unsqueeze(0))[0, output])

    found = torch.zeros(4, L, 4, L, dtype=torch.float64)
    alone = {(a, p): value((a, p)) for a in range(4) for p in range(L)}
    for one, first in alone.items():
        for two, second in alone.items():
            if one[1] != two[1]:
                found[*one, *two] = value(one, two) - first - second + value()
    model.float()
    return found.float()


@pytest.mark.parametrize("name", ["relu", "tanh", "convolution"])
def test_it_is_what_defines_it(name: str) -> None:
    torch.manual_seed(0)
    model: torch.nn.Module = MLP(
        (4, L), (20, 8), 2, activation=name if name != "convolution" else "relu"
    )
    if name == "convolution":
        layers = torch.nn.Conv1d(4, 6, 3), torch.nn.ReLU(), torch.nn.Flatten()
        model = torch.nn.Sequential(*layers, torch.nn.Linear(30, 2))
    codes = torch.from_numpy(DNA.encode(["ACNTGRA"]))[0]
    x = one_hot(codes.unsqueeze(0), TABLE)[0]
    expected = defined(model, x, 1)
    assert expected.abs().max() > 0.01
    found = epistasis(model, x, output=1)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    weighted = epistasis(model, x, output=torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(weighted, found)


def test_codes_and_padding() -> None:
    model = MLP((4, L), (20,), 1, generator=draw(1))
    set_code_table(model, TABLE)
    codes = torch.from_numpy(DNA.encode(["ACGTGAA"]))[0]
    codes[:2] = DNA.padding_code
    found = epistasis(model, codes, table=TABLE, padding=DNA.padding_code)
    assert found[:, :2].abs().max() == found[:, :, :, :2].abs().max() == 0
    expected = defined(model, one_hot(codes.unsqueeze(0), TABLE)[0], 0)
    torch.testing.assert_close(found[:, 2:, :, 2:], expected[:, 2:, :, 2:], rtol=0, atol=1e-5)


def test_a_linear_model_has_none() -> None:
    model = LogisticRegression((4, L))
    with torch.no_grad():
        model.linear.weight.normal_(generator=draw(2))
    x = one_hot(torch.from_numpy(DNA.encode(["ACGTGAA"])), TABLE)[0]
    assert epistasis(model, x).abs().max() < 1e-5
