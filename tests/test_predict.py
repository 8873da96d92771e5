"""Prediction for new samples: the same from every source, by name, in the targets' own units."""

import json
import tracemalloc
from functools import partial
from pathlib import Path
from textwrap import wrap

import numpy as np
import pandas as pd
import pytest
import torch
from Bio.Seq import reverse_complement

from bionn.data import unlabelled
from bionn.data.modules import load_prepared
from bionn.data.prepared import Prepared
from bionn.data.samples import DataOptions
from bionn.data.unlabelled import Columns
from bionn.errors import FormatError, InputError, InputWarning
from bionn.formats import fasta, fasta_columns
from bionn.formats.output import write_json
from bionn.formats.text import text_blocks
from bionn.loading import with_both_strands
from bionn.models import MLP
from bionn.models.heads import link
from bionn.models.layers import set_code_table
from bionn.predict import Predictor
from bionn.sequences.windows import Windows
from tests.small_sets import expression, prepared, sequences, write_fasta
from tests.support.refusals import refused

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


@pytest.mark.parametrize("encoding", ["kmer:2,frequency", "onehot+kmer:3,canonical"])
def test_kmers_of_new_samples_are_scaled_as_in_training(encoding: str, tmp_path: Path) -> None:
    data = prepared("multiclass", encoding=encoding)
    predictor = predictor_of(data, tmp_path)
    assert data.features is not None
    with torch.inference_mode():
        logits = predictor.model(data.features(data.inputs))
    np.testing.assert_allclose(predictor.outputs(data.inputs), logits.softmax(dim=1), rtol=1e-5)
    few = predictor.predict(sequences()["sequence"].tolist()[:3])
    np.testing.assert_allclose(few["prob_EI"], logits.softmax(dim=1)[:3, 0], rtol=1e-5)


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
@pytest.mark.parametrize("encoding", ["onehot", "onehot+kmer:2"])
def test_over_both_strands_the_logits_are_the_mean_of_the_strands(
    kind: str, encoding: str, tmp_path: Path
) -> None:
    data = prepared(kind, encoding=encoding, length=14, both_strands=True)
    both = predictor_of(data, tmp_path)
    one = Predictor(both.model, with_both_strands(both.manifest, False))
    texts = [*sequences()["sequence"], "ACG", ""]
    other = [reverse_complement(text) for text in texts]
    strands = [one.logits(one.encode(side)[1]) for side in (texts, other)]
    assert not torch.allclose(*strands)
    truth = link(both.task, (strands[0] + strands[1]) / 2)
    np.testing.assert_allclose(both.outputs(both.encode(texts)[1]), truth, rtol=1e-5)
    np.testing.assert_allclose(both.outputs(both.encode(other)[1]), truth, rtol=1e-5)


def test_a_regression_over_both_strands_is_the_mean_of_two_predictions(tmp_path: Path) -> None:
    frame = sequences()[["id", "sequence"]].assign(y=np.arange(90.0))
    data = load_prepared(frame, DataOptions(target="y", task="regression"))
    one = predictor_of(data, tmp_path)
    both = Predictor(one.model, with_both_strands(one.manifest, True))
    texts = frame["sequence"].tolist()
    other = [reverse_complement(text) for text in texts]
    values = [one.predict(side)["prediction"] for side in (texts, other)]
    expected = (values[0] + values[1]) / 2
    np.testing.assert_allclose(both.predict(texts)["prediction"], expected, rtol=1e-6)


def test_only_models_of_dna_and_rna_have_two_strands(on_table: Predictor, tmp_path: Path) -> None:
    with refused("both-strands: a model of sequences needed", "features"):
        with_both_strands(on_table.manifest, True)
    assert not with_both_strands(on_table.manifest, False)["input"]["both_strands"]
    options = {"target": "label", "alphabet": "protein"}
    frame = sequences(letters="ACDEF")[["id", "sequence", "label"]]
    protein = predictor_of(load_prepared(frame, DataOptions(**options)), tmp_path)
    for refusal in (
        lambda: with_both_strands(protein.manifest, True),
        lambda: load_prepared(frame, DataOptions(**options, both_strands=True)),
    ):
        with refused("dna or rna alphabet needed, protein found"):
            refusal()


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
    monkeypatch.setattr("bionn.data.batches.EVALUATION_ROWS", 7)
    pieces = list(predictor.blocks(frame))
    assert list(map(len, pieces)) == [28, 28, 28, 6]
    pd.testing.assert_frame_equal(predictor.predict(frame), whole, rtol=1e-5)


def test_no_sequences_give_no_rows(on_sequences: Predictor) -> None:
    assert on_sequences.predict([]).shape == (0, 5)


