"""Motifs as a MEME file (minimal format, version 4), which motif databases and scanners read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bionn.formats.output import replacing


class MotifMatrix(NamedTuple):
    """A motif as files have it.

    Attributes:
        name: without white space in the file.
        matrix: the share of each letter at each position, ``(W, A)``.
        sites: how many sites it was made from.
        consensus: said after the name.
    """

    name: str
    matrix: np.ndarray
    sites: int
    consensus: str


def write_meme(
    motifs: Sequence[MotifMatrix],
    path: str | Path,
    *,
    letters: str,
    background: Sequence[float],
    both_strands: bool = False,
) -> None:
    """Write motifs in MEME's minimal format.

    Args:
        motifs: any number, also none.
        path: the file.
        letters: the alphabet, as ``ACGT``; MEME orders them alphabetically.
        background: the share of each letter in the sequences.
        both_strands: whether motifs were looked for on both strands.
    """
    order = np.argsort(list(letters))
    shares = np.asarray(background, dtype=np.float64)
    shares = shares / shares.sum() if shares.sum() > 0 else np.full(len(letters), 1 / len(letters))
    lines = ["MEME version 4", "", f"ALPHABET= {''.join(sorted(letters))}", ""]
    if len(letters) == 4:
        lines += [f"strands: +{' -' * both_strands}", ""]
    frequencies = " ".join(
        f"{letters[a]} {share:.5f}" for a, share in zip(order, shares[order], strict=True)
    )
    lines += ["Background letter frequencies", frequencies, ""]
    for motif in motifs:
        head = [re.sub(r"\s+", "_", word) for word in (motif.name, motif.consensus) if word]
        width, size = motif.matrix.shape
        lines += [
            " ".join(["MOTIF", *head]),
            f"letter-probability matrix: alength= {size} w= {width} nsites= {motif.sites} E= 0",
            *(" " + " ".join(f"{share:.6f}" for share in row[order]) for row in motif.matrix),
            "",
        ]
    with replacing(path) as file:
        file.write("\n".join(lines))
