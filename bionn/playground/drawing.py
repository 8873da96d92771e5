"""The playground's pictures: the network with values and slopes on it, and the walks on the surface."""

from __future__ import annotations

from collections.abc import Mapping

from contourpy import contour_generator
from markupsafe import Markup

from bionn.playground.descent import Problem, Surface, Walk
from bionn.playground.example import Question, Worked
from bionn.report.figures.plot import Axis, Plot, spanning
from bionn.report.figures.svg import Figure, Key, drawing, line, rectangle, text
from bionn.report.wording import number

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")

FORWARD = {"a": 1, "z": 2, "b": 3, "y": 4, "J": 5}
"""At which step a value is known, by the first letter of its name."""

BACKWARD = {"J": 5, "y": 6, "b": 7, "v": 8, "z": 8, "a": 9, "w": 10, "x": 10}
"""At which step the loss's slope with it is known."""

WIDTH, HEIGHT = 860.0, 370.0
INPUTS = {1: (64.0, 70.0), 2: (64.0, 200.0), 3: (64.0, 330.0)}
HIDDEN = {1: (420.0, 120.0), 2: (420.0, 280.0)}
OUTPUT, LOSS = (650.0, 200.0), (796.0, 200.0)


def symbol(name: str) -> str:
    """``w12`` as it is printed: w₁₂."""
    return name.translate(SUBSCRIPTS)


def told(value: float) -> str:
    """A value on the drawing: three decimals, a true minus, no −0."""
    return number(value + 0.0)


def given(value: float) -> str:
    """An input or weight, as it was typed."""
    return f"{value:.4g}".replace("-", "−")


def shown(name: str, value: float) -> str:
    """A value by its name: typed ones as they were, computed ones to three decimals."""
    return given(value) if name[0] in "xwv" else told(value)


def network(question: Question, worked: Worked) -> Markup:
    """The network: values in ink as they go forward, slopes in colour as they come back."""
    edges, words, boxes = [], [], []
    for j, (hx, hy) in HIDDEN.items():
        for i, (x, y) in INPUTS.items():
            edges.append(line(x + 52, y, hx - 66, hy, "edge"))
            share = 0.23 if j == 1 else 0.76
            at = x + 52 + share * (hx - 118 - x), y + share * (hy - y)
            words += _beside(worked, f"w{j}{i}", *at)
        edges.append(line(hx + 66, hy, OUTPUT[0] - 58, OUTPUT[1], "edge"))
        middle = (hx + 66 + OUTPUT[0] - 58) / 2, (hy + OUTPUT[1]) / 2
        words += _beside(worked, f"v{j}", *middle)
    edges.append(line(OUTPUT[0] + 58, OUTPUT[1], LOSS[0] - 54, LOSS[1], "edge"))
    for i, place in INPUTS.items():
        boxes += _box(worked, (f"x{i}",), place, 104)
    for j, place in HIDDEN.items():
        boxes += _box(worked, (f"a{j}", f"z{j}"), place, 132)
    boxes += _box(worked, ("b", "y"), OUTPUT, 116)
    boxes += _box(worked, ("J",), LOSS, 108)
    heads = [
        text(x, 18, words_, text_anchor="middle", class_="label")
        for x, words_ in (
            (INPUTS[1][0], "inputs"),
            (HIDDEN[1][0], f"hidden: {question.activation}"),
            (OUTPUT[0], "output: sigmoid"),
            (LOSS[0], "loss"),
        )
    ]
    label = (
        "The network drawn: three inputs, two hidden neurons, one output and the loss, each with its "
        "value and the loss's slope. The list of steps tells every number."
    )
    return drawing(WIDTH, HEIGHT, label, *edges, *heads, *boxes, *words)


def _value(worked: Worked, name: str, x: float, y: float) -> Markup:
    known = FORWARD.get(name[0], 0)
    words = f"{symbol(name)} = {shown(name, worked.nodes[name].value)}"
    return text(
        x, y, words, text_anchor="middle", class_="strong", data_step=known, data_value=name
    )


