"""What a network is given of a sequence: its letters by position, its k-mers wherever, or both."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_matrix, hstack, vstack
from torch import Tensor

from bionn.errors import InputError
from bionn.sequences.alphabet import Alphabet
from bionn.sequences.kmers import KmerSpectrum
from bionn.sequences.onehot import one_hot

ONE_HOT = "onehot"
NEED = "onehot, kmer:K, kmer:K-K or onehot+kmer:K, with ,canonical or ,frequency after K"

MOST_KMERS = 2**17
"""The most k-mer columns: a first layer of 256 units has 34 million weights then."""

BLOCK = 2**24
"""Numbers of a dense block of features that is made at once: 64 MB."""


@dataclass(frozen=True)
class Encoding:
    """The option ``encoding``, read.

    Attributes:
        one_hot: whether letters by position are part of it.
        ks: the values of k; none: no k-mers.
        canonical: whether a k-mer and its reverse complement are one.
        frequency: whether counts are divided by the number of k-mers in the sequence.
    """

    one_hot: bool
    ks: tuple[int, ...] = ()
    canonical: bool = False
    frequency: bool = False

    @classmethod
    def parse(cls, text: str) -> Encoding:
        """Read an option.

        Raises:
            InputError: it does not say what it should.

        Example:
            >>> Encoding.parse("onehot+kmer:3-5,canonical").ks
            (3, 4, 5)
        """
        if text == ONE_HOT:
            return cls(one_hot=True)
        found = re.fullmatch(r"(onehot\+)?kmer:([0-9]{1,2})(?:-([0-9]{1,2}))?((?:,\w+)*)", text)
        words = found[4].split(",")[1:] if found else []
        if found is None or set(words) - {"canonical", "frequency", "count"}:
            raise InputError(f"encoding: {NEED} needed, {text!r} found; choose one")
        if {"count", "frequency"} <= set(words):
            raise InputError(
                f"encoding: count or frequency needed, {text!r} has both; leave one out"
            )
        first, last = int(found[2]), int(found[3] or found[2])
        if not 1 <= first <= last:
            raise InputError(
                f"encoding: K from 1 on needed, {text!r} found; write the smaller K first"
            )
        return cls(
            bool(found[1]),
            tuple(range(first, last + 1)),
            "canonical" in words,
            "frequency" in words,
        )

    def spectrum(self, alphabet: Alphabet) -> KmerSpectrum | None:
        """The counter of k-mers; None without.

        Raises:
            InputError: too many k-mers, or canonical ones of letters that do not pair.
        """
        if not self.ks:
            return None
        letters, complement = alphabet.letters, None
        most = sum(len(letters) ** k for k in self.ks)
        if self.canonical:
            complement = alphabet.complement[: len(letters)].tolist()
            most //= 2
        if most > MOST_KMERS:
            raise InputError(
                f"encoding: at most {MOST_KMERS} k-mers needed, {most} found; choose a smaller K"
            )
        return KmerSpectrum(self.ks, letters, complement=complement, frequency=self.frequency)


class SequenceFeatures(torch.nn.Module):
    """Codes to the features of an encoding with k-mers; has no parameters.

    K-mer columns are counts or frequencies times one number. Letters by position, if they are wanted,
    stand before them as one-hot columns flattened letter by letter.

    Args:
        spectrum: counts the k-mers.
        table: what each code stands for, ``(S, A)``, for the one-hot columns; None: no such columns.
        scale: the number.

    Shape:
        Input ``(N, L)`` codes; output ``(N, F)`` ``float32``, F = A * L + M or M.
    """

    table: Tensor | None

    def __init__(
        self, spectrum: KmerSpectrum, *, table: Tensor | None = None, scale: float = 1.0
    ) -> None:
        super().__init__()
        self.spectrum = spectrum
        self.register_buffer("table", table, persistent=False)
        self.scale = scale

    def forward(self, codes: Tensor) -> Tensor:
        """Features of some sequences."""
        kmers = self.spectrum(codes) * self.scale
        if self.table is None:
            return kmers
        return torch.cat([one_hot(codes, self.table).flatten(1), kmers], dim=1)

    def sparse(self, codes: Tensor) -> csr_matrix:
        """The features as a sparse matrix ``float32 (N, F)``, made block by block."""
        blocks = []
        for piece in codes.split(self._rows(codes)):
            kmers = self.spectrum.sparse(piece)
            kmers.data *= np.float32(self.scale)
            if self.table is not None:
                kmers = hstack([csr_matrix(one_hot(piece, self.table).flatten(1).numpy()), kmers])
            blocks.append(kmers)
        return csr_matrix(vstack(blocks))

    def fit_scale(self, codes: Tensor) -> float:
        """The number by which k-mer columns vary, on average, as one-hot columns do.

        A one-hot column of A equally frequent letters has variance (1 - 1/A) / A; rows far apart by
        letters and rows far apart by k-mers are then equally far for the network.

        Args:
            codes: of the training rows, ``(N, L)``.

        Raises:
            InputError: K is larger than L.
        """
        longest = max(self.spectrum.ks)
        if codes.shape[1] < longest:
            raise InputError(
                f"encoding: sequences of at least K = {longest} positions needed, {codes.shape[1]} "
                "found; choose a smaller K"
            )
        rows, columns = len(codes), self.spectrum.num_columns
        sums, squares = torch.zeros(columns, dtype=torch.float64), 0.0
        for piece in codes.split(self._rows(codes)):
            counts = self.spectrum.sparse(piece).astype(np.float64)
            sums += torch.from_numpy(np.asarray(counts.sum(axis=0)).ravel())
            squares += float(counts.data @ counts.data)
        variance = (squares / rows - float((sums / rows).square().sum())) / columns if rows else 0.0
        letters = len(self.spectrum.letters)
        wanted = (1 - 1 / letters) / letters
        return (wanted / variance) ** 0.5 if variance > 1e-12 else 1.0

    def _rows(self, codes: Tensor) -> int:
        """The rows of a block: their letters by position, which are made dense, set the limit."""
        width = len(self.spectrum.letters) if self.table is None else self.table.shape[1]
        return max(BLOCK // max(width * codes.shape[1], 1), 1)
