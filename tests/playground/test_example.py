"""The worked example: values by plain arithmetic, slopes by finite differences."""

from dataclasses import replace
from math import exp, log

import pytest

from bionn.playground.example import ACTIVATIONS, Question, stepped, work


def loss_of(question: Question) -> float:
    return work(question).nodes["J"].value


def test_values_are_those_of_plain_arithmetic() -> None:
    nodes = work(Question()).nodes
    z = [1 / (1 + exp(-a)) for a in (13 * 0.1 + 2 * 0.3 - 7 * 0.2, -13 * 0.4 + 2 * 0.5 + 7 * 0.8)]
    y = 1 / (1 + exp(0.7 * z[0] - 0.9 * z[1]))
    assert [nodes[name].value for name in ("z1", "z2", "y")] == pytest.approx([*z, y], abs=1e-12)
    assert nodes["J"].value == pytest.approx(-log(y), abs=1e-12)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_slopes_are_finite_differences(activation: str) -> None:
    question = Question((1.3, -0.2, 0.7), target=0.25, activation=activation)
    nodes, h = work(question).nodes, 1e-6
    for name in (n for n in nodes if n[0] in "xwv"):
        place = [int(digit) - 1 for digit in name[1:]]
        ends = []
        for sign in (1, -1):
            if name[0] == "w":
                rows = [list(row) for row in question.hidden]
                rows[place[0]][place[1]] += sign * h
                ends.append(loss_of(replace(question, hidden=tuple(map(tuple, rows)))))
            else:
                field = "inputs" if name[0] == "x" else "output"
                values = list(getattr(question, field))
                values[place[0]] += sign * h
                ends.append(loss_of(replace(question, **{field: tuple(values)})))
        assert nodes[name].slope == pytest.approx((ends[0] - ends[1]) / (2 * h), abs=1e-8)


def test_a_flat_sigmoid_is_told_from_the_slope_on_the_sums() -> None:
    worked = work(Question(output=(100.0, 100.0), target=0.0))
    assert worked.slope_on_sums == pytest.approx(1.0)
    assert worked.nodes["b"].slope != pytest.approx(1.0, abs=1e-6)


def test_a_step_lowers_the_loss_by_what_the_slopes_promise() -> None:
    question, rate = Question(), 1e-6
    worked = work(question)
    squares = sum(n.slope**2 for name, n in worked.nodes.items() if name[0] in "wv")
    fall = loss_of(question) - loss_of(stepped(question, worked, rate))
    assert fall == pytest.approx(rate * squares, rel=1e-3)
