"""Codes of four letters in two bits each: a quarter of a byte a base where a set is resident."""

from __future__ import annotations

import math

import torch
from torch import Tensor

BLOCK = 1 << 22
"""Codes packed at a time."""


class TwoBitCodes:
    """Codes ``(N, L)`` below 4, packed; rows come out as codes, a byte each, by index.

    Has those members of a tensor that cutting batches needs.

    Args:
        packed: ``uint8 (N, ceil(L / 4))``; the first code of four stands in the lowest bits.
        length: L.

    Example:
        >>> codes = TwoBitCodes.pack(torch.tensor([[0, 1, 2, 3, 3], [3, 0, 0, 0, 1]]))
        >>> codes.packed.tolist(), codes[torch.tensor([1])].tolist()
        ([[228, 3], [3, 1]], [[3, 0, 0, 0, 1]])
    """

    def __init__(self, packed: Tensor, length: int) -> None:
        self.packed = packed
        self.length = length
        # the four codes that each byte stands for, together as one number that is copied at once
        fours = torch.arange(256)[:, None] >> torch.tensor([0, 2, 4, 6])
        words = (fours & 3).to(torch.uint8).view(torch.int32).squeeze(1)
        self._words = words.to(packed.device)

    @classmethod
    def pack(cls, codes: Tensor) -> TwoBitCodes:
        """Pack codes ``(N, L)``.

        Raises:
            ValueError: a code is not 0, 1, 2 or 3.
        """
        samples, length = codes.shape
        packed = codes.new_empty((samples, math.ceil(length / 4)), dtype=torch.uint8)
        rows = max(1, BLOCK // max(length, 1))
        for start in range(0, samples, rows):
            block = codes[start : start + rows]
            if bool(((block < 0) | (block > 3)).any()):
                raise ValueError("codes from 0 to 3 needed to pack them in two bits each")
            padded = torch.nn.functional.pad(block.to(torch.uint8), (0, -length % 4))
            first, second, third, fourth = padded.view(
                *packed[start : start + rows].shape, 4
            ).unbind(2)
            packed[start : start + rows] = first | second << 2 | third << 4 | fourth << 6
        return cls(packed, length)

    def __len__(self) -> int:
        return len(self.packed)

    def __getitem__(self, rows: Tensor | slice) -> Tensor:
        """The codes of some rows, ``uint8 (B, L)``."""
        packed = self.packed[rows]
        fours = self._words.index_select(0, packed.flatten().int()).view(torch.uint8)
        return fours.view(len(packed), 4 * packed.shape[1])[:, : self.length].contiguous()

    @property
    def shape(self) -> tuple[int, int]:
        """``(N, L)``."""
        return len(self.packed), self.length

    @property
    def device(self) -> torch.device:
        """Where the codes are."""
        return self.packed.device

    @property
    def nbytes(self) -> int:
        """What they take there."""
        return self.packed.nbytes

    def index_select(self, dim: int, index: Tensor) -> TwoBitCodes:
        """Some of the rows, still packed."""
        assert dim == 0
        return TwoBitCodes(self.packed.index_select(0, index), self.length)

    def pin_memory(self) -> TwoBitCodes:
        """A copy that a GPU can fetch by itself."""
        return TwoBitCodes(self.packed.pin_memory(), self.length)

    def to(self, device: torch.device, *, non_blocking: bool = False) -> TwoBitCodes:
        """The same on another device."""
        return TwoBitCodes(self.packed.to(device, non_blocking=non_blocking), self.length)

    def record_stream(self, stream: torch.cuda.Stream) -> None:
        """Keep the memory until that stream is done with it."""
        self.packed.record_stream(stream)
