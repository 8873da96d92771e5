"""Tables: delimiters, quotes, headers, missing cells, numbers, and the line of what is wrong."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bionn.errors import FormatError, InputError
from bionn.formats import delimited
from bionn.formats.numbers import is_missing
from bionn.formats.table import Table, read_blocks, read_table
from tests.support.refusals import refused

Write = Callable[[str, str | bytes], Path]


def cells(table: Table) -> list[list[str]]:
    """Every cell as text, row by row."""
    return [list(row) for row in zip(*map(table.text, table.columns), strict=True)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("name", "delimiter"),
    [("a.csv", ","), ("a.tsv", "\t"), ("a.csv", ";"), ("a.txt", "\t"), ("a.data", ","), ("a", ";")],
)
def test_delimiters_and_line_ends_are_found(
    write: Write, name: str, delimiter: str, end: str
) -> None:
    rows = [["id", "x", "note"], ["a", "1.5", "one two"], ["b", "", "three"]]
    table = read_table(write(name, end.join(map(delimiter.join, rows)) + end))
    assert table.columns == rows[0]
    assert cells(table) == rows[1:]
    assert len(table) == 2


def test_gzip_and_byte_order_mark(write: Write) -> None:
    table = read_table(write("a.csv.gz", gzip.compress(b"\xef\xbb\xbfid,x\na,1\n")))
    assert table.columns == ["id", "x"]
    assert cells(table) == [["a", "1"]]


cell_texts = st.text(st.sampled_from('ab1 ,;\t"\n'), max_size=8).map(str.strip)


@given(st.lists(st.lists(cell_texts, min_size=3, max_size=3), min_size=1, max_size=8))
def test_what_the_csv_module_writes_is_read_back_cell_by_cell(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    text = StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([["id", "x", "y"], *rows])
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    assert cells(read_table(path)) == rows


def test_quoted_line_breaks_keep_rows_whole_and_lines_exact(write: Write) -> None:
    path = write("a.csv", 'id,x,note\n\na,1,"one\ntwo, ""three"""\n\nb,bad,""\n')
    table = read_table(path)
    assert cells(table) == [["a", "1", 'one\ntwo, "three"'], ["b", "bad", ""]]
    assert [table.where(row) for row in range(2)] == [f"{path}:3", f"{path}:6"]


