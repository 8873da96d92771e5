"""The one-hot linear layer on a GPU, in Triton: codes become one-hot tiles in front of tensor cores.

A weight ``(L, A, H)`` is read as a matrix ``(K, H)``, K = L A. No tile of the one-hot form leaves the
registers. float32 is multiplied as three bfloat16 parts of 8 bits each, which hold its 24 bits
exactly: ``w = high + middle + low``. A tile of letters holds zeros and ones, so that each of three
products is exact and only their sums are rounded, in float32, as an ordinary product's are. Where a
symbol stands for what is not exact in bfloat16, as 1/3 of three letters, the tile is split as well,
which makes six products; those of parts below 2^-24 are left out.

Imports Triton: :mod:`bionn.kernels.gpu` asks first whether it is there.
"""

# pyright: reportArgumentType=false, reportInvalidTypeForm=false
# (Triton makes constexprs of the numbers given for them)
from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _one_hot(codes, table, row, column, samples, length, symbols, LETTERS: tl.constexpr):
    """Entries of the one-hot matrix ``(N, K)`` at rows and columns that broadcast; 0 outside of it."""
    position = column // LETTERS
    inside = (row < samples) & (position < length)
    code = tl.load(codes + row.to(tl.int64) * length + position, mask=inside, other=0)
    known = inside & (code >= 0) & (code < symbols)
    entry = code.to(tl.int32) * LETTERS + column % LETTERS
    return tl.load(table + entry, mask=known, other=0.0)


@triton.jit
def _parts(x):
    """``x = high + middle + low``, each exact in bfloat16."""
    high = x.to(tl.bfloat16).to(tl.float32)
    middle = (x - high).to(tl.bfloat16).to(tl.float32)
    return high, middle, x - high - middle


@triton.jit
def _add_product(
    x, y, total, PRODUCTS: tl.constexpr, PRECISION: tl.constexpr, FACTOR: tl.constexpr
):
    """``total + x @ y`` by one product of both as they are, three (y in parts) or six (x too)."""
    if PRODUCTS == 1:
        total = tl.dot(x.to(FACTOR), y.to(FACTOR), total, input_precision=PRECISION)
    else:
        high, middle, low = _parts(y)
        if PRODUCTS == 6:
            x, x_middle, x_low = _parts(x)
            total = tl.dot(x_low.to(FACTOR), high.to(FACTOR), total)
            total = tl.dot(x_middle.to(FACTOR), middle.to(FACTOR), total)
            total = tl.dot(x_middle.to(FACTOR), high.to(FACTOR), total)
        total = tl.dot(x.to(FACTOR), low.to(FACTOR), total)
        total = tl.dot(x.to(FACTOR), middle.to(FACTOR), total)
        total = tl.dot(x.to(FACTOR), high.to(FACTOR), total)
    return total


@triton.jit
def _is_short(table, entries, TABLE: tl.constexpr):
    """Whether each entry of the table is exact in bfloat16, as 0, 1, 1/2 and 1/4 are, and 1/3 is not."""
    index = tl.arange(0, TABLE)
    entry = tl.load(table + index, mask=index < entries, other=0.0).to(tl.float32)
    return tl.max(tl.abs(entry - entry.to(tl.bfloat16).to(tl.float32))) == 0


@triton.jit
def _value_tile(
    codes, weight, table, row, unit, samples, length, units, symbols,
    LETTERS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, UNITS: tl.constexpr,
    PRODUCTS: tl.constexpr, PRECISION: tl.constexpr, FACTOR: tl.constexpr,
):  # fmt: skip
    """The sums over all columns of one-hot rows times weights: ``(ROWS, UNITS)``."""
    total = tl.zeros((ROWS, UNITS), tl.float32)
    for first in range(0, length * LETTERS, COLUMNS):
        column = first + tl.arange(0, COLUMNS)
        x = _one_hot(codes, table, row[:, None], column[None, :], samples, length, symbols, LETTERS)
        inside = (column[:, None] < length * LETTERS) & (unit[None, :] < units)
        w = tl.load(weight + column[:, None] * units + unit[None, :], mask=inside, other=0.0)
        total = _add_product(x, w, total, PRODUCTS, PRECISION, FACTOR)
    return total


