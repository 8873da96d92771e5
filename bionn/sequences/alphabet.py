"""Alphabets: which letters there are, what an ambiguous symbol stands for, and the codes of both.

An alphabet of A letters owns encoding and decoding. Its codes are

====================  =====================================================
code                  meaning
====================  =====================================================
``0 .. A-1``          the letters, in order (DNA: A C G T)
``A``                 unknown (N, X)
``A + 1``             padding: no symbol at all, always a zero column
``A + 2 ..``          the ambiguity codes, in alphabetical order (R, Y, ...)
====================  =====================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal

import numpy as np
from Bio.Data import IUPACData

from bionn.errors import InputError, did_you_mean
from bionn.sequences.packed import PackedSequences, lengths_of

Unknown = Literal["zero", "uniform", "error"]
Iupac = Literal["expand", "unknown", "error"]

_BAD = 255


class SymbolError(InputError):
    """A symbol that the alphabet does not have; knows where it stands."""

    def __init__(self, symbol: str, record: int, position: int, remedy: str) -> None:
        super().__init__(f"symbol {symbol!r} at position {position + 1} {remedy}")
        self.symbol = symbol
        self.record = record
        self.position = position
        self.remedy = remedy


@dataclass(frozen=True)
class Alphabet:
    """The letters of a kind of sequence and what its other symbols mean.

    Attributes:
        name: how options and manifests call it (``dna``, ``custom:HEC``).
        letters: the letters in code order.
        unknown_symbols: symbols that tell nothing (``NX``).
        ambiguity: for each ambiguity code the letters it may stand for.
        synonyms: symbols read as another one (U as T in DNA).

    Example:
        >>> DNA.encode(["ACGTN", "ggrca"])
        array([[ 0,  1,  2,  3,  4],
               [ 2,  2, 11,  1,  0]], dtype=uint8)
        >>> DNA.decode(DNA.encode(["acgu"]))
        ['ACGT']
    """

    name: str
    letters: str
    unknown_symbols: str
    ambiguity: tuple[tuple[str, str], ...]
    synonyms: tuple[tuple[str, str], ...] = ()

    @property
    def unknown_code(self) -> int:
        """The code of N and X."""
        return len(self.letters)

    @property
    def padding_code(self) -> int:
        """The code of a position beyond the sequence's end."""
        return len(self.letters) + 1

    @property
    def num_codes(self) -> int:
        """How many codes there are: the rows of the code table."""
        return len(self.letters) + 2 + len(self.ambiguity)

    @cached_property
    def symbols(self) -> str:
        """One symbol a code, in code order (``ACGTN-BDHKMRSVWY`` for DNA)."""
        return self.letters + self.unknown_symbols[0] + "-" + "".join(k for k, _ in self.ambiguity)

    @cached_property
    def complement(self) -> np.ndarray:
        """The code of each code's complement, ``uint8 (num_codes,)``: A and T, R and Y, N itself.

        Raises:
            InputError: the alphabet is neither DNA nor RNA, whose letters alone pair.

        Example:
            >>> DNA.decode(DNA.complement[DNA.encode(["ACGTNRW"])])
            ['TGCANYW']
        """
        if self.letters not in ("ACGT", "ACGU"):
            raise InputError(
                f"reverse complement: the dna or rna alphabet needed, {self.name} found; leave out "
                "what asks for the other strand"
            )
        partner = dict(zip(self.letters, self.letters[::-1], strict=True))  # A C G T: T G C A
        symbol_of = {frozenset(letters): symbol for symbol, letters in self.ambiguity}
        for symbol, letters in self.ambiguity:
            partner[symbol] = symbol_of[frozenset(partner[letter] for letter in letters)]
        codes = [self.symbols.index(partner.get(symbol, symbol)) for symbol in self.symbols]
        return np.array(codes, dtype=np.uint8)

    def reads_like(self, text: str) -> bool:
        """Whether a text is 8 or more symbols of this alphabet and nothing else.

        Example:
            >>> DNA.reads_like("ACGTNACGT"), DNA.reads_like("position")
            (True, False)
        """
        known = set(self.symbols) | set(self.unknown_symbols) | {s for s, _ in self.synonyms}
        return len(text) >= 8 and set(text.upper()) <= known - {"-"}

    def encode_flat(
        self, sequences: Sequence[str], *, unknown: Unknown = "zero", iupac: Iupac = "expand"
    ) -> np.ndarray:
        """Codes of all sequences, one after another.

        Returns:
            ``uint8``, shape ``(sum of lengths,)``; of packed sequences that hold these codes already
            (see :meth:`recoding`) a view, not to be written to.

        Raises:
            SymbolError: for the first symbol that has no code under these options.
        """
        table = _lookup(self, unknown, iupac)
        if isinstance(sequences, PackedSequences):
            codes = sequences.translated(table)
        else:
            text = bytearray("".join(sequences).encode("ascii", errors="replace"))
            codes = np.frombuffer(text.translate(table), dtype=np.uint8)  # faster than indexing
        if codes.size and codes.max() == _BAD:
            self._raise_first_bad(sequences, int(np.argmax(codes == _BAD)), unknown, iupac)
        return codes

    def recoding(self) -> tuple[bytes, bytes]:
        """Codes for :meth:`PackedSequences.recode`: case and synonyms are all that is forgotten.

        A symbol that the alphabet does not have gets a code of its own, of 128 and more.

        Example:
            >>> packed = PackedSequences.pack(["acgu", "N-R"])
            >>> packed.recode(*DNA.recoding())
            >>> list(packed), DNA.encode_flat(packed[:1]).tolist()
            (['ACGT', 'N-R'], [0, 1, 2, 3])
        """
        codes = np.array(bytearray(_lookup(self, "zero", "expand")))
        foreign = np.flatnonzero(codes == _BAD)
        codes[foreign] = foreign | 128
        stands_for = np.arange(256, dtype=np.uint8) & 127
        known = np.frombuffer(self.symbols.encode("ascii"), dtype=np.uint8)
        stands_for[: len(known)] = known
        return codes.tobytes(), stands_for.tobytes()

    def encode(
        self, sequences: Sequence[str], *, unknown: Unknown = "zero", iupac: Iupac = "expand"
    ) -> np.ndarray:
        """Codes of sequences of one length: ``uint8 (N, L)``.

        Raises:
            InputError: the sequences differ in length.
            SymbolError: a symbol has no code under these options.
        """
        lengths = {len(sequence) for sequence in sequences}
        if len(lengths) > 1:
            raise InputError(
                f"sequences: one length needed, lengths {min(lengths)} to {max(lengths)} found; "
                "pad or cut them"
            )
        flat = self.encode_flat(sequences, unknown=unknown, iupac=iupac)
        return flat.reshape(len(sequences), lengths.pop() if lengths else 0)

    def decode(self, codes: np.ndarray) -> list[str]:
        """The sequences behind codes ``(N, L)``; padding becomes ``-``."""
        symbols = np.frombuffer(self.symbols.encode("ascii"), dtype="S1")
        rows = np.ascontiguousarray(symbols[np.asarray(codes)])
        return [row.tobytes().decode("ascii") for row in rows]

    def code_table(self, *, unknown: Unknown = "zero") -> np.ndarray:
        """What each code stands for, as shares of the letters.

        Returns:
            ``float32``, shape ``(num_codes, A)``: the identity, the unknown row (zero, or 1/A
            each), a zero row for padding, and each ambiguity code shared equally among its letters.
        """
        size = len(self.letters)
        table = np.zeros((self.num_codes, size), dtype=np.float32)
        table[:size] = np.eye(size)
        if unknown == "uniform":
            table[self.unknown_code] = 1 / size
        for row, (_, letters) in enumerate(self.ambiguity, start=self.padding_code + 1):
            table[row, [self.letters.index(letter) for letter in letters]] = 1 / len(letters)
        return table

    def _raise_first_bad(
        self, sequences: Sequence[str], flat: int, unknown: Unknown, iupac: Iupac
    ) -> None:
        ends = np.cumsum(lengths_of(sequences))
        record = int(np.searchsorted(ends, flat, side="right"))
        position = flat - int(ends[record] - len(sequences[record]))
        symbol = sequences[record][position]
        known = symbol.upper() if symbol.isascii() else ""
        if known and known in self.unknown_symbols:
            remedy = "is unknown and unknown=error forbids it; choose unknown=zero or uniform"
        elif known in dict(self.ambiguity):
            remedy = f"is ambiguous and iupac={iupac} forbids it; choose iupac=expand or unknown"
            if iupac == "unknown":
                remedy = "is read as unknown and unknown=error forbids it; choose iupac=expand"
        else:
            remedy = (
                f"is not in the {self.name.partition(':')[0]} alphabet ({self.letters}, "
                f"{self.unknown_symbols[0]}{' and IUPAC codes' * bool(self.ambiguity)}); correct the "
                f"record or name its alphabet ({', '.join(a for a in CHOICES if a != self.name)})"
            )
        raise SymbolError(symbol, record, position, remedy)