def test_cells_may_be_longer_than_the_csv_module_allows(write: Write) -> None:
    limit = csv.field_size_limit()
    sequence = "ACGT" * (limit // 2)
    assert read_table(write("a.csv", f"id,sequence\na,{sequence}\n")).text("sequence") == [sequence]
    assert csv.field_size_limit() == limit


def test_blank_lines_and_blanks_around_cells_are_passed_over(write: Write) -> None:
    table = read_table(write("a.csv", '\n  \nid , x\n\na,   1\n   \nb,  "two, 2"  \n\n'))
    assert table.columns == ["id", "x"]
    assert cells(table) == [["a", "1"], ["b", "two, 2"]]


def test_a_headerless_file_takes_names_and_keeps_its_first_row(write: Write) -> None:
    path = write("a.data", "EI,   s1,  ACGT\nN,    s2,  GGGG\n")
    table = read_table(path, names=["class", "id", "sequence"])
    assert cells(table) == [["EI", "s1", "ACGT"], ["N", "s2", "GGGG"]]
    assert table.where(1) == f"{path}:2"
    with refused(f"{path}:1: ", "3 columns", "2 names", "columns", kind=InputError):
        read_table(path, names=["class", "id"])


@pytest.mark.parametrize(
    ("name", "text", "line", "found"),
    [
        ("short.csv", "a,b,c\n1,2,3\n\n1,2\n", 4, "3 cells needed, 2 found"),
        ("long.csv", "a,b,c\n1,2,3\n1,2,3,4\n", 3, "3 cells needed, 4 found"),
        ("quoted.csv", 'a,b\n"1\n1",2\n3,4,5\n', 4, "2 cells needed, 3 found"),
        ("row_names.tsv", "x\ty\nr1\t1\t2\nr2\t3\t4\n", 2, "the header lacks a name"),
        ("twice.csv", "\nid,x, id\n1,2,3\n", 2, "'id' stands twice (1 and 3)"),
        ("header.csv", "id,x\n", 1, "only a header"),
        ("open.csv", 'id,x\na,1\nb,"2\nc,3\n', 3, "quote"),
        ("open_end.csv", 'id,x\na,"', 2, "quote"),
    ],
)
def test_a_table_that_is_not_rectangular_is_refused_with_its_line(
    write: Write, name: str, text: str, line: int, found: str
) -> None:
    path = write(name, text)
    with refused(f"{path}:{line}: ", found, kind=FormatError):
        read_table(path)


@pytest.mark.parametrize("missing", ["", "NA", "n/a", "NaN", "null", "None", "-", "?", " na "])
def test_missing_markers_are_no_text_and_no_number(write: Write, missing: str) -> None:
    table = read_table(write("a.csv", f"id,x\na,1\nb,{missing}\n"))
    assert table.text("x") == ["1", ""]
    np.testing.assert_array_equal(table.numeric("x"), [1, np.nan])
    assert table.mostly_numeric("x")
    assert is_missing(missing)
    assert not any(map(is_missing, ["0", "no", "nano", 0, False]))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_numbers_are_read_to_the_last_bit_or_nearly(numbers: list[float]) -> None:
    table = Table.from_frame(pd.DataFrame({"x": [repr(number) for number in numbers]}))
    np.testing.assert_allclose(table.numeric("x"), numbers, rtol=1e-15, atol=1e-300)


@pytest.mark.parametrize(
    ("cell", "remedy"),
    [
        ("high", "correct it"),
        ("1,5", "decimal point"),
        ("1_000", "correct it"),
        ("inf", "finite"),
        ("-Infinity", "finite"),
        ("1e999", "finite"),
        ("True", "correct it"),
        ("0x1F", "correct it"),
    ],
)
def test_a_cell_that_is_no_finite_number_is_refused_with_its_line(
    write: Write, cell: str, remedy: str
) -> None:
    path = write("a.csv", f'id,x\na,1\n\nb,"{cell}"\nc,2\n')
    with refused(f"{path}:4: ", "'x'", repr(cell), remedy, kind=FormatError):
        read_table(path).numeric("x")


@pytest.mark.parametrize(
    ("column", "answer"),
    [
        (["1", "2", "x"], True),
        (["1", "x"], False),
        (["", "NA"], False),
        (["3", "", "", ""], True),
        (["x", "", ""], False),
        (["1,5", "2", "x"], True),
        (["1,5", "x"], False),
    ],
)
def test_a_column_is_mostly_numeric_if_more_than_half_of_its_values_are_numbers(
    column: list[str], answer: bool
) -> None:
    assert Table.from_frame(pd.DataFrame({"x": column})).mostly_numeric("x") is answer


def test_an_absent_column_offers_the_nearest(write: Write) -> None:
    path = write("a.csv", "id,label,sequence\na,1,ACGT\n")
    with refused(path, "'lable'", "did you mean 'label'", "id, label, sequence", kind=InputError):
        read_table(path).text("lable")


def typed() -> pd.DataFrame:
    """A column of every type that a DataFrame is likely to bring."""
    return pd.DataFrame(
        {
            "name": ["a", None, " b "],
            "count": [1, 2, 3],
            "gap": pd.array([1, None, 3], dtype="Int64"),
            "value": [0.5, np.nan, -2.0],
            "flag": [True, False, True],
            "day": pd.to_datetime(["2020-02-01", None, "2021-01-02"]),
            "kind": pd.Categorical(["x", "NA", "y"]),
            "text": pd.array(["u", None, "NA"], dtype="string"),
        },
        index=[7, 8, 9],
    )


@pytest.mark.parametrize("through", ["frame", "parquet"])
def test_typed_columns_come_as_they_are(tmp_path: Path, through: str) -> None:
    frame = typed().reset_index(drop=True) if through == "parquet" else typed()
    if through == "parquet":
        frame.to_parquet(tmp_path / "a.parquet")
    table = Table.from_frame(frame) if through == "frame" else read_table(tmp_path / "a.parquet")
    assert table.columns == list(frame.columns)
    assert table.text("name") == ["a", "", "b"]
    assert table.text("count") == ["1", "2", "3"]
    assert table.text("gap") == ["1", "", "3"]
    assert table.text("flag") == ["True", "False", "True"]
    assert table.text("kind") == ["x", "", "y"]
    assert table.text("text") == ["u", "", ""]
    np.testing.assert_array_equal(table.numeric("gap"), [1, np.nan, 3])
    np.testing.assert_array_equal(table.numeric("value"), [0.5, np.nan, -2])
    numeric = [column for column in table.columns if table.mostly_numeric(column)]
    assert numeric == ["count", "gap", "value"]
    with refused("row 1", "'flag'", kind=FormatError):
        table.numeric("flag")


def test_the_index_of_a_parquet_file_is_a_column(tmp_path: Path) -> None:
    pd.DataFrame({"x": [1.0]}, index=pd.Index(["s1"], name="sample")).to_parquet(
        tmp_path / "a.parquet"
    )
    assert read_table(tmp_path / "a.parquet").columns == ["sample", "x"]


def test_parquet_that_is_none_and_frames_that_are_empty_or_ambiguous_are_refused(
    write: Write,
) -> None:
    path = write("a.parquet", "id,x\n")
    with refused(path, "Parquet", kind=FormatError):
        read_table(path)
    with refused("<table>", "none found", kind=FormatError):
        Table.from_frame(pd.DataFrame({"x": []}))
    with refused("<table>", "'x' stands twice", kind=FormatError):
        Table.from_frame(pd.DataFrame([[1, 2]], columns=["x", "x"]))
    with refused("'1' stands twice", kind=FormatError):
        Table.from_frame(pd.DataFrame([[1, 2]], columns=[1, "1"]))


@pytest.mark.parametrize("cell", ["5,893", "-5,8", "+1,5E-03", "1.234,5"])
def test_a_decimal_comma_is_refused_with_its_line(write: Write, cell: str) -> None:
    path = write("a.csv", f"id;reg01\na;1\nb;{cell}\n")
    message = (
        f"{path}:3: column 'reg01': a number needed, a decimal comma found in {cell!r}; write '.'"
    )
    with refused(message, kind=FormatError):
        read_table(path).numeric("reg01")


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=; "])
def test_the_separator_line_of_excel_is_followed_and_counted(write: Write, first: str) -> None:
    path = write("a.csv", f"{first}\r\nid;note\r\na;x, y\r\n")
    table = read_table(path)
    assert table.columns == ["id", "note"]
    assert cells(table) == [["a", "x, y"]]
    assert table.where(0) == f"{path}:3"
    assert read_table(write("b.tsv", "sep=,\nid,x\na,1\n")).columns == ["id", "x"]


@pytest.mark.parametrize(
    ("name", "text", "looks"),
    [
        ("a.vcf", "##fileformat=VCFv4.2\n#CHROM\tPOS\nchr1\t5\n", "VCF or GFF"),
        ("a.txt", "track name=x\nchr1\t1\t9\n", "BED"),
        ("a.txt", "chr1\t1\t9\tx\nchrX\t2\t8\ty\n", "without a header line found, as in BED"),
        ("a.bed", "1\t10\t90\n2\t20\t80\n", "BED"),
    ],
)
def test_formats_without_a_header_line_are_told_by_their_looks(
    write: Write, name: str, text: str, looks: str
) -> None:
    path = write(name, text)
    with refused(f"{path}:1: a table with a header line needed", looks, kind=FormatError):
        read_table(path)


def test_a_bed_file_is_a_table_once_its_columns_are_named(write: Write) -> None:
    path = write("a.bed", "chr1\t1\t9\nchr2\t2\t8\n")
    assert read_table(path, names=["chrom", "start", "end"]).text("end") == ["9", "8"]
    times = read_table(write("a.tsv", "gene\t10\t20\nrecA\t1\t2\n"))
    assert times.columns == ["gene", "10", "20"]


def test_an_absent_column_of_a_table_without_a_header_says_how_to_name_them(write: Write) -> None:
    with refused("'recA'", "the first line holds numbers", "columns"):
        read_table(write("a.csv", "1.5,2.5,0\n3,4,1\n")).require("recA")
    with refused("'0' stands twice", "the first line holds numbers", "columns"):
        read_table(write("b.csv", "0,1,0\n3,4,1\n"))
    for table in (
        read_table(write("c.csv", "id,10,x\n3,4,1\n")),
        Table.from_frame(pd.DataFrame([[1, 2]])),
    ):
        with refused("'recA'") as caught:
            table.require("recA")
        assert "first line" not in str(caught.value)


def test_an_absent_column_that_is_a_row_says_to_transpose(write: Write) -> None:
    with refused("'recA'", "column 'gene'", "transpose"):
        read_table(write("a.csv", "gene,s1,s2\nlexA,1,2\nrecA,3,4\n")).require("recA")


def test_blocks_hold_the_rows_and_lines_of_the_whole_table(write: Write, tmp_path: Path) -> None:
    rows = [[f"r{n}", "two\nlines" if n % 3 == 0 else "one", str(n)] for n in range(50)]
    text = "id,note,x\n" + "\n".join(
        f'{a},"{b}",{c}' + "\n" * (n % 2) for n, (a, b, c) in enumerate(rows)
    )
    path = write("a.csv", text)
    whole = read_table(path)
    blocks = list(read_blocks(path, rows=7))
    assert [len(block) for block in blocks] == [7] * 7 + [1]
    joined = pd.concat([block.frame for block in blocks], ignore_index=True)
    assert joined.equals(whole.frame.astype(object))
    assert whole.frame.to_numpy().tolist() == rows
    where = [block.where(row) for block in blocks for row in range(len(block))]
    assert where == [whole.where(row) for row in range(50)]
    lines = text.split("\n")
    assert [lines[int(place.rpartition(":")[2]) - 1].split(",")[0] for place in where] == [
        row[0] for row in rows
    ]

    frame = pd.DataFrame({"id": [f"r{n}" for n in range(50)], "x": np.arange(50.0)})
    for number, kept in enumerate((frame, frame.set_index("id"))):
        path = tmp_path / f"{number}.parquet"
        kept.to_parquet(path)
        blocks = list(read_blocks(path, rows=20))
        assert [len(block) for block in blocks] == [20, 20, 10]
        assert pd.concat([block.frame for block in blocks], ignore_index=True).equals(frame)


def test_what_is_wrong_late_in_a_table_is_refused_after_what_stands_before(write: Write) -> None:
    path = write("a.csv", "id,x\n" + "a,1\n" * 30 + "b\n")
    blocks = read_blocks(path, rows=10)
    assert [len(next(blocks)) for _ in range(3)] == [10, 10, 10]
    with refused(f"{path}:32: 2 cells needed, 1 found", kind=FormatError):
        next(blocks)


def test_wide_tables_come_in_blocks_of_few_rows(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_CELLS", 100)
    header, row = (",".join(f"{letter}{n}" for n in range(25)) for letter in "gv")
    path = write("a.csv", "\n".join([header] + [row] * 10))
    assert [len(block) for block in read_blocks(path)] == [4, 4, 2]


@pytest.mark.parametrize("text", ["sep=;\n", '""\n""\n', "sep=,\n\n \n"])
def test_a_file_of_blank_rows_is_refused(write: Write, text: str) -> None:
    path = write("a.csv", text)
    with refused(path, "rows needed", kind=FormatError):
        read_table(path)
