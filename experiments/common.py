"""What the experiments on public data share: finding the data, five seeds, the table of results."""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

import bionn
from bionn.data import registry
from bionn.errors import BionnError, InputError

HERE = Path(__file__).resolve().parent
SEEDS = (0, 1, 2, 3, 4)


@dataclass(frozen=True)
class Score:
    """One score of an experiment over the seeds.

    Attributes:
        name: what to call it: as in ``metrics.json``, and on which inputs.
        network: a value a seed.
        linear: the linear baseline's values; one where the split is the same for every seed.
        to_reach: the value to compare with.
        published: what others report, in words.
    """

    name: str
    network: Sequence[float]
    linear: Sequence[float]
    to_reach: float
    published: str


def data_folder(*names: str) -> Path:
    """The folder of public data, with these sets in it.

    Raises:
        InputError: one of them is not there.
    """
    folder = registry.data_folder()
    for name in names:
        if not (folder / name).is_dir():
            raise InputError(
                f"{folder / name}: a data set needed, none found; bionn data get {name}"
            )
    return folder


def folds_of(name: str) -> pd.DataFrame:
    """The fixed folds of a data set, a row a record.

    Raises:
        InputError: they are not there.
    """
    path = data_folder() / "folds" / f"{name}.csv"
    if not path.is_file():
        raise InputError(
            f"{path}: the fixed folds of the experiment needed, not found; put them there, or use "
            "bionn run with --split on the data"
        )
    return pd.read_csv(path, dtype=str)


def read_config(name: str) -> dict[str, Any]:
    """The options of an experiment's ``config.yaml``."""
    return yaml.safe_load((HERE / name / "config.yaml").read_text(encoding="utf-8"))


