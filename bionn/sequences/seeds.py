"""Which of many sequences may be alike: pairs that share spaced k-mers (seeds), without all pairs.

A seed takes the letters at the ones of a pattern such as ``1101011`` and forgets the others: alike
sequences share seeds where an exact k-mer of as many letters would be broken (Ma, Tromp and Li,
Bioinformatics 18:440, 2002). The patterns are palindromes, so that a seed read on the other strand
is the seed of the reverse complement; the smaller of the two numbers stands for both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from bionn.sequences.identity import CodedSequences

PATTERNS = {
    3: ("111", "10101", "1001001"),
    4: ("10100101", "110011", "1010101"),
    5: ("1101011", "1011101", "100111001"),
    6: ("110101011", "1101001011", "101100001101"),
    7: ("11010101011", "1101001001011", "11100100111"),
    8: ("1101100011011", "1101010000101011", "1110010100111"),
    9: ("111010010010111", "111001010100111", "11110101111"),
    10: ("111100101001111", "111001001100100111", "11101011010111"),
    11: ("111011000010000110111", "11100101110100111", "100111010010010111001"),
    12: ("1111001000110001001111", "111101001100101111", "110100110101011001011"),
    13: ("11110100010101000101111", "1011110011100111101", "1010111001001001001110101"),
    14: ("11110101100110101111", "1011101000011001100001011101", "1101011011001101101011"),
    15: ("111110010000111000010011111", "1111101011101011111", "11101101100100110110111"),
}
"""Three palindromes for each number of letters.

