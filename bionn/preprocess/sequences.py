"""Sequences to codes of one length: alignment, padding and the policy for unknown symbols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from bionn.errors import InputError
from bionn.sequences.alphabet import Alphabet, Iupac, Unknown, alphabet_named

Align = Literal["left", "center", "right"]
ALIGNMENTS: tuple[Align, ...] = ("left", "center", "right")


class LengthError(InputError):
    """A sequence of a length that does not fit; knows which record."""

    def __init__(self, record: int, need: str, found: int, remedy: str) -> None:
        super().__init__(f"length {need} needed, {found} found; {remedy}")
        self.record = record


@dataclass(frozen=True)
class SequenceEncoder:
    """Turns text into ``uint8 (N, length)`` codes, the same way for training and prediction.

    Attributes:
        alphabet: name of the alphabet.
        length: positions of an encoded sequence.
        align: where a shorter sequence stands in them; None: every sequence has that length.
        crop: whether a longer sequence is cut at the end away from the alignment.
        unknown: what N and X stand for.
        iupac: what the other ambiguity codes stand for.
    """

    alphabet: str
    length: int
    align: Align | None
    crop: bool
    unknown: Unknown
    iupac: Iupac

    @classmethod
    def fit(
        cls,
        sequences: Sequence[str],
        *,
        alphabet: str = "dna",
        length: int | None = None,
        align: Align | None = None,
        unknown: Unknown = "zero",
        iupac: Iupac = "expand",
    ) -> SequenceEncoder:
        """Find the length: the one given, else that of the longest sequence.

        Raises:
            LengthError: lengths differ and neither an alignment nor a length was given.
        """
        alphabet_named(alphabet)
        lengths = np.fromiter(map(len, sequences), dtype=np.int64, count=len(sequences))
        if length is not None:
            if length < 1:
                raise InputError(f"length: at least 1 needed, {length} found; choose more")
            align = align or "left"
        elif align is None and lengths.size and (lengths != lengths[0]).any():
            odd = int(np.argmax(lengths != lengths[0]))
            raise LengthError(
                odd,
                f"{lengths[0]} (that of the first record)",
                int(lengths[odd]),
                "choose an alignment (align left, center or right) or one length for all",
            )
        return cls(
            alphabet=alphabet,
            length=int(length if length is not None else lengths.max(initial=0)),
            align=align,
            crop=length is not None,
            unknown=unknown,
            iupac=iupac,
        )

    @property
    def symbols(self) -> Alphabet:
        """The alphabet itself."""
        return alphabet_named(self.alphabet)

    @property
    def input_shape(self) -> tuple[int, int]:
        """``(A, L)``: the shape of one one-hot encoded sequence."""
        return len(self.symbols.letters), self.length

    @property
    def code_table(self) -> np.ndarray:
        """What each code stands for, ``float32 (S, A)``."""
        return self.symbols.code_table(unknown=self.unknown)

    def encode(self, sequences: Sequence[str]) -> np.ndarray:
        """Codes ``uint8 (N, length)``, padded and cut as the alignment says.

        Raises:
            LengthError: a sequence is too long, or too short where there is no alignment.
            SymbolError: a symbol has no code.
        """
        flat = self.symbols.encode_flat(sequences, unknown=self.unknown, iupac=self.iupac)
        lengths = np.fromiter(map(len, sequences), dtype=np.int64, count=len(sequences))
        return self.fitted(flat, lengths)

    def fitted(self, flat: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Codes of N sequences, one after another, as ``uint8 (N, length)``.

        Args:
            flat: the codes, ``uint8``.
            lengths: how many belong to each sequence, ``int64 (N,)``.

        Raises:
            LengthError: as in :meth:`encode`.
        """
        if (lengths == self.length).all():
            return flat.reshape(len(lengths), self.length)
        self._check_lengths(lengths)
        codes = np.full((len(lengths), self.length), self.symbols.padding_code, dtype=np.uint8)
        shift = self._shift(lengths)
        if (lengths > self.length).any():
            place = np.arange(flat.size) - np.repeat(np.cumsum(lengths) - lengths + shift, lengths)
            flat = flat[(place >= 0) & (place < self.length)]
        place = np.arange(self.length)
        codes[(place >= -shift[:, None]) & (place < (lengths - shift)[:, None])] = flat
        return codes

    def _shift(self, lengths: np.ndarray) -> np.ndarray:
        """The place in each sequence of the first encoded position; negative: padding comes first."""
        surplus = lengths - self.length
        if self.align == "right":
            return surplus
        return surplus // 2 if self.align == "center" else np.zeros_like(surplus)

    def _check_lengths(self, lengths: np.ndarray) -> None:
        if self.align is None:
            odd = int(np.argmax(lengths != self.length))
            remedy = "give sequences of that length, or train with an alignment"
            raise LengthError(odd, str(self.length), int(lengths[odd]), remedy)
        if not self.crop and lengths.max() > self.length:
            odd = int(np.argmax(lengths > self.length))
            remedy = "cut the sequence, or train with that length (length)"
            raise LengthError(odd, f"at most {self.length}", int(lengths[odd]), remedy)

    def to_manifest(self) -> dict[str, Any]:
        """Plain data from which :meth:`from_manifest` makes an equal encoder."""
        return asdict(self) | {
            "letters": self.symbols.letters,
            "codes": self.symbols.symbols,
            "code_table": self.code_table.tolist(),
            "flatten_order": "letter-major: weight (out, A, L), flat index = letter * L + position",
        }

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> SequenceEncoder:
        """The encoder that a manifest describes."""
        fields = ("alphabet", "length", "align", "crop", "unknown", "iupac")
        return cls(**{name: manifest[name] for name in fields})