def run_seeds(
    name: str,
    inputs: Path | list[Path],
    out: Path,
    *,
    options: Callable[[int], dict[str, Any]] = lambda seed: {},
    seeds: Sequence[int] = SEEDS,
    baselines: Callable[[int], bool] = lambda seed: seed == 0,
    more: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """``bionn.run`` with the experiment's configuration for every seed.

    Args:
        name: the experiment.
        inputs: the file, or files, to run on.
        out: a folder a seed is made in it.
        options: further options for a seed.
        seeds: which seeds.
        baselines: whether to fit the baselines for a seed (once is enough where the split is fixed).
        more: further options for every seed.

    Returns:
        The contents of ``metrics.json`` for each seed.
    """
    results = []
    for seed in seeds:
        settings: dict[str, Any] = read_config(name) | {"seed": seed} | options(seed)
        settings |= more or {}
        result = bionn.run(
            inputs,
            out=out / f"seed_{seed}",
            overwrite=True,
            progress=False,
            baselines=baselines(seed),
            explain=seed == 0,
            **settings,
        )
        results.append(result.metrics)
        test = {k: round(v, 4) for k, v in result.metrics["test"].items() if isinstance(v, float)}
        print(
            f"{name} seed {seed}: {test} in {result.metrics['seconds']['total']:.0f} s", flush=True
        )
    return results


def score(
    results: Sequence[dict[str, Any]],
    name: str,
    *,
    to_reach: float,
    published: str,
    label: str | None = None,
) -> Score:
    """A score of the test rows over the seeds, beside the linear baseline's.

    Args:
        results: the contents of ``metrics.json`` for each seed.
        name: of the score, as in them.
        to_reach: the value to compare with.
        published: what others report, in words.
        label: what to call it in the table; its name when None.
    """
    return Score(
        label or name,
        [result["test"][name] for result in results],
        [result["baselines"]["linear"]["test"][name] for result in results if result["baselines"]],
        to_reach,
        published,
    )


def table(scores: Sequence[Score]) -> str:
    """The scores as a Markdown table: mean and standard deviation over seeds."""
    lines = [
        "| score | network, mean ± sd over seeds | linear baseline | to reach | published |",
        "|---|---|---|---|---|",
    ]
    for item in scores:
        lines.append(
            f"| {item.name} | **{np.mean(item.network):.3f}** ± {np.std(item.network):.3f} | "
            f"{np.mean(item.linear):.3f} | {item.to_reach:.3f} | {item.published} |"
        )
    return "\n".join(lines)


def parse(
    module: str, seeds: Sequence[int], parts: Sequence[str] = ()
) -> tuple[argparse.Namespace, Path]:
    """The arguments of an experiment, ``out`` and ``seeds``, and the data folder.

    Args:
        module: the experiment's module, below this package.
        seeds: which to run when none are given.
        parts: names of what the experiment consists of: ``only`` chooses some of them.
    """
    parser = argparse.ArgumentParser(prog=f"python -m experiments.{module}")
    parser.add_argument("--out", type=Path, default=Path("runs/experiments") / module.split(".")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(seeds))
    if parts:
        parser.add_argument("--only", nargs="+", choices=parts, default=list(parts))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    name = module.split(".")[0]
    with failing_in_one_line(parser.prog):
        return arguments, data_folder(*({name} & registry.registry().keys()))


@contextlib.contextmanager
def failing_in_one_line(prog: str) -> Iterator[None]:
    """Turn bad input into a line and exit code 2, as ``bionn`` does."""
    try:
        yield
    except BionnError as error:
        print(f"{prog}: error: {error}", file=sys.stderr)
        sys.exit(2)


def main(name: str, experiment: Callable[..., list[Score]], *, parts: Sequence[str] = ()) -> None:
    """The command line of an experiment: run it, print its table, write it into its README.

    Args:
        name: the experiment's folder.
        experiment: given the data folder, an output folder and the seeds, gives the scores.
        parts: of which the experiment takes some as ``only``, a row of the table each; the README's
            other rows stay.
    """
    arguments, data = parse(f"{name}.run", SEEDS, parts)
    chosen = {"only": arguments.only} if parts else {}
    with failing_in_one_line(f"python -m experiments.{name}.run"):
        scores = experiment(data, arguments.out, arguments.seeds, **chosen)
    print(table(scores))
    if tuple(arguments.seeds) == SEEDS:
        readme, text = HERE / name / "README.md", table(scores)
        if set(chosen.get("only", parts)) != set(parts):
            text = with_other_rows(text, readme.read_text(encoding="utf-8"))
        write_result(readme, text)


def with_other_rows(new: str, readme: str) -> str:
    """A table of scores, and those rows of the README's that it does not have, in the README's order.

    Example:
        >>> head = "| score | x |\\n|---|---|"
        >>> old = f"<!-- result -->\\n{head}\\n| a | 1 |\\n| b | 2 |\\n<!-- end of result -->"
        >>> with_other_rows(f"{head}\\n| b | 3 |", old).split("\\n")
        ['| score | x |', '|---|---|', '| a | 1 |', '| b | 3 |']
    """
    found = re.search(r"<!-- result -->\n(.*?)\n<!-- end of result -->", readme, flags=re.S)
    head, rows = new.split("\n")[:2], {row.split("|")[1]: row for row in new.split("\n")[2:]}
    for row in reversed(found[1].split("\n")[2:] if found else []):
        rows = {row.split("|")[1]: row} | rows  # a new one keeps its values, and takes the place
    return "\n".join([*head, *rows.values()])


def write_result(readme: Path, text: str, name: str = "result") -> None:
    """Replace what stands between the marks of this name in a README, or add them at its end."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    old = readme.read_text(encoding="utf-8")
    if begin not in old:
        old = f"{old.rstrip()}\n\n{begin}\n{end}\n"
    new = re.sub(
        f"{re.escape(begin)}.*{re.escape(end)}",
        f"{begin}\n{text}\n{end}".replace("\\", r"\\"),
        old,
        flags=re.S,
    )
    readme.write_text(new, encoding="utf-8")
