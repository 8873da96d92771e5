"""What stays together: chromosomes, families of alike sequences, groups left out, repeated folds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from Bio.Seq import reverse_complement

from bionn.data.reading import read_samples
from bionn.data.samples import DataOptions
from bionn.data.splits import make_splits
from bionn.data.targets import find_targets
from bionn.errors import FormatError
from tests.support.mutants import families, random_sequence
from tests.support.refusals import refused
from tests.support.split_sets import PARTS, assert_partition, data, rng, sequences, splits_of


def on_chromosomes() -> pd.DataFrame:
    """Forty rows on each of ten chromosomes."""
    return data(400).assign(group=[f"chr{1 + row % 10}" for row in range(400)])


@pytest.mark.parametrize("folds", [None, 5])
def test_a_chromosome_split_keeps_whole_chromosomes(folds: int | None) -> None:
    frame = on_chromosomes()
    splits, *_ = splits_of(frame, split="chromosome", group_column="group", folds=folds)
    for split in splits:
        assert_partition(split, 400)
        parts = pd.Series(split.parts(400))
        assert (parts.groupby(frame["group"]).nunique() == 1).all()
        assert "by chromosome" in split.name


@pytest.mark.parametrize(
    ("named", "sizes"),
    [
        ({"test_chromosomes": ["chr8"], "val_chromosomes": ["chr9", "chr10"]}, [280, 80, 40]),
        ({"test_chromosomes": ["chr8"]}, [320, 40, 40]),
        ({"val_chromosomes": ["chr8", "chr2"]}, [280, 80, 40]),
    ],
)
def test_named_chromosomes_go_to_their_parts(named: dict[str, Any], sizes: list[int]) -> None:
    frame = on_chromosomes()
    (split,), *_ = splits_of(frame, group_column="group", **named)
    assert_partition(split, 400)
    assert [len(getattr(split, part)) for part in PARTS] == sizes
    held = {part: set(frame["group"].iloc[getattr(split, part)]) for part in PARTS}
    assert sum(map(len, held.values())) == 10
    for option, chromosomes in named.items():
        assert held[option.removesuffix("_chromosomes")] == set(chromosomes)
    found = {part: set(names) for part, names in split.facts["chromosomes"].items()}
    assert found == held


def test_a_group_column_of_chromosomes_is_a_group_column() -> None:
    by = {"group_column": "group", "seed": 2}
    (one,), *_ = splits_of(on_chromosomes(), split="chromosome", **by)
    (two,), *_ = splits_of(on_chromosomes(), split="group", **by)
    assert one.parts(400) == two.parts(400)


def test_leave_one_group_out_tests_each_group_in_its_natural_order() -> None:
    frame = on_chromosomes()
    splits, *_ = splits_of(frame, split="leave-one-group-out", group_column="group")
    assert len(splits) == 10
    for number, split in enumerate(splits):
        assert_partition(split, 400)
        assert set(frame["group"].iloc[split.test]) == {f"chr{number + 1}"}
        assert set(frame["group"].iloc[split.val]) == {f"chr{(number + 1) % 10 + 1}"}
        assert split.facts["folds"][number] == f"chr{number + 1}"


@pytest.mark.parametrize("kind", ["random", "stratified", "group"])
def test_repeated_folds_test_each_row_once_a_repetition_and_differ(kind: str) -> None:
    options = {"group_column": "group"} if kind == "group" else {}
    splits, *_ = splits_of(data(), split=kind, folds=4, repeats=3, **options)
    assert [split.repeat for split in splits] == [0] * 4 + [1] * 4 + [2] * 4
    held = []
    for repeat in range(3):
        tested = [split.test for split in splits if split.repeat == repeat]
        np.testing.assert_array_equal(np.sort(np.concatenate(tested)), np.arange(100))
        held.append([rows.tolist() for rows in tested])
    assert held[0] != held[1] != held[2]
    once, *_ = splits_of(data(), split=kind, folds=4, **options)
    assert [split.test.tolist() for split in once] == held[0]


def relatives(**columns: Any) -> tuple[pd.DataFrame, np.ndarray]:
    """Twenty families of five alike sequences on both strands and 200 lone ones; which is which."""
    texts, owner = families(rng(0), 20, 5, 80, 6)
    texts += [random_sequence(rng(1000 + n), 80) for n in range(200)]
    frame = pd.DataFrame({"sequence": texts, "label": [("a", "b")[n % 2] for n in range(300)]})
    return frame.assign(**columns), np.append(owner, 20 + np.arange(200))


@pytest.mark.parametrize("folds", [None, 5])
def test_a_homology_split_keeps_families_whole_and_classes_even(folds: int | None) -> None:
    frame, owner = relatives()
    splits, *_ = splits_of(frame, features=None, split="homology", folds=folds)
    for split in splits:
        assert_partition(split, 300)
        parts = np.array(split.parts(300))
        assert all(len(set(parts[owner == family])) == 1 for family in range(20))
        assert abs((frame["label"].to_numpy()[split.test] == "a").mean() - 0.5) < 0.12
        assert split.facts["families"] == 220
        assert split.name.endswith("by homology, stratified by class")
    if folds is None:
        assert (
            np.abs(np.array([len(getattr(splits[0], p)) for p in PARTS]) - [240, 30, 30]).max() < 4
        )


def test_the_identity_decides_what_is_homologous() -> None:
    frame, _ = relatives()
    found = [
        splits_of(frame, features=None, split="homology", identity=identity)[0][0].facts["families"]
        for identity in (0.8, 0.99)
    ]
    assert found[0] == 220 < found[1]


def test_families_and_groups_together_keep_both_whole() -> None:
    groups = [f"g{n if n < 100 else n // 4}" for n in range(300)]
    groups[100:104] = groups[:4]  # four rows of families and four others
    frame, owner = relatives(group=groups)
    (split,), *_ = splits_of(frame, features=None, split="homology", group_column="group")
    parts = pd.Series(split.parts(300))
    assert (parts.groupby(frame["group"]).nunique() == 1).all()
    assert (parts[owner < 20].groupby(owner[owner < 20]).nunique() == 1).all()


def test_reverse_complements_stay_together_in_dna() -> None:
    frame = sequences(60, 2)
    second = frame["sequence"].str.upper().duplicated()
    frame.loc[second, "sequence"] = [reverse_complement(t) for t in frame["sequence"][second]]
    (split,), *_ = splits_of(frame, features=None)
    parts = pd.Series(split.parts(120))
    one_strand = [min(t.upper(), reverse_complement(t.upper())) for t in frame["sequence"]]
    assert (parts.groupby(one_strand).nunique() == 1).all()
    assert split.name == "stratified by class, equal sequences together"
    (split,), *_ = splits_of(frame, features=None, alphabet="rna")
    assert split.name == "stratified by class"


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"split": "chromosome"}, "chromosome needs ids as chr1:100-200"),
        ({"split": "homology"}, "homology needs sequences"),
        ({"split": "leave-one-group-out"}, "leave-one-group-out needs group-column"),
        ({"split": "group", "test_chromosomes": ["g1"]}, "chromosome needed"),
        ({"group_column": "group", "test_chromosomes": ["g11"]}, "no sample is on 'g11' (did you"),
        (
            {"group_column": "group", "test_chromosomes": ["g1"], "val_chromosomes": ["g1"]},
            "'g1' is in val-chromosomes too",
        ),
        ({"group_column": "group", "test_chromosomes": ["g1"], "folds": 3}, "test-chromosomes"),
        ({"group_column": "group", "split": "leave-one-group-out", "folds": 3}, "its own folds"),
        ({"repeats": 2}, "together with folds needed, 2 found"),
        ({"repeats": 0, "folds": 3}, "0 found"),
    ],
)
def test_further_splits_that_cannot_be_made_are_refused(
    options: dict[str, Any], found: str
) -> None:
    with refused(found):
        splits_of(data(), **options)


def test_sequences_that_are_all_alike_cannot_be_split_by_homology() -> None:
    texts, _ = families(rng(0), 2, 30, 60, 3)
    frame = pd.DataFrame({"sequence": texts, "label": ["a", "b"] * 30})
    with refused("homology at identity 0.8: 3 families or more needed, 2 found", "raise identity"):
        splits_of(frame, features=None, split="homology")


def test_too_few_groups_to_leave_one_out_are_refused() -> None:
    frame = data().assign(group=["a", "b"] * 50)
    with refused("at least 3 groups, 2 found"):
        splits_of(frame, split="leave-one-group-out", group_column="group")


def test_a_sample_without_a_chromosome_is_refused_with_its_line(tmp_path: Any) -> None:
    path = tmp_path / "a.csv"
    data(30).assign(id=[f"r{n}" for n in range(30)]).to_csv(path, index=False)
    options = DataOptions(target="label", features=["x"], split="chromosome")
    samples, targets = find_targets(read_samples(path, options), options)
    chromosomes = [f"chr{1 + n % 4}" if n != 12 else "" for n in range(30)]
    table = samples.table.assign(chromosome=chromosomes)
    with refused(f"{path}:14: id 'r12': a chromosome needed, none found", kind=FormatError):
        make_splits(replace(samples, table=table), targets, options)
    table["chromosome"] = table["chromosome"].replace("", "chr9")
    (split,) = make_splits(replace(samples, table=table), targets, options)
    assert (pd.Series(split.parts(30)).groupby(table["chromosome"]).nunique() == 1).all()


@pytest.mark.parametrize("kind", ["homology", "chromosome", "leave-one-group-out"])
def test_the_other_splits_are_decided_by_the_seed_alone(kind: str) -> None:
    frame, _ = relatives(group=[f"chr{1 + n % 12}" for n in range(300)])
    by = {} if kind == "homology" else {"group_column": "group"}
    one, two, other = (
        [split.parts(300) for split in splits_of(frame, features=None, split=kind, seed=s, **by)[0]]
        for s in (1, 1, 2)
    )
    assert one == two
    assert (one == other) == (kind == "leave-one-group-out")
