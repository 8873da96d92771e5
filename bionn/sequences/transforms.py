"""Codes to other codes: reverse complement, shift, crop, masking and two kinds of shuffling.

Every function takes codes ``(N, L)`` in which a row is padding, a sequence and padding again, either
side possibly empty, and leaves its argument as it was. Randomness comes from the generator that is
passed, on the CPU, so that a device draws the same numbers.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor


def reverse_complement(codes: Tensor, complement: Tensor, *, padding: int) -> Tensor:
    """The other strand of every row, read in its own direction, where the row's sequence stood.

    Args:
        codes: integer codes, shape ``(N, L)``.
        complement: the code of each code's complement; see :attr:`Alphabet.complement`.
        padding: the code of padding.

    Example:
        >>> from bionn.sequences.alphabet import DNA
        >>> codes = torch.from_numpy(DNA.encode(["AACGTN"]))
        >>> codes[0, 5] = DNA.padding_code
        >>> table = torch.from_numpy(DNA.complement)
        >>> DNA.decode(reverse_complement(codes, table, padding=DNA.padding_code).numpy())
        ['ACGTT-']
    """
    other = complement.to(codes.device)[codes.to(torch.int64)].to(codes.dtype)
    there = codes != padding
    if bool(there.all()):
        return other.flip(1)
    # Position j of a sequence that stands at s .. e takes the base at s + e - j. Argmax finds the first.
    first = there.int().argmax(dim=1, keepdim=True)
    last = codes.shape[1] - 1 - there.int().flip(1).argmax(dim=1, keepdim=True)
    partner = first + last - torch.arange(codes.shape[1], device=codes.device)
    turned = other.gather(1, partner.clamp(0, max(codes.shape[1] - 1, 0)))
    return torch.where(there, turned, padding)


def shift(codes: Tensor, offsets: Tensor, *, padding: int) -> Tensor:
    """Every row moved to the right by its offset (left where negative); padding fills the gap.

    Args:
        codes: shape ``(N, L)``; what is moved beyond either end is lost.
        offsets: positions, shape ``(N,)``.
        padding: the code of padding.

    Example:
        >>> shift(torch.tensor([[0, 1, 2], [0, 1, 2]]), torch.tensor([1, -1]), padding=5)
        tensor([[5, 0, 1],
                [1, 2, 5]])
    """
    length = codes.shape[1]
    source = torch.arange(length, device=codes.device) - offsets.to(codes.device).unsqueeze(1)
    inside = (source >= 0) & (source < length)
    return torch.where(inside, codes.gather(1, source.clamp(0, max(length - 1, 0))), padding)


def crop(codes: Tensor, starts: Tensor, length: int) -> Tensor:
    """A window of every row.

    Args:
        codes: shape ``(N, L)``.
        starts: the first position of each window, shape ``(N,)``, from 0 to ``L - length``.
        length: of the windows.

    Returns:
        Codes, shape ``(N, length)``.
    """
    return codes.gather(
        1, starts.to(codes.device).unsqueeze(1) + torch.arange(length, device=codes.device)
    )


def mask(codes: Tensor, where: Tensor, *, unknown: int, padding: int) -> Tensor:
    """Chosen positions made unknown; padding stays padding.

    Args:
        codes: shape ``(N, L)``.
        where: bool, shape ``(N, L)``.
        unknown: the code of the unknown symbol.
        padding: the code of padding.
    """
    return codes.masked_fill(where.to(codes.device) & (codes != padding), unknown)


def shuffle(codes: Tensor, generator: torch.Generator, *, padding: int) -> Tensor:
    """Every row's symbols in random order, its composition kept; padding stays where it is."""
    order = torch.rand(codes.shape, generator=generator).to(codes.device)
    there = codes != padding
    # Sorted by random keys, the k-th of a row's symbols goes to the k-th of its places.
    scrambled = order.masked_fill(~there, 2).argsort(dim=1)
    places = (~there).to(torch.int8).argsort(dim=1, stable=True)
    return codes.scatter(1, places, codes.gather(1, scrambled))


def dinucleotide_shuffle(codes: Tensor, generator: torch.Generator, *, padding: int) -> Tensor:
    """Every row shuffled with the count of each pair of neighbours kept, and so its first and last.

    The symbols are a path through a graph with an edge a pair of neighbours; a random path over the
    same edges is drawn uniformly: random last edges that lead to the last symbol (a random tree), the
    other edges in random order before them (Altschul and Erickson, Mol. Biol. Evol. 1985;
    the tree by Wilson's loop-erased walks, STOC 1996).

    Args:
        codes: shape ``(N, L)``.
        generator: the source of randomness, on the CPU.
        padding: the code of padding, which stays where it is.
    """
    shuffled = codes.clone()
    for row, there in zip(shuffled, codes != padding, strict=True):
        path = row[there].tolist()
        if len(path) > 2:
            row[there] = torch.tensor(_random_path(path, generator)).to(row)
    return shuffled


def _random_path(path: list[int], generator: torch.Generator) -> list[int]:
    """A path of the same edges from the same start, each such path equally likely."""

    def permuted(items: list[int]) -> list[int]:
        order = torch.randperm(len(items), generator=generator).tolist()
        return [items[place] for place in order]

    after: dict[int, list[int]] = {symbol: [] for symbol in path}
    for symbol, following in pairwise(path):
        after[symbol].append(following)
    # Walk from each symbol until the tree is met; a later visit replaces the way taken before.
    last: dict[int, int] = {}
    in_tree = {path[-1]}
    for start in after:
        symbol = start
        while symbol not in in_tree:
            choices = after[symbol]
            last[symbol] = choices[int(torch.randint(len(choices), (), generator=generator))]
            symbol = last[symbol]
        symbol = start
        while symbol not in in_tree:
            in_tree.add(symbol)
            symbol = last[symbol]
    for symbol, following in after.items():
        final = [last[symbol]] if symbol in last else []
        for leaf in final:
            following.remove(leaf)
        after[symbol] = permuted(following) + final
    walk, turns = [path[0]], {symbol: iter(following) for symbol, following in after.items()}
    for _ in path[1:]:
        walk.append(next(turns[walk[-1]]))
    return walk