Found by a random search for those that most often give two shared seeds to 64 positions of which
80% are equal.
"""

SHARED = 2
"""A pair is a candidate if it shares so many seeds."""

WANTED = 16
"""Of long sequences a share of the seeds is enough: so many shared ones expected at the threshold."""

PARTNERS = 6
"""A sequence is paired with all others that have its seed, up to so many; in a larger crowd with so
many of them, which the seed draws."""

CROWD = 50 * PARTNERS
"""A seed of more sequences than this tells little: it belongs to a repeat, or to a large family."""

_BLOCK = 1 << 20
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 divided by the golden ratio: Fibonacci hashing


@dataclass(frozen=True)
class SeedPlan:
    """Which seeds are compared.

    Attributes:
        patterns: ones where a letter counts.
        share: the share of all seeds that is used, chosen by hash and hence alike in all sequences.
    """

    patterns: tuple[str, ...]
    share: float

    @classmethod
    def choose(cls, sequences: CodedSequences, identity: float) -> SeedPlan:
        """The shortest seeds that chance does not make too many pairs share.

        Args:
            sequences: to be compared with each other.
            identity: of the pairs that are looked for.
        """
        number, total = len(sequences), float(sequences.lengths.sum())
        length = float(np.quantile(sequences.lengths, 0.05)) if number else 0.0
        # By chance at most ten candidates a sequence, memory for the pairs that share a seed, and
        # few others that have a given seed.
        most = np.clip(10**0.5 * number**1.5, 2e5, 2e7)
        crowding = (2.0 if sequences.strands else 1.0) * total / (PARTNERS / 2)
        plan = None
        for weight, patterns in PATTERNS.items():
            positions = sum(max(length - len(pattern) + 1, 1) for pattern in patterns)
            plan = cls(patterns, min(1.0, WANTED / (positions * identity**weight)))
            seeds = float(sequences.letters) ** weight
            by_chance = len(patterns) * plan.share * total**2 / seeds
            full = seeds * sequences.letters > 2.0**32  # a seed is a number of 32 bits
            if full or (by_chance <= most and crowding <= seeds):
                break
        assert plan is not None
        return plan

    def sensitivity(self, length: int, identity: float, *, draws: int = 2000) -> float:
        """The chance that a pair becomes a candidate, by simulation.

        The pair has this length and is equal at each position with this probability, without
        insertions and deletions.
        """
        rng = np.random.default_rng(0)
        equal = rng.random((draws, length)) < identity
        shared = np.zeros(draws, dtype=np.int64)
        for pattern in self.patterns:
            windows = length - len(pattern) + 1
            if windows > 0:
                hits = np.ones((draws, windows), dtype=bool)
                for offset in _offsets(pattern):
                    hits &= equal[:, offset : offset + windows]
                shared += rng.binomial(hits.sum(axis=1), self.share)
        return float((shared >= SHARED).mean())


@dataclass(frozen=True)
class Candidates:
    """P pairs of sequences that share seeds.

    Attributes:
        first, second: sequence numbers, ``int64 (P,)``; ``first < second`` where both were alike.
        reverse: whether they share them on opposite strands, ``bool (P,)``.
        shared: how many shared seeds were seen, ``int64 (P,)``.
        seedless: how many sequences have no seed at all: too short, or too many unknown symbols.
        crowded: how many have only seeds that more than ``CROWD`` sequences have.
    """

    first: np.ndarray
    second: np.ndarray
    reverse: np.ndarray
    shared: np.ndarray
    seedless: int
    crowded: int

    def keep(self, chosen: np.ndarray) -> Candidates:
        """The pairs where a mask ``(P,)`` is true, or of these numbers, in their order."""
        return replace(
            self,
            first=self.first[chosen],
            second=self.second[chosen],
            reverse=self.reverse[chosen],
            shared=self.shared[chosen],
        )


def candidates(
    sequences: CodedSequences,
    plan: SeedPlan,
    *,
    labels: np.ndarray | None = None,
    asking: np.ndarray | None = None,
) -> Candidates:
    """Pairs that share at least ``SHARED`` seeds, on the same strand or all on opposite ones.

    Args:
        sequences: U sequences.
        plan: which seeds.
        labels: ``int64 (U,)``; sequences of equal labels are not compared. None: all are compared,
            and each pair is given once.
        asking: ``bool (U,)``; the first of a pair is one of these. None: any.
    """
    number = len(sequences)
    order = np.arange(number) if labels is None else np.argsort(labels, kind="stable")
    rank = np.empty(number, dtype=np.int64)
    rank[order] = np.arange(number)
    pairs = [np.empty(0, dtype=np.uint64)]
    any_seed, telling = np.zeros((2, number), dtype=np.int64)
    for pattern in plan.patterns:
        seed, owner, strand = _sorted_seeds(sequences, pattern, plan.share, rank)
        any_seed += np.bincount(owner, minlength=number)
        telling += np.bincount(owner[_runs(seed)[1] <= CROWD], minlength=number)
        seed, owner, strand = _without_lone(seed, owner, strand)
        own = owner if labels is None else labels[order][owner]
        may_ask = np.ones(len(seed), dtype=bool) if asking is None else asking[order][owner]
        for entry, partner in _partners(seed, own, may_ask, mutual=labels is None):
            pair = owner[entry].astype(np.uint64) * np.uint64(number)
            pair += owner[partner].astype(np.uint64)
            pairs.append(pair * np.uint64(2) + (strand[entry] ^ strand[partner]))
    found = np.concatenate(pairs)
    found.sort()
    begins = np.flatnonzero(np.concatenate([[True], found[1:] != found[:-1]]))[: len(found)]
    shared = np.diff(np.append(begins, len(found)))
    kept = found[begins[shared >= SHARED]].astype(np.int64)
    first, second = np.divmod(kept >> 1, number)
    return Candidates(
        order[first],
        order[second],
        (kept & 1).astype(bool),
        shared[shared >= SHARED],
        seedless=int((any_seed == 0).sum()),
        crowded=int(((any_seed > 0) & (telling == 0)).sum()),
    )


def _partners(
    seed: np.ndarray, label: np.ndarray, may_ask: np.ndarray, *, mutual: bool
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Entries and their partners of the same seed and another label, a few at a time.

    Args:
        seed: of each entry, sorted.
        label: of each entry, sorted within a seed.
        may_ask: which entries look for partners.
        mutual: give each pair once, with the partner behind the entry.
    """
    begin, size = _runs(seed)
    same = np.zeros(len(seed), dtype=bool)
    same[1:] = (seed[1:] == seed[:-1]) & (label[1:] == label[:-1])
    own_begin, own_size = _runs(np.cumsum(~same))
    others = size - own_size
    entry = np.flatnonzero(may_ask & (others > 0))
    begin, size, others = begin[entry], size[entry], others[entry]
    behind = own_begin[entry] + own_size[entry] - begin  # where the others begin, in the group
    for turn in range(PARTNERS):
        stretch = others // PARTNERS  # a partner is drawn from each stretch of a crowd
        drawn = turn * stretch + (_hash(seed[entry], salt=turn + 1) * stretch).astype(np.int64)
        ahead = np.where(others > PARTNERS, drawn, turn)
        partner = begin + (behind + ahead) % size
        good = ahead < others
        if mutual:
            good &= partner > entry
        yield entry[good], partner[good]


