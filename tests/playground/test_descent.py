"""Walks down the surface: the lowest point by other means, the update rule by hand."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression, LogisticRegression

from bionn.playground.descent import POINTS, descend, make_problem, surface


def test_the_lowest_points_are_those_of_scikit_learn() -> None:
    line, neuron = make_problem("line"), make_problem("neuron")
    fit = LinearRegression().fit(line.x.numpy()[:, None], line.y.numpy())
    assert line.lowest() == pytest.approx((fit.coef_[0], fit.intercept_), abs=1e-7)
    fit = LogisticRegression(C=1e10, tol=1e-10).fit(neuron.x.numpy()[:, None], neuron.y.numpy())
    assert neuron.lowest() == pytest.approx((fit.coef_[0, 0], fit.intercept_[0]), abs=1e-4)


def test_full_batches_follow_the_rule_by_hand() -> None:
    line = make_problem("line")
    x, y = line.x.numpy(), line.y.numpy()
    w, b = -1.0, 0.3
    walk = descend(line, batch_size=POINTS, learning_rate=0.15, start=(w, b), epochs=5)
    for place in walk.path:
        assert place == pytest.approx([w, b], abs=1e-12)
        errors = w * x + b - y
        w, b = w - 0.15 * (errors * x).mean(), b - 0.15 * errors.mean()


@pytest.mark.parametrize(("size", "updates"), [(1, 120), (5, 24), (7, 18), (40, 3)])
def test_an_epoch_goes_once_through_all_points(size: int, updates: int) -> None:
    walk = descend(
        make_problem("neuron"), batch_size=size, learning_rate=0.1, start=(0, 0), epochs=3
    )
    assert len(walk.path) == updates + 1
    assert len(walk.losses) == 4
    assert walk.losses[-1] < walk.losses[0]


def test_a_rate_too_large_is_told() -> None:
    walk = descend(make_problem("line"), batch_size=1, learning_rate=50, start=(0, 0), epochs=50)
    assert walk.diverged
    assert np.isfinite(walk.path).all()


def test_the_surface_is_the_loss_and_holds_start_and_lowest_point() -> None:
    line = make_problem("line")
    ground = surface(line, (-1.0, 0.3), size=11)
    w, b = torch.tensor(ground.w[3]), torch.tensor(ground.b[7])
    assert ground.loss[7, 3] == pytest.approx(line.value(w, b).item())
    for place in ((-1.0, 0.3), line.lowest()):
        assert ground.w[0] < place[0] < ground.w[-1]
        assert ground.b[0] < place[1] < ground.b[-1]
