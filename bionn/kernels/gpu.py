"""The GPU kernels as Python functions: plain tensors of one CUDA device in, new tensors out."""

from __future__ import annotations

import functools
import logging
import os
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch._C import _dispatch_keys

from bionn.kernels.cpu import values_only
from bionn.kernels.library import SWITCH

DEVICE_TYPE = "cuda"
"""Whose tensors the kernels take; Triton's interpreter would take the CPU's as well."""

TILE = 64
"""Rows, columns and units of a tile at most; fixed, so that the same sums give the same bits."""

PROGRAMS = 512
"""Programs of a launch to aim at: some for each of the hundred or so processors of a large GPU."""

LARGEST_TABLE = 2**13
"""Numbers of a table of symbols that one program still looks through."""

_TYPES = (Tensor, torch.nn.Parameter)
_DTYPES = (torch.float32, torch.bfloat16, torch.float16)


@functools.cache
def kernels() -> ModuleType | None:
    """The Triton kernels, or None where Triton is not installed or the kernels are turned off."""
    if os.environ.get(SWITCH) == "0":
        return None
    try:
        from bionn.kernels import triton
    except ImportError:
        return None
    return triton


def takes(codes: Tensor, table: Tensor, *tensors: Tensor) -> bool:
    """Whether the kernels can compute with these: values alone, on one GPU that has run a kernel.

    Args:
        codes: ``(*, L)``.
        table: ``(S, A)``.
        *tensors: weight, bias or upstream gradient, of the table's dtype.
    """
    if codes.device.type != DEVICE_TYPE or torch.compiler.is_compiling() or not values_only():
        return False
    plain = _plain(codes.device)
    fits = all(
        type(tensor) in _TYPES
        and tensor.device == codes.device
        and _dispatch_keys(tensor).raw_repr() in plain
        for tensor in (codes, table, *tensors)
    )
    return (
        fits
        and table.dtype in _DTYPES
        and all(tensor.dtype == table.dtype for tensor in tensors)
        and 0 < table.numel() <= LARGEST_TABLE
        and _works(codes.device)
    )


def onehot_value(codes: Tensor, weight: Tensor, bias: Tensor | None, table: Tensor) -> Tensor:
    """The one-hot linear layer: codes ``(N, L)``, weight ``(L, A, H)``, bias ``(H,)``, table ``(S, A)``.

    Returns ``(N, H)`` in the weight's dtype, summed in float32.

    Raises:
        RuntimeError: a code is not in ``[0, S)`` (on a GPU: a device-side assertion, some time later).
    """
    check_codes(codes, len(table))
    length, letters, units = weight.shape
    samples = len(codes)
    out = weight.new_empty(samples, units)
    if out.numel() == 0:
        return out
    found = kernels()
    assert found is not None
    shape = _tiles(samples, length * letters, units)
    with _on(codes.device):
        found.onehot_value[_blocks(samples, shape["ROWS"]), _blocks(units, shape["UNITS"])](
            codes.contiguous(),
            weight,
            weight if bias is None else bias,
            table.contiguous(),
            out,
            samples,
            length,
            units,
            len(table),
            **shape,
            **_constants(found, table),
            BIAS=bias is not None,
        )
    return out


