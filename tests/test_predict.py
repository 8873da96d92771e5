"""Prediction for new samples: the same from every source, by name, in the targets' own units."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from bionn.data.modules import load_prepared
from bionn.data.prepared import Prepared
from bionn.data.samples import DataOptions
from bionn.errors import FormatError, InputError
from bionn.formats.output import write_json
from bionn.models import MLP
from bionn.models.layers import set_code_table
from bionn.predict import Predictor
from tests.small_sets import expression, prepared, sequences, write_fasta

KINDS = ("binary", "multiclass", "regression", "state")
GENES = [f"gene{n}" for n in range(1, 6)]


def predictor_of(data: Prepared, tmp_path: Path) -> Predictor:
    """An untrained network with the manifest as it is after a journey through a file."""
    torch.manual_seed(0)
    model = MLP(data.encoder.input_shape, (8,), data.targets.num_outputs)
    if data.code_table is not None:
        set_code_table(model, data.code_table)
    write_json(data.manifest(), tmp_path / "manifest.json")
    return Predictor(model, json.loads((tmp_path / "manifest.json").read_text()))


@pytest.fixture
def on_sequences(tmp_path: Path) -> Predictor:
    return predictor_of(prepared("multiclass"), tmp_path)


@pytest.fixture
def on_table(tmp_path: Path) -> Predictor:
    return predictor_of(prepared("regression"), tmp_path)


def test_fasta_csv_frame_and_list_give_the_same(on_sequences: Predictor, tmp_path: Path) -> None:
    frame = sequences()[["id", "sequence"]]
    frame.to_csv(tmp_path / "new.csv", index=False)
    frame.to_parquet(tmp_path / "new.parquet")
    expected = on_sequences.predict(frame)
    assert expected["id"].tolist() == frame["id"].tolist()
    for source in (write_fasta(frame, tmp_path / "new.fa"), tmp_path / "new.csv"):
        pd.testing.assert_frame_equal(on_sequences.predict(source), expected)
        pd.testing.assert_frame_equal(on_sequences.predict(str(source)), expected)
    pd.testing.assert_frame_equal(on_sequences.predict(tmp_path / "new.parquet"), expected)
    listed = on_sequences.predict(frame["sequence"].tolist())
    assert listed["id"].tolist() == [f"row{n}" for n in range(1, 91)]
    pd.testing.assert_frame_equal(listed.drop(columns="id"), expected.drop(columns="id"))


def test_a_custom_alphabet_travels_with_the_model(tmp_path: Path) -> None:
    frame = sequences(letters="ACGTMX")[["id", "sequence", "label"]]
    data = load_prepared(frame, DataOptions(target="label", alphabet="custom:acgtm"))
    assert data.encoder.input_shape == (5, 12)
    predictor = predictor_of(data, tmp_path)
    assert predictor.manifest["input"]["letters"] == "ACGTM"
    expected = predictor.outputs(data.inputs)
    found = predictor.predict(frame["sequence"].tolist())
    np.testing.assert_array_equal(found["prob_yes"], expected)
    with pytest.raises(FormatError, match="'R' at position 1 is not in the custom alphabet"):
        predictor.predict(["RACGTACGTACG"])


@pytest.mark.parametrize("kind", KINDS)
def test_new_samples_go_the_way_of_the_training_samples(kind: str, tmp_path: Path) -> None:
    data = prepared(kind)
    frame = sequences()[["id", "sequence"]] if data.code_table is not None else expression()
    ids, encoded = predictor_of(data, tmp_path).encode(frame)
    assert ids == data.samples.ids
    assert torch.equal(encoded, data.inputs)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "state"])
def test_probabilities_sum_to_one_and_the_largest_decides(kind: str, tmp_path: Path) -> None:
    data = prepared(kind)
    frame = predictor_of(data, tmp_path).predict(
        sequences()[["id", "sequence"]] if data.code_table is not None else expression()
    )
    columns = [f"prob_{name}" for name in data.targets.classes]
    assert list(frame) == ["id", "prediction", *columns]
    chances = frame[columns].to_numpy()
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-6)
    largest = [data.targets.classes[k] for k in chances.argmax(axis=1)]
    assert frame["prediction"].tolist() == largest


def test_regression_comes_back_in_the_targets_own_units(on_table: Predictor) -> None:
    data = prepared("regression")
    train = expression()[["y1", "y2"]].to_numpy()[data.split.train]
    with torch.no_grad():
        standard = on_table.model(data.inputs).double().numpy()
    expected = standard * train.std(axis=0) + train.mean(axis=0)
    found = on_table.predict(expression())
    assert list(found) == ["id", "prediction_y1", "prediction_y2"]
    np.testing.assert_allclose(found[["prediction_y1", "prediction_y2"]], expected, rtol=1e-6)


def test_a_single_target_is_called_prediction(tmp_path: Path) -> None:
    data = load_prepared(expression(), DataOptions(target="y1", features=GENES))
    assert list(predictor_of(data, tmp_path).predict(expression())) == ["id", "prediction"]


def test_features_are_found_by_name_in_any_order(on_table: Predictor) -> None:
    frame = expression()
    shuffled = frame[["y2", *GENES[::-1], "id"]].assign(other="x")
    pd.testing.assert_frame_equal(on_table.predict(shuffled), on_table.predict(frame))


def test_a_missing_value_is_the_training_median(on_table: Predictor) -> None:
    data, frame = prepared("regression"), expression()
    holed = frame.assign(gene4=np.nan)
    filled = frame.assign(gene4=frame["gene4"].iloc[data.split.train].median())
    pd.testing.assert_frame_equal(on_table.predict(holed), on_table.predict(filled))


@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_many_blocks_are_one_block(kind: str, tmp_path: Path, monkeypatch) -> None:
    predictor = predictor_of(prepared(kind), tmp_path)
    frame = sequences()[["id", "sequence"]] if kind == "multiclass" else expression()
    whole = predictor.predict(frame)
    monkeypatch.setattr("bionn.predict.EVALUATION_ROWS", 7)
    total, blocks = predictor.blocks(frame)
    pieces = list(blocks)
    assert total == len(pieces) == 13
    assert max(map(len, pieces)) == 7
    pd.testing.assert_frame_equal(predictor.predict(frame), whole, rtol=1e-5)


def test_no_sequences_give_no_rows(on_sequences: Predictor) -> None:
    assert on_sequences.predict([]).shape == (0, 5)


def test_repeated_ids_are_kept_apart(on_sequences: Predictor, tmp_path: Path) -> None:
    path = write_fasta(sequences().assign(id="x")[:3], tmp_path / "new.fa")
    assert on_sequences.predict(path)["id"].tolist() == ["x", "x#2", "x#3"]


def test_a_missing_feature_is_named_with_its_nearest(on_table: Predictor) -> None:
    frame = expression().rename(columns={"gene2": "gene_2"})
    with pytest.raises(InputError, match=r"no column 'gene2' \(did you mean 'gene_2'\?\) of the 5"):
        on_table.predict(frame)
    with pytest.raises(InputError, match=r"no column 'gene1'.*, nor 3 others of the 5 features"):
        on_table.predict(frame[["id", "gene5"]])


def test_a_sequence_of_another_length_is_named_with_its_line(
    on_sequences: Predictor, tmp_path: Path
) -> None:
    path = tmp_path / "new.fa"
    path.write_text(">a\nACGTACGTACGT\n>b\nACGT\n")
    with pytest.raises(FormatError, match=r"new\.fa:3: record 'b': length 12 needed, 4 found"):
        on_sequences.predict(path)
    with pytest.raises(FormatError, match=r"sequence 2: .*length 12 needed, 4 found"):
        on_sequences.predict(["ACGTACGTACGT", "ACGT"])


def test_a_symbol_outside_the_alphabet_is_named(on_sequences: Predictor) -> None:
    with pytest.raises(FormatError, match="symbol 'J' at position 3"):
        on_sequences.predict(["ACJTACGTACGT"])


def test_fasta_for_a_table_model_is_refused(on_table: Predictor, tmp_path: Path) -> None:
    path = write_fasta(sequences(), tmp_path / "new.fa")
    with pytest.raises(InputError, match=r"new\.fa: a table needed .*, FASTA found"):
        on_table.predict(path)
    with pytest.raises(InputError, match=r"a table needed .* a list found"):
        on_table.predict(["ACGT"])


def test_a_table_for_a_sequence_model_is_refused(on_sequences: Predictor, tmp_path: Path) -> None:
    expression().to_csv(tmp_path / "new.csv", index=False)
    with pytest.raises(InputError, match=r"new\.csv: a column of dna sequences needed"):
        on_sequences.predict(tmp_path / "new.csv")


def test_predicting_leaves_the_random_state_alone(on_sequences: Predictor) -> None:
    before = torch.get_rng_state()
    on_sequences.predict(["ACGTACGTACGT"])
    assert torch.equal(torch.get_rng_state(), before)
