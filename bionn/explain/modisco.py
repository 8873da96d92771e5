"""Motifs by tfmodisco-lite, which clusters seqlets of either strand by Leiden's method.

Shrikumar et al. 2018, "Technical note on transcription factor motif discovery from importance scores
(TF-MoDISco)"; https://github.com/jmschrei/tfmodisco-lite. Slower than :mod:`bionn.explain.motifs`,
and what the field knows.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bionn.errors import InputError
from bionn.explain.motifs import LEAST, Motif, sum_up

SHORT = 200
"""Positions below which windows are narrow: those for long sequences would leave its ends out."""

NARROW: dict[str, Any] = {
    "sliding_window_size": 8,
    "flank_size": 5,
    "trim_to_window_size": 14,
    "initial_flank_to_add": 3,
}
"""Widths for short sequences; for long ones the package's own stand."""

RUNS = 10
"""Clusterings of which the best is taken."""


def check_modisco(letters: str) -> None:
    """Refuse motifs by tfmodisco-lite where they cannot be had.

    Args:
        letters: the alphabet.

    Raises:
        InputError: it is not installed, or the letters are not those of DNA or RNA.
    """
    try:
        import modiscolite.tfmodisco  # noqa: F401
    except ModuleNotFoundError:
        raise InputError(
            "motifs modisco: the package modisco-lite is needed; install it with: "
            "pip install 'bionn[motifs]'"
        ) from None
    if letters not in ("ACGT", "ACGU"):
        raise InputError(
            f"motifs modisco: DNA or RNA needed, the letters {letters} found; choose motifs seqlets"
        )


def modisco_motifs(one_hot: Tensor, hypothetical: Tensor, *, letters: str) -> list[Motif]:
    """Motifs of N explained sequences, those that speak for the output first, by number of seqlets.

    A seqlet on the other strand counts for its reverse complement, which stands in the matrix.

    Args:
        one_hot: the sequences, ``(N, 4, L)``.
        hypothetical: what each letter would contribute at each position, ``(N, 4, L)``.
        letters: the alphabet.

    Raises:
        InputError: see :func:`check_modisco`.
    """
    check_modisco(letters)
    from modiscolite.tfmodisco import TFMoDISco

    length = one_hot.shape[2]
    found = TFMoDISco(
        one_hot.mT.contiguous().numpy(),
        hypothetical.mT.contiguous().float().numpy(),
        min_metacluster_size=2 * LEAST,
        n_leiden_runs=RUNS,
        **(NARROW if length < SHORT else {}),
    )
    motifs: list[Motif] = []
    for kind, sign, patterns in zip(("positive", "negative"), (1, -1), found, strict=True):
        for number, pattern in enumerate(patterns or (), 1):
            motifs.append(_motif(f"{kind}_{number}", sign, pattern, one_hot, hypothetical, letters))
    return motifs


def _motif(
    name: str, sign: int, pattern: Any, one_hot: Tensor, hypothetical: Tensor, letters: str
) -> Motif:
    """The seqlets of a pattern, cut again from the sequences and summed up as our own are."""
    rows = torch.tensor([int(seqlet.example_idx) for seqlet in pattern.seqlets])
    starts = torch.tensor([int(seqlet.start) for seqlet in pattern.seqlets])
    turned = torch.tensor([bool(seqlet.is_revcomp) for seqlet in pattern.seqlets])
    width = int(pattern.seqlets[0].end - pattern.seqlets[0].start)
    place = starts[:, None] + torch.arange(width)
    windows = [
        values[rows].gather(2, place.unsqueeze(1).expand(-1, len(letters), -1))
        for values in (one_hot, sign * one_hot * hypothetical)
    ]
    # in the order of the alphabet both axes turned round are the reverse complement
    letters_there, weighted = (
        torch.where(turned[:, None, None], window.flip(1, 2), window) for window in windows
    )
    return sum_up(
        name, letters_there, weighted, rows, starts, letters=letters, sign=sign, turned=turned
    )
