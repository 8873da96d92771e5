"""The playground's page and its two parts, made anew for every question."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import torch

from bionn.playground import asked, drawing
from bionn.playground.asked import Asked, Descent
from bionn.playground.descent import POINTS, descend, make_problem, surface
from bionn.playground.drawing import given, shown, symbol, told
from bionn.playground.example import ACTIVATIONS, Question, Worked, stepped, work
from bionn.report.page import make_environment
from bionn.report.wording import number

RATE = 1.0
"""The learning rate of the example's own step."""

ENVIRONMENT = make_environment("bionn.playground", "bionn.report")


def page(query: Asked) -> str:
    """The whole page for what an address asks."""
    question, settings = asked.question(query), asked.descent(query)
    return ENVIRONMENT.get_template("playground.html").render(
        network=network_facts(question),
        fields=fields(question),
        activations=list(ACTIVATIONS),
        question=question,
        descent=descent_facts(settings),
        settings=settings,
        points=POINTS,
    )


def network(query: Asked) -> str:
    """The part with the worked example."""
    facts = network_facts(asked.question(query))
    return ENVIRONMENT.get_template("network.html").render(network=facts)


def descent(query: Asked) -> str:
    """The part with gradient descent."""
    facts = descent_facts(asked.descent(query))
    return ENVIRONMENT.get_template("descent.html").render(descent=facts)


def fields(question: Question) -> list[dict[str, Any]]:
    """The numbers that can be edited, in groups."""
    weights = [
        (f"w{j}{i}", value)
        for j, row in enumerate(question.hidden, 1)
        for i, value in enumerate(row, 1)
    ]
    groups = {
        "Inputs": [(f"x{i}", value) for i, value in enumerate(question.inputs, 1)],
        "Hidden weights": weights,
        "Output weights": [(f"v{j}", value) for j, value in enumerate(question.output, 1)],
    }
    return [
        {
            "legend": legend,
            "fields": [
                {"name": name, "label": symbol(name), "value": f"{value:.6g}"}
                for name, value in members
            ],
        }
        for legend, members in groups.items()
    ]


def network_facts(question: Question) -> dict[str, Any]:
    """The drawing, the steps in words, and the address of the next step of gradient descent."""
    worked = work(question)
    after = stepped(question, worked, RATE)
    values = {f["name"]: f["value"] for group in fields(after) for f in group["fields"]}
    values |= {"target": f"{question.target:g}", "activation": question.activation}
    flat = abs(worked.nodes["b"].slope - worked.slope_on_sums) > 1e-6
    return {
        "drawing": drawing.network(question, worked),
        "steps": steps(question, worked),
        "next": "?" + urlencode(values),
        "rate": f"{RATE:g}",
        "flat": told(worked.slope_on_sums) if flat else "",
    }


def steps(question: Question, worked: Worked) -> list[dict[str, Any]]:
    """Each step of the way forward and back: its rule, and the numbers put in."""
    kind, target = question.activation, given(question.target)
    value = {name: shown(name, node.value) for name, node in worked.nodes.items()}
    factor = {name: _factor(words) for name, words in value.items()}
    slope = {name: told(node.slope) for name, node in worked.nodes.items()}
    db = _factor(slope["b"])

    def sum_of(pairs: list[tuple[str, str]]) -> str:
        return " + ".join(f"{factor[one]} · {factor[other]}" for one, other in pairs)

    forward = {
        "Weighted sums of the inputs": [
            f"a{_low(j)} = {sum_of([(f'x{i}', f'w{j}{i}') for i in (1, 2, 3)])} = {value[f'a{j}']}"
            for j in (1, 2)
        ],
        f"The {kind} of each sum": [
            f"z{_low(j)} = {kind}({value[f'a{j}']}) = {value[f'z{j}']}" for j in (1, 2)
        ],
        "Weighted sum of the hidden neurons": [
            f"b = {sum_of([('z1', 'v1'), ('z2', 'v2')])} = {value['b']}"
        ],
        "Sigmoid of the sum: the prediction": [f"y = sigmoid({value['b']}) = {value['y']}"],
        "Cross-entropy with the truth: the loss": [
            f"J = −({target} · log y + (1 − {target}) · log(1 − y)) = {value['J']}"
        ],
    }
    backward = {
        "Back through the loss": [f"∂J/∂y = (y − y*) / (y (1 − y)) = {slope['y']}"],
        "Back through the output's sigmoid": [f"∂J/∂b = ∂J/∂y · y (1 − y) = {slope['b']}"],
        "Back through the output's weights": [
            f"∂J/∂{one}{_low(j)} = ∂J/∂b · {other}{_low(j)} = {db} · {factor[f'{other}{j}']} = "
            f"{slope[f'{one}{j}']}"
            for one, other in ("vz", "zv")
            for j in (1, 2)
        ],
        f"Back through the hidden {kind}": [
            f"∂J/∂a{_low(j)} = ∂J/∂z{_low(j)} · {kind}′(a{_low(j)}) = {slope[f'a{j}']}"
            for j in (1, 2)
        ],
        "Back through the hidden weights": [
            *(
                f"∂J/∂w{_low(j)}{_low(i)} = ∂J/∂a{_low(j)} · x{_low(i)} = {slope[f'w{j}{i}']}"
                for j in (1, 2)
                for i in (1, 2, 3)
            ),
            *(
                f"∂J/∂x{_low(i)} = ∂J/∂a₁ · w₁{_low(i)} + ∂J/∂a₂ · w₂{_low(i)} = {slope[f'x{i}']}"
                for i in (1, 2, 3)
            ),
        ],
    }
    return [
        {"way": way, "title": title, "lines": lines}
        for way, found in (("forward", forward), ("backward", backward))
        for title, lines in found.items()
    ]


def _factor(shown: str) -> str:
    """A number as a factor: in brackets if it begins with a minus."""
    return f"({shown})" if shown.startswith("−") else shown


def _low(index: int) -> str:
    return symbol(str(index))


def descent_facts(settings: Descent) -> dict[str, Any]:
    """The pictures and the table of the three methods."""
    problem = make_problem(settings.problem)
    start = (settings.w, settings.b)
    methods = {
        "gradient descent": POINTS,
        "stochastic": 1,
        f"mini-batches of {settings.batch_size}": settings.batch_size,
    }
    found = {
        name: descend(
            problem,
            batch_size=size,
            learning_rate=settings.learning_rate,
            start=start,
            epochs=settings.epochs,
            seed=settings.seed,
        )
        for name, size in methods.items()
    }
    best = problem.lowest()
    lowest = problem.value(*torch.tensor(best, dtype=torch.float64)).item()
    return {
        "figures": [
            drawing.walks(problem, surface(problem, start), found),
            drawing.losses(lowest, found),
        ],
        "rows": [
            [
                name,
                len(walk.path) - 1,
                number(float(walk.path[-1][0])),
                number(float(walk.path[-1][1])),
                "diverged" if walk.diverged else number(walk.losses[-1] - lowest),
            ]
            for name, walk in found.items()
        ],
        "best": f"w = {number(best[0])}, b = {number(best[1])}, J = {number(lowest)}",
        "diverged": any(walk.diverged for walk in found.values()),
    }
