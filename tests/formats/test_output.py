"""Output files appear whole or not at all, and read back as what was written."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bionn.formats.output import replacing, write_json, write_table
from bionn.formats.rows import header_text, rows_text
from bionn.formats.table import read_table
from tests.support.refusals import refused


def test_a_table_reads_back_with_six_significant_digits(tmp_path: Path) -> None:
    numbers = np.array([1 / 3, -12345.678, 1e-9 / 7, 5e20 / 3])
    write_table(pd.DataFrame({"id": list("abcd"), "x": numbers}), tmp_path / "new" / "a.tsv")
    table = read_table(tmp_path / "new" / "a.tsv")
    assert table.text("id") == list("abcd")
    np.testing.assert_allclose(table.numeric("x"), numbers, rtol=5e-6)
    assert b"\r" not in (tmp_path / "new" / "a.tsv").read_bytes()


def test_json_is_strict_and_plain(tmp_path: Path) -> None:
    value = {
        "a": np.float32(0.5),
        "b": np.arange(2),
        3: [float("nan"), np.inf, True],
        "p": Path("x"),
    }
    write_json(value, tmp_path / "a.json")
    read = json.loads((tmp_path / "a.json").read_text(), parse_constant=pytest.fail)
    assert read == {"a": 0.5, "b": [0, 1], "3": [None, None, True], "p": "x"}


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError), replacing(path) as file:
        file.writelines(["half of the new", "\ud800"])
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with refused(tmp_path / "file" / "a.txt", "cannot be written"):
        write_json({}, tmp_path / "file" / "a.txt")


def test_rows_are_written_as_pandas_and_the_csv_module_write_them() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": [f"s{n}" for n in range(200)],
            "odd": ["a\tb", 'say "x"', "two\nlines", "a,b", "ä€", "", "#", "-"] * 25,
            "n": rng.integers(-(10**12), 10**12, 200),
            "p": rng.random(200).astype(np.float32),
            "x": rng.normal(size=200) * 10 ** rng.uniform(-12, 12, 200),
            "gaps": np.where(rng.random(200) < 0.5, np.nan, 1.0),
            "flag": rng.random(200) < 0.5,
            "mixed": ["text", None, 3, 2.5] * 50,
        }
    )
    for separator in "\t,":
        for columns in (list(frame), ["x", "p"], ["id"], ["p", "id", "n", "x"]):
            part = frame[columns]
            written = part.to_csv(
                sep=separator, index=False, float_format="%.6g", lineterminator="\n"
            )
            found = header_text(columns, separator=separator) + rows_text(part, separator=separator)
            assert found == written


@pytest.mark.parametrize("dtype", ["string[python]", "string[pyarrow]", "object", "category"])
def test_text_of_any_dtype_is_written_alike(dtype: str) -> None:
    frame = pd.DataFrame({"id": pd.Series(["a", "b,c", "d"], dtype=dtype), "n": [1, 2, 3]})
    assert rows_text(frame, separator=",") == 'a,1\n"b,c",2\nd,3\n'


def test_rows_without_columns_are_no_text() -> None:
    assert rows_text(pd.DataFrame(index=range(3))) == ""


def test_a_carriage_return_in_a_cell_reads_back() -> None:
    cells = ["a\rb", "c"]
    text = rows_text(pd.DataFrame({"id": cells, "n": [1, 2]}))
    rows = csv.reader(StringIO(text, newline=""), delimiter="\t")
    assert [row[0] for row in rows] == cells


def test_no_rows_are_no_text() -> None:
    assert rows_text(pd.DataFrame({"id": [], "x": []})) == ""
