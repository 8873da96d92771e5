"""Backgrounds that sequences are compared with: shuffles that keep each pair of neighbours' count."""

from __future__ import annotations

import torch
from torch import Tensor

from bionn.sequences.onehot import one_hot
from bionn.sequences.transforms import dinucleotide_shuffle


def shuffled(
    codes: Tensor, table: Tensor, *, count: int, generator: torch.Generator, padding: int
) -> Tensor:
    """Shuffles of every sequence, as many as asked for.

    Args:
        codes: integer codes ``(N, L)``.
        table: what each code stands for, ``(S, A)``.
        count: B, shuffles a sequence.
        generator: the source of randomness, on the CPU.
        padding: the code of padding, which stays where it is.

    Returns:
        One-hot ``(N, B, A, L)``, of the table's dtype.
    """
    rows = dinucleotide_shuffle(codes.repeat_interleave(count, 0), generator, padding=padding)
    return one_hot(rows, table).unflatten(0, (len(codes), count))
