"""An AnnData file through the command line: trained on, predicted from in another order, audited."""

from __future__ import annotations

import json
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from bionn.cli.main import main

ROWS = 120
TYPES = np.array(["T cell", "B cell", "monocyte"])
QUICK = ["--max-epochs", "15", "--learning-rate", "0.03", "--hidden", "8", "--device", "cpu"]


def cells() -> anndata.AnnData:
    """Counts of 30 genes in which ten tell each type from the others; a donor gave 20 cells."""
    rng = np.random.default_rng(0)
    number = rng.permutation(ROWS) % 3
    marks = np.arange(30)[None, :] // 10 == number[:, None]
    barcodes = ["".join(rng.choice(list("ACGT"), 16)) for _ in range(ROWS)]
    obs = pd.DataFrame(
        {
            "n_counts": rng.integers(500, 900, ROWS),
            "cell_type": pd.Categorical(TYPES[number]),
            "donor": pd.Categorical([f"d{row // 20}" for row in range(ROWS)]),
            "sample": np.where(np.arange(ROWS) % 2, "left", "right"),
            "barcode": barcodes,
            "fold": np.arange(ROWS) % 3,
            "part": np.resize(["train", "train", "val", "test"], ROWS),
        },
        index=[f"{barcode}-1" for barcode in barcodes],
    )
    counts = rng.poisson(np.where(marks, 6, 0.5)).astype(np.float32)
    var = pd.DataFrame(index=[f"gene{gene}" for gene in range(30)])
    return anndata.AnnData(sparse.csr_matrix(counts), obs=obs, var=var)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cells().write_h5ad(tmp_path / "cells.h5ad")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_takes_genes_from_x_and_the_rest_from_obs(folder: Path, capsys) -> None:
    roles = ["--group-column", "donor", "--batch-column", "sample"]
    assert main(["run", "cells.h5ad", "--target", "cell_type", *roles, *QUICK, "--out", "r"]) == 0
    assert "features are the 30 variables of X" in capsys.readouterr().out
    inputs = json.loads(Path("r/model/manifest.json").read_text())["input"]
    assert inputs["features"] == [f"gene{gene}" for gene in range(30)]
    predictions = pd.read_csv("r/predictions.tsv", sep="\t").set_index("id")
    obs = cells().obs
    assert set(predictions.index) == set(obs.index)
    obs["split"] = predictions["split"].reindex(obs.index)
    assert (obs.groupby("donor", observed=True)["split"].nunique() == 1).all()
    assert (predictions["target"].reindex(obs.index) == obs["cell_type"].astype(str)).all()
    test = predictions[predictions["split"] == "test"]
    assert (test["prediction"] == test["target"]).mean() > 0.8

    # Genes in another order, by columns, with one more and without the labels: the same numbers.
    data = cells()
    other = anndata.AnnData(
        sparse.hstack([data.X, np.ones((ROWS, 1))]).tocsc()[:, ::-1],
        obs=data.obs[["sample"]],
        var=pd.DataFrame(index=[*data.var_names, "another"][::-1]),
    )
    other.write_h5ad("new.h5ad")
    for source in ("cells", "new"):
        assert main(["predict", "r", f"{source}.h5ad", "--out", f"{source}.tsv"]) == 0
    assert Path("cells.tsv").read_bytes() == Path("new.tsv").read_bytes()
    assert pd.read_csv("new.tsv", sep="\t")["id"].tolist() == list(obs.index)


def test_an_h5ad_file_is_the_table_that_it_would_be_as_csv(folder: Path) -> None:
    data = cells()
    table = pd.concat([data.obs[["cell_type", "part"]], data.to_df()], axis=1)
    table.rename_axis("id").to_csv("cells.csv")
    given = ["--target", "cell_type", "--split-column", "part", *QUICK]
    for kind in ("h5ad", "csv"):
        assert main(["run", f"cells.{kind}", *given, "--out", kind]) == 0
    assert Path("h5ad/predictions.tsv").read_bytes() == Path("csv/predictions.tsv").read_bytes()


def test_folds_of_obs_and_a_number_of_obs_as_target(folder: Path) -> None:
    given = ["--target", "n_counts", "--fold-column", "fold", *QUICK, "--out", "r"]
    assert main(["run", "cells.h5ad", *given]) == 0
    tested = pd.read_csv("r/predictions.tsv", sep="\t").set_index("id")
    np.testing.assert_array_equal(
        tested["target"].reindex(cells().obs_names), cells().obs["n_counts"]
    )


def test_an_audit_of_cells_and_refusals_end_with_their_codes(folder: Path, capsys) -> None:
    assert main(["audit", "cells.h5ad", "--target", "cell_type", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["task"] == "multiclass"
    for wrong, says in (
        (["cells.h5ad", "--target", "celltype"], "did you mean 'cell_type'?"),
        (["cells.h5ad"], "the columns are: n_counts, cell_type, donor"),
        (["cells.h5ad", "--target", "cell_type", "--orient", "genes"], "leave orient out"),
    ):
        assert main(["audit", *wrong]) == 2
        assert says in capsys.readouterr().err
    Path("cut.h5ad").write_bytes(Path("cells.h5ad").read_bytes()[:4000])
    assert main(["run", "cut.h5ad", "--target", "cell_type", "--out", "r"]) == 2
    message = capsys.readouterr().err
    assert "cut.h5ad: an AnnData file needed" in message
    assert message.count("\n") == 1
    assert not Path("r").exists()
