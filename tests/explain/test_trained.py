"""Attributions of trained models: what they say of a substitution is what the predictor then says."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bionn.data.modules import load_prepared
from bionn.data.samples import DataOptions
from bionn.explain.backgrounds import shuffled
from bionn.explain.deep_lift import deep_lift
from bionn.explain.examples import HIGH, LOW, MOST, NEAR, RIGHT, WRONG, examples
from bionn.explain.features import feature_table
from bionn.explain.folder import write_explanations
from bionn.explain.mutagenesis import mutagenesis
from bionn.explain.permutation import permutation_importance
from bionn.explain.trained import (
    GRADIENT_METHODS,
    SequenceExplainer,
    output_names,
    output_weights,
)
from bionn.formats.fasta import read_fasta
from bionn.loading import load
from bionn.models import MLP, Ensemble
from bionn.models.layers import set_code_table
from bionn.predict import Predictor
from bionn.preprocess.sequences import SequenceEncoder
from bionn.sequences.onehot import one_hot
from tests.small_sets import PROMOTERS, prepared, sequences
from tests.support.refusals import refused

ENCODINGS = ["onehot", "kmer:2", "onehot+kmer:2", "kmer:3,canonical", "kmer:2,frequency"]


def draw(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def predictor_of(data: Any, hidden: tuple[int, ...] = (24, 8), seed: int = 0) -> Predictor:
    """An untrained network with large weights, as if it had learned a lot."""
    out = {"binary": 1, "multiclass": 3}.get(data.targets.task, len(data.targets.names))
    model = MLP(data.encoder.input_shape, hidden, out, generator=draw(seed))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2).add_(0.1)
    if data.code_table is not None:
        set_code_table(model, data.code_table)
    return Predictor(model, data.manifest() | {"split": "x"})


def by_prediction(predictor: Predictor, codes: torch.Tensor, weights: torch.Tensor) -> np.ndarray:
    """Effects, each by predicting the mutant."""
    encoder = predictor.encoder
    assert isinstance(encoder, SequenceEncoder)
    letters = len(encoder.symbols.letters)
    effects = np.zeros((len(codes), letters, codes.shape[1]))
    before = predictor.logits(codes) @ weights
    for letter in range(letters):
        for position in range(codes.shape[1]):
            mutants = codes.clone()
            mutants[:, position] = letter
            there = codes[:, position] != encoder.symbols.padding_code
            change = predictor.logits(mutants) @ weights - before
            effects[:, letter, position] = np.where(there, change.numpy(), 0)
    return effects


@pytest.mark.parametrize("both_strands", [False, True])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_effects_are_the_differences_of_predictions(encoding: str, both_strands: bool) -> None:
    data = prepared("multiclass", encoding=encoding, both_strands=both_strands)
    predictor = predictor_of(data)
    codes = data.inputs[:6].clone()
    padding = data.encoder.symbols.padding_code
    codes[0, :3] = codes[1, -4:] = codes[2, :] = padding
    weights = output_weights(predictor, "IE")
    found = SequenceExplainer(predictor).effects(codes, weights)
    expected = by_prediction(predictor, codes, weights)
    # logits of up to 20, hence some units in the last place of float32 as well
    np.testing.assert_allclose(found.numpy(), expected, rtol=2e-6, atol=1e-5)


@pytest.mark.parametrize("both_strands", [False, True])
@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_an_ensemble_is_explained_as_it_predicts(kind: str, both_strands: bool) -> None:
    data = prepared(kind, both_strands=both_strands)
    members = [predictor_of(data, seed=seed) for seed in range(3)]
    whole = Predictor(Ensemble([m.model for m in members], data.targets.task), members[0].manifest)
    codes, weights = data.inputs[:4], output_weights(whole)
    found = SequenceExplainer(whole).effects(codes, weights)
    expected = by_prediction(whole, codes, weights)
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-5)
    scores = SequenceExplainer(whole, backgrounds=2).scores(codes, weights).contributions
    own = [SequenceExplainer(m, backgrounds=2).scores(codes, weights) for m in members]
    mean = torch.stack([each.contributions for each in own]).mean(0)
    torch.testing.assert_close(scores, mean)


def test_on_a_network_that_was_trained_mutants_and_sums_are_within_a_hundred_thousandth(
    run: Path,
) -> None:
    """As its users meet it: against every mutant run in float64, and the difference from shuffles."""
    predictor = load(run)
    encoder, model = predictor.encoder, predictor.model
    assert isinstance(encoder, SequenceEncoder)
    texts = list(read_fasta(PROMOTERS).sequences)[:12]
    codes, table = torch.from_numpy(encoder.encode(texts)), torch.from_numpy(encoder.code_table)
    x = one_hot(codes, table)
    effects = mutagenesis(model, codes, table=table).effects[..., 0]
    background = shuffled(codes, table, count=4, generator=draw(0), padding=5)
    gap = deep_lift(model, x, background).gap
    network = copy.deepcopy(model).double()
    with torch.no_grad():
        before = network(x.double())
        for letter in range(4):
            for position in range(codes.shape[1]):
                mutants = x.double()
                mutants[:, :, position] = torch.eye(4, dtype=torch.float64)[letter]
                change = (network(mutants) - before)[:, 0]
                assert (effects[:, letter, position] - change).abs().max() < 1e-5
    assert before.abs().max() > 3  # it has learned something
    assert gap.max() < 1e-5


@pytest.mark.parametrize("both_strands", [False, True])
def test_deep_lift_adds_up_to_the_difference_from_shuffles_on_both_strands(
    both_strands: bool,
) -> None:
    data = prepared("binary", both_strands=both_strands)
    predictor = predictor_of(data)
    codes = data.inputs[:4]
    explainer = SequenceExplainer(predictor, backgrounds=3, seed=5)
    weights = output_weights(predictor)
    found = explainer.scores(codes, weights)
    sums = found.contributions.sum(1)
    strands = [codes, data.encoder.other_strand(codes)] if both_strands else [codes]
    table = torch.from_numpy(data.encoder.code_table)
    expected = torch.zeros(4)
    for strand in strands:
        one_hot = shuffled(strand, table, count=3, generator=draw(5), padding=5).flatten(0, 1)
        with torch.no_grad():
            baseline = predictor.model(one_hot).view(4, 3).mean(1)
            expected += (predictor.model(strand).squeeze(1) - baseline) / len(strands)
    torch.testing.assert_close(sums, expected, rtol=0, atol=1e-5)


def test_both_strands_turn_every_attribution_around() -> None:
    """A model that averages strands gives a sequence and its other strand mirrored scores."""
    data = prepared("binary", both_strands=True)
    predictor = predictor_of(data)
    codes = data.inputs[:5].clone()
    codes[0, :3] = codes[1, -2:] = data.encoder.symbols.padding_code
    for method in ("input_x_gradient", "mutagenesis"):
        explainer = SequenceExplainer(predictor, method=method)
        weights = output_weights(predictor)
        one = explainer.scores(codes, weights).contributions
        other = explainer.scores(data.encoder.other_strand(codes), weights).contributions
        there, turned = codes != 5, data.encoder.other_strand(codes) != 5
        for row in range(5):
            torch.testing.assert_close(one[row, there[row]], other[row, turned[row]].flip(0))


@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_padding_contributes_nothing(method: str) -> None:
    data = prepared("binary")
    codes = data.inputs[:3].clone()
    codes[:, :4] = data.encoder.symbols.padding_code
    predictor = predictor_of(data)
    found = SequenceExplainer(predictor, method=method).scores(codes, output_weights(predictor))
    assert (found.contributions[:, :4] == 0).all()
    assert (found.contributions[1:, 4:].abs().amax(1) > 0).all()  # row 0 has no other shuffle


def test_mutagenesis_scores_are_effects_less_their_mean() -> None:
    data = prepared("binary", encoding="kmer:2")
    predictor = predictor_of(data)
    explainer, weights = SequenceExplainer(predictor), output_weights(predictor)
    assert explainer.method == "mutagenesis"
    codes = data.inputs[:5]
    found, effects = explainer.scores(codes, weights), explainer.effects(codes, weights)
    for row in range(5):
        for position, code in enumerate(codes[row].tolist()):
            if code < 4:
                mean = effects[row, :, position].mean()
                expected = effects[row, code, position] - mean
                assert found.contributions[row, position] == pytest.approx(
                    float(expected), abs=1e-6
                )


class TestOutputs:
    def test_of_two_classes_the_other_is_the_negative(self) -> None:
        predictor = predictor_of(prepared("binary"))
        assert output_names(predictor) == ["yes"]
        assert output_weights(predictor, "no").tolist() == [-1.0]

    def test_of_several_only_differences_count(self) -> None:
        weights = output_weights(predictor_of(prepared("multiclass")), "EI")
        assert weights.sum().abs() < 1e-6
        assert weights[0] - weights[1] == pytest.approx(1.0)

    def test_of_numbers_effects_are_in_the_targets_units(self) -> None:
        predictor = predictor_of(prepared("regression"))
        logits = torch.randn(2, 2, generator=draw(1))
        change = predictor.outputs_of(logits[1:]) - predictor.outputs_of(logits[:1])
        for column, name in enumerate(predictor.target_names):
            found = (logits[1] - logits[0]) @ output_weights(predictor, name)
            assert float(found) == pytest.approx(change[0, column], rel=1e-5)

    def test_an_unknown_one_is_refused(self) -> None:
        with refused("output: one of no, yes needed", "did you mean 'yes'?"):
            output_weights(predictor_of(prepared("binary")), "yess")


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_of_an_ensemble_the_mean_of_its_networks_is_explained(kind: str) -> None:
    data = prepared(kind)
    alone = [predictor_of(data, seed=seed) for seed in (0, 1)]
    together = Predictor(
        Ensemble([predictor.model for predictor in alone], alone[0].task), alone[0].manifest
    )
    codes, output = data.inputs[:5], output_weights(together)
    for method in ("deep_lift", "input_x_gradient"):
        explainers = [SequenceExplainer(p, method=method, seed=3) for p in (together, *alone)]
        scores = [explainer.scores(codes, output).contributions for explainer in explainers]
        torch.testing.assert_close(scores[0], (scores[1] + scores[2]) / 2)


def test_methods_that_do_not_fit_are_refused() -> None:
    kmers = predictor_of(prepared("binary", encoding="kmer:2"))
    with refused("mutagenesis needed for a model of k-mers", "'deep_lift'"):
        SequenceExplainer(kmers, method="deep_lift")
    with refused("method: one of", "did you mean 'deep_lift'?"):
        SequenceExplainer(kmers, method="deeplift")
    with refused("a model of sequences needed"):
        SequenceExplainer(predictor_of(prepared("regression")))


class TestExamples:
    @pytest.mark.parametrize("kind", ["binary", "multiclass"])
    def test_they_are_what_they_say(self, kind: str) -> None:
        data = prepared(kind)
        predictor = predictor_of(data)
        found = examples(predictor, data)
        test = [data.samples.ids[row] for row in data.split.test]
        assert len({example["id"] for example in found}) == len(found) <= MOST
        assert {example["id"] for example in found} <= set(test)
        assert {example["why"] for example in found} <= {RIGHT, WRONG, NEAR}
        frame = predictor.frame(test, predictor.outputs(data.inputs[data.split.test]))
        frame = frame.set_index("id")
        for example in found:
            row = frame.loc[example["id"]]
            place = data.samples.ids.index(example["id"])
            assert example["sequence"] == data.samples.sequences[place]
            assert example["prediction"] == row["prediction"]
            assert example["probability"] == pytest.approx(row[f"prob_{row['prediction']}"])
            assert (example["target"] == example["prediction"]) == (
                example["why"] == RIGHT
                or (example["why"] == NEAR and example["target"] == row["prediction"])
            )
            length = len(example["sequence"])
            assert np.shape(example["attribution"]) == (length,)
            for part in ("hypothetical", "mutagenesis"):
                assert np.shape(example[part]) == (length, 4)
            for symbol, effects in zip(example["sequence"], example["mutagenesis"], strict=True):
                if symbol in "ACGT":
                    assert effects["ACGT".index(symbol)] == 0

    def test_the_surest_and_the_worst_come_first(self) -> None:
        data = prepared("binary")
        predictor = predictor_of(data)
        found = examples(predictor, data)
        chances = predictor.outputs(data.inputs[data.split.test])
        truth = data.targets.values[data.split.test] == 1
        own = np.where(truth, chances, 1 - chances)
        right = (chances > 0.5) == truth
        for why, pick in ((RIGHT, np.max), (WRONG, np.min)):
            rows = right if why == RIGHT else ~right
            if rows.any():
                best = pick(own[rows])
                shown = [e["probability"] for e in found if e["why"] == why]
                expected = best if why == RIGHT else 1 - best
                assert any(value == pytest.approx(expected) for value in shown)

    def test_of_numbers(self) -> None:
        frame = sequences()[["id", "sequence"]].assign(y=np.linspace(3, 9, 90))
        data = load_prepared(frame, DataOptions(target="y", length=16, align="right"))
        predictor = predictor_of(data)
        found = examples(predictor, data)
        values = predictor.outputs(data.inputs[data.split.test])[:, 0]
        by_why = {why: [e for e in found if e["why"] == why] for why in (HIGH, LOW, WRONG)}
        assert by_why[HIGH][0]["value"] == pytest.approx(values.max())
        assert by_why[LOW][0]["value"] == pytest.approx(values.min())
        assert {e["class"] for e in found} == {"y"}
        assert {e["start"] for e in found} == {4}
        assert {len(e["attribution"]) for e in found} == {12}


class TestFeatures:
    def test_a_network_of_one_feature_relies_on_it_alone(self) -> None:
        x = torch.randn(300, 3, generator=draw(0))
        model = torch.nn.Linear(3, 1, bias=False)
        with torch.no_grad():
            model.weight.copy_(torch.tensor([[0.0, 2.0, 0.0]]))
        y = 2 * x[:, 1:2]

        def loss(z: torch.Tensor) -> torch.Tensor:
            return (z - y).square().mean()

        found = permutation_importance(model, x, loss, repeats=40, generator=draw(1))
        # exchanging independent values: E (2 x' - 2 x)^2 = 8 variance
        assert found.mean[1] == pytest.approx(8 * float(x[:, 1].var()), rel=0.05)
        assert found.mean[[0, 2]].tolist() == [0, 0]

    def test_groups_are_exchanged_together(self) -> None:
        x = torch.randn(200, 1, generator=draw(2)).repeat(1, 2)
        model = torch.nn.Linear(2, 1, bias=False)
        with torch.no_grad():
            model.weight.copy_(torch.tensor([[1.0, -1.0]]))  # together they always cancel

        def loss(z: torch.Tensor) -> torch.Tensor:
            return z.square().mean()

        both = permutation_importance(model, x, loss, groups=[[0, 1]], generator=draw(3))
        alone = permutation_importance(model, x, loss, generator=draw(3))
        assert both.mean.tolist() == [0]
        assert (alone.mean > 1).all()

    def test_the_table_names_what_the_input_is_made_of(self) -> None:
        data = prepared("regression", missing_indicators=True)
        predictor = predictor_of(data)
        assert predictor.encoder.sources == (*[f"gene{n}" for n in range(1, 6)], "gene2")
        found = feature_table(
            predictor, data.inputs[data.split.test], data.outputs[data.split.test]
        )
        assert sorted(found["feature"]) == [f"gene{n}" for n in range(1, 6)]
        assert found["importance"].is_monotonic_decreasing
        x = data.inputs[data.split.test].clone().requires_grad_()
        value = (predictor.model(x) @ output_weights(predictor, "y2")).sum()
        (slope,) = torch.autograd.grad(value, x)
        of_gene2 = (x * slope).detach()[:, [1, 5]].sum(1).abs().mean()
        row = found.set_index("feature").loc["gene2"]
        assert row["gradient_x_input_y2"] == pytest.approx(float(of_gene2), rel=1e-5)
        assert row["gradient_y2"] == pytest.approx(float(slope[:, [1, 5]].sum(1).mean()), rel=1e-5)

    def test_only_the_largest_gradients_are_permuted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("bionn.explain.features.MOST_FEATURES", 2)
        data = prepared("state")
        predictor = predictor_of(data)
        found = feature_table(
            predictor, data.inputs[data.split.test], data.outputs[data.split.test]
        )
        assert found["importance"].notna().tolist() == [True] * 2 + [False] * 3
        sizes = found["gradient_x_input"]
        assert sizes[:2].min() >= sizes[2:].max()


def test_a_runs_folder(tmp_path) -> None:
    for kind, name in (("binary", "examples.json"), ("state", "features.tsv")):
        data = prepared(kind)
        write_explanations(tmp_path / kind, predictor_of(data), data)
        assert (tmp_path / kind / "explain" / name).is_file()
