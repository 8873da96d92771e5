"""The linear layer on one-hot sequences, computed from their codes."""

import functools
import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from bionn.kernels import cpu, gpu, nodes
from bionn.ops.base import (
    FunctionPair,
    forward_rule,
    readable,
    refuse_tangent,
    save,
    sum_to_shape,
    widen,
)


def position_major(weight: Tensor) -> Tensor:
    """View ``weight (out, A, L)`` as the matrix ``(out, L * A)`` that meets one-hot rows.

    No copy is made where the weight is laid out with ``(L, A, out)`` contiguous.
    """
    out_features, num_symbols, length = weight.shape
    return weight.transpose(1, 2).reshape(out_features, length * num_symbols)


def one_hot_rows(codes: Tensor, table: Tensor) -> Tensor:
    """Write each code as its row of the table: ``codes (*, L)`` to ``(*, L * A)``."""
    indices = codes if codes.dtype == torch.int64 else codes.int()
    width = codes.shape[-1] * table.shape[1]
    return torch.nn.functional.embedding(indices, table).reshape(*codes.shape[:-1], width)


def check(codes: Tensor, weight: Tensor) -> None:
    """Raise ValueError or TypeError for a shape or dtype that the layer does not take."""
    if weight.dim() != 3:
        raise ValueError(f"weight needs the shape (out, A, L), but has {tuple(weight.shape)}")
    num_symbols, length = weight.shape[1:]
    if codes.is_floating_point():
        if codes.shape[-2:] != (num_symbols, length):
            raise ValueError(
                f"one-hot input needs the shape (*, {num_symbols}, {length}) for this weight, "
                f"but has {tuple(codes.shape)}"
            )
        return
    if codes.dtype not in (torch.uint8, torch.int64):
        raise TypeError(f"codes need the dtype uint8 or int64, but have {codes.dtype}")
    if codes.dim() == 0 or codes.shape[-1] != length:
        raise ValueError(f"codes need the shape (*, {length}), but have {tuple(codes.shape)}")


def table_of(codes: Tensor, weight: Tensor, table: Tensor | None) -> Tensor:
    """What codes stand for, ``(S, A)``, up to the largest code: letters and zeros where none is given.

    Raises:
        ValueError: The table is not one for this weight.
        IndexError: A code has no row.
    """
    num_symbols = weight.shape[1]
    if table is None:
        table = torch.eye(num_symbols + 1, num_symbols, dtype=weight.dtype, device=weight.device)
    elif table.dim() != 2 or table.shape[1] != num_symbols:
        raise ValueError(f"table needs the shape (S, {num_symbols}), but has {tuple(table.shape)}")
    elif table.requires_grad:
        raise ValueError("table is a constant of onehot_linear; pass table.detach()")
    if not readable(codes) or codes.numel() == 0:
        return table
    high = int(codes.max())
    low = int(codes.min()) if codes.dtype == torch.int64 else 0
    if high >= len(table) or low < 0:
        raise IndexError(
            f"codes must lie in [0, {len(table)}), as table has S = {len(table)} rows, "
            f"but the {'largest' if low >= 0 else 'smallest'} is {high if low >= 0 else low}"
        )
    return table[: high + 1]


def _pays(codes: Tensor, outputs: int, table: Tensor) -> bool:
    """Whether the CPU's kernels can take the codes, and do so faster than a product would."""
    *rows, length = codes.shape
    inputs = length * table.shape[1]
    return cpu.takes_codes(codes, len(table)) and cpu.onehot_pays(math.prod(rows), inputs, outputs)


def _bytes(codes: Tensor) -> Tensor:
    """Codes ``(*, L)`` as the CPU's kernels read them: ``(N, L)`` uint8."""
    return _rows(codes).to(torch.uint8).contiguous()


def _rows(tensor: Tensor) -> Tensor:
    """``(*, C)`` as ``(N, C)``; none of it need be there."""
    return tensor.reshape(math.prod(tensor.shape[:-1]), tensor.shape[-1])


