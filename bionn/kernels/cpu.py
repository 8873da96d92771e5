"""CPU kernels as Python functions: plain float32 tensors in, new tensors out."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch._C import (
    _are_functorch_transforms_active,
    _dispatch_keys,
    _get_tracing_state,
    _len_torch_dispatch_stack,
)

from bionn.kernels.library import library

_P, _N, _F = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float
# the compiler's own name for it: a call of `torch.compiler.is_compiling` costs a kernel's tenth
_is_dynamo_compiling = torch.compiler.is_dynamo_compiling
_TYPES = (Tensor, torch.nn.Parameter)
# what torch knows of a dense tensor of the CPU that holds its own values, with and without autograd
with torch.inference_mode():
    _PLAIN = frozenset({_dispatch_keys(torch.empty(0)).raw_repr()})
with torch.inference_mode(False):
    _PLAIN |= {_dispatch_keys(torch.empty(0)).raw_repr()}
_NAMES = {torch.float32: "float32", torch.float64: "float64"}
_SIGNATURES = {
    "onehot_value": (_P, _P, _P, _P, _P, _N, _N, _N, _N, _N, ctypes.c_bool),
    "onehot_chain": (_P, _P, _P, _P, _P, _P, _N, _N, _N, _N, _N),
    "mutants_value": (*[_P] * 12, *[_N] * 6, _F, _F),
}


@functools.cache
def _function(kind: str, name: str) -> Callable[..., None]:
    """The kernel ``NAME_value`` or ``NAME_chain`` of the library."""
    found = library()
    assert found is not None
    function = getattr(found, f"{name}_{kind.split('_')[1]}")
    function.argtypes, function.restype = _SIGNATURES[kind], None
    return function


def takes(*tensors: Tensor, dtype: torch.dtype = torch.float32) -> bool:
    """Whether the kernels can compute with these: contiguous ones of the CPU, values only.

    A kernel cannot be differentiated: where a gradient's own graph is wanted, torch computes.
    """
    if not values_only() or dtype not in _NAMES or library() is None:
        return False
    return all(dense(tensor, dtype) and tensor.is_contiguous() for tensor in tensors)


def values_only() -> bool:
    """Whether nothing here traces or transforms what is computed, or asks for a gradient's graph."""
    return undisturbed() and not torch.is_grad_enabled()


def undisturbed() -> bool:
    """Whether nothing is traced, compiled or transformed, whose tensors stand for other ones."""
    return (
        not _is_dynamo_compiling()
        and not _are_functorch_transforms_active()
        and not _len_torch_dispatch_stack()
        and _get_tracing_state() is None
    )


def dense(tensor: Tensor, dtype: torch.dtype) -> bool:
    """Whether it is a dense tensor of the CPU that holds its own values, and of no class but torch's."""
    return (
        type(tensor) in _TYPES
        and tensor.dtype is dtype
        and _dispatch_keys(tensor).raw_repr() in _PLAIN
    )


def takes_codes(codes: Tensor, symbols: int) -> bool:
    """Whether codes below ``symbols`` fit the one-hot kernels: a byte each, of the CPU."""
    return symbols <= 256 and codes.is_cpu and type(codes) is Tensor


def onehot_pays(samples: int, inputs: int, outputs: int) -> bool:
    """Whether the one-hot kernels take so many samples in less time than a product of one-hot rows."""
    found = library()
    assert found is not None
    function = found.onehot_pays
    function.argtypes, function.restype = (_N, _N, _N), ctypes.c_bool
    return function(samples, inputs, outputs)


def onehot_value(codes: Tensor, weight: Tensor, bias: Tensor | None, table: Tensor) -> Tensor:
    """The one-hot linear layer: codes ``(N, L)`` uint8 below S, weight ``(L, A, H)``, table ``(S, A)``.

    Float32 or float64; returns ``(N, H)``. No code is checked here.
    """
    out = weight.new_empty(len(codes), weight.shape[2])
    constants = table.data_ptr(), None if bias is None else bias.data_ptr()
    pointers = codes.data_ptr(), weight.data_ptr(), *constants, out.data_ptr()
    sizes = *codes.shape, *weight.shape[1:], len(table)
    _function("onehot_value", f"onehot_{_NAMES[weight.dtype]}")(*pointers, *sizes, False)
    return out


def onehot_chain(codes: Tensor, u: Tensor, table: Tensor) -> Tensor:
    """dJ/dW ``(L, A, H)`` of the same for its upstream gradient u ``(N, H)``."""
    samples, length = codes.shape
    sizes = length, table.shape[1], u.shape[1]
    gradient = u.new_empty(sizes)
    pointers = codes.data_ptr(), u.data_ptr(), None, table.data_ptr(), gradient.data_ptr(), None
    _function("onehot_chain", f"onehot_{_NAMES[u.dtype]}")(*pointers, samples, *sizes, len(table))
    return gradient


def mutants_value(
    z: Tensor,
    weight: Tensor,
    table: Tensor,
    codes: Tensor,
    mutants: tuple[Tensor, Tensor, Tensor],
    layers: Sequence[tuple[float, Tensor, Tensor | None]],
) -> Tensor:
    """Pre-activations ``(R, O)`` of a second or third linear layer for substitutions in sequences.

    All float32 and contiguous, but for codes and mutants.

    Args:
        z: of the first layer for the sequences as they are, ``(N, H)``.
        weight: its weight, ``(L, A, H)``.
        table: what codes stand for, ``(S, A)``.
        codes: ``uint8 (N, L)`` below S.
        mutants: sequence, position and letter of each substitution, ``int64 (R,)``.
        layers: one or two linear layers: the slope below 0 of the activation before it, which above 0
            leaves z as it is (0: ReLU); its weight ``(O, H)``; its bias ``(O,)``.
    """
    (slope, second, bias), *more = layers
    last_slope, third, last_bias = more[0] if more else (0.0, None, None)
    out = z.new_empty(len(mutants[0]), len(second if third is None else third))
    tensors = (z, weight, table, codes, *mutants, second, bias, third, last_bias, out)
    pointers = [None if tensor is None else tensor.data_ptr() for tensor in tensors]
    sizes = len(mutants[0]), *weight.shape, len(second), out.shape[1]
    _function("mutants_value", "mutants")(*pointers, *sizes, slope, last_slope)
    return out
