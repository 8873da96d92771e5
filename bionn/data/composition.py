"""What a set of sequences consists of: lengths, letters, ambiguous and foreign symbols, strands."""

from __future__ import annotations

from typing import Any

import numpy as np

from bionn.data.suspects import areas
from bionn.data.targets import Targets
from bionn.sequences.alphabet import Alphabet
from bionn.sequences.packed import PackedSequences

STRAND_GAP = 0.01
"""Strands look alike if the shares of A and T, and of C and G, differ by no more in any class."""


def sequence_facts(
    sequences: PackedSequences, alphabet: Alphabet, targets: Targets
) -> dict[str, Any]:
    """Lengths, composition, and what is no letter of the alphabet.

    Args:
        sequences: N sequences, at least one, before they were encoded.
        alphabet: the one that they should be of.
        targets: of the same N rows.
    """
    lengths = sequences.lengths
    counts, letters, lower = _count(sequences, alphabet)
    named = {chr(code): int(count) for code, count in enumerate(counts) if count}
    ambiguous = set(alphabet.unknown_symbols) | {symbol for symbol, _ in alphabet.ambiguity}
    total = max(int(letters.sum()), 1)
    known = letters.sum(axis=1)
    facts: dict[str, Any] = {
        "alphabet": alphabet.name,
        "shortest": int(lengths.min()),
        "longest": int(lengths.max()),
        "median_length": float(np.median(lengths)),
        "symbols": int(lengths.sum()),
        "composition": {
            letter: int(count) / total
            for letter, count in zip(alphabet.letters, letters.sum(axis=0), strict=True)
        },
        "lower_case": lower,
        "ambiguous": {s: n for s, n in named.items() if s in ambiguous},
        "sequences_with_ambiguous": int((known < lengths).sum()),
        "foreign": {
            s: n for s, n in named.items() if s not in ambiguous and s not in alphabet.letters
        },
    }
    numbers: dict[str, np.ndarray] = {"length": lengths, "unknown_symbols": lengths - known}
    if alphabet.name in ("dna", "rna"):
        gc = (letters[:, 1] + letters[:, 2]) / np.maximum(known, 1)  # A C G T
        facts["gc"] = {"mean": float(gc.mean()), "std": float(gc.std())}
        facts["strands_alike"] = _strands_alike(letters, targets)
        numbers["gc"] = gc
    if len(targets.classes) == 2:
        found = areas(np.column_stack(list(numbers.values())).astype(float), targets.values == 1)
        facts["auroc_alone"] = dict(zip(numbers, found.tolist(), strict=True))
    return facts


def _count(sequences: PackedSequences, alphabet: Alphabet) -> tuple[np.ndarray, np.ndarray, int]:
    """Counts of symbols, of letters by sequence, and of lower-case symbols.

    Synonyms are counted as what they stand for.

    Returns:
        ``int64 (256,)`` by upper-case symbol, ``int32 (N, A)`` by letter, and a number.
    """
    upper = np.arange(256, dtype=np.uint8)
    upper[ord("a") : ord("z") + 1] -= ord("a") - ord("A")
    for other, symbol in alphabet.synonyms:
        upper[[ord(other), ord(other.lower())]] = ord(symbol)
    plain = bytes(range(256))
    counts, lower, size = np.zeros(256, dtype=np.int64), 0, len(alphabet.letters)
    letters = np.zeros((len(sequences), size), dtype=np.int32)
    done = 0
    for block in sequences.blocks():  # so that no copy of all symbols is made
        symbols = block.translated(plain)
        lower += int(((symbols >= ord("a")) & (symbols <= ord("z"))).sum())
        symbols = upper[symbols]
        counts += np.bincount(symbols, minlength=256)
        owner = np.repeat(np.arange(len(block)), block.lengths)
        for place, letter in enumerate(alphabet.letters):
            mine = owner[symbols == ord(letter)]
            letters[done : done + len(block), place] = np.bincount(mine, minlength=len(block))
        done += len(block)
    return counts, letters, lower


def _strands_alike(letters: np.ndarray, targets: Targets) -> bool:
    """Whether a letter and its partner are equally frequent in every class."""
    classes = targets.values if targets.task != "regression" else np.zeros(len(letters), dtype=int)
    for name in np.unique(classes):
        counts = letters[classes == name].sum(axis=0)
        gap = np.abs(counts - counts[::-1]).max() / max(int(counts.sum()), 1)  # A C G T: T G C A
        if gap > STRAND_GAP:
            return False
    return True
