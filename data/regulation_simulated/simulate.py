"""Simulates correlated regulators and target genes that follow a known nonlinear network.

    python simulate.py                       # rewrites the shipped files, byte for byte
    python simulate.py --seed 1 --samples 5000 --out regulation_5000

A target's log2 expression is `BASELINE` plus a sum of terms; a term is its weight times the product
of its regulators' Hill functions (an activator's h, a repressor's 1 - h): an AND of them.

    h(x) = 2^(hill x) / (2^(hill x) + 2^(hill half)),   x and half in log2 units
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np

REGULATORS = tuple(f"reg{number:02d}" for number in range(1, 15))  # reg14 regulates nothing
TARGETS = tuple(f"tgt{number}" for number in range(1, 7))
CONDITIONS = ("control", "heat", "starvation")
FACTORS = 4  # hidden causes shared by the regulators
CENTRE, SPREAD, SHARED = 7.0, 1.2, 0.56  # of the regulators, log2; SHARED: variance due to factors
HALF, HILL, BASELINE = 7.0, 2.0, 5.0
NOISE = 0.075  # noise variance of a target as a share of its total variance
MISSING = 0.015  # share of regulator values that were not measured
FILES = ("expression.csv", "network.csv")


class Term(NamedTuple):
    """`weight` times the AND of activators and absent repressors."""

    target: str
    weight: float
    activators: tuple[str, ...]
    repressors: tuple[str, ...] = ()


NETWORK = (
    Term("tgt1", 4.0, ("reg01", "reg02")),  # AND
    Term("tgt2", 4.0, ("reg03",), ("reg04",)),  # AND NOT
    Term("tgt3", 4.0, ("reg05",), ("reg06",)),  # exclusive OR, first half
    Term("tgt3", 4.0, ("reg06",), ("reg05",)),  # and second half
    Term("tgt4", 3.0, ("reg07", "reg08")),  # AND, plus one on its own
    Term("tgt4", 1.5, ("reg09",)),
    Term("tgt5", 4.0, ("reg10",), ("reg11",)),  # reg10 unless reg11 and reg12 are both there
    Term("tgt5", 4.0, ("reg10", "reg11"), ("reg12",)),
    Term("tgt6", 4.0, ("reg12",), ("reg03",)),  # (reg12 or reg13) and not reg03
    Term("tgt6", 4.0, ("reg13",), ("reg03", "reg12")),
)


class Simulation(NamedTuple):
    """One row a sample; log2 units."""

    condition: np.ndarray  # (samples,) index into CONDITIONS
    regulators: np.ndarray  # (samples, REGULATORS), complete
    measured: np.ndarray  # (samples, REGULATORS) bool
    expected: np.ndarray  # (samples, TARGETS), without noise: the best any model can predict
    targets: np.ndarray  # (samples, TARGETS)


def hill(values: np.ndarray) -> np.ndarray:
    """Share of the time a regulator's site is occupied."""
    return 1 / (1 + np.exp2(HILL * (HALF - values)))


def respond(regulators: np.ndarray) -> np.ndarray:
    """Noise-free targets (samples, TARGETS) of regulators (samples, REGULATORS)."""
    occupied = hill(regulators)
    out = np.full((len(regulators), len(TARGETS)), BASELINE)
    for term in NETWORK:
        on = occupied[:, [REGULATORS.index(name) for name in term.activators]].prod(axis=1)
        off = 1 - occupied[:, [REGULATORS.index(name) for name in term.repressors]]
        out[:, TARGETS.index(term.target)] += term.weight * on * off.prod(axis=1)
    return out


def simulate(rng: np.random.Generator, samples: int) -> Simulation:
    """Conditions shift hidden factors, factors move regulators, regulators drive targets."""
    condition = rng.integers(len(CONDITIONS), size=samples)
    shift = 0.8 * rng.standard_normal((len(CONDITIONS), FACTORS))
    loading = rng.standard_normal((FACTORS, len(REGULATORS)))
    shared = (shift[condition] + rng.standard_normal((samples, FACTORS))) @ loading
    shared = (shared - shared.mean(axis=0)) / shared.std(axis=0)
    own = rng.standard_normal(shared.shape)
    regulators = CENTRE + SPREAD * (np.sqrt(SHARED) * shared + np.sqrt(1 - SHARED) * own)
    expected = respond(regulators)
    noise_sd = expected.std(axis=0) * np.sqrt(NOISE / (1 - NOISE))
    targets = expected + noise_sd * rng.standard_normal(expected.shape)
    measured = rng.random(regulators.shape) >= MISSING
    return Simulation(condition, regulators, measured, expected, targets)


def write(simulation: Simulation, out: Path) -> None:
    """Write `FILES` into the folder `out`; a value not measured is an empty cell."""
    out.mkdir(parents=True, exist_ok=True)
    expression = [",".join(("sample", "condition", *REGULATORS, *TARGETS))]
    for number, (condition, regulators, measured, _, targets) in enumerate(
        zip(*simulation, strict=True), start=1
    ):
        cells = [f"{x:.3f}" if known else "" for x, known in zip(regulators, measured, strict=True)]
        cells += [f"{x:.3f}" for x in targets]
        expression.append(",".join((f"s{number:04d}", CONDITIONS[condition], *cells)))
    network = ["target,term,weight,regulator,effect,half,hill"]
    for number, term in enumerate(NETWORK, start=1):
        effects = [(name, "activates") for name in term.activators]
        effects += [(name, "represses") for name in term.repressors]
        for name, effect in effects:
            network.append(f"{term.target},{number},{term.weight},{name},{effect},{HALF},{HILL}")
    for name, lines in zip(FILES, (expression, network), strict=True):
        (out / name).write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="simulate regulators and their target genes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args(arguments)
    write(simulate(np.random.default_rng(options.seed), options.samples), options.out)


if __name__ == "__main__":
    main()
