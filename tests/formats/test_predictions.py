"""Files of predictions: rows as they are in TSV, CSV and Parquet; BED; bedGraph without overlaps."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bionn.formats.predictions import files_for, format_of, writing
from tests.support.refusals import refused

COLUMNS = ["prob_no", "prob_yes"]


def rows(count: int = 10, columns: list[str] = COLUMNS) -> pd.DataFrame:
    """Windows of 4 positions, 2 apart, over one sequence, with classes."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"id": "chr 1", "start": np.arange(count) * 2})
    frame["end"] = frame["start"] + 4
    frame["prediction"] = np.array(["no", "yes"], dtype=object)[rng.integers(0, 2, count)]
    return frame.assign(**{name: rng.random(count) for name in columns})


def written(path: Path, frame: pd.DataFrame, columns: list[str], block: int = 3) -> None:
    with writing(path, columns) as write:
        for start in range(0, len(frame), block):
            write(frame[start : start + block])


@pytest.mark.parametrize("name", ["a.tsv", "a.txt", "a.csv", "a.parquet"])
def test_a_table_holds_the_rows_of_all_blocks(name: str, tmp_path: Path) -> None:
    path, frame = tmp_path / name, rows()
    written(path, frame, COLUMNS)
    if name.endswith("parquet"):
        pd.testing.assert_frame_equal(pd.read_parquet(path), frame)
    else:
        found = pd.read_csv(path, sep="," if name.endswith("csv") else "\t")
        pd.testing.assert_frame_equal(found, frame, rtol=1e-5)
    assert list(tmp_path.iterdir()) == [path]


def test_a_parquet_file_of_no_rows_keeps_the_types(tmp_path: Path) -> None:
    with writing(tmp_path / "a.parquet", COLUMNS) as write:
        write(rows()[:0])
    assert pd.read_parquet(tmp_path / "a.parquet").dtypes.equals(rows().dtypes)


def test_bed_has_six_columns_and_the_outputs(tmp_path: Path) -> None:
    frame = rows()
    written(tmp_path / "one.bed", frame.drop(columns="prob_no"), ["prob_yes"])
    written(tmp_path / "all.bed", frame, COLUMNS)
    for name, columns in (("one.bed", ["prob_yes"]), ("all.bed", COLUMNS)):
        bed = pd.read_csv(tmp_path / name, sep="\t", header=None)
        assert bed.iloc[:, :4].to_numpy().tolist() == frame.iloc[:, :4].to_numpy().tolist()
        assert bed[4].tolist() == (1000 * frame[columns].max(axis=1)).round().tolist()
        assert set(bed[5]) == {"."}
        np.testing.assert_allclose(bed.iloc[:, 6:], frame[columns], rtol=1e-5)


def test_bed_of_numbers_has_neither_name_nor_score(tmp_path: Path) -> None:
    frame = rows(3, []).drop(columns="prediction").assign(prediction=[0.5, -3.0, 1e4])
    written(tmp_path / "a.bed", frame, ["prediction"])
    lines = (tmp_path / "a.bed").read_text().splitlines()
    assert lines[1] == "chr 1\t2\t6\t.\t0\t.\t-3"


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 6)), min_size=1, max_size=4),
    st.integers(1, 8),
    st.integers(1, 5),
)
def test_each_position_of_a_track_goes_to_the_nearest_centre(
    tmp_path_factory: pytest.TempPathFactory,
    sequences: list[tuple[int, int]],
    size: int,
    block: int,
) -> None:
    """The sequences are (number of windows, the stride of each of them but the last)."""
    spans = []
    for number, (count, stride) in enumerate(sequences):
        starts = [*range(0, (count - 1) * stride, stride), max(0, (count - 2) * stride + 1)]
        spans += [(f"s{number}", start, start + size) for start in starts]
    frame = pd.DataFrame(spans, columns=["id", "start", "end"]).assign(x=np.arange(len(spans)))
    path = tmp_path_factory.getbasetemp() / "track.bedgraph"
    written(path, frame, ["x"], block)
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    cells = [(name, int(start), int(end), int(x)) for name, start, end, x in lines]
    assert [x for *_, x in cells] == list(range(len(spans)))
    for (name, _, end, _), (following, start, _, _) in pairwise(cells):
        assert name != following or end <= start
    for name in {name for name, _, _ in spans}:
        for position in range(max(end for other, _, end in spans if other == name)):
            here = [x for other, a, b, x in cells if other == name and a <= position < b]
            covers = {
                x: abs(a + b - 2 * position - 1)
                for x, (other, a, b) in enumerate(spans)
                if other == name and a <= position < b
            }
            assert len(here) == bool(covers)
            assert all(covers[x] == min(covers.values()) for x in here)


def test_a_track_a_column(tmp_path: Path) -> None:
    written(tmp_path / "a.bedgraph", rows(), COLUMNS)
    names = ["a.prob_no.bedgraph", "a.prob_yes.bedgraph"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert files_for(tmp_path / "a.bedgraph", COLUMNS) == [tmp_path / name for name in names]
    assert files_for(tmp_path / "a.tsv", COLUMNS) == [tmp_path / "a.tsv"]
    assert [format_of(name) for name in ("a.BED", "a.bg", "a")] == ["bed", "bedgraph", "tsv"]


@pytest.mark.parametrize("name", ["a.tvs", "a.tsv.gz", "a.v2", "a.xlsx"])
def test_a_suffix_of_no_format_is_refused(name: str, tmp_path: Path) -> None:
    with refused(f"{name}: a name that ends in .tsv, .txt, .csv, .parquet, .bed", "choose another"):
        written(tmp_path / name, rows(), COLUMNS)
    assert not list(tmp_path.iterdir())


def test_a_dash_is_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path / "a.tsv", rows(), COLUMNS)
    written(Path("-"), rows(), COLUMNS)
    assert capsys.readouterr().out == (tmp_path / "a.tsv").read_text()
    assert not Path("-").exists()


@pytest.mark.parametrize("name", ["a.tsv", "a.parquet", "a.bed", "a.bedgraph"])
def test_an_error_after_some_blocks_leaves_nothing(name: str, tmp_path: Path) -> None:
    def fail() -> None:
        with writing(tmp_path / name, COLUMNS) as write:
            write(rows())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []
