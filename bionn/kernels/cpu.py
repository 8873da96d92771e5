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

_P, _N, _F, _D, _B = (
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.c_float,
    ctypes.c_double,
    ctypes.c_bool,
)
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
    "loss_value": (_P, _P, _P, _N, _B, _D, _F),
    "loss_chain": (_P, _P, _P, _P, _N, _B, _D, _F),
    "onehot_value": (_P, _P, _P, _P, _P, _N, _N, _N, _N, _N),
    "onehot_chain": (_P, _P, _P, _P, _N, _N, _N, _N, _N),
    "mutants_value": (*[_P] * 12, *[_N] * 6, _F, _F),
    "labels_value": (_P, _P, _P, _P, _P, _N, _N, _N, _B, _B),
    "labels_chain": (_P, _P, _P, _P, _P, _N, _N, _N, _B, _B),
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
    return all(_plain(tensor, dtype) for tensor in tensors)


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


def _plain(tensor: Tensor, dtype: torch.dtype) -> bool:
    return (
        type(tensor) in _TYPES
        and tensor.dtype is dtype
        and _dispatch_keys(tensor).raw_repr() in _PLAIN
        and tensor.is_contiguous()
    )


def loss_value(
    name: str, y: Tensor, target: Tensor, reduction: str, constant: float = 0.0
) -> Tensor:
    """An elementwise loss of tensors of one shape: each, or their sum or mean."""
    reduced = reduction != "none"
    loss = y.new_empty(()) if reduced else torch.empty_like(y)
    factor, n = _factor(y, reduction), y.numel()
    pointers = y.data_ptr(), target.data_ptr(), loss.data_ptr()
    _function("loss_value", name)(*pointers, n, reduced, factor, constant)
    return loss


def loss_chain(
    name: str, grad: Tensor, y: Tensor, target: Tensor, reduction: str, constant: float = 0.0
) -> Tensor:
    """dJ/dy of the same loss for its upstream gradient."""
    slope = torch.empty_like(y)
    pointers = grad.data_ptr(), y.data_ptr(), target.data_ptr(), slope.data_ptr()
    options = y.numel(), reduction != "none", _factor(y, reduction), constant
    _function("loss_chain", name)(*pointers, *options)
    return slope


def _factor(values: Tensor, reduction: str) -> float:
    if reduction != "mean":
        return 1.0
    return 1 / values.numel() if values.numel() else float("nan")


def takes_indices(target: Tensor) -> bool:
    """Whether class indices are as the kernels read them: contiguous int64 of the CPU."""
    return (
        target.dtype is torch.int64
        and target.is_cpu
        and type(target) is Tensor
        and target.is_contiguous()
    )


def cross_entropy_value(
    z: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str
) -> tuple[Tensor, Tensor]:
    """Loss and log-probabilities of logits ``(N, C)`` and class indices ``(N,)`` in [0, C)."""
    log_y = torch.empty_like(z)
    loss = z.new_empty(() if reduction != "none" else len(z))
    weights = None if weight is None else weight.data_ptr()
    pointers = z.data_ptr(), target.data_ptr(), weights, log_y.data_ptr(), loss.data_ptr()
    options = ignore_index, reduction != "none", reduction == "mean"
    _function("labels_value", "cross_entropy")(*pointers, *z.shape, *options)
    return loss, log_y


def cross_entropy_chain(
    u: Tensor,
    log_y: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
) -> Tensor:
    """dJ/dz of the same for its upstream gradient u, from the log-probabilities."""
    d = torch.empty_like(log_y)
    weights = None if weight is None else weight.data_ptr()
    pointers = u.data_ptr(), log_y.data_ptr(), target.data_ptr(), weights, d.data_ptr()
    options = ignore_index, reduction != "none", reduction == "mean"
    _function("labels_chain", "cross_entropy")(*pointers, *log_y.shape, *options)
    return d


def takes_codes(codes: Tensor, symbols: int) -> bool:
    """Whether codes below ``symbols`` fit the one-hot kernels: a byte each, of the CPU."""
    return symbols <= 256 and codes.is_cpu and type(codes) is Tensor


def onehot_value(codes: Tensor, weight: Tensor, bias: Tensor | None, table: Tensor) -> Tensor:
    """The one-hot linear layer: codes ``(N, L)`` uint8 below S, weight ``(L, A, H)``, table ``(S, A)``.

    Float32 or float64; returns ``(N, H)``. No code is checked here.
    """
    out = weight.new_empty(len(codes), weight.shape[2])
    constants = table.data_ptr(), None if bias is None else bias.data_ptr()
    pointers = codes.data_ptr(), weight.data_ptr(), *constants, out.data_ptr()
    sizes = *codes.shape, *weight.shape[1:], len(table)
    _function("onehot_value", f"onehot_{_NAMES[weight.dtype]}")(*pointers, *sizes)
    return out


def onehot_chain(codes: Tensor, u: Tensor, table: Tensor) -> Tensor:
    """dJ/dW ``(L, A, H)`` of the same for its upstream gradient u ``(N, H)``."""
    samples, length = codes.shape
    sizes = length, table.shape[1], u.shape[1]
    gradient = u.new_empty(sizes)
    pointers = codes.data_ptr(), u.data_ptr(), table.data_ptr(), gradient.data_ptr()
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