class OneHotLinearReverse(Function):
    """``a = x W^T + b`` where x is the one-hot form of the codes; keeps the codes, never x."""

    generate_vmap_rule = True

    @staticmethod
    def forward(codes: Tensor, weight: Tensor, bias: Tensor | None, table: Tensor) -> Tensor:
        """Return ``(*, out)`` for codes ``(*, L)``, weight ``(out, A, L)``, table ``(S, A)``."""
        # linear takes a bias of other shapes too; the kernels read a number for each output
        usual = bias is None or bias.shape == weight.shape[:1]
        if usual and cpu.takes() and _pays(codes, len(weight), table):
            # the kernels read weights laid out (L, A, out); bfloat16 is summed in float32
            major = widen(weight).permute(2, 1, 0).contiguous()
            constants = [None if t is None else widen(t) for t in (bias, table)]
            if cpu.takes(major, *(t for t in constants if t is not None), dtype=major.dtype):
                out = cpu.onehot_value(_bytes(codes), major, constants[0], widen(table))
                return out.reshape(*codes.shape[:-1], len(weight)).to(weight.dtype)
        if usual and gpu.takes(codes, table, weight, *(() if bias is None else (bias,))):
            out = gpu.onehot_value(_rows(codes), weight.permute(2, 1, 0).contiguous(), bias, table)
            return out.reshape(*codes.shape[:-1], len(weight))
        rows = one_hot_rows(codes, table)
        return torch.nn.functional.linear(rows, position_major(weight), bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep the codes (one byte a base) and the table; the weight takes no part."""
        codes, weight, bias, table = inputs
        ctx.weight_shape = weight.shape
        ctx.bias_shape = None if bias is None else bias.shape
        save(ctx, codes, table)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Return dJ/dW and dJ/db, each only where asked for."""
        (grad,) = grad_outputs
        codes, table = ctx.saved_tensors
        out_features, num_symbols, length = ctx.weight_shape
        grad_weight = grad_bias = None
        if grad is None:
            return None, None, None, None
        if ctx.needs_input_grad[1]:
            # dJ/dW[o, a, l] = sum over samples of x[a, l] dJ/da[o]: with x one-hot, the samples
            # that carry letter a at position l
            upstream = _rows(grad)
            wide, wide_table = widen(upstream).contiguous(), widen(table)
            fits = cpu.takes(wide, wide_table, dtype=wide.dtype)
            if fits and _pays(codes, out_features, table):
                major = cpu.onehot_chain(_bytes(codes), wide, wide_table).to(grad.dtype)
            elif gpu.takes(codes, table, upstream):
                major = gpu.onehot_chain(_rows(codes), upstream, table)
            else:
                rows = one_hot_rows(codes, table).reshape(len(upstream), length * num_symbols)
                major = (rows.t() @ upstream).reshape(length, num_symbols, out_features)
            grad_weight = major.permute(2, 1, 0)
        if ctx.needs_input_grad[2]:
            # dJ/db = dJ/da, summed over every sample
            grad_bias = sum_to_shape(grad, ctx.bias_shape)
        return None, grad_weight, grad_bias, None


class OneHotLinear(OneHotLinearReverse):
    """The one-hot linear layer with forward mode."""

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """Return da = x dW^T + db."""
        with forward_rule(ctx) as (codes, table):
            _, d_weight, d_bias, d_table = grad_inputs
            refuse_tangent("onehot_linear", "table", d_table)
            tangent = table.new_zeros((*codes.shape[:-1], ctx.weight_shape[0]))
            if d_weight is not None:
                tangent = tangent + one_hot_rows(codes, table) @ position_major(d_weight).t()
            if d_bias is not None:
                tangent = tangent + d_bias
            return tangent


onehot_linear = FunctionPair(OneHotLinearReverse, OneHotLinear)


def _weight_chain(u: Tensor, codes: Tensor, table: Tensor) -> Tensor:
    # as above, dJ/dW[o, a, l] = sum over samples of x[a, l] dJ/da[o]
    sizes = codes.shape[1], table.shape[1], u.shape[1]
    return (one_hot_rows(codes, table).t() @ u).reshape(sizes).permute(2, 1, 0)


nodes.define_chain("onehot_linear", _weight_chain)


@functools.cache
def letters_and_zero(num_symbols: int) -> Tensor:
    """The table of the letters and one row of zeros, float32; not to be written to."""
    with torch.inference_mode(False):
        return torch.eye(num_symbols + 1, num_symbols, dtype=torch.float32, device="cpu")


def compiled(
    codes: Tensor, weight: Tensor, bias: Tensor | None, table: Tensor | None
) -> Tensor | None:
    """Apply the layer by the library's op, or give None: where it is not for that, or a code has no row.

    It takes codes ``(N, L)``, bytes, and float32 laid out as its kernels read it.
    """
    if not nodes.reachable() or torch.is_autocast_enabled("cpu") or weight.dim() != 3:
        return None
    if table is None:
        table = letters_and_zero(weight.shape[1])
    return nodes.apply("onehot_linear", (codes, weight, bias, table))