@cache
def _lookup(alphabet: Alphabet, unknown: Unknown, iupac: Iupac) -> bytes:
    """The 256-entry table from a byte to its code, 255 where there is none."""
    codes = {letter: code for code, letter in enumerate(alphabet.letters)}
    if unknown != "error":
        codes |= dict.fromkeys(alphabet.unknown_symbols, alphabet.unknown_code)
    if iupac == "expand":
        codes |= {s: alphabet.padding_code + 1 + i for i, (s, _) in enumerate(alphabet.ambiguity)}
    elif iupac == "unknown" and unknown != "error":
        codes |= {symbol: alphabet.unknown_code for symbol, _ in alphabet.ambiguity}
    codes |= {other: codes[symbol] for other, symbol in alphabet.synonyms}
    table = bytearray([_BAD] * 256)
    for symbol, code in codes.items():
        table[ord(symbol.upper())] = table[ord(symbol.lower())] = code
    return bytes(table)


def _ambiguity(values: dict[str, str], letters: str, unknown: str) -> tuple[tuple[str, str], ...]:
    """The symbols of an IUPAC table that stand for some, not all and not one, of the letters."""
    return tuple(
        (symbol, "".join(sorted(stands_for)))
        for symbol, stands_for in sorted(values.items())
        if len(stands_for) > 1 and symbol not in letters + unknown
    )