def onehot_chain(codes: Tensor, upstream: Tensor, table: Tensor) -> Tensor:
    """dJ/dW ``(L, A, H)`` of the same for its upstream gradient ``(N, H)``, the same bits each time."""
    samples, length = codes.shape
    letters, units = table.shape[1], upstream.shape[1]
    if samples * length * units == 0:
        return upstream.new_zeros(length, letters, units)
    found = kernels()
    assert found is not None
    shape = _tiles(samples, length * letters, units)
    grid = _blocks(length * letters, shape["COLUMNS"]), _blocks(units, shape["UNITS"])
    # where there are few tiles, several programs share the samples of each; their parts are summed
    parts = min(_blocks(samples, 4 * TILE), max(1, PROGRAMS // (grid[0] * grid[1])))
    share = _blocks(_blocks(samples, parts), TILE) * TILE
    parts = _blocks(samples, share)
    dtype = upstream.dtype if parts == 1 else torch.float32
    gradient = upstream.new_empty((parts, length, letters, units), dtype=dtype)
    with _on(codes.device):
        found.onehot_chain[*grid, parts](
            codes.contiguous(),
            upstream.contiguous(),
            table.contiguous(),
            gradient,
            samples,
            length,
            units,
            len(table),
            share,
            **shape,
            **_constants(found, table),
        )
    return gradient[0] if parts == 1 else gradient.sum(0).to(upstream.dtype)


def check_codes(codes: Tensor, symbols: int) -> None:
    """Raise RuntimeError, on a GPU a device-side assertion, if a code is not in ``[0, symbols)``.

    Nothing waits for it. The kernels read no table beyond its end, whatever the codes.
    """
    if codes.numel():
        low, high = codes.aminmax()
        message = f"onehot_linear: codes must lie in [0, {symbols})"
        within = (low >= 0) & (high < symbols)
        torch._assert_async(within, message)  # pyright: ignore[reportPrivateImportUsage]


def _tiles(samples: int, columns: int, units: int) -> dict[str, int]:
    """The sizes of a tile: tensor cores multiply 16 by 16 at least."""
    sizes = {"ROWS": samples, "COLUMNS": columns, "UNITS": units}
    return {name: min(TILE, max(16, _power_of_two(size))) for name, size in sizes.items()}


def _constants(found: ModuleType, table: Tensor) -> dict[str, Any]:
    """What is compiled into the kernels beside the sizes of a tile."""
    tl, dtype = found.tl, table.dtype
    own = {torch.float32: tl.float32, torch.bfloat16: tl.bfloat16, torch.float16: tl.float16}
    tf32 = _tf32_is_asked_for()
    split = dtype == torch.float32 and not tf32
    # the interpreter multiplies bfloat16 tiles as if they were integers: it gets the same numbers wide
    interpreted = os.environ.get("TRITON_INTERPRET") == "1"
    return {
        "LETTERS": table.shape[1],
        "TABLE": _power_of_two(table.numel()),
        "SPLIT": split,
        "PRECISION": "tf32" if tf32 else "ieee",
        "FACTOR": tl.float32 if interpreted else tl.bfloat16 if split else own[dtype],
        "num_stages": 2,  # more do not fit into the shared memory of smaller GPUs
        "enable_fp_fusion": False,
    }


def _tf32_is_asked_for() -> bool:
    """Whether torch was told to multiply float32 on tensor cores with 10 bits of each factor."""
    settings: Any = torch.backends.cuda.matmul
    if hasattr(settings, "fp32_precision"):  # torch 2.9 and later
        return settings.fp32_precision == "tf32"
    return settings.allow_tf32


@functools.cache
def _plain(device: torch.device) -> frozenset[int]:
    """What torch knows of a dense tensor that holds its own values, with and without autograd."""
    with torch.inference_mode():
        found = {_dispatch_keys(torch.empty(0, device=device)).raw_repr()}
    with torch.inference_mode(False):
        found |= {_dispatch_keys(torch.empty(0, device=device)).raw_repr()}
    return frozenset(found)


@functools.cache
def _works(device: torch.device) -> bool:
    """Whether a kernel compiles and runs there; if not, the reason is said once."""
    if kernels() is None:
        return False
    if device.type == "cuda" and torch.cuda.get_device_capability(device) < (8, 0):
        return False  # no tensor cores for bfloat16
    try:
        table = torch.eye(4, device=device)
        codes = torch.arange(4, dtype=torch.uint8, device=device)[:, None]
        found = onehot_value(codes, table[None], None, table)
        return bool((found == table).all())
    except Exception as error:  # a compiler, a driver or a version that does not fit: of any kind
        logging.getLogger(__name__).warning(
            "no Triton kernels on %s (%s); layers compute in plain torch, which is slower",
            device,
            (str(error).strip().splitlines() or [type(error).__name__])[0],
        )
        return False


def _on(device: torch.device) -> Any:
    """Triton launches on the current device."""
    return torch.cuda.device(device if device.type == "cuda" else -1)


def _blocks(size: int, block: int) -> int:
    return -(-size // block)


def _power_of_two(size: int) -> int:
    return 1 << max(size - 1, 0).bit_length()
