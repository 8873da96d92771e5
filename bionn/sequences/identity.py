"""How alike two sequences are: the identity of many pairs at once, by bit-parallel edit distance.

The identity of two sequences is ``1 - d / m``: ``m`` is the length of the shorter one and ``d`` the
fewest substitutions, insertions and deletions that make it a piece of the longer one. What the
longer one has beyond that piece costs nothing; of two sequences of one length either may be the
piece. A symbol that is no letter of the alphabet (N, R, ...) is like no other.

The distance is found by the algorithm of Myers (J. ACM 46:395, 1999) in the multi-word form that
Hyyrö describes (2003): a column of the dynamic-programming table is two bit vectors of vertical
differences, and the next column a dozen word operations away. Here each word operation is one numpy
call for thousands of pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bionn.sequences.alphabet import Alphabet
from bionn.sequences.packed import as_packed

PAIRS_AT_ONCE = 4096
"""So many pairs of 250 symbols keep their bit vectors in a processor's second cache."""

_WORD = 64
_ONE, _TOP = np.uint64(1), np.uint64(_WORD - 1)


@dataclass(frozen=True)
class CodedSequences:
    """U sequences of any lengths as letter codes, one after the other.

    Attributes:
        codes: ``uint8``, the letters ``0 .. A-1``, and A for every other symbol.
        starts: ``int64 (U,)``, where each begins in ``codes``.
        lengths: ``int64 (U,)``.
        letters: A.
        strands: whether a sequence and its reverse complement are the same molecule. Letter ``c``
            then pairs with ``A - 1 - c``.
    """

    codes: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    letters: int
    strands: bool

    @classmethod
    def encode(cls, sequences: Sequence[str], alphabet: Alphabet) -> CodedSequences:
        """Codes of ASCII texts; symbols of no alphabet are taken as unknown, not refused."""
        size = len(alphabet.letters)
        table = np.full(256, size, dtype=np.uint8)
        codes = {letter: code for code, letter in enumerate(alphabet.letters)}
        codes |= {other: codes[symbol] for other, symbol in alphabet.synonyms}
        for symbol, code in codes.items():
            table[[ord(symbol.upper()), ord(symbol.lower())]] = code
        packed = as_packed(sequences)
        lengths = packed.lengths.astype(np.int64)
        codes = packed.translated(table.tobytes())
        return cls(
            codes, np.cumsum(lengths) - lengths, lengths, size, strands=alphabet.name == "dna"
        )

    def __len__(self) -> int:
        return len(self.lengths)

    def rows(self, chosen: np.ndarray, reverse: np.ndarray | None = None) -> np.ndarray:
        """Codes ``(n, longest)`` of chosen sequences, filled up with code A.

        Args:
            chosen: n sequence numbers.
            reverse: which of them to read as their reverse complement, ``bool (n,)``.
        """
        lengths = self.lengths[chosen]
        place = np.arange(lengths.max(initial=0))
        inside = place < lengths[:, None]
        index = self.starts[chosen, None] + place
        if reverse is not None and reverse.any():
            back = self.starts[chosen, None] + lengths[:, None] - 1 - place
            index = np.where(reverse[:, None], back, index)
        codes = self.codes[np.where(inside, index, 0)]
        if reverse is not None and reverse.any():
            other = np.where(codes < self.letters, self.letters - 1 - codes, self.letters)
            codes = np.where(reverse[:, None], other, codes)
        return np.where(inside, codes, self.letters).astype(np.uint8)


