"""One seed for every source of randomness, their states kept, and the caller's put back afterwards."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed Python, NumPy and torch (every device) for the block; restore their states after it.

    Whether torch keeps to deterministic algorithms is restored as well.

    Args:
        seed: from 0 to 2**32 - 1.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002
            torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)


def random_states() -> dict[str, Any]:
    """Where Python, NumPy and torch (every CUDA device) are in their random numbers, as plain data."""
    numpy: Any = np.random.get_state()  # noqa: NPY002
    name, keys, position, has_gauss, gauss = numpy
    version, state, gauss_next = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [str(name), torch.from_numpy(keys.astype(np.int64)), position, has_gauss, gauss],
        "python": [version, list(state), gauss_next],
    }


def restore_random_states(states: dict[str, Any]) -> None:
    """Go on where :func:`random_states` was asked."""
    torch.set_rng_state(states["torch"])
    for device, state in enumerate(states["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(state, device)
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    version, state, gauss_next = states["python"]
    random.setstate((version, tuple(state), gauss_next))
