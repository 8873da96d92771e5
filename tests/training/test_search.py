"""The space that tuning searches: what the data have, what is given, what a configuration says."""

from dataclasses import replace

import optuna
import pytest

from bionn.data.samples import DataOptions
from bionn.errors import InputError
from bionn.training.options import TrainingOptions, choose
from bionn.training.search import (
    Choice,
    Range,
    default_space,
    parse_space,
    settle,
    shape_of,
    starting_point,
    suggest,
    widths,
)
from tests.small_sets import prepared

BINARY, REGRESSION = prepared("binary"), prepared("regression")
SPACE = default_space(BINARY)


def test_the_lecture_s_five_dimensions_are_searched() -> None:
    assert {"depth", "width", "activation", "objective", "init"} <= set(SPACE)


def test_sequences_have_encodings_and_classes_objectives() -> None:
    assert isinstance(SPACE["encoding"], Choice)
    assert "onehot+kmer:5" in SPACE["encoding"].values
    assert not {"encoding", "objective"} & set(default_space(REGRESSION))
    protein = replace(BINARY.encoder, alphabet="protein")  # pyright: ignore
    assert "encoding" not in default_space(replace(BINARY, encoder=protein))


def test_what_is_given_is_not_searched() -> None:
    space = default_space(BINARY, ["hidden", "dropout"])
    assert not {"depth", "width", "taper", "dropout"} & set(space)
    assert "learning_rate" in space


def test_a_configuration_names_dimensions() -> None:
    given = {
        "activation": ["relu", "gelu"],
        "learning_rate": {"low": "1e-4", "high": 0.1, "log": True},
    }
    assert parse_space(given, SPACE) == {
        "activation": Choice(("relu", "gelu")),
        "learning_rate": Range(1e-4, 0.1, log=True),
    }
    assert parse_space({"depth": {"low": 1, "high": 2}}, SPACE) == {"depth": Range(1, 2)}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "dimensions by name needed"),
        ({"dropuot": [0.1]}, "did you mean 'dropout'"),
        ({"dropout": []}, "a list of values"),
        ({"dropout": {"low": 0.1}}, "low and high"),
        ({"dropout": {"low": 0.5, "high": 0.1}}, "low and high"),
        ({"dropout": {"low": "few", "high": "many"}}, "low and high"),
        ({"dropout": {"low": 0, "high": 0.1, "log": True}}, "above 0 with log"),
        ({"dropout": {"low": 0, "high": 0.1, "lgo": True}}, "low and high"),
        ({"dropout": 0.3}, "a list of values"),
    ],
)
def test_a_space_that_is_none_is_refused(given, message) -> None:
    with pytest.raises(InputError, match=message):
        parse_space(given, SPACE)


@pytest.mark.parametrize("hidden", [(512,), (256, 128), (64, 64, 64), (1024, 512, 256, 128)])
def test_shapes_and_widths_are_each_other_s_inverse(hidden) -> None:
    assert widths(**shape_of(hidden)) == hidden


def test_the_starting_point_settles_to_the_options_it_came_from() -> None:
    training = choose(TrainingOptions(), BINARY)
    start = starting_point(SPACE, DataOptions(), training)
    assert set(start) == set(SPACE)
    data, again = settle(start, DataOptions(), training)
    assert data == DataOptions()
    assert again == replace(training, objective="cross-entropy")


def test_a_value_outside_the_space_is_not_tried_first() -> None:
    training = choose(TrainingOptions(hidden=(7,)), BINARY)
    assert "width" not in starting_point(SPACE, DataOptions(), training)


def test_every_suggestion_lies_in_its_dimension() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(30):
        values = suggest(study.ask(), SPACE)
        assert all(values[name] in dimension for name, dimension in SPACE.items())
        assert round(float(values["dropout"]) / 0.05, 9) % 1 == 0
