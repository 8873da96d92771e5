"""Sequences to codes of one length: alignment, padding and the policy for unknown symbols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from bionn.errors import InputError
from bionn.preprocess.encoding import ONE_HOT, Encoding, SequenceFeatures
from bionn.sequences.alphabet import Alphabet, Iupac, Unknown, alphabet_named
from bionn.sequences.packed import lengths_of
from bionn.sequences.transforms import reverse_complement

Align = Literal["left", "center", "right"]
ALIGNMENTS: tuple[Align, ...] = ("left", "center", "right")

BLOCK_ROWS = 4096
"""Rows padded at a time: what is needed beside the codes stays small."""


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
        encoding: what the network is given of the codes; see :class:`Encoding`.
        scale: the number that k-mer columns are multiplied by.
        both_strands: whether predictions are averaged over a sequence and its reverse complement.
    """

    alphabet: str
    length: int
    align: Align | None
    crop: bool
    unknown: Unknown
    iupac: Iupac
    encoding: str = ONE_HOT
    scale: float = 1.0
    both_strands: bool = False

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
        encoding: str = ONE_HOT,
        both_strands: bool = False,
    ) -> SequenceEncoder:
        """Find the length: the one given, else that of the longest sequence.

        K-mers alone need no length: sequences of any are padded for storage, and nothing is cut.

        Raises:
            LengthError: lengths differ and neither an alignment nor a length was given.
            InputError: an encoding, or a strand, that the alphabet does not have.
        """
        parts = Encoding.parse(encoding)
        parts.spectrum(alphabet_named(alphabet))
        if both_strands:
            _ = alphabet_named(alphabet).complement
        lengths = lengths_of(sequences)
        if length is not None:
            if length < 1:
                raise InputError(f"length: at least 1 needed, {length} found; choose more")
            align = align or "left"
        elif not parts.one_hot:
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
            encoding=encoding,
            both_strands=both_strands,
        )

    def scaled(self, codes: Tensor) -> SequenceEncoder:
        """The same with the scale of k-mer columns fitted.

        Args:
            codes: of the training rows, ``(N, L)``.
        """
        features = replace(self, scale=1.0).features()
        return self if features is None else replace(self, scale=features.fit_scale(codes))

    @property
    def symbols(self) -> Alphabet:
        """The alphabet itself."""
        return alphabet_named(self.alphabet)

    @property
    def input_shape(self) -> int | tuple[int, int]:
        """``(A, L)``: the shape of one one-hot encoded sequence; with k-mers the number of features."""
        letters, parts = len(self.symbols.letters), Encoding.parse(self.encoding)
        spectrum = parts.spectrum(self.symbols)
        if spectrum is None:
            return letters, self.length
        return spectrum.num_columns + letters * self.length * parts.one_hot

    def features(self) -> SequenceFeatures | None:
        """What turns codes into the features of an encoding with k-mers; None for one-hot alone."""
        parts = Encoding.parse(self.encoding)
        spectrum = parts.spectrum(self.symbols)
        if spectrum is None:
            return None
        table = torch.from_numpy(self.code_table) if parts.one_hot else None
        return SequenceFeatures(spectrum, table=table, scale=self.scale)

    @property
    def code_table(self) -> np.ndarray:
        """What each code stands for, ``float32 (S, A)``."""
        return self.symbols.code_table(unknown=self.unknown)

    def encode(self, sequences: Sequence[str]) -> np.ndarray:
        """Codes ``uint8 (N, length)``, padded and cut as the alignment says.

        For k-mers alone, where no length was given, a longer sequence makes all rows as long.

        Raises:
            LengthError: a sequence is too long, or too short where there is no alignment.
            SymbolError: a symbol has no code.
        """
        flat = self.symbols.encode_flat(sequences, unknown=self.unknown, iupac=self.iupac)
        return self.fitted(flat, lengths_of(sequences))

    def fitted(self, flat: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Codes of N sequences, one after another, as ``uint8 (N, length)``.

        Args:
            flat: the codes, ``uint8``; where all sequences have the length, the result is a view.
            lengths: how many belong to each sequence, ``int64 (N,)``.

        Raises:
            LengthError: as in :meth:`encode`.
        """
        longest = int(lengths.max(initial=0))
        if longest > self.length and not self.crop and not Encoding.parse(self.encoding).one_hot:
            return replace(self, length=longest).fitted(flat, lengths)
        if (lengths == self.length).all():
            return flat.reshape(len(lengths), self.length)
        self._check_lengths(lengths)
        codes = np.full((len(lengths), self.length), self.symbols.padding_code, dtype=np.uint8)
        ends = np.cumsum(lengths)
        for start in range(0, len(lengths), BLOCK_ROWS):
            rows = slice(start, start + BLOCK_ROWS)
            first = int(ends[start] - lengths[start])
            self._fill(codes[rows], flat[first : int(ends[rows][-1])], lengths[rows])
        return codes

    def _fill(self, codes: np.ndarray, flat: np.ndarray, lengths: np.ndarray) -> None:
        """Put each sequence where it belongs in its row of padding."""
        shift = self._shift(lengths)
        if (lengths > self.length).any():
            place = np.arange(flat.size) - np.repeat(np.cumsum(lengths) - lengths + shift, lengths)
            flat = flat[(place >= 0) & (place < self.length)]
        place = np.arange(self.length)
        codes[(place >= -shift[:, None]) & (place < (lengths - shift)[:, None])] = flat

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

    def other_strand(self, codes: Tensor) -> Tensor:
        """The reverse complement of codes ``(N, L)``, each where its sequence stands.

        Raises:
            InputError: the alphabet is neither DNA nor RNA.
        """
        complement = torch.from_numpy(self.symbols.complement)
        return reverse_complement(codes, complement, padding=self.symbols.padding_code)

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
        return cls(**{field.name: manifest[field.name] for field in fields(cls)})
