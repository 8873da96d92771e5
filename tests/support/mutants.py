"""Made-up families of sequences: copies with substitutions, insertions, deletions, on either strand."""

from __future__ import annotations

import numpy as np
from Bio.Seq import reverse_complement


def random_sequence(rng: np.random.Generator, length: int, letters: str = "ACGT") -> str:
    """So many letters, each as likely as the others."""
    return "".join(rng.choice(list(letters), length))


def mutant(
    rng: np.random.Generator,
    sequence: str,
    edits: int,
    *,
    kinds: str = "sid",
    letters: str = "ACGT",
) -> str:
    """A copy with so many edits at random places: s substitution, i insertion, d deletion."""
    symbols = list(sequence)
    for kind in rng.choice(list(kinds), edits):
        place = int(rng.integers(len(symbols) + (kind == "i")))
        if kind == "s":
            symbols[place] = rng.choice([letter for letter in letters if letter != symbols[place]])
        elif kind == "i":
            symbols.insert(place, str(rng.choice(list(letters))))
        elif len(symbols) > 1:
            del symbols[place]
    return "".join(symbols)


def families(
    rng: np.random.Generator, number: int, size: int, length: int, edits: int
) -> tuple[list[str], np.ndarray]:
    """So many families of an ancestor and its mutants, every other one reversed, in random order.

    Returns:
        The sequences, and the family of each.
    """
    sequences, owner = [], []
    for family in range(number):
        ancestor = random_sequence(rng, length)
        members = [ancestor] + [mutant(rng, ancestor, edits) for _ in range(size - 1)]
        sequences += [
            reverse_complement(text) if place % 2 else text for place, text in enumerate(members)
        ]
        owner += [family] * size
    order = rng.permutation(len(sequences))
    return [sequences[place] for place in order], np.array(owner)[order]
