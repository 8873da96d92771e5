"""Initialisers against torch.nn.init, code tables, and what a network is fed."""

import pytest
import torch

from bionn.models import MLP
from bionn.models.layers import INITS, feed, first_layer, initialise, set_code_table, takes_codes
from bionn.sequences.alphabet import DNA

TABLE = torch.from_numpy(DNA.code_table())
CODES = torch.tensor([[0, 3, 4], [1, 2, 5]], dtype=torch.uint8)  # A T N, C G padding
TORCHS = {
    "torch": lambda w, generator: torch.nn.init.kaiming_uniform_(w, a=5**0.5, generator=generator),
    "kaiming_uniform": torch.nn.init.kaiming_uniform_,
    "kaiming_normal": torch.nn.init.kaiming_normal_,
    "xavier_uniform": torch.nn.init.xavier_uniform_,
    "xavier_normal": torch.nn.init.xavier_normal_,
    "lecun_uniform": lambda w, generator: torch.nn.init.kaiming_uniform_(
        w, nonlinearity="linear", generator=generator
    ),
    "lecun_normal": lambda w, generator: torch.nn.init.kaiming_normal_(
        w, nonlinearity="linear", generator=generator
    ),
    "normal": lambda w, generator: torch.nn.init.normal_(w, std=0.01, generator=generator),
    "zeros": lambda w, generator: torch.nn.init.zeros_(w),
}


def test_every_initialiser_has_its_twin_below() -> None:
    assert TORCHS.keys() == INITS.keys()


@pytest.mark.parametrize("name", TORCHS)
@pytest.mark.parametrize("in_features", [12, (4, 3)])
def test_initialisers_see_a_weight_as_out_times_in(name: str, in_features) -> None:
    layer = first_layer(in_features, 6)
    initialise(layer, name, torch.Generator().manual_seed(5))
    expected = TORCHS[name](torch.empty(6, 12), generator=torch.Generator().manual_seed(5))
    assert torch.equal(layer.weight.detach().flatten(1), expected)
    assert not layer.bias.any()


def test_set_code_table_reaches_every_layer_and_no_state_dict() -> None:
    model = torch.nn.Sequential(torch.nn.Sequential(MLP((4, 3), (5,), 1)), torch.nn.Linear(1, 1))
    before = list(model.state_dict())
    set_code_table(model, TABLE)
    assert torch.equal(model[0][0].layers[0].table, TABLE)
    assert list(model.state_dict()) == before


def test_a_network_is_fed_codes_if_it_takes_them_else_one_hot() -> None:
    ours, convolution = MLP((4, 3), (5,), 1), torch.nn.Conv1d(4, 2, 3)
    assert takes_codes(ours)
    assert not takes_codes(convolution)
    assert feed(ours, CODES, TABLE) is CODES
    expected = torch.tensor(
        [
            [[1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 1, 0]],  # A, then T, then nothing for N
            [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]],
        ],
        dtype=torch.float32,
    )
    assert torch.equal(feed(convolution, CODES, TABLE), expected)
    assert convolution(feed(convolution, CODES, TABLE)).shape == (2, 2, 1)


def test_floats_are_fed_as_they_are() -> None:
    features = torch.randn(2, 3)
    assert feed(MLP(3, (), 1), features, None) is features
    one_hot = torch.randn(2, 4, 3)
    assert feed(MLP((4, 3), (), 1), one_hot, TABLE) is one_hot
