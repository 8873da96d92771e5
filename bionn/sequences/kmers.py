"""Codes to k-mers: which k-mer begins at each position, and how often each occurs in a sequence.

A k-mer is numbered by its letters as the digits of a number to base A: in DNA, AC is 0 * 4 + 1. A window
that holds anything but letters (an unknown, an ambiguity code, padding) is no k-mer and is not counted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.sparse import csr_matrix, hstack
from torch import Tensor


def kmer_numbers(codes: Tensor, k: int, num_letters: int) -> Tensor:
    """The number of the k-mer that begins at each position.

    Args:
        codes: integer codes, shape ``(N, L)``; those below A are letters.
        k: letters of a k-mer, from 1.
        num_letters: A.

    Returns:
        ``int64``, shape ``(N, max(L - k + 1, 0))``; -1 where the window is no k-mer.

    Example:
        >>> kmer_numbers(torch.tensor([[0, 1, 3, 4, 2]]), 2, 4)
        tensor([[ 1,  7, -1, -1]])
    """
    windows = max(codes.shape[1] - k + 1, 0)
    numbers = torch.zeros(codes.shape[0], windows, dtype=torch.int64, device=codes.device)
    known = torch.ones_like(numbers, dtype=torch.bool)
    for offset in range(k):
        letters = codes[:, offset : offset + windows]
        numbers = numbers * num_letters + letters
        known &= letters < num_letters
    return numbers.masked_fill(~known, -1)


def canonical_columns(k: int, complement: Sequence[int]) -> Tensor:
    """A column for each k-mer, the same for a k-mer and its reverse complement.

    Args:
        k: letters of a k-mer.
        complement: the complement of each of the A letters, as codes.

    Returns:
        ``int64``, shape ``(A ** k,)``. Columns are numbered in the order of the smaller of the two.

    Example:
        >>> canonical_columns(1, [3, 2, 1, 0])  # A and T, C and G
        tensor([0, 1, 1, 0])
    """
    size = len(complement)
    numbers = torch.arange(size**k)
    partner, rest = torch.zeros_like(numbers), numbers
    for _ in range(k):
        partner = partner * size + torch.tensor(complement)[rest % size]
        rest = rest // size
    return torch.minimum(numbers, partner).unique(return_inverse=True)[1]


def kmer_names(k: int, letters: str) -> list[str]:
    """The k-mers in the order of their numbers.

    Example:
        >>> kmer_names(2, "AC")
        ['AA', 'AC', 'CA', 'CC']
    """
    names = [""]
    for _ in range(k):
        names = [name + letter for name in names for letter in letters]
    return names


class KmerSpectrum(torch.nn.Module):
    """Counts, or frequencies, of all k-mers of one or several k; has no parameters.

    Args:
        ks: the values of k; their columns stand one after another.
        letters: of the alphabet.
        complement: the complement of each letter, as codes; with it a k-mer and its reverse
            complement are counted together.
        frequency: divide by the number of k-mers counted in the sequence, for each k.

    Attributes:
        num_columns: M, how many features there are.

    Shape:
        Input ``(N, L)`` codes, of any L; output ``(N, M)`` ``float32``.

    Example:
        >>> KmerSpectrum([1], "ACGT")(torch.tensor([[0, 1, 1, 4, 5]]))
        tensor([[1., 2., 0., 0.]])
    """

    def __init__(
        self,
        ks: Sequence[int],
        letters: str,
        *,
        complement: Sequence[int] | None = None,
        frequency: bool = False,
    ) -> None:
        super().__init__()
        self.ks = tuple(ks)
        self.letters = letters
        self.frequency = frequency
        self._widths: list[int] = []
        for k in self.ks:
            columns = torch.arange(len(letters) ** k)
            if complement is not None:
                columns = canonical_columns(k, complement)
            self.register_buffer(f"columns_{k}", columns, persistent=False)
            self._widths.append(int(columns.max()) + 1)
        self.num_columns = sum(self._widths)

    def columns(self, k: int) -> Tensor:
        """The column, within the block of k, in which each k-mer is counted."""
        return self.get_buffer(f"columns_{k}")

    @property
    def names(self) -> list[str]:
        """What each column counts: the k-mer, or the first of the two in alphabetical order."""
        named: list[str] = []
        for k, width in zip(self.ks, self._widths, strict=True):
            columns = self.columns(k).cpu()
            first = torch.full((width,), len(columns))
            first.scatter_reduce_(0, columns, torch.arange(len(columns)), "amin")
            kmers = kmer_names(k, self.letters)
            named += [kmers[number] for number in first.tolist()]
        return named

    def forward(self, codes: Tensor) -> Tensor:
        """Count."""
        blocks = []
        for k, width in zip(self.ks, self._widths, strict=True):
            numbers = kmer_numbers(codes, k, len(self.letters))
            counted = (numbers >= 0).float()
            counts = counted.new_zeros(len(codes), width)
            counts.scatter_add_(1, self.columns(k)[numbers.clamp(min=0)], counted)
            if self.frequency:
                counts /= counted.sum(dim=1, keepdim=True).clamp(min=1)
            blocks.append(counts)
        return torch.cat(blocks, dim=1)

    def sparse(self, codes: Tensor) -> csr_matrix:
        """The same as a sparse matrix ``float32 (N, M)``, of the k-mers that are there alone."""
        blocks = []
        for k, width in zip(self.ks, self._widths, strict=True):
            numbers = kmer_numbers(codes, k, len(self.letters))
            known = numbers >= 0
            columns = self.columns(k)[numbers[known]].numpy()
            counted = known.sum(dim=1).numpy()
            starts = np.append(0, np.cumsum(counted))
            ones = np.ones(len(columns), dtype=np.float32)
            counts = csr_matrix((ones, columns, starts), shape=(len(codes), width))
            counts.sum_duplicates()
            if self.frequency:
                counts.data /= np.repeat(counted.astype(np.float32), np.diff(counts.indptr))
            blocks.append(counts)
        return csr_matrix(hstack(blocks))
