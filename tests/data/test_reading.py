"""What may stand at the input: FASTA files, tables, frames; their columns, parts and refusals."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bionn.data.columns import find_id_column
from bionn.data.reading import class_name, read_samples
from bionn.data.samples import DataOptions, Samples, Source
from bionn.data.targets import find_targets
from bionn.errors import FormatError, InputError
from bionn.formats.table import Table
from tests.support.refusals import refused

Write = Callable[[str, str | bytes], Path]
SEQUENCES = ["ACGTACGTAC", "GGGTTTAAAC", "TTTTTTTTTT", "CCCCCGGGGG", "AAAACCCCGG", "GATTACAGAT"]


def read(inputs: Source | list[Source], **options: Any) -> Samples:
    return read_samples(inputs, DataOptions(**options))


def fasta(records: dict[str, str]) -> str:
    return "".join(f">{name} about it\n{sequence}\n" for name, sequence in records.items())


def table(rows: int = 6) -> pd.DataFrame:
    """Ids, sequences, a class, a number and a comment."""
    return pd.DataFrame(
        {
            "name": [f"s{n}" for n in range(rows)],
            "dna": (SEQUENCES * rows)[:rows],
            "label": ["no", "yes"] * (rows // 2),
            "activity": np.arange(rows) / 4,
            "note": "said",
        }
    )


# --- FASTA files of a class each


def test_fasta_files_are_a_class_each_and_the_first_of_two_is_positive(write: Write) -> None:
    first = write("zeta.fa", fasta(dict(zip("abc", SEQUENCES, strict=False))))
    second = write("alpha.fna.gz", gzip.compress(fasta({"d": "AC", "e": "G", "f": "T"}).encode()))
    samples = read([first, second])
    assert samples.ids == list("abcdef")
    assert samples.sequences == [*SEQUENCES[:3], "AC", "G", "T"]
    assert samples.targets["class"].tolist() == ["zeta"] * 3 + ["alpha"] * 3
    _, targets = find_targets(samples, DataOptions())
    assert (targets.task, targets.classes) == ("binary", ("alpha", "zeta"))
    np.testing.assert_array_equal(targets.values, [1, 1, 1, 0, 0, 0])
    assert samples.where(4) == f"{second}:3"


def test_fastq_files_are_read_as_sequences(write: Write) -> None:
    reads = [
        f"@{name} about it\n{s}\n+\n{'I' * len(s)}\n"
        for name, s in zip("abc", SEQUENCES, strict=False)
    ]
    first = write("first.fastq.gz", gzip.compress("".join(reads).encode()))
    second = write("second.fa", fasta({"d": "ACGT"}))
    samples = read([first, second])
    assert samples.ids == list("abcd")
    assert samples.sequences == [*SEQUENCES[:3], "ACGT"]
    assert samples.where(2) == f"{first}:9"


def test_three_fasta_files_are_classes_in_the_order_given(write: Write) -> None:
    files = [write(f"{name}.fa", fasta(dict.fromkeys("abc", "ACGT"))) for name in ("b", "c", "a")]
    samples = read(files)
    assert find_targets(samples, DataOptions())[1].classes == ("b", "c", "a")
    assert len(set(samples.ids)) == 9
    assert any("6 repeated ids" in note for note in samples.notes)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a/promoters.fa", "promoters"),
        ("Non.prom.fasta.gz", "Non.prom"),
        ("x.mpfa", "x"),
        ("y.nu", "y"),
        ("z.FA.bgz", "z"),
        ("plain", "plain"),
    ],
)
def test_the_class_of_a_file_is_its_stem(name: str, stem: str) -> None:
    assert class_name(name) == stem


def test_test_files_of_classes_must_be_named_as_one_of_them(write: Write) -> None:
    files = [write(f"{name}.fa", fasta({"a": "ACGT"})) for name in ("pos", "neg")]
    held = write("held/pos.fa", fasta({"t": "GGGG"}))
    assert read(files, test=held).column("part") == ["", "", "test"]
    other = write("held.fa", fasta({"t": "GGGG"}))
    with refused(other, "'held'", "pos, neg", "labels"):
        read(files, test=other)


@pytest.mark.parametrize("option", ["target", "split_column", "fold_column", "group_column"])
def test_columns_cannot_be_named_where_there_are_only_fasta_files(
    write: Write, option: str
) -> None:
    files = [write(f"{name}.fa", fasta({"a": "ACGT"})) for name in ("pos", "neg")]
    with refused(files[0], "'kind'", "labels"):
        read(files, **{option: "kind"})


def test_one_fasta_file_needs_labels_and_no_input_is_no_input(write: Write) -> None:
    path = write("a.fa", fasta({"a": "ACGT"}))
    with refused(path, "target", "labels"):
        read(path)
    with refused("inputs"):
        read_samples([], DataOptions())
    with refused("absent.fa", "no such file"):
        read("absent.fa")


def test_fasta_beside_a_table_needs_one_table_of_labels(write: Write) -> None:
    path = write("a.fa", fasta({"a": "ACGTACGT"}))
    with refused("labels"):
        read([path, table()], target="label", sequence_column="dna")


# --- tables


@pytest.mark.parametrize("form", ["csv", "tsv", "parquet", "frame", "csv.gz"])
def test_every_form_of_table_gives_the_same_samples(tmp_path: Path, form: str) -> None:
    source: Source = tmp_path / f"a.{form}"
    if form == "frame":
        source = table()
    elif form == "parquet":
        table().to_parquet(source)
    else:
        table().to_csv(source, index=False, sep="\t" if form == "tsv" else ",")
    samples = read(source, target="label")
    assert samples.ids == table()["name"].tolist()
    assert samples.sequences == table()["dna"].tolist()
    assert samples.targets["label"].tolist() == table()["label"].tolist()
    assert samples.features is None


def test_the_only_other_column_or_one_with_a_telling_name_is_the_target() -> None:
    for columns in (["dna", "activity"], ["name", "dna", "label", "note"]):
        samples = read(table()[columns])
        expected = "label" if "label" in columns else "activity"
        assert list(samples.targets) == [expected]
        assert any(f"the target is column {expected!r}" in note for note in samples.notes)
    with refused("which column is to be predicted?", "activity, note"):
        read(table()[["dna", "activity", "note"]])


def test_rows_without_an_id_column_are_numbered() -> None:
    samples = read(table()[["dna", "label"]])
    assert samples.ids == [f"row{n}" for n in range(1, 7)]


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        (["x", "ID"], "ID"),
        (["MouseID", "Treatment"], "MouseID"),
        (["PEPTID", "grid", "x"], None),
        (["gene_name", "x"], "gene_name"),
        (["", "x"], ""),
        (["x", "sample"], "sample"),
        (["RAPID", "valid"], None),
        (["mitotic_index", "refractive-index", "Index"], "Index"),
    ],
)
def test_id_columns_are_found_by_their_names(columns: list[str], found: str | None) -> None:
    frame = pd.DataFrame([["a"] * len(columns)], columns=pd.Index(columns))
    assert find_id_column(Table.from_frame(frame), None) == found


def test_an_absent_column_is_refused_with_the_nearest_name(write: Write) -> None:
    path = write("a.csv", table().to_csv(index=False))
    for option in ("target", "id_column", "sequence_column", "split_column", "group_column"):
        with refused(path, "'activty'", "did you mean 'activity'"):
            read(path, **({"target": "label"} | {option: "activty"}))
    with refused(path, "'activty'", "did you mean 'activity'"):
        read(path, target="label", features=["activty"])


def test_two_columns_of_sequences_need_a_choice() -> None:
    frame = table().assign(rna=table()["dna"].str.replace("T", "U"))
    with refused("'dna', 'rna'", "sequence-column"):
        read(frame, target="label")
    assert read(frame, target="label", sequence_column="rna").sequences[0] == "ACGUACGUAC"
    renamed = frame.rename(columns={"rna": "Sequence (RNA)"})
    assert read(renamed, target="label").sequences[0] == "ACGUACGUAC"


def test_numeric_columns_are_the_features_where_there_is_no_sequence() -> None:
    frame = table().drop(columns="dna").assign(x=["1", "NA", "3", "4", "", "6"], empty="")
    samples = read(frame, target="label")
    assert samples.features is not None
    assert list(samples.features) == ["activity", "x"]
    np.testing.assert_array_equal(samples.features["x"], [1, np.nan, 3, 4, np.nan, 6])
    assert any("not numbers: note, empty" in note for note in samples.notes)


def test_features_can_be_named_but_not_be_the_answer() -> None:
    frame = table().assign(x=1.0)
    samples = read(frame, target="label", features=["x"])
    assert samples.features is not None
    assert list(samples.features) == ["x"]
    for leak, options in (
        ("activity", {"target": "activity"}),
        ("name", {"target": "label"}),
        ("x", {"target": "label", "group_column": "x"}),
    ):
        with refused("features", repr(leak)):
            read(frame, **options, features=["x", leak])
    with refused("features", "sequence-column"):
        read(frame, target="label", features=["x"], sequence_column="dna")


def test_a_number_gone_wrong_in_a_numeric_column_is_refused_with_its_line(write: Write) -> None:
    path = write("a.csv", "id,x,label\na,1,no\nb,2,yes\nc,1o,no\n")
    with refused(f"{path}:4: ", "'x'", "'1o'", kind=FormatError):
        read(path)


def test_a_table_with_neither_sequences_nor_numbers_is_refused() -> None:
    with refused("<table>", "none found"):
        read(table()[["name", "label", "note"]], target="label")


@pytest.mark.parametrize(("column", "what"), [("name", "an id"), ("dna", "a sequence")])
def test_an_empty_id_or_sequence_is_refused_with_its_line(
    write: Write, column: str, what: str
) -> None:
    frame = table()
    frame.loc[2, column] = "NA"
    path = write("a.csv", frame.to_csv(index=False))
    with refused(f"{path}:4: ", repr(column), what, kind=FormatError):
        read(path, target="label", sequence_column="dna")


def test_a_headerless_table_takes_names(write: Write) -> None:
    columns = ["label", "name", "dna"]
    path = write("a.data", table()[columns].to_csv(index=False, header=False))
    samples = read(path, columns=columns)
    assert samples.ids == table()["name"].tolist()
    assert samples.where(2) == f"{path}:3"


def test_rows_without_a_target_are_refused_or_left_out_and_counted(write: Write) -> None:
    frame = table()
    frame.loc[[1, 4], "activity"] = np.nan
    path = write("a.csv", frame.to_csv(index=False))
    with refused(f"{path}:3: ", "'s1'", "'activity'", "1 other", "allow-missing", kind=FormatError):
        read(path, target="activity")
    samples = read(path, target="activity", allow_missing=True)
    assert samples.ids == ["s0", "s2", "s3", "s5"]
    assert any("left out 2 samples" in note for note in samples.notes)
    assert samples.where(1) == f"{path}:4"


def test_repeated_ids_are_kept_where_nothing_is_joined() -> None:
    samples = read(table().assign(name=list("aabbba")), target="label")
    assert samples.ids == ["a", "a#2", "b", "b#2", "b#3", "a#3"]
    assert any("4 repeated ids" in note for note in samples.notes)


# --- parts, folds and groups


def test_validation_and_test_files_are_those_parts() -> None:
    frame = table(12)
    samples = read(frame[:6], target="label", val=frame[6:8], test=frame[8:])
    assert samples.column("part") == [""] * 6 + ["val"] * 2 + ["test"] * 4
    assert samples.ids == frame["name"].tolist()
    assert samples.where(8) == "<table>, row 1"


def test_files_must_have_the_same_kind_of_columns() -> None:
    numeric = table().drop(columns="dna")
    with refused("sequences needed", "numeric features found"):
        read(table(), target="label", test=numeric)
    with refused("no column 'activity'"):
        read(numeric.assign(x=1.0), target="label", test=numeric.assign(x=1.0)[["label", "x"]])


def test_a_split_column_names_parts_in_several_spellings() -> None:
    frame = table().assign(part=["train", "Training", "dev", "VALID", "test", ""])
    samples = read(frame, target="label", split_column="part")
    assert samples.column("part") == ["train", "train", "val", "val", "test", ""]


@pytest.mark.parametrize(
    ("option", "bad", "found"),
    [("split_column", "tset", "did you mean 'test'"), ("group_column", "", "empty cell")],
)
def test_a_bad_part_or_group_is_refused_with_its_line(
    write: Write, option: str, bad: str, found: str
) -> None:
    path = write("a.csv", table().assign(kind=["test"] * 3 + [bad, "x", ""]).to_csv(index=False))
    with refused(f"{path}:5: {option.replace('_', '-')}: ", found, kind=FormatError):
        read(path, target="label", **{option: "kind"})


def test_groups_come_from_the_first_group_of_a_pattern_in_the_id() -> None:
    frame = table().assign(name=["m1_1", "m1_2", "m2_1", "m10_1", "m2_2", "m1_3"])
    samples = read(frame, target="label", group_pattern="^(.*)_[0-9]+$")
    assert samples.column("group") == ["m1", "m1", "m2", "m10", "m2", "m1"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("(unclosed", "regular expression"),
        ("^s[0-9]", "parentheses"),
        ("^(x)", "'s0'"),
        ("^(x)|s", "'s0'"),
    ],
)
def test_a_pattern_that_finds_no_group_is_refused(pattern: str, found: str) -> None:
    with refused("group-pattern", found):
        read(table(), target="label", group_pattern=pattern)


def test_groups_are_named_once() -> None:
    with refused("group-pattern", "group-column"):
        read(table(), target="label", group_pattern="(s)", group_column="note")


def test_an_unknown_alphabet_is_refused() -> None:
    with refused("alphabet", "dna, rna, protein", kind=InputError):
        read(table(), target="label", alphabet="dan")


# --- what is no column of ids, what is no number, which options have no place


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (["1", "2", "3"], True),
        (["1", "2", "2"], False),
        (["0.5", "1.5", "2.5"], False),
        (["m1", "m1", "m2"], True),
    ],
)
def test_numbers_are_ids_only_if_whole_and_all_different(cells: list[str], found: bool) -> None:
    frame = pd.DataFrame({"x": [1.5, 2, 3], "sample": cells})
    assert find_id_column(Table.from_frame(frame), None) == ("sample" if found else None)
    assert find_id_column(Table.from_frame(frame), "sample") == "sample"


def test_a_column_is_that_of_ids_in_every_file_or_in_none() -> None:
    frame = pd.DataFrame({"sample": [1, 1, 2, 2], "x": [0.5, 1, 2, 3], "label": list("abab")})
    samples = read(frame, target="label", test=frame[1:3])
    assert samples.features is not None
    assert list(samples.features) == ["sample", "x"]


def test_ids_found_by_name_are_said_and_those_named_are_not() -> None:
    said = "<table>: ids are in column 'name'"
    assert said in read(table(), target="label").notes
    assert said not in read(table(), target="label", id_column="name").notes


def test_features_with_decimal_commas_are_refused_not_left_out(write: Write) -> None:
    path = write("a.csv", "id;reg01;label\na;5;no\nb;5,893;yes\nc;6,1;no\n")
    with refused(
        f"{path}:3: column 'reg01': a number needed, a decimal comma found in '5,893'",
        kind=FormatError,
    ):
        read(path, target="label")


def test_labels_that_are_fasta_are_refused(write: Write) -> None:
    path, labels = write("a.fa", fasta({"a": "ACGT"})), write("b.txt", fasta({"a": "ACGT"}))
    with refused(labels, "a table of labels", "FASTA found"):
        read(path, labels=labels)
    with refused("absent.fa", "no such file"):
        read(path, labels="absent.fa")


def test_columns_name_those_of_a_headerless_sheet_beside_fasta(write: Write) -> None:
    path = write("a.fa", fasta({"a": "ACGT", "b": "GGGG"}))
    sheet = write("l.csv", "a,1.5\nb,2.5\n")
    samples = read(path, labels=sheet, columns=["id", "y"])
    assert samples.targets["y"].tolist() == ["1.5", "2.5"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("length", 5),
        ("align", "left"),
        ("alphabet", "rna"),
        ("iupac", "error"),
        ("unknown", "uniform"),
    ],
)
def test_options_for_sequences_are_refused_beside_features(
    write: Write, option: str, value: Any
) -> None:
    path = write("a.csv", table().drop(columns="dna").to_csv(index=False))
    with refused(f"{option}: for sequences only", path, "sequence-column"):
        read(path, target="label", **{option: value})


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize(("option", "value"), [("sequence_column", "dna"), ("features", ["x"])])
def test_options_for_tables_are_refused_beside_fasta(
    write: Write, option: str, value: Any, labelled: bool
) -> None:
    files: list[Source] = [write(f"{name}.fa", fasta({name: "ACGT"})) for name in ("pos", "neg")]
    labels = pd.DataFrame({"id": ["pos", "neg"], "y": [1, 0]}) if labelled else None
    with refused(f"{option.replace('_', '-')}: for tables only"):
        read(files, labels=labels, **{option: value})


def test_a_target_without_any_value_is_refused_even_if_some_may_lack() -> None:
    with refused("<table>, row 1", "'activity'", "no sample has a value"):
        read(table().assign(activity=np.nan), target="activity", allow_missing=True)


def test_rows_with_some_of_several_targets_are_kept_and_counted(write: Write) -> None:
    frame = table().drop(columns="dna").assign(x=1.5, other=np.arange(6) * 2.5)
    frame.loc[[1, 4], "activity"] = np.nan
    frame.loc[3, "other"] = np.nan
    options = DataOptions(target=["activity", "other"], features=["x"])
    samples, targets = find_targets(read_samples(frame, options), options)
    np.testing.assert_array_equal(targets.values, frame[["activity", "other"]])
    assert samples.notes[-1].startswith("targets: 3 of 12 values are missing: their rows are kept")
    assert "(activity 2, other 1)" in samples.notes[-1]
    frame.loc[4, "other"] = np.nan
    path = write("a.csv", frame.to_csv(index=False))
    with refused(f"{path}:6: ", "'s4'", "any of the 2 targets", "allow-missing", kind=FormatError):
        read_samples(path, options)
    assert len(read_samples(path, replace(options, allow_missing=True))) == 5


def test_text_is_a_category_where_it_is_named_and_left_out_where_it_is_not() -> None:
    frame = table().drop(columns="dna").assign(x=1.5, tissue=["leaf", "root", None] * 2)
    named = read(frame, target="label", features=["tissue", "x"]).features
    assert list(named) == ["tissue", "x"]
    assert named["tissue"].tolist() == ["leaf", "root", ""] * 2
    found = read(frame, target="label")
    assert list(found.features) == ["activity", "x"]
    assert any("'tissue'" in note or "tissue" in note for note in found.notes)


def test_equal_numbers_in_other_categories_are_other_contents() -> None:
    frame = table(4).drop(columns="dna").assign(x=[1.0, 1.0, -0.0, 0.0], tissue=list("abcc"))
    samples = read(frame, target="label", features=["x", "tissue"])
    assert samples.contents().tolist() == [0, 1, 2, 2]


@pytest.mark.parametrize(
    ("options", "needle"),
    [
        ({"target": ["number", "number"]}, "target: 'number' is named twice"),
        (
            {"features": ["number", "number"], "target": "label"},
            "features: 'number' is named twice",
        ),
        ({"sequence_column": ["dna", "dna"]}, "sequence-column: 'dna' is named twice"),
        ({"target": "label", "batch_column": "label"}, "'label' is the batch-column as well"),
        ({"target": "label", "id_column": "label"}, "'label' is the id-column as well"),
        ({"target": "label", "group_column": "label"}, "'label' is the group-column as well"),
    ],
)
def test_a_column_has_one_part_to_play(options: dict[str, Any], needle: str) -> None:
    with refused(needle):
        read(table(), **options)


def test_ids_that_read_like_sequences_are_ids() -> None:
    frame = pd.DataFrame(
        {"barcode_id": SEQUENCES, "gene": np.linspace(0, 1, 6), "label": list("ababab")}
    )
    samples = read(frame, target="label", id_column="barcode_id")
    assert samples.features is not None
    assert list(samples.features) == ["gene"]
    assert samples.ids == SEQUENCES


def test_a_table_without_a_header_does_not_lose_its_first_row(write: Write) -> None:
    rows = "".join(f"s{n},ACGTACGT{'ACGT'[n % 4]},{n % 2}\n" for n in range(9))
    path = write("bare.csv", rows)
    said = f"{path}:1: a header line needed, the sequence 'ACGTACGTA' found", "with columns"
    with refused(*said, kind=FormatError):
        read(path)
    assert len(read(path, columns=["id", "dna", "label"])) == 9


@pytest.mark.parametrize("name", ["peptides", "Fragment", "variants", "antigens"])
def test_words_of_amino_acids_letters_are_names_of_columns(name: str, write: Write) -> None:
    proteins = ["MKTAYIAKQR", "GSHMASLLEE", "PEPTIDESAR", "WLKDNQERTV"]
    rows = [f"p{n},{protein},{n % 2}\n" for n, protein in enumerate(proteins * 2)]
    samples = read(write("t.csv", f"id,{name},label\n" + "".join(rows)), alphabet="protein")
    assert samples.sequences == proteins * 2
    bare = write("bare.csv", "".join(rows))
    with refused(f"{bare}:1: a header line needed, the sequence 'MKTAYIAKQR'", kind=FormatError):
        read(bare, alphabet="protein")
    low = write("low.csv", "".join(rows).lower())
    with refused(f"{low}:1: a header line needed, the sequence 'mktayiakqr'", kind=FormatError):
        read(low, alphabet="protein")


@pytest.mark.parametrize("text", ["# Some header\n>a\nACGT\n", "The MIT License\n\nNo warranty\n"])
def test_a_file_that_is_neither_records_nor_a_table_is_told_its_first_line(
    text: str, write: Write
) -> None:
    path = write("notes", text)
    fact = f"one column found, {text.splitlines()[0]!r}"
    with refused(f"{path}:1: FASTA ('>' before each record), or a table", fact, kind=FormatError):
        read(path)


def test_a_table_in_which_nothing_is_left_to_predict_is_told_so(write: Write) -> None:
    path = write("a.csv", "id,dna,part\n" + "".join(f"s{n},ACGTACGTA,train\n" for n in range(4)))
    with refused("a column to predict needed, none found beside", "(id, dna, part)"):
        read(path, split_column="part")
