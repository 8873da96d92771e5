"""A network's spec: there and back through JSON, and no foreign code."""

import json

import pytest
import torch

from bionn.errors import ArtifactError
from bionn.models import MLP, LinearRegression, LogisticRegression, SoftmaxRegression
from bionn.models.spec import build, spec_of

MODELS = [
    MLP((4, 6), (8, 5), 3, activation="tanh", dropout=0.2, input_dropout=0.1, bias=False),
    MLP(7, (), 1, init="zeros"),
    LinearRegression(7, 2),
    LogisticRegression((4, 6)),
    SoftmaxRegression(7, 4),
]


class Child(MLP):
    """A subclass is no longer ours: it may compute anything."""


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_a_spec_survives_json_and_builds_the_same_network(model: torch.nn.Module) -> None:
    spec = json.loads(json.dumps(spec_of(model)))
    again = build(spec)
    assert type(again) is type(model)
    assert repr(again) == repr(model)
    assert json.loads(json.dumps(spec_of(again))) == spec
    again.load_state_dict(model.state_dict())


@pytest.mark.parametrize("model", [torch.nn.Linear(2, 1), Child(2, (), 1)])
def test_a_foreign_network_is_named_and_not_described(model: torch.nn.Module) -> None:
    spec = spec_of(model)
    assert spec["class_path"].endswith(type(model).__name__)
    assert spec["init_args"] is None
    with pytest.raises(ArtifactError, match="pass it as model="):
        build(spec)


@pytest.mark.parametrize(
    "path", ["os.system", "subprocess.Popen", "torch.nn.Linear", "bionn.models.mlp.MLP", None]
)
def test_other_classes_are_not_built(path) -> None:
    with pytest.raises(ArtifactError, match=f"{path!r} found"):
        build({"class_path": path, "init_args": {}})


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"in_features": 3},
        {"in_features": 3, "num_classes": 2},
        {"in_features": 3, "hidden_features": [], "out_features": 0},
        {"in_features": 3, "hidden_features": [], "out_features": 1, "activation": "rellu"},
        {"in_features": [1, 2, 3], "hidden_features": [], "out_features": 1},
        None,
    ],
)
def test_arguments_that_do_not_fit_are_an_artifact_error(arguments) -> None:
    with pytest.raises(ArtifactError, match=r"bionn\.models\.MLP does not take its arguments"):
        build({"class_path": "bionn.models.MLP", "init_args": arguments})