def test_repeated_ids_are_kept_apart(on_sequences: Predictor, tmp_path: Path) -> None:
    path = write_fasta(sequences().assign(id="x")[:3], tmp_path / "new.fa")
    with pytest.warns(InputWarning, match="repeated ids: 2, told apart as id#2"):
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


def test_a_feature_without_a_column_is_imputed_if_asked_to(on_table: Predictor) -> None:
    frame = expression()
    with pytest.warns(InputWarning, match="1 of 5 features are missing and imputed: gene4"):
        found = on_table.predict(
            frame.drop(columns="gene4"), columns=Columns(missing_features="impute")
        )
    pd.testing.assert_frame_equal(found, on_table.predict(frame.assign(gene4=np.nan)))
    with refused("none of the 5 features"):
        on_table.predict(frame[["id", "y1"]], columns=Columns(missing_features="impute"))


def test_a_batch_is_known_at_prediction_and_a_new_one_is_told(tmp_path: Path) -> None:
    frame = expression().assign(plate=["p1", "p2", "p3"] * 30)
    options = DataOptions(target="y1", features=GENES, batch_column="plate")
    predictor = predictor_of(load_prepared(frame, options), tmp_path)
    data = load_prepared(frame, options)
    found = predictor.predict(frame.sample(frac=1, axis=1, random_state=0))
    np.testing.assert_allclose(found["prediction"], predictor.outputs(data.inputs)[:, 0])
    with pytest.warns(InputWarning, match=r"plate: 90 rows .*\(p8\)"):
        predictor.predict(frame.assign(plate="p8"))


def test_logarithms_of_targets_come_back_in_their_own_units(tmp_path: Path) -> None:
    frame = expression().assign(y1=lambda f: np.exp(f["y1"] / 10))
    data = load_prepared(frame, DataOptions(target="y1", features=GENES, target_transform="log1p"))
    predictor = predictor_of(data, tmp_path)
    with torch.no_grad():
        standard = predictor.model(data.inputs).double().numpy()[:, 0]
    train = np.log(1 + frame["y1"].to_numpy()[data.split.train])
    expected = np.exp(standard * train.std() + train.mean()) - 1
    np.testing.assert_allclose(predictor.predict(frame)["prediction"], expected, rtol=1e-6)


def long_sequences() -> dict[str, str]:
    """Two sequences of several windows, one of exactly one, one that is shorter."""
    rng = np.random.default_rng(5)
    lengths = {"chr1": 431, "chr2": 12, "chr3": 250, "tiny": 7}
    return {name: "".join(rng.choice(list("ACGTN"), n)) for name, n in lengths.items()}


