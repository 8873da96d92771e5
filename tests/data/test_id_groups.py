"""Groups in ids: found where there are some, not where there are none; agreement by brute force."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bionn.data.id_groups import agreement, find_id_groups


@pytest.mark.parametrize(
    ("ids", "number"),
    [
        ([f"{mouse}_{n}" for mouse in range(300, 320) for n in range(1, 6)], 20),
        ([f"p-{d}-s{n}" for d in range(30) for n in range(3)], 30),
        ([f"chr1:{p}_{kind}" for p in range(40) for kind in ("wt", "mut_1")], 40),
        ([f"donor{d}.{n}.rep" for d in range(9) for n in range(4)], 9),
    ],
)
def test_groups_are_found_and_the_pattern_tells_them(ids: list[str], number: int) -> None:
    found = find_id_groups(ids)
    assert found is not None
    assert found.number == number
    groups = [re.search(found.pattern, name).group(1) for name in ids]
    assert len(set(zip(groups, found.labels.tolist(), strict=True))) == len(set(groups)) == number
    one, two = (re.search(found.pattern, name).group(1) for name in found.example)
    assert one == two
    assert found.example[0] != found.example[1]


@pytest.mark.parametrize(
    "ids",
    [
        [f"row{n}" for n in range(100)],
        [f"sample_{n}" for n in range(100)],
        [f"{kind}_{n}" for kind in ("case", "control") for n in range(50)],
        [f"g{n}_{n}" for n in range(100)],
        [f"{n // 2}_a" if n else "odd" for n in range(100)],
        ["seq", *(f"seq#{n}" for n in range(2, 100))],
        [],
    ],
)
def test_ids_without_groups_have_none(ids: list[str]) -> None:
    assert find_id_groups(ids) is None


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=2, max_size=25))
def test_agreement_is_that_of_all_pairs(rows: list[tuple[int, int]]) -> None:
    labels, classes = np.array(rows).T
    every = [
        (labels[a] == labels[b], classes[a] == classes[b])
        for a, b in combinations(range(len(rows)), 2)
    ]
    within = [same for together, same in every if together]
    expected = (np.mean(within) if within else 0.0, np.mean([same for _, same in every]))
    assert agreement(labels, classes) == pytest.approx(expected)
