"""Sequences that are the same one: whatever the case and, for DNA, whichever the strand."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from Bio.Data.IUPACData import ambiguous_dna_complement

from bionn.sequences.alphabet import Alphabet
from bionn.sequences.distinct import number_distinct_texts

_COMPLEMENT = str.maketrans(ambiguous_dna_complement)


def canonical(sequence: str, alphabet: Alphabet) -> str:
    """The one text for all ways to write a sequence.

    Upper case, synonyms replaced (U by T in DNA), and of a DNA sequence and its reverse complement
    the one that sorts first.

    Example:
        >>> from bionn.sequences.alphabet import DNA
        >>> canonical("ttug", DNA), canonical("CAAA", DNA)
        ('CAAA', 'CAAA')
    """
    text = sequence.upper().translate(str.maketrans(dict(alphabet.synonyms)))
    if alphabet.name != "dna":
        return text
    return min(text, text.translate(_COMPLEMENT)[::-1])


def number_distinct(sequences: Iterable[str], alphabet: Alphabet) -> np.ndarray:
    """The distinct sequences numbered in order: a number a sequence, ``int32 (N,)``.

    Example:
        >>> from bionn.sequences.alphabet import DNA, RNA
        >>> number_distinct(["AAC", "gtt", "AAA"], DNA).tolist()
        [0, 0, 1]
        >>> number_distinct(["AAC", "GUU", "aac"], RNA).tolist()
        [0, 1, 0]
    """
    return number_distinct_texts(canonical(sequence, alphabet) for sequence in sequences)
