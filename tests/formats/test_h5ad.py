"""AnnData files: the cells that anndata wrote come back, whole or in blocks; what is wrong is said."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from bionn.errors import FormatError, InputError
from bionn.formats import h5ad
from bionn.formats.table import read_blocks, read_table
from tests.support.refusals import refused

GENES = ["CD3E", "CD19", "LYZ", "NKG7"]
CELLS = [f"AAAC-{row}" for row in range(7)]


def counts(dtype: Any = np.float32) -> np.ndarray:
    """Few values that are not zero, ``(7, 4)``."""
    return np.random.default_rng(0).poisson(0.7, (len(CELLS), len(GENES))).astype(dtype)


def known() -> pd.DataFrame:
    """A column of each type that ``obs`` can hold."""
    return pd.DataFrame(
        {
            "cell_type": pd.Categorical(["T", "B", None, "T", "B", "T", "B"]),
            "donor": list("xxyyzzz"),
            "mito": [0.5, np.nan, 0.25, 1, 0, 2, 3],
            "fold": [0, 1, 2, 0, 1, 2, 0],
            "doublet": [True] + [False] * 6,
        },
        index=CELLS,
    )


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """``save(X, obs=..., var_names=...)`` writes an AnnData file by anndata itself."""

    def saver(values: Any, obs: pd.DataFrame | None = None, var_names: Any = GENES) -> Path:
        path = tmp_path / "cells.h5ad"
        var = pd.DataFrame(index=pd.Index(var_names))
        data = anndata.AnnData(values, obs=known() if obs is None else obs, var=var)
        data.write_h5ad(path)
        return path

    return saver


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, bool])
def test_values_of_each_kind_come_back_whole_and_in_blocks(save, kind, dtype) -> None:
    path = save(kind(counts(dtype)))
    whole = read_table(path)
    assert whole.columns == ["obs_names", *known(), *GENES]
    assert whole.ids == "obs_names"
    assert whole.measured == GENES
    assert whole.text("obs_names") == CELLS
    np.testing.assert_array_equal(whole.numeric_frame(GENES), counts(dtype).astype(float))
    blocks = list(read_blocks(path, rows=3))
    assert list(map(len, blocks)) == [3, 3, 1]
    joined = pd.concat([block.frame for block in blocks], ignore_index=True)
    pd.testing.assert_frame_equal(joined, whole.frame)


def test_single_precision_stays_until_numbers_are_asked_for(save) -> None:
    frame = read_table(save(sparse.csr_matrix(counts()))).frame
    assert set(frame[GENES].dtypes) == {np.dtype(np.float32)}


def test_columns_of_obs_are_text_and_numbers_with_gaps(save) -> None:
    table = read_table(save(counts()))
    assert table.text("cell_type") == ["T", "B", "", "T", "B", "T", "B"]
    assert table.text("donor") == list("xxyyzzz")
    assert table.text("fold") == ["0", "1", "2", "0", "1", "2", "0"]
    assert table.text("doublet") == ["True"] + ["False"] * 6
    np.testing.assert_array_equal(table.numeric("mito"), known()["mito"])


def test_wide_blocks_hold_fewer_cells(save, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(h5ad, "BLOCK_CELLS", 2 * len(GENES) + 1)
    assert [len(block) for block in read_blocks(save(counts()))] == [2, 2, 2, 1]


@pytest.mark.parametrize(
    ("name", "column"), [("barcode", "barcode"), ("donor", "obs_names"), ("LYZ", "obs_names")]
)
def test_ids_have_the_name_of_the_index_where_no_column_has_it(save, name, column) -> None:
    obs = known().drop(columns="donor").rename_axis(name)
    if name == "donor":
        obs[name] = obs.index
    table = read_table(save(counts(), obs))
    assert table.ids == column
    assert table.text(column) == CELLS


def test_a_wrong_value_is_found_by_its_cell(save) -> None:
    values = counts()
    values[5, 2] = np.inf
    path = save(values)
    with refused(f"{path}: cell 'AAAC-5': column 'LYZ'", "inf found", kind=FormatError):
        read_table(path).numeric_frame(GENES)
    with refused(f"{path}: cell 'AAAC-5': column 'LYZ'", kind=FormatError):
        [block.numeric_frame(GENES) for block in read_blocks(path, rows=2)]


def test_names_that_are_not_one_thing_each_are_refused(save) -> None:
    with pytest.warns(UserWarning, match="Variable names are not unique"):
        path = save(counts(), var_names=["CD3E", "LYZ", "CD19", "LYZ"])
    with refused(path, "'LYZ' stands twice in var_names", kind=FormatError):
        read_table(path)
    path = save(counts(), known().rename(columns={"mito": "CD19"}))
    with refused(path, "'CD19' is a column of obs and a name in var_names", kind=FormatError):
        read_table(path)
    path = save(counts(), var_names=["CD3E", "", "CD19", "LYZ"])
    with refused(path, "variable 2 has no name", kind=FormatError):
        read_table(path)


def without_values(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["X"]


def with_text_in_x(path: Path) -> None:
    without_values(path)
    with h5py.File(path, "a") as file:
        file["X"] = np.full((len(CELLS), len(GENES)), b"a")


def with_a_row_less(path: Path) -> None:
    without_values(path)
    with h5py.File(path, "a") as file:
        file["X"] = counts()[1:]


def without_obs(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["obs"]


def without_a_column(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["obs/donor"]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (without_values, "X needed, none found"),
        (with_text_in_x, "numbers needed in X"),
        (with_a_row_less, "7 x 4 (obs x var) needed, 6 x 4 found"),
        (without_obs, "no group 'obs' found"),
        (without_a_column, "donor"),
        (cut, "truncated"),
        (lambda path: path.write_text("id,x\na,1\n"), "not readable as one"),
        (lambda path: path.write_bytes(b""), "not readable as one"),
    ],
)
def test_damaged_files_are_refused(save, damage, says) -> None:
    path = save(counts())
    damage(path)
    with refused(path, says, kind=FormatError):
        read_table(path)
    with refused(path, says, kind=FormatError):
        list(read_blocks(path))


def test_no_cells_or_no_genes_are_refused(save) -> None:
    path = save(counts()[:0], known()[:0])
    with refused(path, "0 x 4 found", kind=FormatError):
        read_table(path)
    path = save(counts()[:, :0], var_names=[])
    with refused(path, "7 x 0 found", kind=FormatError):
        read_table(path)


def test_without_anndata_the_extra_is_named(save, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(counts())
    monkeypatch.setitem(sys.modules, "anndata.io", None)
    with refused(path, "pip install 'bionn[anndata]'", kind=InputError):
        read_table(path)