def _offsets(pattern: str) -> list[int]:
    return [place for place, one in enumerate(pattern) if one == "1"]


def _sorted_seeds(
    sequences: CodedSequences, pattern: str, share: float, rank: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Seed, rank of the sequence and strand of each seed, once a sequence, sorted by seed and rank."""
    blocks = [np.empty(0, dtype=np.uint64)]
    for begin, end in _blocks(sequences.lengths):
        blocks.append(_seeds(sequences, begin, end, pattern, share, rank))
    keys = np.concatenate(blocks)
    keys.sort()
    again = np.zeros(len(keys), dtype=bool)
    again[1:] = keys[1:] >> np.uint64(1) == keys[:-1] >> np.uint64(1)
    seed, rest = np.divmod(keys[~again], np.uint64(2 * max(len(sequences), 1)))
    return (
        seed.astype(np.uint32),
        (rest >> np.uint64(1)).astype(np.int32),
        (rest & np.uint64(1)).astype(bool),
    )


def _without_lone(seed: np.ndarray, *others: np.ndarray) -> tuple[np.ndarray, ...]:
    """The entries whose seed another entry has too; the seeds are sorted."""
    alike = seed[1:] == seed[:-1]
    shared = np.zeros(len(seed), dtype=bool)
    shared[1:] |= alike
    shared[:-1] |= alike
    return seed[shared], *(other[shared] for other in others)


def _blocks(lengths: np.ndarray) -> Iterator[tuple[int, int]]:
    """Runs of sequences of some million symbols together."""
    ends = np.cumsum(lengths)
    begin = 0
    while begin < len(lengths):
        before = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, before + _BLOCK, side="right")))
        yield begin, end
        begin = end


def _seeds(
    sequences: CodedSequences, begin: int, end: int, pattern: str, share: float, rank: np.ndarray
) -> np.ndarray:
    """The seeds of a run of sequences: ``seed * 2U + rank * 2 + strand``."""
    lengths = sequences.lengths[begin:end]
    first = sequences.starts[begin]
    codes = sequences.codes[first : first + lengths.sum()]
    windows = len(codes) - len(pattern) + 1
    if windows <= 0:
        return np.empty(0, dtype=np.uint64)
    letters = np.uint32(sequences.letters)
    owner = np.repeat(rank[begin:end], lengths)
    whole = owner[:windows] == owner[len(pattern) - 1 :]
    seed, back = np.zeros((2, windows), dtype=np.uint32)
    offsets = _offsets(pattern)
    for ahead, behind in zip(offsets, reversed(offsets), strict=True):
        letter = codes[ahead : ahead + windows]
        whole &= letter < letters
        seed *= letters
        seed += letter
        if sequences.strands:
            back *= letters
            back += letters - 1 - codes[behind : behind + windows]
    if sequences.strands:
        strand = back < seed
        seed = np.minimum(seed, back)
    else:
        strand = np.zeros(windows, dtype=bool)
    if share < 1:
        whole &= _hash(seed) < share
    packed = seed[whole].astype(np.uint64) * np.uint64(len(sequences))
    packed += owner[:windows][whole].astype(np.uint64)
    return packed * np.uint64(2) + strand[whole]


def _hash(seeds: np.ndarray, salt: int = 0) -> np.ndarray:
    """A number from 0 to below 1 that looks drawn at random, the same for the same seed."""
    mixed = (seeds.astype(np.uint64) + np.uint64(salt)) * _MIX
    mixed ^= mixed >> np.uint64(32)
    mixed *= _MIX
    return (mixed >> np.uint64(40)).astype(np.float32) / np.float32(2**24)


def _runs(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the run of equal numbers begins that each stands in, and how long it is."""
    begins = np.flatnonzero(np.concatenate([[True], numbers[1:] != numbers[:-1]]))[: len(numbers)]
    begins = begins.astype(np.int32)
    sizes = np.diff(np.append(begins, np.int32(len(numbers))))
    return np.repeat(begins, sizes), np.repeat(sizes, sizes)
