"""Two bits a base: what goes in comes out, in a quarter of the bytes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bionn.sequences import twobit
from bionn.sequences.twobit import TwoBitCodes


def draw(samples: int, length: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(4, (samples, length), generator=generator, dtype=torch.uint8)


@given(st.integers(0, 6), st.integers(0, 13), st.lists(st.integers(0, 5), max_size=9))
def test_rows_come_out_as_they_went_in(samples: int, length: int, picked: list[int]) -> None:
    codes = draw(samples, length, seed=samples)
    packed = TwoBitCodes.pack(codes)
    assert packed.shape == codes.shape
    assert len(packed) == samples
    assert packed.nbytes == samples * -(-length // 4)
    rows = torch.tensor([row for row in picked if row < samples], dtype=torch.int64)
    assert torch.equal(packed[rows], codes[rows])
    assert torch.equal(packed[1:3], codes[1:3])
    some = packed.index_select(0, rows)
    assert torch.equal(some[:], codes[rows])
    assert torch.equal(some.to(torch.device("cpu"))[:], codes[rows])
    assert packed[rows].is_contiguous()


def test_blocks_are_packed_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = draw(37, 11)
    whole = TwoBitCodes.pack(codes)
    monkeypatch.setattr(twobit, "BLOCK", 25)
    assert torch.equal(TwoBitCodes.pack(codes).packed, whole.packed)
    assert torch.equal(TwoBitCodes.pack(codes.long()).packed, whole.packed)


@pytest.mark.parametrize("code", [4, 255, -1])
def test_a_fifth_code_does_not_fit(code: int) -> None:
    codes = draw(5, 9).long()
    codes[3, 7] = code
    with pytest.raises(ValueError, match="codes from 0 to 3"):
        TwoBitCodes.pack(codes)