DNA = Alphabet(
    "dna", "ACGT", "NX", _ambiguity(IUPACData.ambiguous_dna_values, "ACGT", "NX"), (("U", "T"),)
)
RNA = Alphabet(
    "rna", "ACGU", "NX", _ambiguity(IUPACData.ambiguous_rna_values, "ACGU", "NX"), (("T", "U"),)
)
PROTEIN = Alphabet(
    "protein",
    IUPACData.protein_letters,
    "X",
    _ambiguity(IUPACData.extended_protein_values, IUPACData.protein_letters, "X"),
)
ALPHABETS = {alphabet.name: alphabet for alphabet in (DNA, RNA, PROTEIN)}


CUSTOM = "custom:"
"""How the name of an alphabet begins that is its own letters: ``custom:HEC``."""

CHOICES = (*ALPHABETS, f"{CUSTOM}LETTERS")


def alphabet_named(name: str) -> Alphabet:
    """The alphabet of that name, or the one whose letters follow ``custom:``.

    A custom alphabet has no ambiguity codes. Its unknown symbol is the first of X, N and ? that is
    not a letter of it; as everywhere lower case is upper case.

    Raises:
        InputError: there is none of that name, or the letters are none, one, double or unprintable.

    Example:
        >>> alphabet_named("custom:ACGTM").encode(["ACGTmX"])  # M: a methylated C
        array([[0, 1, 2, 3, 4, 5]], dtype=uint8)
    """
    kind, colon, letters = name.partition(":")
    if kind.lower() + colon == CUSTOM:
        return _custom(letters.upper())
    try:
        return ALPHABETS[name.lower()]
    except KeyError:
        raise InputError(
            f"alphabet: one of {', '.join(CHOICES)} needed, {name!r} found"
            f"{did_you_mean(name, ALPHABETS)}; choose one"
        ) from None


@cache
def _custom(letters: str) -> Alphabet:
    """An alphabet of any letters."""
    usable = letters.isascii() and letters.isprintable() and not set(letters) & set("- ")
    if not usable or len(set(letters)) < max(2, len(letters)):
        raise InputError(
            f"alphabet: two or more different letters needed after {CUSTOM!r}, of printable ASCII, "
            f"no blank and no '-', {letters!r} found; name each letter once, case does not count"
        )
    unknown = next((symbol for symbol in "XN?" if symbol not in letters), None)
    if unknown is None:
        raise InputError("alphabet: X, N or ? needed for the unknown, all three found as letters")
    return Alphabet(f"{CUSTOM}{letters}", letters, unknown, ())
