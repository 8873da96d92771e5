"""In-silico mutagenesis of MLP 200 bp-512-128-1: ours beside tangermeme's, and what brute force costs.

Every effect is first compared with the network run on each mutant in float64: no speed is printed for a
wrong result. Then all take turns; a figure is the median of the rounds.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tangermeme.saturation_mutagenesis import saturation_mutagenesis
from torch import Tensor

from bionn.explain.mutagenesis import mutagenesis
from bionn.kernels.library import library
from bionn.models import MLP
from experiments.benchmarks.ops import commit, write_csv

LETTERS, LENGTH, HIDDEN = 4, 200, (512, 128)


def networks(activation: str) -> tuple[MLP, torch.nn.Sequential]:
    """Ours, and torch's with the same weights: what a user of either would have."""
    ours = MLP((LETTERS, LENGTH), HIDDEN, 1, activation=activation).eval()
    between = {"relu": torch.nn.ReLU, "gelu": torch.nn.GELU, "tanh": torch.nn.Tanh}[activation]
    widths = [LETTERS * LENGTH, *HIDDEN, 1]
    layers: list[torch.nn.Module] = [torch.nn.Flatten()]
    linear = [layer for layer in ours.layers if hasattr(layer, "weight")]
    for number, layer in enumerate(linear):
        theirs = torch.nn.Linear(widths[number], widths[number + 1])
        with torch.no_grad():
            theirs.weight.copy_(layer.weight.flatten(1))  # pyright: ignore[reportCallIssue, reportArgumentType]
            theirs.bias.copy_(layer.bias)  # pyright: ignore[reportArgumentType]
        layers += [theirs, between()]
    return ours, torch.nn.Sequential(*layers[:-1]).eval()


def exact(network: torch.nn.Module, sequence: Tensor) -> Tensor:
    """Effects ``(A, L)`` for one sequence ``(A, L)``, each mutant run in float64."""
    network, sequence = network.double(), sequence.double()
    mutants = sequence.repeat(LETTERS * LENGTH, 1, 1)
    letter = torch.arange(LETTERS).repeat_interleave(LENGTH)
    position = torch.arange(LENGTH).repeat(LETTERS)
    mutants[torch.arange(len(mutants)), :, position] = 0
    mutants[torch.arange(len(mutants)), letter, position] = 1
    effects = (network(mutants) - network(sequence.unsqueeze(0))).view(LETTERS, LENGTH)
    network.float()
    return effects


def measure(activation: str, sequences: int, rounds: int) -> list[dict[str, str | float]]:
    """Check, then time in turn.

    Raises:
        AssertionError: an effect is off by more than 1e-5.
    """
    ours, theirs = networks(activation)
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(0, LETTERS, (sequences, LENGTH), generator=generator)
    x = torch.eye(LETTERS)[codes].mT.contiguous()
    ways: dict[str, Callable[[], Tensor]] = {
        "bionn, mutagenesis": lambda: mutagenesis(ours, x).effects[..., 0]
    }
    for batch in (32, 128, 600):

        def tangermeme(batch: int = batch) -> Tensor:
            found: Any = saturation_mutagenesis(
                theirs, x, batch_size=batch, device="cpu", raw_outputs=True
            )
            before, after = found
            return after[..., 0] - before[:, None, None, 0]

        ways[f"tangermeme, batches of {batch}"] = tangermeme
    expected = torch.stack([exact(theirs, row) for row in x[:3]])
    worst = {}
    for name, run in ways.items():
        worst[name] = float((run()[:3] - expected).abs().max())
        assert worst[name] < 1e-5, f"{name}: off by {worst[name]}"
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, run in ways.items():
            begin = time.perf_counter()
            run()
            times[name].append((time.perf_counter() - begin) / sequences * 1e3)
    median = {name: statistics.median(own) for name, own in times.items()}
    base = median["bionn, mutagenesis"]
    return [
        {
            "activation": activation,
            "way": name,
            "ms_a_sequence": round(value, 3),
            "ratio": round(value / base, 1),
            "largest_error": f"{worst[name]:.1g}",
        }
        for name, value in median.items()
    ]


@torch.no_grad()
def main() -> None:
    """Measure, print a table, write a CSV."""
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmarks.mutagenesis")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/mutagenesis.csv"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sequences", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--activations", nargs="+", default=["relu", "gelu"])
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    kernels = "compiled kernels" if library() is not None else "plain torch"
    print(
        f"{platform.machine()}, {given.threads} thread(s), torch {torch.__version__}, {kernels}, "
        f"commit {commit()}\n\n"
        "| activation | way | ms a sequence | ratio | largest error |\n|---|---|---|---|---|"
    )
    rows = []
    for activation in given.activations:
        for row in measure(activation, given.sequences, given.rounds):
            rows.append(row)
            print("| " + " | ".join(map(str, row.values())) + " |", flush=True)
    write_csv(rows, given.out)


if __name__ == "__main__":
    main()
