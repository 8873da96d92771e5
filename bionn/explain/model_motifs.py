"""The motifs of a trained model: of each of its outputs, as JSON and in MEME format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bionn.errors import InputError, did_you_mean
from bionn.explain.modisco import check_modisco, modisco_motifs
from bionn.explain.motifs import Motif, find_motifs
from bionn.explain.trained import SequenceExplainer, output_names, output_weights
from bionn.formats.motifs import MotifMatrix, write_meme
from bionn.formats.output import write_json
from bionn.sequences.onehot import one_hot

FINDERS = ("seqlets", "modisco")
"""Ways to gather windows into motifs: our own, and tfmodisco-lite."""

MOST_ROWS = 1000
"""Sequences that motifs are looked for in."""

MOST_OUTPUTS = 10
"""Outputs whose motifs are looked for."""

MOST_WORK = 2**33
"""Multiplications that mutagenesis may cost where a model has no gradients to letters."""


@dataclass(frozen=True)
class ModelMotifs:
    """What was found.

    Attributes:
        motifs: by output.
        letters: the alphabet.
        background: the share of each letter in the sequences searched, ``(A,)``.
        rows: how many sequences were searched.
    """

    motifs: dict[str, list[Motif]]
    letters: str
    background: list[float]
    rows: int


def model_motifs(
    explainer: SequenceExplainer,
    codes: Tensor,
    *,
    outputs: Sequence[str] | None = None,
    seed: int = 0,
    finder: str = "seqlets",
) -> ModelMotifs:
    """Recurring patterns in what a model looks at.

    Args:
        explainer: by which contributions are found; without backgrounds it is fastest.
        codes: sequences ``(N, L)``; the first :data:`MOST_ROWS` at most are searched, fewer where the
            model takes long.
        outputs: of :func:`output_names`; the first :data:`MOST_OUTPUTS` when None.
        seed: of the random orders that tell chance.
        finder: one of :data:`FINDERS`.

    Raises:
        InputError: see :func:`check_finder`.
    """
    check_finder(finder, explainer.encoder.symbols.letters)
    predictor, encoder = explainer.predictor, explainer.encoder
    names = output_names(predictor)[:MOST_OUTPUTS] if outputs is None else list(outputs)
    codes = codes[: _affordable(explainer, codes.shape[1], len(names))]
    there = codes != encoder.symbols.padding_code
    x = one_hot(codes, torch.from_numpy(encoder.code_table))
    found = {}
    for name in names:
        scores = explainer.scores(codes, output_weights(predictor, name))
        letters = encoder.symbols.letters
        if finder == "modisco":
            found[name] = modisco_motifs(x, scores.hypothetical, letters=letters)
            continue
        found[name] = find_motifs(
            x,
            scores.contributions,
            letters=letters,
            generator=torch.Generator().manual_seed(seed),
            there=there,
        )
    background = x.sum((0, 2)) / x.sum().clamp(min=1e-30)
    return ModelMotifs(found, encoder.symbols.letters, background.tolist(), len(codes))


def check_finder(finder: str, letters: str) -> None:
    """Refuse a way to find motifs that is not to be had.

    Args:
        finder: one of :data:`FINDERS`.
        letters: the alphabet.

    Raises:
        InputError: there is no such way, or see :func:`bionn.explain.modisco.check_modisco`.
    """
    if finder not in FINDERS:
        raise InputError(
            f"motifs: one of {', '.join(FINDERS)} needed, {finder!r} found"
            f"{did_you_mean(finder, FINDERS)}"
        )
    if finder == "modisco":
        check_modisco(letters)


def write_motifs(found: ModelMotifs, folder: Path, *, both_strands: bool = False) -> None:
    """``motifs.json``, and ``motifs.meme`` where the letters are DNA's, RNA's or protein's."""
    write_json(motif_records(found), folder / "motifs.json", indent=None)
    if len(found.letters) not in (4, 20):
        return
    matrices = [
        MotifMatrix(
            record["name"], np.array(record["matrix"]), record["seqlets"], record["consensus"]
        )
        for record in motif_records(found)
    ]
    write_meme(
        matrices,
        folder / "motifs.meme",
        letters=found.letters,
        background=found.background,
        both_strands=both_strands,
    )


def motif_records(found: ModelMotifs) -> list[dict[str, Any]]:
    """What ``motifs.json`` holds: a dict a motif.

    Its keys are ``name``, ``output``, ``sign`` (1: speaks for the output, -1: against it), ``matrix``
    and ``contributions`` ``[W][A]``, ``seqlets``: how many there are, ``position``: where in the encoded
    sequence the middle one of them begins, ``consensus`` and ``letters``.
    """
    records = []
    for output, motifs in found.motifs.items():
        for motif in motifs:
            name = motif.name if len(found.motifs) == 1 else f"{output}_{motif.name}"
            records.append(
                {
                    "name": name,
                    "output": output,
                    "sign": 1 if motif.name.startswith("positive") else -1,
                    "matrix": _rounded(motif.matrix),
                    "contributions": _rounded(motif.contributions),
                    "seqlets": len(motif.rows),
                    "position": int(motif.starts.median()),
                    "consensus": motif.consensus,
                    "letters": found.letters,
                }
            )
    return records


def _rounded(matrix: Tensor) -> list[list[float]]:
    return [[float(f"{value:.4g}") for value in row] for row in matrix.tolist()]


def _affordable(explainer: SequenceExplainer, length: int, outputs: int) -> int:
    """Sequences whose mutagenesis takes moments, where that is the method."""
    if explainer.method != "mutagenesis":
        return MOST_ROWS
    return max(1, min(MOST_ROWS, MOST_WORK // max(outputs * explainer.work(length), 1)))
