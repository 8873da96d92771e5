"""The defaults beside an ensemble and a search: ``python -m experiments.compare [NAME ...]``.

Each way runs an experiment over the same folds and seeds; what it cost and gained stands in the
experiment's README. A run that is there, whole and of the same options, is not made again.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.common import HERE, Score, data_folder, failing_in_one_line, write_result


class Plan(NamedTuple):
    """What is compared for an experiment.

    Attributes:
        seeds: over which seeds: fewer than five where a run is long.
        minutes: of a search, shared among the folds; None leaves the search out.
    """

    seeds: tuple[int, ...]
    minutes: float | None = None


PLANS = {
    "splice": Plan((0,)),
    "promoters_athaliana": Plan((0,)),
    "lafleur2022": Plan((0,)),
    "mice_protein": Plan((0, 1), 5.0),
    "m3d_sos": Plan((0,)),
    "6ma_athaliana": Plan((0,), 15.0),
}
"""The experiments, from which those named are run."""


def ways(plan: Plan) -> dict[str, dict[str, Any]]:
    """Names of ways to train, with the options that each adds to the experiment's own."""
    found: dict[str, dict[str, Any]] = {"defaults": {}, "ensemble of 5": {"ensemble": 5}}
    if plan.minutes is not None:
        found[f"tuned, {plan.minutes:g} min"] = {"tune": plan.minutes}
    return found


def compare(name: str, plan: Plan, data: Path, out: Path) -> dict[str, list[Score]]:
    """The scores of each way."""
    experiment = import_module(f"experiments.{name}.run").experiment
    scores = {}
    for way, more in ways(plan).items():
        own = out / name / way.partition(" ")[0].rstrip(",")
        own.mkdir(parents=True, exist_ok=True)
        scores[way] = experiment(data, own, plan.seeds, more=more | {"resume": True})
    return scores


def table(scores: Mapping[str, Sequence[Score]]) -> str:
    """A row a score, a column a way: mean and standard deviation over seeds.

    Example:
        >>> values = {"a": 0.5, "b": 0.6}
        >>> print(table({way: [Score("r2", [v], [0.4], 0.4, "-")] for way, v in values.items()}))
        | score | seeds | a | b |
        |---|---|---|---|
        | r2 | 1 | 0.500 | 0.600 |
    """
    lines = [f"| score | seeds | {' | '.join(scores)} |", "|---" * (len(scores) + 2) + "|"]
    for row in zip(*scores.values(), strict=True):
        seeds = len(row[0].network)
        cells = [
            f"{np.mean(item.network):.3f}" + f" ± {np.std(item.network):.3f}" * (seeds > 1)
            for item in row
        ]
        lines.append(f"| {row[0].name} | {seeds} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run, print, and write each table into its experiment's README."""
    parser = argparse.ArgumentParser(prog="python -m experiments.compare")
    parser.add_argument("names", nargs="*", choices=[*PLANS, []], metavar="NAME")
    parser.add_argument("--out", type=Path, default=Path("runs/compared"))
    parser.add_argument("--no-search", action="store_true", help="leave the searches out")
    arguments = parser.parse_args()
    for name in arguments.names or PLANS:
        plan = PLANS[name]._replace(minutes=None) if arguments.no_search else PLANS[name]
        with failing_in_one_line(parser.prog):
            scores = compare(name, plan, data_folder(name), arguments.out)
        print(table(scores), flush=True)
        write_result(HERE / name / "README.md", table(scores), "compared")


if __name__ == "__main__":
    main()
