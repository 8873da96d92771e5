"""In-silico mutagenesis: what every substitution at every position does to a network's outputs.

Where a network begins with a linear layer on the sequence, one substitution changes that layer's
pre-activation by the difference of two weight rows: z' = z - w[l, old] + w[l, new]. All mutants' values
come from the one z; the layer itself, where most of the arithmetic is, runs once a sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from bionn import functional as F
from bionn import nn
from bionn.explain.attribution import at_rest
from bionn.explain.first_layer import LINEAR, FirstLayer, first_layer
from bionn.kernels import cpu
from bionn.models.at_once import hooked
from bionn.models.layers import takes_codes
from bionn.sequences.onehot import one_hot

MUTANT_NUMBERS = 2**20
"""Numbers of mutants, encoded or as hidden units, that are there at once: 4 MB."""


class Mutagenesis(NamedTuple):
    """Outputs of sequences, and how much every substitution changes them.

    Attributes:
        reference: ``(N, out)``: the logits of the sequences as they are.
        effects: ``(N, A, L, out)``: the mutant's logits less these; 0 for the letter that is there, and
            at padding.
    """

    reference: Tensor
    effects: Tensor


class Mutants(NamedTuple):
    """R substitutions, sequence by sequence and position by position.

    Attributes:
        sequences, positions, letters: of each, ``int64 (R,)``.
    """

    sequences: Tensor
    positions: Tensor
    letters: Tensor


def mutagenesis(
    model: torch.nn.Module,
    inputs: Tensor,
    *,
    table: Tensor | None = None,
    padding: int | None = None,
    encode: Callable[[Tensor], Tensor] | None = None,
) -> Mutagenesis:
    """The effect of every single substitution, exactly.

    An ambiguous or unknown symbol is replaced by each letter in turn.

    Args:
        model: any network of logits on sequences. Chains that begin with a linear layer (see
            :func:`bionn.explain.first_layer.first_layer`) take the short way, others are run on
            every mutant.
        inputs: one-hot ``(N, A, L)`` in floating point, or integer codes ``(N, L)``.
        table: what codes stand for, ``(S, A)``; needed with codes.
        padding: the code of padding, where nothing is replaced.
        encode: what the network is given of codes; one-hot ``(N, A, L)`` when None, or the codes
            themselves where they were given and it takes them.

    Raises:
        ValueError: codes without a table.

    Example:
        >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 1))
        >>> mutagenesis(model, torch.eye(4)[:, [0, 3, 3]].unsqueeze(0)).effects.shape
        torch.Size([1, 4, 3, 1])
    """
    codes, table = coded(inputs, table)
    with at_rest(model), torch.no_grad():
        layer = None if encode else first_layer(model, table.shape[1], codes.shape[1])
        if encode is None and not inputs.is_floating_point() and takes_codes(model):
            encode = _as_they_are
        given = encode or partial(one_hot, table=table)
        parts: list[Mutagenesis] = []
        mutants_each = max(codes.shape[1] * (table.shape[1] - 1), 1)
        width = codes.shape[1] if layer is None else _width(layer)
        rows = max(1, MUTANT_NUMBERS // (mutants_each * width)) if len(codes) else 1
        for block in codes.split(rows):
            mutants = substitutions(block, table.shape[1], padding=padding)
            if layer is None:
                found = _by_force(lambda rows: model(given(rows)), block, table, mutants)
            else:
                found = _by_update(layer, block, table, mutants)
            parts.append(_scattered(*found, block, table, mutants))
    return Mutagenesis(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))


def coded(inputs: Tensor, table: Tensor | None) -> tuple[Tensor, Tensor]:
    """Sequences as codes ``uint8 (N, L)`` and what these stand for, ``(S, A)``.

    One-hot columns that are no single letter get codes of their own.

    Raises:
        ValueError: codes without a table.
    """
    if not inputs.is_floating_point():
        if table is None:
            raise ValueError("table: needed with codes, none found; pass what the codes stand for")
        return inputs, table.to(inputs.device)
    letters = inputs.shape[1]
    columns = inputs.transpose(1, 2)
    codes = columns.argmax(2)
    table = torch.eye(letters, dtype=inputs.dtype, device=inputs.device)
    odd = (columns != table[codes]).any(2)
    if bool(odd.any()):
        shares, numbers = columns[odd].unique(dim=0, return_inverse=True)
        codes[odd] = letters + numbers
        table = torch.cat([table, shares])
    return codes.to(torch.uint8) if len(table) <= 256 else codes, table


def substitutions(codes: Tensor, letters: int, *, padding: int | None = None) -> Mutants:
    """Every letter at every position but the one that is there; none at padding."""
    there = codes.to(torch.int64).unsqueeze(2)
    wanted = there != torch.arange(letters, device=codes.device)
    if padding is not None:
        wanted &= there != padding
    return Mutants(*wanted.nonzero(as_tuple=True))


def _by_force(
    network: Callable[[Tensor], Tensor], codes: Tensor, table: Tensor, mutants: Mutants
) -> tuple[Tensor, Tensor]:
    """Logits of the sequences and of the mutants, each run through the network."""

    def logits(rows: Tensor) -> Tensor:
        value = network(rows)
        return value.unsqueeze(1) if value.ndim == 1 else value

    each = max(1, MUTANT_NUMBERS // max(codes.shape[1] * table.shape[1], 1))
    values = []
    for block in torch.arange(len(mutants.sequences), device=codes.device).split(each):
        rows = codes[mutants.sequences[block]]
        place = torch.arange(len(block), device=codes.device), mutants.positions[block]
        rows[place] = mutants.letters[block].to(codes.dtype)
        values.append(logits(rows))
    reference = logits(codes)
    return reference, torch.cat([reference[:0], *values])


def _by_update(
    layer: FirstLayer, codes: Tensor, table: Tensor, mutants: Mutants
) -> tuple[Tensor, Tensor]:
    """The same from one pre-activation a sequence and differences of weight rows."""
    weight = layer.weight
    table = table.to(weight)
    z = F.onehot_linear(codes, weight.permute(2, 1, 0), layer.bias, table=table)
    reference, (layers, rest) = _through(layer.rest, z), _foldable(layer)
    if layers and _fits(codes, z, weight, table, layers):
        given = z, weight, table, codes.contiguous(), mutants
        return reference, _through(rest, cpu.mutants_value(*given, layers))
    # z without what the symbol at each position adds, (N, L, H)
    old = (table[codes.to(torch.int64)].transpose(0, 1) @ weight).transpose(0, 1)
    hidden = (z.unsqueeze(1) - old)[mutants.sequences, mutants.positions]
    hidden += weight[mutants.positions, mutants.letters]
    return reference, _through(layer.rest, hidden)


_DROPOUT = (nn.Dropout, torch.nn.Dropout)
"""What does nothing in evaluation; a subclass may."""

Folded = tuple[float, Tensor, Tensor | None]
"""A linear layer behind ReLU or leaky ReLU: the slope below 0, its weight, its bias."""

FEW_OUTPUTS = 16
"""Outputs of a third layer that are worth computing where the second's are."""


