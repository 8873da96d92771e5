"""Prepared sets: fitted on training rows only, hashed by what they are, errors located."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from bionn.data.modules import load_prepared
from bionn.data.prepared import Prepared
from bionn.data.samples import DataOptions
from bionn.errors import FormatError
from bionn.metrics import scores
from bionn.preprocess.features import FeatureEncoder
from bionn.preprocess.imputation import Medians
from tests.support.refusals import refused

Write = Callable[[str, str | bytes], Path]
PARTS = ["train"] * 20 + ["val"] * 5 + ["test"] * 5


def expression(seed: int = 0) -> pd.DataFrame:
    """Three genes with gaps, a number to predict and fixed parts."""
    rng = np.random.default_rng(seed)
    genes = rng.normal([1, 50, -3], [1, 9, 0.1], (30, 3))
    genes[rng.random((30, 3)) < 0.1] = np.nan
    frame = pd.DataFrame(genes, columns=["g1", "g2", "g3"])
    return frame.assign(id=[f"s{n}" for n in range(30)], y=rng.normal(9, 4, 30), part=PARTS)


def sequences(**columns: Any) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    texts = ["".join(rng.choice(list("ACGTN"), 12)) for _ in range(30)]
    frame = pd.DataFrame({"id": [f"s{n}" for n in range(30)], "sequence": texts, "part": PARTS})
    return frame.assign(label=["no", "yes"] * 15, **columns)


def prepared(frame: pd.DataFrame, **options: Any) -> Prepared:
    target = "y" if "y" in frame else "label"
    return load_prepared(
        frame, DataOptions(**({"target": target, "split_column": "part"} | options))
    )


def test_features_and_targets_are_fitted_on_the_training_rows_alone() -> None:
    frame = expression()
    changed = frame.copy()
    outside = changed["part"] != "train"
    changed.loc[outside, ["g1", "g2", "g3", "y"]] *= 1000
    changed.loc[outside, "g1"] = np.nan
    first, second = prepared(frame), prepared(changed)
    assert first.encoder.to_manifest() == second.encoder.to_manifest()
    assert first.target_scaler is not None
    assert second.target_scaler is not None
    assert first.target_scaler.to_manifest() == second.target_scaler.to_manifest()
    rows = torch.from_numpy(first.split.train)
    assert torch.equal(first.inputs[rows], second.inputs[rows])
    assert torch.equal(first.outputs[rows], second.outputs[rows])
    train = frame[frame["part"] == "train"]
    assert isinstance(first.encoder, FeatureEncoder)
    (medians,) = (step for step in first.encoder.steps if isinstance(step, Medians))
    np.testing.assert_allclose(medians.median, train[["g1", "g2", "g3"]].median())
    np.testing.assert_allclose(first.target_scaler.mean, [train["y"].mean()])


def test_a_feature_without_a_training_value_is_refused_though_test_rows_have_it() -> None:
    frame = expression()
    frame.loc[frame["part"] == "train", "g2"] = np.nan
    with refused("'g2'", "training row"):
        prepared(frame)


def test_inputs_and_outputs_are_what_a_network_takes() -> None:
    numbers, texts = prepared(expression()), prepared(sequences())
    assert (numbers.inputs.dtype, numbers.inputs.shape) == (torch.float32, (30, 3))
    assert (numbers.outputs.dtype, numbers.outputs.shape) == (torch.float32, (30, 1))
    assert not numbers.inputs.isnan().any()
    assert numbers.code_table is None
    assert (texts.inputs.dtype, texts.inputs.shape) == (torch.uint8, (30, 12))
    assert texts.outputs.tolist() == [0, 1] * 15
    assert texts.code_table is not None
    assert texts.code_table.shape == (16, 4)
    assert texts.target_scaler is None


def test_the_split_hash_knows_ids_and_parts_but_no_row_order() -> None:
    frame = sequences()
    first = prepared(frame)
    assert prepared(frame.sample(frac=1, random_state=0)).split_hash() == first.split_hash()
    assert prepared(frame.assign(label=["yes", "no"] * 15)).split_hash() == first.split_hash()
    moved = frame.assign(part=["val", "train", *PARTS[2:20], "train", *PARTS[21:]])
    assert prepared(moved).split_hash() != first.split_hash()
    assert prepared(frame.assign(id=frame["id"] + "x")).split_hash() != first.split_hash()
    by_seed = {prepared(frame, split_column=None, seed=seed).split_hash() for seed in range(5)}
    assert len(by_seed) == 5


def test_the_data_hash_knows_every_symbol_and_target() -> None:
    frame = sequences()
    first = prepared(frame).data_hash()
    assert prepared(frame.copy()).data_hash() == first
    assert prepared(frame.assign(part=PARTS[::-1])).data_hash() == first
    text = frame.copy()
    text.loc[29, "sequence"] = "A" * 11 + ("C" if frame.loc[29, "sequence"][-1] != "C" else "G")
    label = frame.copy()
    label.loc[29, "label"] = "no"
    assert len({first, prepared(text).data_hash(), prepared(label).data_hash()}) == 3


def test_the_manifest_holds_what_prediction_needs() -> None:
    for frame, kind, target in ((expression(), "table", "y"), (sequences(), "sequence", "label")):
        made = prepared(frame)
        manifest = made.manifest()
        assert manifest["input"]["kind"] == kind
        assert manifest["targets"] == [target]
        assert manifest["classes"] == list(made.targets.classes)
        assert (manifest["target_scaler"] is None) is (kind == "sequence")
        assert manifest["split_sha256"] == made.split_hash()
        assert manifest["data_sha256"] == made.data_hash()


def test_scores_are_in_the_targets_own_units() -> None:
    made = prepared(expression())
    rows, truth = made.split.test, made.targets.values[made.split.test]
    assert made.score(truth + 2, rows)["mse"] == pytest.approx(4)
    assert made.score(truth, rows)["r2"] == 1
    texts = prepared(sequences())
    guess = np.linspace(0, 1, 5)
    labels = torch.from_numpy(texts.targets.values[rows])
    expected = scores("binary", torch.from_numpy(guess), labels, ("no", "yes"))
    assert texts.score(guess, rows) == expected


@pytest.mark.parametrize(
    ("option", "value"), [("align", "middle"), ("unknown", "nought"), ("iupac", "guess")]
)
def test_an_unknown_choice_is_refused(option: str, value: str) -> None:
    with refused(f"{option}: one of", repr(value)):
        prepared(sequences(), **{option: value})


@pytest.mark.parametrize(
    ("bad", "options", "found"),
    [
        ("ACGTACGTAC-T", {}, "symbol '-' at position 11"),
        ("ACGTACGTACNT", {"unknown": "error"}, "unknown=error"),
        ("ACGTACGTACRT", {"iupac": "error"}, "iupac=error"),
        ("ACGTACGTACG", {}, "length 12"),
    ],
)
def test_a_symbol_or_length_that_does_not_fit_is_told_with_file_line_and_record(
    write: Write, bad: str, options: dict[str, str], found: str
) -> None:
    texts = ["ACGTACGTAC" + first + second for first in "ACGT" for second in "ACG"]
    texts[7] = bad
    text = "".join(f">r{n} kind\n{sequence}\n" for n, sequence in enumerate(texts))
    path = write("a.fa", text)
    labels = pd.DataFrame({"id": [f"r{n}" for n in range(12)], "label": ["a", "b"] * 6})
    with refused(f"{path}:15: ", "'r7'", found, kind=FormatError):
        load_prepared(path, DataOptions(labels=labels, **options))


def test_a_fold_that_does_not_exist_is_refused() -> None:
    options = DataOptions(target="label", folds=3)
    assert load_prepared(sequences(), options, fold=2).split.name.startswith("3 folds")
    for fold in (3, -1):
        with refused("fold", "0..2"):
            load_prepared(sequences(), options, fold=fold)


def test_the_scale_of_kmers_is_fitted_on_the_training_rows_alone() -> None:
    frame = sequences()
    changed = frame.copy()
    outside = changed["part"] != "train"
    changed.loc[outside, "sequence"] = "AAAAAAAAAAAA"
    first, second = (prepared(each, encoding="kmer:2") for each in (frame, changed))
    assert first.encoder.to_manifest() == second.encoder.to_manifest()
    changed.loc[~outside, "sequence"] = ["AAAAAACCCCCC", "GGGGGGTTTTTT"] * 10
    assert prepared(changed, encoding="kmer:2").encoder.to_manifest() != first.encoder.to_manifest()


def test_what_only_sequences_have_is_refused_for_tables() -> None:
    for name, value in (("encoding", "kmer:3"), ("both_strands", True)):
        with refused(f"{name.replace('_', '-')}: for sequences only", "features"):
            prepared(expression(), **{name: value})


def test_features_with_their_batches_and_notes_reach_the_network(write: Write) -> None:
    frame = expression().assign(flat=1.0, plate=["p1", "p2"] * 10 + ["p1"] * 9 + ["p9"])
    options = {"batch_column": "plate", "features": ["g1", "g2", "g3", "flat"]}
    made = prepared(frame, **options)
    assert isinstance(made.encoder, FeatureEncoder)
    assert made.encoder.columns == ("g1", "g2", "g3", "plate")
    flags = np.stack([frame["plate"] == "p1", frame["plate"] == "p2"], axis=1)
    np.testing.assert_array_equal(made.inputs[:, 3:], flags)
    constant, unseen = made.encoder.notes
    assert "flat" in constant
    assert "(p9)" in unseen
    centred = prepared(frame, **options, batch_effect="center")
    assert centred.inputs.shape == (30, 3)


def test_a_value_that_a_step_cannot_take_is_told_with_its_line(write: Write) -> None:
    path = write("a.csv", expression().to_csv(index=False))  # g3 is negative throughout
    first = int(np.argmax(expression()["g3"].notna()))
    with refused(f"{path}:{first + 2}: ", "'g3'", "log1p", "logarithms", kind=FormatError):
        load_prepared(path, DataOptions(target="y", split_column="part", transform="log1p"))
    holed = int(np.argmax(expression()[["g1", "g2", "g3"]].isna().any(axis=1)))
    with refused(f"{path}:{holed + 2}: ", "impute error", "complete the table", kind=FormatError):
        load_prepared(path, DataOptions(target="y", split_column="part", impute="error"))


@pytest.mark.parametrize("option", ["transform", "impute", "missing_indicators", "top_genes"])
def test_options_of_features_are_refused_for_sequences(option: str) -> None:
    value = {"missing_indicators": True, "top_genes": 5}.get(option, "quantile")
    with refused(option.replace("_", "-"), "sequences found", "leave it out"):
        prepared(sequences(), **{option: value})


def test_targets_with_gaps_are_fitted_and_hashed() -> None:
    frame = expression().assign(z=np.arange(30.0))
    frame.loc[[2, 25], "y"] = np.nan
    made = load_prepared(frame, DataOptions(target=["y", "z"], split_column="part"))
    assert made.target_scaler is not None
    train = frame[frame["part"] == "train"]
    np.testing.assert_allclose(made.target_scaler.mean, train[["y", "z"]].mean())
    np.testing.assert_array_equal(made.outputs.isnan(), frame[["y", "z"]].isna())
    assert len(made.data_hash()) == 64


def test_a_target_that_no_training_row_has_is_refused() -> None:
    frame = expression().assign(z=np.where(np.array(PARTS) == "train", np.nan, np.arange(30.0)))
    with refused("'z'", "no training row has a value"):
        load_prepared(frame, DataOptions(target=["y", "z"], split_column="part"))


def test_logarithms_of_targets_need_values_from_zero_on() -> None:
    frame = expression().assign(y=np.arange(30.0) - 3)
    with refused("<table>, row 1: target 'y'", "-3 found", kind=FormatError):
        prepared(frame, target_transform="log1p")
    with refused("target-transform", "classes found"):
        prepared(sequences(), target_transform="log1p")
