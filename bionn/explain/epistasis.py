"""Epistasis: what two substitutions do together beyond what each does alone."""

from __future__ import annotations

import torch
from torch import Tensor

from bionn.explain.attribution import Output
from bionn.explain.mutagenesis import coded, mutagenesis, substitutions


def epistasis(
    model: torch.nn.Module,
    sequence: Tensor,
    *,
    output: Output = 0,
    table: Tensor | None = None,
    padding: int | None = None,
) -> Tensor:
    """The interaction of every pair of substitutions in a sequence, exactly.

    It is f(both) - f(first) - f(second) + f(neither): 0 where effects add up, as in a linear model. Each
    single mutant is put through :func:`bionn.explain.mutagenesis.mutagenesis` in its turn, so that
    networks that begin with a linear layer take the short way for both substitutions.

    Args:
        model: any network of logits on sequences.
        sequence: one-hot ``(A, L)`` in floating point, or integer codes ``(L,)``.
        output: which logit, or the weights of a sum of logits.
        table: what codes stand for, ``(S, A)``; needed with codes.
        padding: the code of padding, where nothing is replaced.

    Returns:
        ``(A, L, A, L)``: by letter and position of the one and of the other; symmetric, and 0 for
        pairs at one position, for letters that are there, and at padding.

    Example:
        >>> linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 1))
        >>> float(epistasis(linear, torch.eye(4)[:, [0, 1, 3]]).abs().max()) < 1e-6
        True
    """
    codes, table = coded(sequence.unsqueeze(0), table)
    mutants = substitutions(codes, table.shape[1], padding=padding)
    rows = codes[mutants.sequences]
    place = torch.arange(len(rows), device=rows.device), mutants.positions
    rows[place] = mutants.letters.to(rows.dtype)

    def effects(some: Tensor) -> Tensor:
        found = mutagenesis(model, some, table=table, padding=padding).effects
        if isinstance(output, Tensor):
            return found @ output.to(found)
        return found[..., output]

    alone = effects(codes)[0]
    pairs = alone.new_zeros(*alone.shape, *alone.shape)
    pairs[mutants.letters, mutants.positions] = effects(rows) - alone
    same = torch.arange(alone.shape[1], device=alone.device)
    pairs[:, same, :, same] = 0
    there = torch.zeros_like(alone)
    there[mutants.letters, mutants.positions] = 1
    pairs = pairs * there
    return (pairs + pairs.permute(2, 3, 0, 1)) / 2  # equal but for rounding
