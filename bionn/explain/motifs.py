"""Motifs: seqlets that are alike, aligned with each other and summed up as a matrix of letters.

A motif is grown from the seqlet that most others resemble: those are aligned with it, their mean is
taken for a pattern, and the pattern gathers again, from all seqlets that are left, until it gathers
the same ones. The next motif is grown from the rest. Likeness is the cosine between what the letters
contribute, position by position, at the best of several offsets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from bionn.explain.seqlets import Seqlets, find_seqlets

WIDTH = 8
"""Positions in which the contributions of a seqlet are summed."""

FLANK = 5
"""Positions on either side that are aligned with it, and the largest offset of an alignment."""

ALIKE = 0.6
"""The cosine from which a seqlet belongs to a pattern."""

ROUNDS = 10
"""The most times that a pattern gathers."""

LEAST_SHARE = 0.02
"""Of all seqlets, how many a motif needs."""

LEAST = 10
"""How many it needs at least."""

MOST_MOTIFS = 10
"""Motifs at most, of either sign."""

FAINT = 0.2
"""Positions at either end that contribute less than this share of the strongest are cut off."""


@dataclass(frozen=True)
class Motif:
    """A recurring pattern.

    Attributes:
        name: ``positive_1`` for the first that speaks for the output, ``negative_1`` against.
        matrix: the share of each letter at each position, ``(W, A)``.
        contributions: what each letter contributes there on average, ``(W, A)``.
        rows: the sequences of its seqlets, ``int64 (S,)``.
        starts: where the matrix begins in each of them, ``int64 (S,)``; below 0, or beyond the end less
            W, where it reaches past the sequence.
        consensus: the most frequent letter of each position; lower case where it is less than half.
    """

    name: str
    matrix: Tensor
    contributions: Tensor
    rows: Tensor
    starts: Tensor
    consensus: str


class _Windows(NamedTuple):
    """Contributions ``(S, A, V)`` of seqlets with room on both sides for any offset."""

    values: Tensor
    rows: Tensor
    starts: Tensor


def find_motifs(
    one_hot: Tensor,
    contributions: Tensor,
    *,
    letters: str,
    generator: torch.Generator,
    there: Tensor | None = None,
    width: int = WIDTH,
    most_seqlets: int = 2000,
    signs: Sequence[int] = (1, -1),
) -> list[Motif]:
    """Motifs of N explained sequences, those that speak for the output first, by number of seqlets.

    Args:
        one_hot: the sequences, ``(N, A, L)``.
        contributions: what the letters that are there contribute, ``(N, L)``.
        letters: the A letters.
        generator: of the random orders that tell chance; see :func:`find_seqlets`.
        there: bool ``(N, L)``, false at padding.
        width: positions in which a seqlet's contributions are summed.
        most_seqlets: of either sign, the strongest.
        signs: 1 for motifs that speak for the output, -1 against it.
    """
    width = min(width, contributions.shape[1])
    found: list[Motif] = []
    for sign in signs if width and len(one_hot) else ():
        seqlets = find_seqlets(
            sign * contributions, width=width, generator=generator, there=there, most=most_seqlets
        )
        weighted = one_hot * (sign * contributions).unsqueeze(1)
        grown = _grow(weighted, seqlets)
        motifs = [
            sum_up(
                "",
                _cut(one_hot, rows, starts, span),
                _cut(weighted, rows, starts, span),
                rows,
                starts,
                letters=letters,
                sign=sign,
            )
            for rows, starts, span in grown
        ]
        motifs.sort(key=lambda motif: -len(motif.rows))
        kind = "positive" if sign > 0 else "negative"
        found += [replace(motif, name=f"{kind}_{number}") for number, motif in enumerate(motifs, 1)]
    return found


def _grow(weighted: Tensor, seqlets: Seqlets) -> list[tuple[Tensor, Tensor, int]]:
    """Rows and starts of the windows of each pattern, aligned, and how wide they are."""
    span = seqlets.width + 2 * FLANK
    windows = _cut(weighted, seqlets.rows, seqlets.starts - 2 * FLANK, span + 2 * FLANK)
    least = max(LEAST, round(LEAST_SHARE * len(seqlets.rows)))
    left = torch.arange(len(seqlets.rows))
    patterns: list[tuple[Tensor, list[Tensor]]] = []
    while len(left) >= least and len(patterns) < 2 * MOST_MOTIFS:
        pattern = _seed(windows[left], span)
        if pattern is None:
            break
        members = torch.empty(0, dtype=torch.int64)
        for _ in range(ROUNDS):
            cosine, offset = _likeness(windows[left], pattern)
            chosen = cosine >= ALIKE
            if not bool(chosen.any()) or torch.equal(left[chosen], members):
                break
            members = left[chosen]
            pattern = _aligned(windows[members], offset[chosen], span).mean(0)
        if not len(members):
            break
        patterns.append((pattern, [members]))
        left = left[~torch.isin(left, members)]
    joined = _joined(patterns)
    grown = []
    for pattern, members in joined:
        own = torch.cat(members)
        if len(own) < least:
            continue
        offset = _likeness(windows[own], pattern)[1]
        starts = seqlets.starts[own] - 2 * FLANK + offset
        grown.append((seqlets.rows[own], starts, span))
    return grown[:MOST_MOTIFS]


def _joined(patterns: list[tuple[Tensor, list[Tensor]]]) -> list[tuple[Tensor, list[Tensor]]]:
    """Patterns that are alike at some offset taken together under the first of them."""
    kept: list[tuple[Tensor, list[Tensor]]] = []
    for pattern, members in patterns:
        padded = torch.nn.functional.pad(pattern, (FLANK, FLANK)).unsqueeze(0)
        for other, others in kept:
            if float(_likeness(padded, other)[0]) >= ALIKE:
                others += members
                break
        else:
            kept.append((pattern, members))
    return kept


def _seed(windows: Tensor, span: int, most: int = 500) -> Tensor | None:
    """The window, of the strongest ones, that is most like the others; None if it stands alone."""
    strongest = windows[:most]
    candidates = strongest[:, :, FLANK : FLANK + span]
    best, seed = 0.0, None
    for candidate in candidates[:: max(1, len(candidates) // 100)]:
        cosine, _ = _likeness(strongest, candidate)
        score = float(cosine[cosine >= ALIKE].sum())
        if score > best:
            best, seed = score, candidate
    return seed


def _likeness(windows: Tensor, pattern: Tensor) -> tuple[Tensor, Tensor]:
    """The largest cosine of each window with a pattern ``(A, W)``, and the offset where it is."""
    products = torch.nn.functional.conv1d(windows, pattern.unsqueeze(0)).squeeze(1)
    energy = windows.square().sum(1).unfold(1, pattern.shape[1], 1).sum(2)
    scale = (energy.sqrt() * pattern.norm()).clamp(min=1e-30)
    # a window that is cut by the offset is measured as a whole
    scale = torch.maximum(scale, energy.amax(1, keepdim=True).sqrt() * pattern.norm() * 0.9)
    return (products / scale.clamp(min=1e-30)).max(1)


def _aligned(windows: Tensor, offset: Tensor, span: int) -> Tensor:
    place = offset[:, None] + torch.arange(span)
    return windows.gather(2, place.unsqueeze(1).expand(-1, windows.shape[1], -1))


def _cut(values: Tensor, rows: Tensor, starts: Tensor, width: int) -> Tensor:
    """Windows ``(S, A, width)`` of values ``(N, A, L)``; zeros beyond the ends."""
    padded = torch.nn.functional.pad(values, (width, width))
    place = (starts + width)[:, None] + torch.arange(width)
    return padded[rows].gather(2, place.unsqueeze(1).expand(-1, values.shape[1], -1))


def sum_up(
    name: str,
    one_hot: Tensor,
    weighted: Tensor,
    rows: Tensor,
    starts: Tensor,
    *,
    letters: str,
    sign: int,
    turned: Tensor | None = None,
) -> Motif:
    """A motif of aligned windows, its faint ends cut off.

    Args:
        name: its name.
        one_hot: the letters of the windows, ``(S, A, V)``.
        weighted: what they contribute, times the sign, ``(S, A, V)``.
        rows: their sequences, ``(S,)``.
        starts: where they begin there, ``(S,)``.
        letters: the alphabet.
        sign: 1 if the motif speaks for the output, -1 against it.
        turned: bool ``(S,)``, true for windows that are reverse complements of what is there.
    """
    contributions = weighted.mean(0)
    strength = contributions.sum(0)
    strong = (strength >= FAINT * strength.max()).nonzero().squeeze(1)
    first, end = int(strong[0]), int(strong[-1]) + 1
    counts = one_hot[:, :, first:end].double().sum(0).T
    matrix = (counts + 1e-9) / (counts + 1e-9).sum(1, keepdim=True)
    share, place = matrix.max(1)
    consensus = "".join(
        letters[p] if s >= 0.5 else letters[p].lower()
        for s, p in zip(share.tolist(), place.tolist(), strict=True)
    )
    mean = sign * contributions[:, first:end].T
    begin = starts + first
    if turned is not None:
        begin = torch.where(turned, starts + one_hot.shape[2] - end, begin)
    return Motif(name, matrix.float(), mean, rows, begin, consensus)
