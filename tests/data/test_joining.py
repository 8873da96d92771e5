"""Joining by id: each record meets its label exactly once, or the id and its lines are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from bionn.data.reading import read_samples
from bionn.data.samples import DataOptions, Samples, Source
from bionn.data.targets import find_targets
from bionn.errors import FormatError
from tests.support.refusals import refused

Write = Callable[[str, str | bytes], Path]
FASTA = ">a one\nACGT\n>b\nGG\nGG\n>c two\nTTTT\n"
LABELS = "id,label,batch\nc,0,x\na,1,y\nb,0,x\n"


def read(inputs: Source, labels: Source, **options: Any) -> Samples:
    return read_samples(inputs, DataOptions(labels=labels, **options))


def test_records_meet_their_labels_whatever_the_order(write: Write) -> None:
    fasta, labels = write("a.fa", FASTA), write("labels.csv", LABELS)
    samples = read(fasta, labels, group_column="batch")
    assert samples.ids == ["a", "b", "c"]
    assert samples.targets["label"].tolist() == ["1", "0", "0"]
    assert samples.column("group") == ["y", "x", "x"]
    assert samples.where(1) == f"{fasta}:3"
    assert samples.where(1, "target") == samples.where(1, "group") == f"{labels}:4"


def test_a_sample_sheet_joins_expression_and_leaves_its_target_out_of_the_features() -> None:
    expression = pd.DataFrame({"sample": list("abc"), "g1": [1.0, 2, 3], "label": [9.0, 9, 9]})
    sheet = pd.DataFrame({"who": list("cba"), "label": [30, 20, 10]})
    samples = read(expression, sheet, target="label")
    assert samples.features is not None
    assert list(samples.features) == ["g1"]
    assert samples.targets["label"].tolist() == ["10", "20", "30"]


def test_ids_are_matched_by_the_whole_header_where_asked(write: Write) -> None:
    labels = write("labels.csv", "title,label\na one,1\nb,0\nc two,0\n")
    samples = read(write("a.fa", FASTA), labels, id_rule="full", target="label")
    assert samples.ids == ["a one", "b", "c two"]


def test_what_has_no_partner_is_counted_and_listed_on_both_sides(write: Write) -> None:
    fasta = write("a.fa", FASTA + ">d\nAC\n>e\nAC\n")
    labels = write("labels.csv", LABELS + "z,1,x\n")
    facts = ["2 records without a label (d, e)", "1 label without a record (z)"]
    with refused(labels, *facts, "allow-missing"):
        read(fasta, labels)
    samples = read(fasta, labels, allow_missing=True, target="label")
    assert samples.ids == ["a", "b", "c"]
    for fact in facts:
        assert any("left out" in note and fact in note for note in samples.notes)


def test_files_without_a_common_id_show_an_id_of_each(write: Write) -> None:
    labels = write("labels.csv", "id,label\nx,1\ny,0\n")
    for allow in (False, True):
        with refused(labels, "'a'", "'x'", "id-column"):
            read(write("a.fa", FASTA), labels, allow_missing=allow)


def test_an_id_twice_among_the_labels_is_told_with_both_lines(write: Write) -> None:
    labels = write("labels.csv", "id,label\na,1\n\nb,0\nb#2,0\nc,0\nb,1\n")
    with refused(f"{labels}:7: ", "'b'", "line 4", kind=FormatError):
        read(write("a.fa", FASTA), labels)


def test_an_id_twice_in_fasta_is_told_with_both_lines_when_joining(write: Write) -> None:
    fasta = write("a.fa", FASTA + ">b again\nACGT\n")
    with refused(f"{fasta}:8: ", "'b'", "line 3", kind=FormatError):
        read(fasta, write("labels.csv", LABELS))


def test_an_id_in_two_fasta_files_is_told_when_joining(write: Write) -> None:
    first, second = write("a.fa", FASTA), write("b.fa", ">d\nA\n>c\nT\n")
    options = DataOptions(labels=write("labels.csv", LABELS))
    with refused(f"{second}:3: ", "'c'", kind=FormatError):
        read_samples([first, second], options)


def test_an_empty_id_among_the_labels_is_told_with_its_line(write: Write) -> None:
    labels = write("labels.csv", "id,label\na,1\n,0\n,0\n")
    with refused(f"{labels}:3: ", "'id'", kind=FormatError):
        read(write("a.fa", FASTA), labels)


@pytest.mark.parametrize("option", ["target", "id_column", "split_column", "group_column"])
def test_an_absent_column_of_the_labels_offers_the_nearest(write: Write, option: str) -> None:
    labels = write("labels.csv", LABELS)
    with refused(labels, "'bach'", "did you mean 'batch'"):
        read(write("a.fa", FASTA), labels, **({"target": "label"} | {option: "bach"}))


@pytest.mark.parametrize(
    ("target", "text", "line", "found"),
    [
        ("label", "id,label\na,1.5\nb,2.5\nc,high\n", 4, "'high'"),
        ("label", "id,label\na,1.5\nc,\nb,3\n", 3, "'c' has no value"),
    ],
)
def test_a_bad_target_is_told_with_its_line_among_the_labels(
    write: Write, target: str, text: str, line: int, found: str
) -> None:
    labels = write("labels.csv", text)
    options = DataOptions(labels=labels, target=target, task="regression")
    fasta = write("a.fa", FASTA)
    with refused(f"{labels}:{line}: ", found, kind=FormatError):
        find_targets(read_samples(fasta, options), options)


@pytest.mark.parametrize(
    ("option", "found"), [("split_column", "'third'"), ("group_column", "empty")]
)
def test_a_bad_part_or_group_is_told_with_its_line_among_the_labels(
    write: Write, option: str, found: str
) -> None:
    bad = "third" if option == "split_column" else ""
    labels = write("labels.csv", f"id,label,kind\nc,0,train\nb,1,{bad}\na,1,train\n")
    with refused(f"{labels}:3: {option.replace('_', '-')}", found, kind=FormatError):
        read(write("a.fa", FASTA), labels, target="label", **{option: "kind"})


def test_test_files_are_joined_as_well_and_the_sheet_may_hold_parts(write: Write) -> None:
    fasta, held = write("a.fa", FASTA), write("held.fa", ">d\nACGT\n")
    labels = write("labels.csv", LABELS + "d,1,x\n")
    samples = read(fasta, labels, test=held, target="label")
    assert samples.column("part") == ["", "", "", "test"]
    parts = write("parts.csv", "id,label,part\na,1,val\nb,0,train\nc,0,\nd,1,\n")
    both = read(fasta, parts, test=held, target="label", split_column="part")
    assert both.column("part") == ["val", "train", "", "test"]


def test_several_targets_are_joined_in_the_order_named() -> None:
    expression = pd.DataFrame({"sample": list("ab"), "g1": [1.0, 2]})
    sheet = pd.DataFrame({"sample": list("ba"), "y": [2, 1], "z": [0.2, 0.1]})
    options = DataOptions(labels=sheet, target=["z", "y"])
    _, targets = find_targets(read_samples(expression, options), options)
    assert targets.names == ("z", "y")
    np.testing.assert_allclose(targets.values, [[0.1, 1], [0.2, 2]])


def test_the_column_that_shares_most_ids_is_taken_and_said(write: Write) -> None:
    fasta = write("a.fa", FASTA)
    labels = write("labels.csv", "id,probe,label\n1,a,x\n2,b,y\n3,c,x\na,d,x\n")
    samples = read(fasta, labels, target="label", allow_missing=True)
    assert samples.targets["label"].tolist() == ["x", "y", "x"]
    assert f"{labels}: ids are in column 'probe'" in samples.notes
    with refused(labels, "2 records without", "'id'", "id-column"):
        read(fasta, labels, target="label", id_column="id")
    named = read(fasta, labels, target="label", id_column="probe", allow_missing=True)
    assert not any("ids are in" in note for note in named.notes)


def test_of_columns_that_share_as_many_ids_a_telling_name_decides_then_the_place(
    write: Write,
) -> None:
    fasta = write("a.fa", FASTA)
    rows = "".join(f"{name},{name},{name},{n / 2}\n" for n, name in enumerate("abc"))
    for header, found in (("x,y,sample,label", "sample"), ("x,y,z,label", "x")):
        labels = write("labels.csv", f"{header}\n{rows}")
        samples = read(fasta, labels, target="label")
        assert f"{labels}: ids are in column {found!r}" in samples.notes


def test_the_target_is_not_taken_for_ids() -> None:
    expression = pd.DataFrame({"sample": [1, 2, 3], "g1": [1.0, 2, 3]})
    sheet = pd.DataFrame({"stage": [1, 2, 3], "mouse": [3, 2, 1]})
    samples = read(expression, sheet, target="stage")
    assert samples.targets["stage"].tolist() == ["3", "2", "1"]


def test_a_repeated_id_offers_another_column(write: Write) -> None:
    labels = write("labels.csv", "name,label\na,0\nb,1\nb,1\nc,1\n")
    with refused(f"{labels}:4: ", "another column than 'name' (id-column)", kind=FormatError):
        read(write("a.fa", FASTA), labels)


def test_batches_may_stand_in_the_sample_sheet() -> None:
    expression = pd.DataFrame({"sample": list("abcd"), "g1": [1.0, 2, 3, 4]})
    sheet = pd.DataFrame(
        {"sample": list("dcba"), "y": list("0101"), "plate": ["p2", "p3", "p1", "p3"]}
    )
    samples = read(expression, sheet, target="y", batch_column="plate")
    assert samples.column("batch") == ["p3", "p1", "p3", "p2"]


@pytest.mark.parametrize("written", ["c two", "c  two", "c\u00a0two", "c\u200btwo", "ct wo"])
def test_an_id_that_differs_in_white_space_alone_is_told_with_both_places(
    write: Write, written: str
) -> None:
    fasta = write("a.fa", FASTA.replace("c two", "ctwo"))
    labels = write("labels.csv", f"id,label\na,1\nb,0\n{written},0\n")
    said = (
        f"{labels}:4: column 'id'",
        f"{written!r} found",
        f"'ctwo' ({fasta}:6)",
        "write both alike",
    )
    with refused(*said, kind=FormatError):
        read(fasta, labels)
    left = read(fasta, labels, allow_missing=True)
    assert left.ids == ["a", "b"]
    assert any("left out 1 record without a label (ctwo)" in note for note in left.notes)


def test_ids_of_which_all_differ_in_white_space_are_told_so(write: Write) -> None:
    labels = write("labels.csv", "id,label\na  one,1\nb x,0\nc\ttwo,0\n")
    fasta = write("a.fa", FASTA.replace(">b", ">b y"))
    with refused(f"{labels}:2: ", "'a  one' found", f"'a one' ({fasta}:1)", kind=FormatError):
        read(fasta, labels, id_rule="full", allow_missing=True)


def test_cells_around_which_blanks_stand_are_the_same_ids(write: Write) -> None:
    labels = write("labels.csv", "id,label\n a ,1\nb\u00a0,0\n\tc,0\n")
    assert read(write("a.fa", FASTA), labels).targets["label"].tolist() == ["1", "0", "0"]


def test_a_long_cell_among_the_labels_is_not_taken_once_a_record(write: Write) -> None:
    fasta = write("a.fa", "".join(f">r{n}\nACGT\n" for n in range(3000)))
    labels = write("labels.csv", f"id,note,label\nr0,{'x' * 2_000_000},1\nr1,,0\n")
    before = pa.total_allocated_bytes()
    pool = pa.default_memory_pool()
    with refused(labels, "2998 records without a label (r2, r3, ", f"first at {fasta}:5"):
        read(fasta, labels, target="label")
    assert pool.max_memory() - before < 100_000_000  # 3000 copies would be 6 GB
