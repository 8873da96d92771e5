"""What a set of sequences consists of: lengths, letters, ambiguous and foreign symbols, strands."""

from __future__ import annotations

from typing import Any

import numpy as np

from bionn.data.suspects import area
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
    classes = targets.values if targets.task != "regression" else np.zeros(len(lengths), dtype=int)
    counts, letters, known, strong, lower = _count(sequences, alphabet, classes)
    named = {chr(code): int(count) for code, count in enumerate(counts) if count}
    ambiguous = set(alphabet.unknown_symbols) | {symbol for symbol, _ in alphabet.ambiguity}
    total = max(int(letters.sum()), 1)
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
        gc = strong / np.maximum(known, 1)
        facts["gc"] = {"mean": float(gc.mean()), "std": float(gc.std())}
        facts["strands_alike"] = _strands_alike(letters)
        numbers["gc"] = gc
    if len(targets.classes) == 2:
        positive = targets.values == 1
        facts["auroc_alone"] = {name: area(column, positive) for name, column in numbers.items()}
    return facts


def _count(
    sequences: PackedSequences, alphabet: Alphabet, classes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]:
    """Counts of symbols, of letters by class and by sequence, and of lower-case symbols.

    Synonyms are counted as what they stand for.

    Args:
        sequences: N sequences.
        alphabet: theirs.
        classes: the class of each, ``int64 (N,)``, from 0 on.

    Returns:
        ``int64 (256,)`` by upper-case symbol, ``int64 (K, A)`` by class and letter, ``int32 (N,)`` of
        letters and of the second and third letter (C and G) by sequence, and a number.
    """
    upper = np.arange(256, dtype=np.uint8)
    upper[ord("a") : ord("z") + 1] -= ord("a") - ord("A")
    for other, symbol in alphabet.synonyms:
        upper[[ord(other), ord(other.lower())]] = ord(symbol)
    plain = bytes(range(256))
    counts, lower = np.zeros(256, dtype=np.int64), 0
    letters = np.zeros((int(classes.max(initial=0)) + 1, len(alphabet.letters)), dtype=np.int64)
    known, strong = np.zeros((2, len(sequences)), dtype=np.int32)
    done = 0
    for block in sequences.blocks():  # so that no copy of all symbols is made
        symbols = block.translated(plain)
        lower += int(((symbols >= ord("a")) & (symbols <= ord("z"))).sum())
        symbols = upper[symbols]
        counts += np.bincount(symbols, minlength=256)
        owner = np.repeat(np.arange(len(block)), block.lengths)
        rows = slice(done, done + len(block))
        for place, letter in enumerate(alphabet.letters):
            own = np.bincount(owner[symbols == ord(letter)], minlength=len(block))
            np.add.at(letters[:, place], classes[rows], own)
            known[rows] += own
            if place in (1, 2):
                strong[rows] += own
        done += len(block)
    return counts, letters, known, strong, lower


def _strands_alike(letters: np.ndarray) -> bool:
    """Whether a letter and its partner are equally frequent in every class ``(K, A)``."""
    for counts in letters:
        gap = np.abs(counts - counts[::-1]).max() / max(int(counts.sum()), 1)  # A C G T: T G C A
        if gap > STRAND_GAP:
            return False
    return True