def _slope(worked: Worked, name: str, x: float, y: float) -> Markup:
    words = f"∂J/∂{symbol(name)} = {told(worked.nodes[name].slope)}"
    return text(
        x,
        y,
        words,
        text_anchor="middle",
        class_="slope",
        data_step=BACKWARD[name[0]],
        data_slope=name,
    )


def _beside(worked: Worked, name: str, x: float, y: float) -> list[Markup]:
    """A weight's value and slope, on its arrow."""
    back = rectangle(x - 50, y - 16, 100, 30, class_="back")
    return [back, _value(worked, name, x, y - 3), _slope(worked, name, x, y + 11)]


def _box(
    worked: Worked, names: tuple[str, ...], place: tuple[float, float], wide: float
) -> list[Markup]:
    """A node: the value and slope of each of its numbers, one under the other."""
    x, middle = place
    tall = 36.0 * len(names) + 8
    top = middle - tall / 2
    parts = [rectangle(x - wide / 2, top, wide, tall, rx=8, class_="node")]
    for k, name in enumerate(names):
        y = top + 18 + 36 * k
        parts.append(_value(worked, name, x, y))
        if name != "J":
            parts.append(_slope(worked, name, x, y + 15))
    return parts


def walks(problem: Problem, ground: Surface, found: Mapping[str, Walk]) -> Figure:
    """The paths on the contours of J."""
    best = problem.lowest()
    plot = Plot(
        Axis("slope w", float(ground.w[0]), float(ground.w[-1])),
        Axis("intercept b", float(ground.b[0]), float(ground.b[-1])),
        "Contours of the loss over w and b, with the path of each method from the start: "
        + "; ".join(
            f"{name} ends at w {number(walk.path[-1][0])}, b {number(walk.path[-1][1])}"
            for name, walk in found.items()
        )
        + ".",
        width=460,
        height=440,
    )
    contours = contour_generator(ground.w, ground.b, ground.loss)
    for level in ground.levels:
        for points in contours.lines(float(level)):
            plot.curve(points[:, 0], points[:, 1], "contour")  # pyright: ignore[reportCallIssue, reportArgumentType]
    for k, walk in reversed(list(enumerate(found.values()))):
        plot.curve(walk.path[:, 0], walk.path[:, 1], f"s{k} thin")
    first = next(iter(found.values())).path[0]
    plot.dots([first[0]], [first[1]], "marker start")
    plot.dots([best[0]], [best[1]], "marker best")
    return Figure(
        plot.svg(),
        "Paths down the loss surface",
        "Rings join points of equal loss. The grey dot is the start, the ringed one the lowest point; a "
        "path that leaves the window runs along its edge.",
        [Key(f"s{k}", name) for k, name in enumerate(found)],
    )


def losses(lowest: float, found: Mapping[str, Walk]) -> Figure:
    """How far above the lowest loss each method is after each epoch."""
    above = {name: [max(v - lowest, 1e-12) for v in walk.losses] for name, walk in found.items()}
    longest = max(len(values) for values in above.values())
    plot = Plot(
        Axis("epoch", 0, max(longest - 1, 1)),
        spanning("J − lowest J", *(values for values in above.values()), log=True),  # pyright: ignore[reportArgumentType]
        "The loss above its lowest value, epoch by epoch: "
        + "; ".join(f"{name} ends at {number(values[-1])}" for name, values in above.items())
        + ".",
        width=460,
        height=440,
    )
    for k, values in enumerate(above.values()):
        plot.curve(range(len(values)), values, f"s{k}")
    return Figure(
        plot.svg(),
        "Loss over all points",
        "On a scale of factors: a straight line down is a steady pace. Small batches start fast and "
        "stay restless; gradient descent settles.",
        [Key(f"s{k}", name) for k, name in enumerate(found)],
    )
