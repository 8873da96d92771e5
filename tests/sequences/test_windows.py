"""Sliding windows against slices of the whole sequences, however these come in pieces."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bionn.sequences.windows import WindowCutter, Windows
from tests.support.refusals import refused

sizes, strides = st.integers(1, 7), st.integers(1, 9)


def sliced(length: int, size: int, stride: int) -> list[tuple[int, int]]:
    """Start and end of each window, found one by one."""
    if length < size:
        return [(0, length)]
    spans = []
    start = 0
    while start + size <= length:
        spans.append((start, start + size))
        start += stride
    if spans[-1][1] != length:
        spans.append((length - size, length))
    return spans


@given(st.lists(st.integers(1, 30), min_size=1, max_size=5), sizes, strides, st.data())
def test_windows_equal_slices_whatever_the_pieces(
    lengths: list[int], size: int, stride: int, data: st.DataObject
) -> None:
    codes = np.arange(sum(lengths), dtype=np.uint8)
    ends = np.cumsum(lengths)
    sequences = np.split(codes, ends[:-1])
    cuts = data.draw(st.sets(st.integers(1, max(len(codes) - 1, 1)))) - {len(codes)}
    cutter, found, number, last = WindowCutter(Windows(size, stride)), [], 0, 0
    for cut in [*sorted(cuts), len(codes)]:
        inner = [int(end) for end in ends if last < end < cut]
        pieces = np.diff([last, *inner, cut])
        continues, unfinished = last > 0 and last not in ends, cut not in ends
        number += last > 0 and not continues
        windows = cutter.cut(codes[last:cut], pieces, continues=continues, unfinished=unfinished)
        flat = np.split(windows.flat_codes(), np.cumsum(windows.lengths)[:-1])
        for row, sequence in enumerate(windows.sequences.tolist()):
            found.append((number + sequence, int(windows.starts[row]), flat[row].tolist()))
        number, last = number + len(inner), cut
    expected = [
        (number, start, sequence[start:end].tolist())
        for number, sequence in enumerate(sequences)
        for start, end in sliced(len(sequence), size, stride)
    ]
    assert found == expected


@given(st.integers(1, 200), sizes, strides)
def test_windows_that_overlap_or_touch_leave_no_position_out(
    length: int, size: int, stride: int
) -> None:
    cut = WindowCutter(Windows(size, min(stride, size))).cut(np.zeros(length, np.uint8), [length])
    covered = np.zeros(length, dtype=bool)
    for start, width in zip(cut.starts, cut.lengths, strict=True):
        covered[start : start + width] = True
    assert covered.all()
    assert (np.diff(cut.starts) > 0).all()


def test_a_window_or_stride_below_one_is_refused() -> None:
    with refused("window", "1", "0"):
        Windows(0, 1)
    with refused("stride", "1", "-2"):
        Windows(4, -2)
