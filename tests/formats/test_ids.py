"""Ids of a stream: all different, the first of equals kept, however the stream is cut."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bionn.formats import ids as module
from bionn.formats.ids import UniqueIds

names = st.sampled_from(["a", "b", "c", "a#2", "a#3", "b#2", "a#2#2"])


@pytest.fixture(autouse=True, scope="module")
def small_filter() -> Iterator[None]:
    """A filter that is quickly made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_WORDS", 1 << 6)
        yield


def one_by_one(ids: list[str]) -> Iterator[str]:
    """``id#n`` with n the number of times that the id stood so far."""
    counts: dict[str, int] = {}
    for name in ids:
        counts[name] = counts.get(name, 0) + 1
        yield name if counts[name] == 1 else f"{name}#{counts[name]}"


@given(st.lists(st.lists(names, max_size=8), max_size=8))
def test_ids_are_all_different_and_the_first_of_equals_is_kept(blocks: list[list[str]]) -> None:
    unique = UniqueIds()
    given_ids = [name for block in blocks for name in block]
    found = [name for block in blocks for name in unique(block)]
    assert len(set(found)) == len(given_ids)
    assert unique.renamed == sum(a != b for a, b in zip(given_ids, found, strict=True))
    for old, new in zip(given_ids, found, strict=True):
        assert new == old or new.startswith(f"{old}#")
    made = {new for old, new in zip(given_ids, found, strict=True) if new != old}
    first = {name: given_ids.index(name) for name in given_ids if name not in made}
    assert all(found[row] == name for name, row in first.items())


@pytest.mark.parametrize("size", [1, 7, 200])
def test_many_blocks_count_as_one_does(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SPILLED", 100)
    monkeypatch.setattr(module, "_FAN", 3)
    rng = np.random.default_rng(0)
    ids = [f"read{n}" for n in rng.integers(0, 300, 400)] + ["same"] * 400
    unique = UniqueIds(tmp_path)
    found = [name for at in range(0, 800, size) for name in unique(ids[at : at + size])]
    assert found == list(one_by_one(ids))
    assert any(isinstance(run, np.memmap) for run in unique._runs)
    assert list(tmp_path.iterdir()) == []


def test_a_full_filter_costs_time_and_no_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WORDS", 2)
    ids = [f"read{n % 700}" for n in range(1000)]
    unique = UniqueIds()
    found = [name for at in range(0, 1000, 50) for name in unique(ids[at : at + 50])]
    assert found == list(one_by_one(ids))
