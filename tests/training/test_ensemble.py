"""An ensemble's training: the first network is that of no ensemble, the others are others."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import bionn
from bionn.errors import InputError
from bionn.models import Ensemble
from bionn.training.ensemble import member_seed, train_ensemble
from bionn.training.fit import train
from bionn.training.options import TrainingOptions, choose
from tests.small_sets import expression, prepared, sequences

BINARY = prepared("binary")
OPTIONS = choose(
    TrainingOptions(hidden=(8,), max_epochs=2, device="cpu", ensemble=3, refit=True), BINARY
)


def test_members_are_the_networks_of_their_seeds(tmp_path: Path) -> None:
    trained = train_ensemble(BINARY, OPTIONS, directory=tmp_path)
    assert isinstance(trained.model, Ensemble)
    assert isinstance(trained.selected, Ensemble)
    seeds = [member_seed(OPTIONS.seed, number) for number in range(3)]
    assert len(set(seeds)) == 3
    for seed, member, chosen in zip(
        seeds, trained.model.members, trained.selected.members, strict=True
    ):
        alone = train(BINARY, replace(OPTIONS, seed=seed))
        for one, other in ((alone.model, member), (alone.selected, chosen)):
            for a, b in zip(one.parameters(), other.parameters(), strict=True):
                assert torch.equal(a, b)
    log = pd.read_csv(tmp_path / "metrics.csv")
    assert log["member"].tolist() == [0, 0, 1, 1, 2, 2]


def test_a_run_tells_how_the_networks_do_alone(tmp_path: Path) -> None:
    given = {"hidden": [8], "max_epochs": 2, "device": "cpu", "progress": False, "refit": False}
    one = bionn.run(sequences(), target="label", out=tmp_path / "one", **given)
    several = bionn.run(sequences(), target="label", out=tmp_path / "all", ensemble=3, **given)
    told = several.metrics["ensemble"]
    assert told["members"] == 3
    assert set(told["test"]) == {n for n, v in one.metrics["test"].items() if isinstance(v, float)}
    members = bionn.load(tmp_path / "all").model
    assert isinstance(members, Ensemble)
    for a, b in zip(one.predictor.model.parameters(), members.members[0].parameters(), strict=True):
        assert torch.equal(a, b)
    assert (tmp_path / "all" / "members" / "2" / "checkpoints" / "last.ckpt").is_file()


@pytest.mark.parametrize("target", ["label", "site"])
def test_predictions_come_with_their_spread(tmp_path: Path, target: str) -> None:
    frame = sequences()
    bionn.run(
        frame[["id", "sequence", target]], target=target, out=tmp_path / "run", ensemble=3,
        hidden=[8], max_epochs=2, device="cpu", progress=False,
    )  # fmt: skip
    predictor = bionn.load(tmp_path / "run")
    assert isinstance(predictor.model, Ensemble)
    table = predictor.predict(frame)
    _, inputs = predictor.encode(frame)
    with torch.no_grad():
        logits = torch.stack([member(inputs) for member in predictor.model.members]).double()
    chances = torch.sigmoid(logits) if target == "label" else torch.softmax(logits, dim=-1)
    if target == "label":
        expected = chances.std(dim=0, correction=0)[:, 0].numpy()
    else:
        chosen = [predictor.classes.index(name) for name in table["prediction"]]
        expected = chances.std(dim=0, correction=0).numpy()[np.arange(len(chosen)), chosen]
    np.testing.assert_allclose(table["spread"], expected, atol=1e-6)


def test_the_spread_of_numbers_is_in_their_units(tmp_path: Path) -> None:
    frame = expression()
    bionn.run(
        frame.drop(columns="state"), target=["y1", "y2"], out=tmp_path / "run", ensemble=2,
        hidden=[8], max_epochs=2, device="cpu", progress=False,
    )  # fmt: skip
    predictor = bionn.load(tmp_path / "run")
    assert isinstance(predictor.model, Ensemble)
    table = predictor.predict(frame)
    _, inputs = predictor.encode(frame)
    with torch.no_grad():
        values = np.stack(
            [predictor.outputs_of(member(inputs)) for member in predictor.model.members]
        )
    np.testing.assert_allclose(table[["spread_y1", "spread_y2"]], values.std(axis=0), atol=1e-5)


def test_its_size_is_checked_before_anything_is_written(tmp_path: Path) -> None:
    for size in (0, 101):
        with pytest.raises(InputError, match="from 1 to 100 needed"):
            bionn.run(sequences(), target="label", out=tmp_path / "run", ensemble=size)
    assert not list(tmp_path.iterdir())
