"""Options that would be passed over in silence are refused in one line that says what to do."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bionn.data.reading import read_samples
from bionn.data.samples import DataOptions
from bionn.data.targets import find_targets
from tests.support.refusals import refused
from tests.support.split_sets import data, splits_of

Write = Callable[[str, str], Path]


@pytest.mark.parametrize("orient", ["samples", "genes"])
def test_records_have_no_rows_to_turn(orient: str, write: Write) -> None:
    files = [write("a.fa", ">x\nAC\n"), write("b.fa", ">y\nGT\n")]
    assert read_samples(files, DataOptions(orient="auto")).ids == ["x", "y"]
    with refused("orient: for tables only, FASTA files found; leave it out"):
        read_samples(files, DataOptions(orient=orient))


def test_a_table_has_no_headers_to_search(write: Write) -> None:
    table = write("t.csv", "id,dna,label\n" + "".join(f"s{n},ACGT,{n % 2}\n" for n in range(6)))
    with refused("label-pattern: for the headers of FASTA files only", str(table), "with target"):
        read_samples(table, DataOptions(target="label", label_pattern="(?P<label>[01])"))


def test_ids_are_found_in_headers_by_a_rule_and_in_tables_by_a_column(write: Write) -> None:
    table = write("t.csv", "id,dna,label\n" + "".join(f"s{n},ACGT,{n % 2}\n" for n in range(6)))
    with refused("id: for the headers of FASTA files only", str(table), "with id-column"):
        read_samples(table, DataOptions(target="label", id_rule="full"))
    files = [write("a.fa", ">x\nAC\n"), write("b.fa", ">y\nGT\n")]
    with refused("id-column: for tables only, FASTA files found; leave it out"):
        read_samples(files, DataOptions(id_column="name"))


def test_an_effect_of_batches_needs_their_column() -> None:
    frame = pd.DataFrame({"g": [0.0, 1, 2], "y": [1.5, 2.5, 0.5], "lab": list("aba")})
    options = DataOptions(target="y", batch_effect="center", batch_column="lab")
    assert read_samples(frame, options).column("batch") == list("aba")
    with refused("batch-effect: a column of batches needed; name it with batch-column"):
        read_samples(frame, DataOptions(target="y", batch_effect="center"))


@pytest.mark.parametrize("split", [None, "random", "stratified"])
def test_identity_is_that_of_a_homology_split(split: str | None) -> None:
    with refused("identity: for a homology split only", "add split homology"):
        splits_of(data(), split=split, identity=0.9)


def samples_with(**columns: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame({"g": [float(n * n) for n in range(9)], "y": [n / 7 for n in range(9)]})
    return frame.assign(**columns)


def test_every_row_is_of_a_batch_that_others_are_of_too() -> None:
    options = DataOptions(target="y", features=["g"], batch_column="lab")
    with refused("<table>, row 4: batch-column: a batch needed, an empty cell found"):
        read_samples(samples_with(lab=["a", "b", "a", "", *"ababa"]), options)
    with refused("batch-column: batches of several rows needed, 9 different ones in 9 rows"):
        read_samples(samples_with(lab=[f"u{n}" for n in range(9)]), options)


def test_classes_are_predicted_one_column_at_a_time() -> None:
    frame = samples_with(kind=list("abcabcabc"))
    options = DataOptions(target=["y", "kind"], features=["g"])
    with refused("target: several targets are numbers, 'kind' holds classes ('a', ...)"):
        find_targets(read_samples(frame, options), options)


def test_samples_that_were_read_as_genes_are_told(write: Write) -> None:
    path = write("t.csv", samples_with().to_csv(index=False))
    with refused("no column 'y'", "if rows are samples: orient samples"):
        read_samples(path, DataOptions(target="y", orient="genes"))


def test_a_pattern_beside_a_sample_sheet_must_have_a_part_to_play(write: Write) -> None:
    text = "".join(f">s{n} label={'ab'[n % 2]} fold:{n % 3}\nACGT\n" for n in range(6))
    fasta = write("a.fa", text)
    sheet = write("sheet.csv", "id,y\n" + "".join(f"s{n},{n}\n" for n in range(6)))
    idle = DataOptions(labels=sheet, label_pattern=r"label=(?P<label>\S+)")
    with refused("label-pattern: not together with labels", "(label found)"):
        read_samples(fasta, idle)
    used = DataOptions(labels=sheet, label_pattern=r"fold:(?P<fold>\d)", fold_column="fold")
    assert read_samples(fasta, used).column("fold") == ["0", "1", "2"] * 2


def test_a_pipe_is_no_training_data(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for inputs, labels in ((pipe, None), ("-", None), (tmp_path / "a.fa", pipe)):
        (tmp_path / "a.fa").write_text(">x\nAC\n")
        with refused("a file needed", "a pipe found; write it to a file first"):
            read_samples(inputs, DataOptions(labels=labels))


def test_a_chromosome_is_left_to_train_on() -> None:
    frame = pd.DataFrame(
        {
            "chromosome": [f"chr{n % 3}" for n in range(30)],
            "sequence": ["".join("ACGT"[(n * k) % 4] for k in range(1, 13)) for n in range(30)],
            "label": list("ab") * 15,
        }
    )
    options = {"features": None, "split": "chromosome", "group_column": "chromosome"}
    with refused("chromosomes to train on needed, all 3 are named"):
        splits_of(frame, **options, test_chromosomes=["chr0", "chr1", "chr2"])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"impute": "error"}, "impute: for numeric features only, sequences found"),
        ({"top_genes": 5}, "top-genes: for numeric features only, sequences found"),
        (
            {"align": "centre"},
            "align: one of left, center, right needed, 'centre' found (did you mean",
        ),
        ({"unknown": "none"}, "unknown: one of zero, uniform, error needed, 'none' found"),
        ({"iupac": "half"}, "iupac: one of expand, unknown, error needed, 'half' found"),
        ({"encoding": "kmer:0"}, "encoding: K from 1 on needed, 'kmer:0' found"),
        ({"encoding": "kmer:2,canonical", "alphabet": "protein"}, "dna or rna alphabet needed"),
        ({"both_strands": True, "alphabet": "protein"}, "dna or rna alphabet needed"),
    ],
)
def test_what_sequences_cannot_follow_is_refused_when_they_are_read(
    options: dict[str, Any], says: str, write: Write
) -> None:
    files = [write("a.fa", ">x\nAC\n"), write("b.fa", ">y\nGT\n")]
    with refused(says):
        read_samples(files, DataOptions(**options))


@pytest.mark.parametrize(
    ("name", "value"),
    [("encoding", "kmer:2"), ("both_strands", True), ("align", "left"), ("impute", "mean")],
)
def test_what_features_cannot_follow_is_refused_when_they_are_read(name: str, value: Any) -> None:
    options = DataOptions(target="y", features=["g"], **{name: value})
    with refused(f"{name.replace('_', '-')}: "):
        read_samples(samples_with(), options)


def test_classes_and_transforms_are_for_the_kind_of_target_that_has_them() -> None:
    read = read_samples(samples_with(), DataOptions(target="y", features=["g"]))
    with refused("classes: a regression has none; leave them out"):
        find_targets(read, DataOptions(target="y", task="regression", classes=["1"]))
    kinds = samples_with(kind=list("abcabcabc"))
    options = DataOptions(target="kind", features=["g"], target_transform="log1p")
    with refused("target-transform: for numbers only, classes found; leave it out"):
        find_targets(read_samples(kinds, options), options)


PARTS = ["train", "val", "test"] * 3


@pytest.mark.parametrize(
    "given",
    [
        {"split_column": "part"},
        {"fold_column": "fold"},
        {"folds": 3},
        {"split": "leave-one-group-out", "group_column": "fold"},
    ],
)
def test_shares_are_for_parts_that_are_cut(given: dict[str, Any]) -> None:
    frame = samples_with(part=PARTS, fold=list("012012012"))
    splits_of(frame, target="y", features=["g"], fractions=[0.8, 0.1, 0.1], **given)
    with refused("fractions: parts to be cut needed", "leave fractions out"):
        splits_of(frame, target="y", features=["g"], fractions=(0.6, 0.2, 0.2), **given)
    if "folds" not in given and "split" not in given:
        splits_of(frame, target="y", features=["g"], split="stratified", **given)
        with refused("split: parts to be made needed", "beside 'random'"):
            splits_of(frame, target="y", features=["g"], split="random", **given)


def test_shares_cut_the_validation_rows_that_a_column_lacks() -> None:
    frame = samples_with(part=["train"] * 6 + ["test"] * 3)
    options = {"target": "y", "features": ["g"], "split_column": "part", "split": "random"}
    (split,), _, _ = splits_of(frame, fractions=(0.5, 0.5, 0.5), **options)
    assert len(split.train) == len(split.val) == 3