def _foldable(layer: FirstLayer) -> tuple[list[Folded], Sequence[torch.nn.Module]]:
    """The linear layers that the compiled kernel computes with the first, and what is left."""
    rest = [module for module in layer.rest if type(module) not in _DROPOUT]
    found: list[Folded] = []
    while len(rest) > 1 and len(found) < 2:
        slope, linear = _slope(rest[0]), cast(nn.Linear, rest[1])
        if slope is None or type(linear) not in LINEAR or hooked(linear):
            break
        if found and linear.weight.shape[0] > FEW_OUTPUTS:
            break
        bias = None if linear.bias is None else linear.bias.detach()
        found.append((slope, linear.weight.detach(), bias))
        rest = rest[2:]
    return found, rest


def _slope(activation: torch.nn.Module) -> float | None:
    """The slope below 0 of an activation that above 0 is its input; None of any other."""
    if hooked(activation):
        return None
    if type(activation) in (nn.ReLU, torch.nn.ReLU):
        return 0.0
    if type(activation) in (nn.LeakyReLU, torch.nn.LeakyReLU):
        return float(cast(Any, activation).negative_slope)
    return None


def _fits(
    codes: Tensor, z: Tensor, weight: Tensor, table: Tensor, layers: Sequence[Folded]
) -> bool:
    """Whether the compiled kernel can compute with these."""
    constants = [tensor for _, w, b in layers for tensor in (w, b) if tensor is not None]
    return (
        codes.dtype is torch.uint8
        and cpu.takes_codes(codes, len(table))
        and cpu.takes(z, weight, table, *constants)
    )


def _width(layer: FirstLayer) -> int:
    """Numbers of a mutant that are in memory at once."""
    layers, _ = _foldable(layer)
    return len(layers[-1][1]) if layers else layer.weight.shape[2]


def _as_they_are(codes: Tensor) -> Tensor:
    return codes


def _through(modules: Sequence[torch.nn.Module], hidden: Tensor) -> Tensor:
    for module in modules:
        hidden = module(hidden)
    return hidden


def _scattered(
    reference: Tensor, values: Tensor, codes: Tensor, table: Tensor, mutants: Mutants
) -> Mutagenesis:
    """Mutants' logits to effects, each in its place."""
    size = len(codes), table.shape[1], codes.shape[1], reference.shape[1]
    effects = reference.new_zeros(size)
    effects[mutants.sequences, mutants.letters, mutants.positions] = (
        values - reference[mutants.sequences]
    )
    return Mutagenesis(reference, effects)