@triton.jit
def onehot_value(
    codes, weight, bias, table, out, samples, length, units, symbols,
    LETTERS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, UNITS: tl.constexpr,
    TABLE: tl.constexpr, SPLIT: tl.constexpr, PRECISION: tl.constexpr, FACTOR: tl.constexpr,
    BIAS: tl.constexpr,
):  # fmt: skip
    """A tile of ``out (N, H)`` from codes ``(N, L)``, weight ``(L, A, H)``, table ``(S, A)``."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    unit = tl.program_id(1) * UNITS + tl.arange(0, UNITS)
    if SPLIT:
        if _is_short(table, symbols * LETTERS, TABLE):
            total = _value_tile(
                codes, weight, table, row, unit, samples, length, units, symbols,
                LETTERS, ROWS, COLUMNS, UNITS, 3, PRECISION, FACTOR,
            )  # fmt: skip
        else:
            total = _value_tile(
                codes, weight, table, row, unit, samples, length, units, symbols,
                LETTERS, ROWS, COLUMNS, UNITS, 6, PRECISION, FACTOR,
            )  # fmt: skip
    else:
        total = _value_tile(
            codes, weight, table, row, unit, samples, length, units, symbols,
            LETTERS, ROWS, COLUMNS, UNITS, 1, PRECISION, FACTOR,
        )  # fmt: skip
    if BIAS:
        total += tl.load(bias + unit, mask=unit < units, other=0.0).to(tl.float32)[None, :]
    inside = (row[:, None] < samples) & (unit[None, :] < units)
    tl.store(out + row.to(tl.int64)[:, None] * units + unit[None, :], total, mask=inside)


@triton.jit
def _chain_tile(
    codes, upstream, table, column, unit, begin, end, length, units, symbols,
    LETTERS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, UNITS: tl.constexpr,
    PRODUCTS: tl.constexpr, PRECISION: tl.constexpr, FACTOR: tl.constexpr,
):  # fmt: skip
    """Sums over the samples from begin to end, one-hot columns times upstream: ``(COLUMNS, UNITS)``."""
    total = tl.zeros((COLUMNS, UNITS), tl.float32)
    for first in range(begin, end, ROWS):
        row = first + tl.arange(0, ROWS)
        x = _one_hot(codes, table, row[None, :], column[:, None], end, length, symbols, LETTERS)
        inside = (row[:, None] < end) & (unit[None, :] < units)
        u = tl.load(
            upstream + row.to(tl.int64)[:, None] * units + unit[None, :], mask=inside, other=0.0
        )
        total = _add_product(x, u, total, PRODUCTS, PRECISION, FACTOR)
    return total


@triton.jit
def onehot_chain(
    codes, upstream, table, gradient, samples, length, units, symbols, share,
    LETTERS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, UNITS: tl.constexpr,
    TABLE: tl.constexpr, SPLIT: tl.constexpr, PRECISION: tl.constexpr, FACTOR: tl.constexpr,
):  # fmt: skip
    """A tile of ``gradient (P, L, A, H)``, whose sum over P parts is dJ/dW, upstream ``(N, H)``.

    Each part sums its own share of the samples in their order, and no two programs write to one
    place: there is nothing atomic, and the same bits come out each time.
    """
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    unit = tl.program_id(1) * UNITS + tl.arange(0, UNITS)
    part = tl.program_id(2)
    begin = part * share
    end = tl.minimum(begin + share, samples)
    if SPLIT:
        if _is_short(table, symbols * LETTERS, TABLE):
            total = _chain_tile(
                codes, upstream, table, column, unit, begin, end, length, units, symbols,
                LETTERS, ROWS, COLUMNS, UNITS, 3, PRECISION, FACTOR,
            )  # fmt: skip
        else:
            total = _chain_tile(
                codes, upstream, table, column, unit, begin, end, length, units, symbols,
                LETTERS, ROWS, COLUMNS, UNITS, 6, PRECISION, FACTOR,
            )  # fmt: skip
    else:
        total = _chain_tile(
            codes, upstream, table, column, unit, begin, end, length, units, symbols,
            LETTERS, ROWS, COLUMNS, UNITS, 1, PRECISION, FACTOR,
        )  # fmt: skip
    columns = length * LETTERS
    inside = (column[:, None] < columns) & (unit[None, :] < units)
    place = (part.to(tl.int64) * columns + column[:, None]) * units + unit[None, :]
    tl.store(gradient + place, total, mask=inside)
