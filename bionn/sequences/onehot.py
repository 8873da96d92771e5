"""Codes to one-hot tensors, for networks that want ``(N, A, L)`` floats as Conv1d does."""

from __future__ import annotations

import torch
from torch import Tensor


def one_hot(codes: Tensor, table: Tensor) -> Tensor:
    """The one-hot (or shared, for ambiguity codes) columns that codes stand for.

    Args:
        codes: integer codes, shape ``(N, L)``.
        table: what each code stands for, shape ``(S, A)``; see :meth:`Alphabet.code_table`.

    Returns:
        Tensor of the table's dtype, shape ``(N, A, L)``, contiguous.

    Example:
        >>> one_hot(torch.tensor([[0, 3]]), torch.eye(4)).shape
        torch.Size([1, 4, 2])
    """
    return table[codes.to(torch.int64)].transpose(1, 2).contiguous()
