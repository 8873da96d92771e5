"""Seeding: equal draws for equal seeds, and the caller's random states as they were."""

import random

import numpy as np
import pytest
import torch

from bionn.training.seeds import seeded


def draws() -> tuple[float, float, float]:
    return random.random(), np.random.rand(), torch.rand(()).item()  # noqa: NPY002


def test_one_seed_one_series() -> None:
    series = []
    for seed in (1, 1, 2):
        with seeded(seed):
            series.append(draws())
    assert series[0] == series[1]
    assert all(a != b for a, b in zip(series[0], series[2], strict=True))


@pytest.mark.parametrize("fails", [False, True])
def test_the_callers_states_are_put_back(fails: bool) -> None:
    random.seed(7)
    np.random.seed(7)  # noqa: NPY002
    torch.manual_seed(7)
    expected = draws()
    random.seed(7)
    np.random.seed(7)  # noqa: NPY002
    torch.manual_seed(7)
    try:
        with seeded(3):
            draws()
            if fails:
                raise KeyError
    except KeyError:
        pass
    assert draws() == expected