def identities(
    sequences: CodedSequences,
    first: np.ndarray,
    second: np.ndarray,
    reverse: np.ndarray | None = None,
) -> np.ndarray:
    """The identity of each of P pairs, ``float64 (P,)``, by this module's definition.

    Args:
        sequences: the sequences, none of them empty.
        first: a sequence number a pair, ``(P,)``.
        second: that of the other, ``(P,)``.
        reverse: for which pairs one of the two is read as its reverse complement, ``bool (P,)``.

    Example:
        >>> from bionn.sequences.alphabet import DNA
        >>> few = CodedSequences.encode(["ACGTTGCA", "TTACGTGCATT", "ACGAAGCA"], DNA)
        >>> identities(few, np.array([0, 0]), np.array([1, 2])).tolist()
        [0.875, 0.75]
    """
    if reverse is None:
        reverse = np.zeros(len(first), dtype=bool)
    swap = sequences.lengths[first] > sequences.lengths[second]
    short, long = np.where(swap, second, first), np.where(swap, first, second)
    found = np.empty(len(first))
    order = np.lexsort([sequences.lengths[long], sequences.lengths[short]])
    for begin in range(0, len(order), PAIRS_AT_ONCE):
        some = order[begin : begin + PAIRS_AT_ONCE]
        pieces = sequences.rows(short[some], reverse[some])
        wholes = sequences.rows(long[some])
        sizes = sequences.lengths[short[some]]
        distance = piece_distances(pieces, sizes, wholes, sequences.letters)
        equal = np.flatnonzero(sizes == sequences.lengths[long[some]])
        if len(equal):
            other = piece_distances(wholes[equal], sizes[equal], pieces[equal], sequences.letters)
            distance[equal] = np.minimum(distance[equal], other)
        found[some] = 1 - distance / sizes
    return found


def piece_distances(
    pieces: np.ndarray, sizes: np.ndarray, wholes: np.ndarray, letters: int
) -> np.ndarray:
    """The fewest edits that make each piece a substring of its whole, ``int64 (N,)``.

    Args:
        pieces: codes ``uint8 (N, m)``, filled up at the end.
        sizes: their true lengths, ``(N,)``.
        wholes: codes ``uint8 (N, n)``, filled up with the code ``letters``, which is like no other.
        letters: how many letters there are; a code from there on matches nothing.
    """
    masks = _match_masks(pieces, letters)  # (words, (letters + 1) * N)
    words, count = masks.shape[0], len(pieces)
    last = (sizes - 1) // _WORD * count + np.arange(count)  # the word of a piece's last row
    shift = ((sizes - 1) % _WORD).astype(np.uint64)
    positive = np.full((words, count), ~np.uint64(0))  # vertical differences of +1 ...
    negative = np.zeros((words, count), dtype=np.uint64)  # ... and of -1
    score = sizes.astype(np.int64)
    best = score.copy()
    columns = np.minimum(wholes, letters).astype(np.int64).T * count + np.arange(count)
    for column in columns:
        match = masks.take(column, axis=1)
        vertical = match | negative
        carried = _add(match & positive, positive)
        horizontal = (carried ^ positive) | match
        plus = negative | ~(horizontal | positive)
        minus = positive & horizontal
        score += (plus.ravel().take(last) >> shift & _ONE).astype(np.int64)
        score -= (minus.ravel().take(last) >> shift & _ONE).astype(np.int64)
        np.minimum(best, score, out=best)
        # The top row is all zeros: a piece may begin anywhere, so no difference is shifted in.
        plus, minus = _shift(plus), _shift(minus)
        positive = minus | ~(vertical | plus)
        negative = plus & vertical
    return best


def _match_masks(pieces: np.ndarray, letters: int) -> np.ndarray:
    """Where each letter stands in each piece, a bit a position: ``uint64 (words, (A + 1) * N)``."""
    count, width = pieces.shape
    words = max(1, -(-width // _WORD))
    padded = np.full((count, words * _WORD), letters, dtype=np.uint8)
    padded[:, :width] = pieces
    masks = np.zeros((words, letters + 1, count), dtype=np.uint64)
    for letter in range(letters):
        bits = np.packbits(padded == letter, axis=1, bitorder="little")
        masks[:, letter] = bits.view("<u8").T
    return masks.reshape(words, -1)


def _add(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The sum of numbers of several words, ``(words, N)``, lowest word first."""
    total = first + second
    if len(total) > 1:
        carry = total[0] < first[0]
        for word in range(1, len(total)):
            overflow = total[word] < first[word]
            total[word] += carry
            carry = overflow | (carry & (total[word] == 0))
    return total


def _shift(bits: np.ndarray) -> np.ndarray:
    """Numbers of several words times two."""
    shifted = bits << _ONE
    shifted[1:] |= bits[:-1] >> _TOP
    return shifted