@pytest.mark.parametrize("stride", [1, 5, 12, 40])
def test_windows_are_predicted_as_slices_are(
    stride: int, on_sequences: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sequences = long_sequences()
    spans = [
        (name, start, start + 12)
        for name, text in sequences.items()
        for start in dict.fromkeys([*range(0, len(text) - 11, stride), len(text) - 12])
        if start >= 0
    ]
    slices = on_sequences.predict([sequences[name][start:end] for name, start, end in spans])
    path = tmp_path / "long.fa"
    folded = {name: "\n".join(wrap(text, 60)) for name, text in sequences.items()}
    path.write_text("".join(f">{name}\n{text}\n" for name, text in folded.items()))
    frame = pd.DataFrame({"id": sequences.keys(), "sequence": sequences.values()})
    monkeypatch.setattr("bionn.data.batches.EVALUATION_ROWS", 11)
    monkeypatch.setattr(fasta, "text_blocks", partial(text_blocks, size=50))
    monkeypatch.setattr(unlabelled, "read_pieces", partial(fasta.read_pieces, symbols=90))
    for source in (path, frame):
        with pytest.warns(InputWarning, match="left out: 1 sequences shorter .*'tiny'"):
            found = on_sequences.predict(source, windows=Windows(12, stride))
        assert list(found[["id", "start", "end"]].itertuples(index=False, name=None)) == spans
        expected = slices.drop(columns="id").reset_index(drop=True)
        found = found.drop(columns=["id", "start", "end"]).reset_index(drop=True)
        pd.testing.assert_frame_equal(found, expected, rtol=1e-5)


def test_a_sequence_shorter_than_the_window_is_padded_where_the_model_was_taught_to(
    tmp_path: Path,
) -> None:
    predictor = predictor_of(prepared("binary", length=12, align="center"), tmp_path)
    expected = predictor.predict(["ACGTACGT", "ACGTACGTACGTACG"[:12], "ACGTACGTACGTACG"[3:]])
    found = predictor.predict(["ACGTACGT", "ACGTACGTACGTACG"], windows=Windows(12, 12))
    spans = [("row1", 0, 8), ("row2", 0, 12), ("row2", 3, 15)]
    assert list(found.iloc[:, :3].itertuples(index=False, name=None)) == spans
    assert found["prob_yes"].tolist() == pytest.approx(expected["prob_yes"].tolist(), rel=1e-5)


def test_a_window_that_the_model_does_not_take_is_refused(
    on_sequences: Predictor, on_table: Predictor
) -> None:
    with pytest.raises(InputError, match="window: length 12 needed, 13 found"):
        on_sequences.predict(["ACGT" * 9], windows=Windows(13, 1))
    with pytest.raises(InputError, match="window: a model of sequences needed"):
        on_table.predict(expression(), windows=Windows(12, 1))


def test_a_bad_symbol_is_found_at_its_position_in_a_sequence_of_many_pieces(
    on_sequences: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fasta, "text_blocks", partial(text_blocks, size=50))
    monkeypatch.setattr(unlabelled, "read_pieces", partial(fasta.read_pieces, symbols=90))
    path = tmp_path / "long.fa"
    path.write_text(">a\n" + "ACGT\n" * 100 + ">b x\n" + "ACGT\n" * 200 + "AJGT\n")
    with pytest.raises(FormatError, match=r"long\.fa:102: record 'b': symbol 'J' at position 802 "):
        on_sequences.predict(path, windows=Windows(12, 12))


@pytest.mark.parametrize("ending", ["fa", "fastq", "csv", "parquet"])
def test_ids_that_repeat_over_many_blocks_are_told_apart(
    ending: str, on_sequences: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bionn.data.batches.EVALUATION_ROWS", 2)
    frame = sequences()[["id", "sequence"]].assign(id=[f"s{n % 40}" for n in range(90)])
    path = tmp_path / f"new.{ending}"
    if ending == "fa":
        write_fasta(frame, path)
    elif ending == "fastq":
        records = (
            f"@{name}\n{text}\n+\n{'I' * 12}\n" for name, text in frame.itertuples(index=False)
        )
        path.write_text("".join(records))
    elif ending == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    with pytest.warns(InputWarning, match="repeated ids: 50, told apart as id#2, id#3"):
        found = on_sequences.predict(path)
    rounds = ["", "#2", "#3"]
    assert found["id"].tolist() == [f"s{n % 40}{rounds[n // 40]}" for n in range(90)]


def test_a_table_model_takes_rows_block_by_block(
    on_table: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = expression()
    whole = on_table.predict(frame)
    frame.drop(columns="id").to_csv(tmp_path / "new.csv", index=False)
    monkeypatch.setattr("bionn.data.batches.EVALUATION_ROWS", 4)
    found = on_table.predict(tmp_path / "new.csv")
    assert found["id"].tolist() == [f"row{n}" for n in range(1, 91)]
    pd.testing.assert_frame_equal(found.drop(columns="id"), whole.drop(columns="id"), rtol=1e-5)
    lines = (tmp_path / "new.csv").read_text().splitlines()
    lines[60] = lines[60].replace(",", ",bad", 1)
    (tmp_path / "new.csv").write_text("\n".join(lines))
    with pytest.raises(FormatError, match=r"new\.csv:61: column 'gene2': a number needed, 'bad"):
        on_table.predict(tmp_path / "new.csv")


@pytest.mark.parametrize("windows", [None, Windows(12, 240)])
def test_four_times_the_file_needs_no_more_memory(
    windows: Windows | None,
    on_sequences: Predictor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bionn.data.batches.EVALUATION_ROWS", 64)
    monkeypatch.setattr(unlabelled, "read_pieces", partial(fasta.read_pieces, symbols=5000))
    monkeypatch.setattr(fasta, "text_blocks", partial(text_blocks, size=5000))
    monkeypatch.setattr(fasta_columns, "_BLOCK", 5000)
    peaks = []
    for records in (3000, 12000):
        path = tmp_path / f"{records}.fa"
        if windows is None:
            path.write_text("".join(f">{'x' * 200}{n}\nACGTACGTACGT\n" for n in range(records)))
        else:  # one record
            path.write_text(">long\n" + "ACGTACGTACGT" * 20 * records)
        tracemalloc.start()
        rows = sum(len(block) for block in on_sequences.blocks(path, windows=windows))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert rows == records + (windows is not None)
    assert path.stat().st_size > 2_500_000
    assert peaks[1] < peaks[0] + 400_000
