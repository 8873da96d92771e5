"""How often conformal sets and intervals hold the truth of test rows, on four public data sets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from experiments.common import HERE, failing_in_one_line, parse, write_result

NAME = "coverage"
SETS = ("6ma_athaliana", "gue_prom_core", "lafleur2022", "splice")


def coverage(data: Path, out: Path, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """``metrics.json`` of each experiment's run with seed 0, as its own ``run.py`` makes it."""
    found = {}
    for name in names:
        own = out / name
        own.mkdir(parents=True, exist_ok=True)
        import_module(f"experiments.{name}.run").experiment(data, own, [0])
        text = (own / "seed_0" / "metrics.json").read_text(encoding="utf-8")
        found[name] = json.loads(text)
    return found


def table(found: dict[str, dict[str, Any]]) -> str:
    """A row a data set and level.

    The error is that of the shares of the validation rows, which make the threshold, and of the test
    rows, which are counted.
    """
    lines = [
        "| data set | level | val rows | test rows | coverage | mean size |",
        "|---|---|---|---|---|---|",
    ]
    for name, metrics in found.items():
        val = int(np.sum(metrics["n"]["val"]))
        for entry in metrics["conformal"]:
            level, test = entry["level"], entry["n"]
            error = np.sqrt(level * (1 - level) * (1 / val + 1 / test))
            unit = "wide" if "target" in entry else "classes"
            lines.append(
                f"| {name} | {level:g} | {val} | {test} | {entry['coverage']:.3f} ± {error:.3f} | "
                f"{entry['size']:.2f} {unit} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Run, print, and write the table into the README of the experiments."""
    arguments, data = parse(f"{NAME}.run", [0])
    with failing_in_one_line(f"python -m experiments.{NAME}.run"):
        found = coverage(data, arguments.out, SETS)
    print(table(found))
    write_result(HERE / "README.md", table(found), NAME)


if __name__ == "__main__":
    main()
