"""One-hot columns: the rows of the code table, letters before positions."""

from __future__ import annotations

import numpy as np
import torch

from bionn.sequences.alphabet import DNA
from bionn.sequences.onehot import one_hot


def test_one_hot_holds_the_row_of_each_code() -> None:
    codes = DNA.encode(["ACGTNRY", "TTTTXWS"])
    table = DNA.code_table(unknown="uniform")
    columns = one_hot(torch.from_numpy(codes), torch.from_numpy(table))
    assert columns.shape == (2, 4, 7)
    assert columns.is_contiguous()
    for row, position in np.ndindex(*codes.shape):
        np.testing.assert_array_equal(columns[row, :, position], table[codes[row, position]])


def test_one_hot_of_letters_is_that_of_torch() -> None:
    codes = torch.arange(4).repeat(3, 2)
    truth = torch.nn.functional.one_hot(codes, 4).transpose(1, 2).float()
    torch.testing.assert_close(one_hot(codes, torch.eye(4)), truth, rtol=0, atol=0)
