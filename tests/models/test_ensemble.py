"""An ensemble: the mean of its members' predictions, wherever a network of logits stands."""

import json

import pytest
import torch

from bionn.errors import ArtifactError, InputError
from bionn.models import MLP, Ensemble
from bionn.models.heads import link
from bionn.models.spec import build, spec_of

INPUTS = torch.randn(7, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def ensemble(kind: str, outputs: int, size: int = 3) -> Ensemble:
    members = [
        MLP(5, (4,), outputs, generator=torch.Generator().manual_seed(k)).double()
        for k in range(size)
    ]
    return Ensemble(members, kind)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("kind", "outputs"), [("binary", 1), ("multiclass", 4), ("regression", 2)])
def test_its_prediction_is_the_mean_of_the_members(kind, outputs) -> None:
    model = ensemble(kind, outputs)
    alone = torch.stack([link(kind, member(INPUTS)) for member in model.members])
    torch.testing.assert_close(link(kind, model(INPUTS)), alone.mean(dim=0))


def test_sure_members_keep_their_logits() -> None:
    model = Ensemble([torch.nn.Identity(), torch.nn.Identity()], "binary")
    logits = torch.tensor([[-300.0], [0.0], [300.0]])
    torch.testing.assert_close(model(logits), logits)


def test_gradients_reach_every_member() -> None:
    model = ensemble("multiclass", 3)
    torch.autograd.gradcheck(model, INPUTS.clone().requires_grad_())
    model(INPUTS).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_a_spec_survives_json_and_builds_the_same_networks() -> None:
    model = ensemble("binary", 1)
    again = build(json.loads(json.dumps(spec_of(model))))
    again.double().load_state_dict(model.state_dict())
    torch.testing.assert_close(again(INPUTS), model(INPUTS))


@pytest.mark.parametrize(
    "arguments",
    [
        None,
        {"kind": "binary"},
        {"kind": "binary", "members": []},
        {"kind": "binary", "members": [1]},
        {"kind": "ternary", "members": [spec_of(MLP(2, (), 1))]},
        {"kind": "binary", "members": [{"class_path": "os.system", "init_args": {}}]},
        {"kind": "binary", "members": [spec_of(ensemble("binary", 1))]},
    ],
)
def test_a_spec_of_nothing_that_could_be_an_ensemble_is_refused(arguments) -> None:
    with pytest.raises(ArtifactError):
        build({"class_path": "bionn.models.Ensemble", "init_args": arguments})


def test_it_needs_members_and_a_task() -> None:
    with pytest.raises(InputError, match="at least 1 network"):
        Ensemble([], "binary")
    with pytest.raises(InputError, match="kind: one of binary"):
        Ensemble([torch.nn.Identity()], "ternary")  # pyright: ignore[reportArgumentType]
