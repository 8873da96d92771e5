"""Simulates labelled bacterial promoters: sigma-70 boxes, and a background with only their letters.

    python simulate.py                       # rewrites the shipped files, byte for byte
    python simulate.py --seed 1 --records 5000 --out promoters_5000

Every record is the 60 bp from -50 to +10 around a transcription start. A background record is a
promoter of its own whose letters were shuffled inside each of `REGIONS`: the boxes never cross a
region's edge, so both classes have the same composition, region by region, and only the order of
the letters tells them apart.
"""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

LETTERS = "ACGT"
BACKGROUND = np.array([0.27, 0.23, 0.23, 0.27])
LENGTH, START = 60, 50  # START: index of the first transcribed base (+1)
BOXES = {  # consensus, share of the consensus letter in known E. coli promoters
    "-35": ("TTGACA", [0.82, 0.84, 0.78, 0.65, 0.54, 0.45]),
    "-10": ("TATAAT", [0.80, 0.95, 0.45, 0.60, 0.50, 0.96]),
}
SHARPNESS = 5.0  # each planted column is proportional to published ** SHARPNESS
SPACER = {15: 0.04, 16: 0.06, 17: 0.80, 18: 0.06, 19: 0.04}  # bases between the boxes
DISCRIMINATOR = {5: 0.04, 6: 0.11, 7: 0.70, 8: 0.11, 9: 0.04}  # bases between -10 box and start
REGIONS = (0, 10, 24, 35, 45, LENGTH)  # edges: upstream, -35, spacer, -10, start
FILES = ("promoters.fasta", "labels.csv", "motifs.json")


class Simulation(NamedTuple):
    """Records in the order of the files."""

    codes: np.ndarray  # (records, LENGTH), 0..3 = A C G T
    is_promoter: np.ndarray  # (records,) bool


def published(box: str) -> np.ndarray:
    """Frequencies (6, ACGT): the consensus letter's share, the rest spread like the background."""
    consensus, shares = BOXES[box]
    rows = []
    for letter, share in zip(consensus, shares, strict=True):
        chosen = np.array([letter == other for other in LETTERS])
        rest = np.where(chosen, 0.0, BACKGROUND)
        rows.append(np.where(chosen, share, (1 - share) * rest / rest.sum()))
    return np.array(rows)


def planted(box: str) -> np.ndarray:
    """Frequencies (6, ACGT) the boxes are drawn from: the published ones, sharpened."""
    powers = published(box) ** SHARPNESS
    return powers / powers.sum(axis=1, keepdims=True)


def draw(rng: np.random.Generator, probabilities: np.ndarray, size: int) -> np.ndarray:
    """Draw category numbers, shape (size, *probabilities.shape[:-1]).

    Uses uniform numbers alone, whose stream is the most stable one across numpy versions.
    """
    edges = probabilities.cumsum(axis=-1)[..., :-1]
    uniform = rng.random((size, *probabilities.shape[:-1], 1))
    return (uniform >= edges).sum(axis=-1)


def draw_distance(rng: np.random.Generator, weights: dict[int, float], size: int) -> np.ndarray:
    """Draw distances in bases, shape (size,)."""
    return np.array(list(weights))[draw(rng, np.array(list(weights.values())), size)]


def promoters(rng: np.random.Generator, size: int) -> np.ndarray:
    """Random sequences with a -10 and a -35 box written in; codes (size, LENGTH)."""
    codes = draw(rng, np.tile(BACKGROUND, (LENGTH, 1)), size)
    ten = START - draw_distance(rng, DISCRIMINATOR, size) - 6
    thirty_five = ten - draw_distance(rng, SPACER, size) - 6
    for box, first in (("-10", ten), ("-35", thirty_five)):
        np.put_along_axis(codes, first[:, None] + np.arange(6), draw(rng, planted(box), size), 1)
    return codes


def shuffle_regions(rng: np.random.Generator, codes: np.ndarray) -> np.ndarray:
    """Shuffle each sequence inside each region: same letters there, no boxes."""
    parts = []
    for low, high in itertools.pairwise(REGIONS):
        order = rng.random((len(codes), high - low)).argsort(axis=1)
        parts.append(np.take_along_axis(codes[:, low:high], order, axis=1))
    return np.concatenate(parts, axis=1)


def simulate(rng: np.random.Generator, records: int) -> Simulation:
    """Half promoters, half background (made from other promoters), in random order."""
    positive = promoters(rng, records // 2)
    negative = shuffle_regions(rng, promoters(rng, records - records // 2))
    order = rng.random(records).argsort()
    return Simulation(
        np.concatenate([positive, negative])[order], (np.arange(records) < len(positive))[order]
    )


def motifs() -> dict[str, object]:
    """What was planted, as plain data."""

    def table(matrix: np.ndarray) -> list[list[float]]:
        return matrix.round(6).tolist()

    return {
        "about": "SIMULATED: the motifs planted in promoters.fasta; a row per position",
        "letters": LETTERS,
        "background": BACKGROUND.tolist(),
        "length": LENGTH,
        "transcription_start": START,
        "sharpness": SHARPNESS,
        "boxes": {
            box: {
                "consensus": BOXES[box][0],
                "planted": table(planted(box)),
                "published": table(published(box)),
            }
            for box in BOXES
        },
        "spacer": SPACER,
        "discriminator": DISCRIMINATOR,
        "region_edges": REGIONS,
    }


def write(simulation: Simulation, out: Path) -> None:
    """Write `FILES` into the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    letters = np.array(list(LETTERS))
    fasta, labels = [], ["id,label"]
    for number, (codes, positive) in enumerate(zip(*simulation, strict=True), start=1):
        fasta += [f">sim_{number:04d}", "".join(letters[codes])]
        labels.append(f"sim_{number:04d},{'promoter' if positive else 'background'}")
    texts = ["\n".join(fasta), "\n".join(labels), json.dumps(motifs(), indent=1)]
    for name, text in zip(FILES, texts, strict=True):
        (out / name).write_text(text + "\n", encoding="ascii", newline="\n")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="simulate labelled sigma-70 promoters")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--records", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args(arguments)
    write(simulate(np.random.default_rng(options.seed), options.records), options.out)


if __name__ == "__main__":
    main()
