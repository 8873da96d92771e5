"""Initial values: torch's numbers from the same generator, the statistics promised, no gradient."""

import math
from typing import Any

import pytest
import torch

from bionn.nn import init

RANDOM = [
    ("uniform_", {}),
    ("uniform_", {"a": -2.0, "b": 3.0}),
    ("normal_", {"mean": 1.0, "std": 2.0}),
    ("xavier_uniform_", {"gain": 2.0}),
    ("xavier_normal_", {}),
    ("kaiming_uniform_", {"a": math.sqrt(5)}),
    ("kaiming_uniform_", {"mode": "fan_out", "nonlinearity": "relu"}),
    ("kaiming_normal_", {"nonlinearity": "tanh"}),
    ("kaiming_normal_", {"mode": "fan_out", "a": 0.2}),
]


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(11)


@pytest.mark.parametrize("shape", [(5, 3), (4, 3, 2), (2, 3, 2, 2)])
@pytest.mark.parametrize(("name", "kwargs"), RANDOM)
def test_same_numbers_as_torch_from_the_same_generator(
    name: str, kwargs: dict[str, Any], shape: tuple[int, ...]
) -> None:
    ours, theirs = torch.empty(shape), torch.empty(shape)
    assert getattr(init, name)(ours, **kwargs, generator=seeded()) is ours
    getattr(torch.nn.init, name)(theirs, **kwargs, generator=seeded())
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("name", "kwargs", "std"),
    [
        ("xavier_uniform_", {}, math.sqrt(2 / (200 + 300))),
        ("xavier_normal_", {}, math.sqrt(2 / (200 + 300))),
        ("kaiming_uniform_", {}, math.sqrt(2 / 200)),
        ("kaiming_normal_", {"mode": "fan_out"}, math.sqrt(2 / 300)),
        ("lecun_uniform_", {}, math.sqrt(1 / 200)),
        ("lecun_normal_", {}, math.sqrt(1 / 200)),
    ],
)
def test_spread_is_the_one_the_rule_names(name: str, kwargs: dict[str, Any], std: float) -> None:
    draw = getattr(init, name)(torch.empty(300, 200), **kwargs, generator=seeded())
    assert draw.mean().abs().item() < 4 * std / math.sqrt(draw.numel())
    assert draw.std().item() == pytest.approx(std, rel=0.01)
    if "uniform" in name:
        assert draw.abs().max().item() <= std * math.sqrt(3) * (1 + 1e-6)


def test_lecun_counts_the_field_of_a_sequence_layer() -> None:
    draw = init.lecun_normal_(torch.empty(100, 4, 50), generator=seeded())
    assert draw.std().item() == pytest.approx(1 / math.sqrt(200), rel=0.02)


def test_constants() -> None:
    assert init.zeros_(torch.ones(2)).tolist() == [0, 0]
    assert init.ones_(torch.zeros(2)).tolist() == [1, 1]
    assert init.constant_(torch.zeros(2), 0.5).tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("nonlinearity", "param"),
    [
        *((name, None) for name in ("linear", "conv1d", "conv_transpose3d", "sigmoid", "tanh")),
        *(("relu", None), ("selu", None), ("leaky_relu", None), ("leaky_relu", 0.3)),
    ],
)
def test_gains_are_torchs(nonlinearity: Any, param: float | None) -> None:
    expected = torch.nn.init.calculate_gain(nonlinearity, param)
    assert init.calculate_gain(nonlinearity, param) == expected


def test_refusals_are_torchs() -> None:
    with pytest.raises(ValueError, match="Unsupported nonlinearity"):
        init.calculate_gain("step")
    with pytest.raises(ValueError, match="not a valid number"):
        init.calculate_gain("leaky_relu", True)
    with pytest.raises(ValueError, match="fewer than 2 dimensions"):
        init.xavier_uniform_(torch.empty(3))
    with pytest.raises(ValueError, match="fan_in"):
        init.kaiming_normal_(torch.empty(3, 2), mode="fan")
    with pytest.warns(UserWarning, match="zero-element"):
        init.kaiming_uniform_(torch.empty(0, 3))


def test_parameters_are_filled_outside_autograd_and_the_global_generator_rests() -> None:
    state = torch.get_rng_state()
    weight = torch.nn.Parameter(torch.empty(4, 3))
    assert init.lecun_uniform_(weight, generator=seeded()) is weight
    assert weight.requires_grad
    assert weight.grad_fn is None
    assert torch.equal(torch.get_rng_state(), state)
