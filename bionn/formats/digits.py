"""Numbers as text with six significant digits, a block at a time: what ``"%.6g" % x`` writes, faster.

A block becomes a matrix of characters, a row a number, with :data:`BLANK` wherever a row has no
character: deleting the blanks gives the text. A row is a template, which knows where the point stands
and which zeros go, and in it the digits of ``rint(|x| * 10**(5 - e))``, e being the decimal exponent.
Its 24 characters are three words: sign and leading zeros, the first three digits, the last three.
"""

from __future__ import annotations

import math

import numpy as np

BLANK = 0xFF
"""In the place of a character that a row does not have: no byte of UTF-8 text."""

WIDTH = 24
"""Characters a row: ``-0.000``, two blanks, six digits each with a place for the point, two blanks."""

_EXPONENTS = range(-4, 6)
"""The decimal exponents of numbers that ``%.6g`` writes without an ``e``."""

_SCALES = np.array([10.0 ** (5 - e) for e in _EXPONENTS])
_UPPER = np.array([float(f"1e{e + 1}") for e in _EXPONENTS] + [math.inf, 1e-4])
"""The end of each decade, then of what lies above them, and last (at -1) of what lies below."""


def _decade(binary: int) -> int:
    """The decade of the least number with the binary exponent of a float64's bits."""
    if binary == 0x7FF:
        return len(_EXPONENTS)
    size = math.ldexp(1.0, binary - 1023) if binary else 0.0
    return -1 if size < 1e-4 else sum(size >= end for end in _UPPER[:-2])


def _padded(text: bytes, width: int = WIDTH) -> list[int]:
    return list(text.ljust(width, bytes([BLANK])))


def _template(exponent: int, kept: int) -> list[int]:
    """The row of a number with so many digits left: 0 in the place of a digit."""
    before = exponent + 1  # how many digits stand before the point
    row = [BLANK, *_padded(b"0." + b"0" * -before if before <= 0 else b"", 7)]
    for digit in range(6):
        row.append(0 if digit < max(kept, before) else BLANK)
        row.append(ord(".") if digit + 1 == before < kept else BLANK)
        if digit % 3 == 2:
            row += [BLANK, BLANK]
    return row


def _words(rows: list[list[int]]) -> np.ndarray:
    return np.array(rows, dtype=np.uint8).view(np.uint64)


_DECADES = np.array([_decade(binary) for binary in range(0x800)])
_TEMPLATES = _words([_template(exponent, kept) for exponent in _EXPONENTS for kept in range(7)])
_TRIPLES = _words([[x for d in b"%03d" % n for x in (d, 0)] + [0, 0] for n in range(1000)])[:, 0]
_LENGTHS = np.array([len((b"%03d" % n).rstrip(b"0")) for n in range(1000)])
"""How many of three digits are left when zeros at their end go."""


def six_digits(values: np.ndarray) -> np.ndarray:
    """The characters of numbers, each as ``"%.6g"`` writes it.

    Args:
        values: ``float (N,)``; any, NaN and infinities too.

    Returns:
        ``uint8 (N, 24)``, :data:`BLANK` where there is no character.

    Example:
        >>> rows = six_digits(np.array([0.5, 1 / 3, -12.0, 1e-30]))
        >>> [row[row != BLANK].tobytes().decode() for row in rows]
        ['0.5', '0.333333', '-12', '1e-30']
    """
    values = np.ascontiguousarray(values, dtype=np.float64)
    size = np.abs(values)
    decade = _DECADES[size.view(np.int64) >> 52]
    decade += size >= _UPPER[decade]  # the decade may end between two powers of two
    easy = (decade >= 0) & (decade < len(_SCALES))
    if not easy.all():
        decade, size = np.where(easy, decade, 0), np.where(easy, size, 0)
    scaled = size * _SCALES[decade]
    digits = np.rint(scaled)
    # The product is itself rounded: nearly a tie it may be wrong; and it may round up to 10**6.
    easy &= (np.abs(scaled - digits) < 0.5 - 1e-6) & (digits < 1e6)
    whole = np.minimum(digits, 999_999).astype(np.int32)
    high = whole // 1000
    low = whole - 1000 * high

    kept = np.where(low == 0, _LENGTHS[high], 3 + _LENGTHS[low])
    words = _TEMPLATES.take(decade * 7 + kept, axis=0)
    # A digit goes into its 0; in the place of a digit that is not kept, BLANK stays BLANK.
    words[:, 1] |= _TRIPLES[high]
    words[:, 2] |= _TRIPLES[low]
    rows = words.view(np.uint8)
    rows[values < 0, 0] = ord("-")
    hard = np.flatnonzero(~easy)
    if hard.size:
        rows[hard] = [_padded(b"%.6g" % value) for value in values[hard].tolist()]
    return rows
