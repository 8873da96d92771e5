"""Memory: given back when it is free, told from other errors where it does not suffice."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import TypeVar

import pyarrow as pa
import torch

SAID = (
    "can't allocate memory",  # torch on the CPU
    "out of memory",  # CUDA, its libraries, Triton
    "CUBLAS_STATUS_ALLOC_FAILED",
    "std::bad_alloc",
)
"""What errors of other kinds than their own say where memory did not suffice."""

Result = TypeVar("Result")


def give_back() -> None:
    """Let the system have what was freed: C's allocator keeps much of it, Arrow's some.

    Does nothing of the first where the C library is not GNU's.
    """
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory did not suffice, of the CPU or of another device.

    Example:
        >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError("shapes differ"))
        (True, False)
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in SAID)


def halved(compute: Callable[[int, int], Result], rows: int, first: int = 0) -> list[Result]:
    """What a function makes of some rows, of fewer at a time where memory does not suffice for all.

    Args:
        compute: what to do with the rows from one number up to another; it may be done again.
        rows: how many there are.
        first: the number of the first.

    Returns:
        What came of each part, in order.

    Raises:
        MemoryError, RuntimeError: memory did not suffice for a single row, or something else is wrong.

    Example:
        >>> halved(lambda start, stop: list(range(start, stop)), 3, first=4)
        [[4, 5, 6]]
    """
    try:
        return [compute(first, first + rows)]
    except (MemoryError, RuntimeError) as error:
        if rows < 2 or not is_out_of_memory(error):
            raise
    # here the error, and with it all that was being computed, is gone
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    half = rows // 2
    return halved(compute, half, first) + halved(compute, rows - half, first + half)
