"""What is called an explosion: several steps whose losses and gradients are far from what was usual."""

import pytest
import torch

from bionn.training.explosion import AMONG, GROWN, HIGH, STEPS, Usual, find_explosion, usual_after


def epoch(bad: list[int], *, loss: float = 2 * HIGH, norm: float = 2 * GROWN, steps: int = 40):
    """Losses near .7 and norms near 1, but for some steps; the second of two layers has most."""
    generator = torch.Generator().manual_seed(0)
    losses = 0.7 + 0.1 * torch.rand(steps, generator=generator)
    norms = 0.5 + 0.1 * torch.rand(steps, 2, generator=generator)
    losses[bad] = loss
    norms[bad, 1] = norm
    return losses, norms


def test_the_first_of_several_steps_is_found() -> None:
    for usual in (Usual(1.0, None), Usual(1.0, 0.8)):
        found = find_explosion(*epoch([20, 22, 25]), usual)
        assert found is not None
        assert (found.step, found.parameter) == (20, 1)
        assert found.norm == pytest.approx(2 * GROWN, rel=1e-3)
        assert 0.5 < found.usual < 1


@pytest.mark.parametrize(
    "given",
    [
        epoch([]),
        epoch([5, 20]),  # outliers
        epoch([5, 5 + AMONG, 5 + 2 * AMONG]),  # far apart
        epoch([20, 22, 25], loss=0.9),  # gradients alone
        epoch([20, 22, 25], norm=2.0),  # a loss alone
        epoch([0, 1], steps=2),
    ],
)
def test_what_is_none(given: tuple[torch.Tensor, torch.Tensor]) -> None:
    losses, norms = given
    assert find_explosion(losses, norms, Usual(1.0, None)) is None


def test_an_explosion_from_the_second_step_on_is_found() -> None:
    found = find_explosion(*epoch(list(range(1, 40))), Usual(1.0, None))
    assert found is not None
    assert found.step == 1


def test_a_short_epoch_is_enough() -> None:
    assert find_explosion(*epoch([1, 2, 3], steps=STEPS + 1), Usual(1.0, None)) is not None


def test_a_training_that_begins_with_high_losses_has_not_exploded() -> None:
    losses, norms = epoch(list(range(40)), loss=50.0)
    assert find_explosion(losses, norms, Usual(50.0, None)) is None


def test_what_is_usual_leaves_out_what_is_not() -> None:
    losses, norms = epoch([20, 22, 25])
    after = usual_after(losses, norms, Usual(1.0, None))
    assert after.loss == 1.0
    assert after.norm is not None
    assert 0.7 < after.norm < 0.9
    assert usual_after(*epoch(list(range(40))), after) == after
