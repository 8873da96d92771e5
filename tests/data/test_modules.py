"""Data modules: the four combinations of inputs and targets, as Lightning's Trainer takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from bionn.data.batches import Batch
from bionn.data.modules import ExpressionDataModule, FastaDataModule
from bionn.data.prepared import Prepared
from bionn.data.resident import ResidentDataModule
from tests.support.refusals import refused

ROWS = 60
IDS = [f"s{n}" for n in range(ROWS)]
COMBINATIONS = [
    "sequence->class",
    "sequence->expression",
    "expression->class",
    "expression->expression",
]


def labels() -> pd.DataFrame:
    """A class of three, and two numbers, for each id."""
    rng = np.random.default_rng(0)
    numbers = {name: rng.normal(9, 3, ROWS).round(4) for name in ("recA", "lexA")}
    return pd.DataFrame({"id": IDS, "label": ["EI", "IE", "N"] * (ROWS // 3)} | numbers)


def module(combination: str, folder: Path, **options: Any) -> ResidentDataModule:
    """A data module over files in a folder."""
    rng = np.random.default_rng(1)
    inputs, _, outputs = combination.partition("->")
    columns = ["id", "label"] if outputs == "class" else ["id", "recA", "lexA"]
    sheet, target = folder / "labels.csv", columns[1:]
    labels()[columns].to_csv(sheet, index=False)
    if inputs == "sequence":
        path = folder / "sequences.fa"
        texts = ["".join(rng.choice(list("ACGTN"), rng.integers(8, 11))) for _ in IDS]
        path.write_text("".join(f">{i}\n{t}\n" for i, t in zip(IDS, texts, strict=True)))
        return FastaDataModule(str(path), labels=str(sheet), target=target, length=10, **options)
    path = folder / "expression.csv"
    genes = pd.DataFrame(rng.normal(size=(ROWS, 4)), columns=["g1", "g2", "g3", "g4"])
    genes.assign(id=IDS)[::-1].to_csv(path, index=False)
    return ExpressionDataModule(str(path), labels=str(sheet), target=target, **options)


class Linear(L.LightningModule):
    """The least that a Trainer needs; remembers the rows it has seen."""

    def __init__(self, data: ResidentDataModule) -> None:
        super().__init__()
        shape = data.input_shape
        self.layer = torch.nn.Linear(
            shape if isinstance(shape, int) else shape[1], data.num_outputs
        )
        self.classes = data.num_classes
        self.seen: dict[str, list[int]] = {"train": [], "val": [], "test": [], "predict": []}

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layer(inputs.float())

    def step(self, batch: Batch, part: str) -> Tensor:
        self.seen[part] += batch.ids.tolist()
        logits = self(batch.inputs)
        if self.classes:
            return torch.nn.functional.cross_entropy(logits, batch.targets)
        return torch.nn.functional.mse_loss(logits, batch.targets)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.step(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self.step(batch, "test")

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        self.seen["predict"] += batch.ids.tolist()
        return self(batch.inputs)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


def trainer(folder: Path, epochs: int) -> L.Trainer:
    return L.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_attributes_after_setup(combination: str, tmp_path: Path) -> None:
    data = module(combination, tmp_path)
    data.setup()
    inputs, _, outputs = combination.partition("->")
    assert data.input_shape == ((4, 10) if inputs == "sequence" else 4)
    if outputs == "class":
        assert (data.task, data.num_outputs, data.num_classes) == ("multiclass", 3, 3)
        assert (data.classes, data.target_names) == (["EI", "IE", "N"], ["label"])
    else:
        assert (data.task, data.num_outputs, data.num_classes) == ("regression", 2, 0)
        assert (data.classes, data.target_names) == ([], ["recA", "lexA"])
    if inputs == "sequence":
        assert data.code_table is not None
        assert data.code_table.shape[1] == 4
    else:
        assert data.code_table is None
    batch = next(iter(data.train_dataloader()))
    assert batch.inputs.dtype == (torch.uint8 if inputs == "sequence" else torch.float32)
    assert batch.targets.dtype == (torch.int64 if outputs == "class" else torch.float32)
    truth = labels().set_index("id").loc[[data.prepared.samples.ids[row] for row in batch.ids]]
    if outputs == "class":
        assert [data.classes[t] for t in batch.targets] == truth["label"].tolist()
    else:
        scaler = data.prepared.target_scaler
        assert scaler is not None
        own = scaler.inverse(batch.targets.numpy())
        np.testing.assert_allclose(own, truth[["recA", "lexA"]], rtol=1e-5)


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_the_trainer_sees_every_training_row_once_an_epoch(
    combination: str, tmp_path: Path
) -> None:
    data = module(combination, tmp_path, batch_size=7, seed=3)
    data.setup()
    model, split = Linear(data), data.prepared.split
    runner = trainer(tmp_path, epochs=3)
    runner.fit(model, datamodule=data)
    runner.test(model, datamodule=data, verbose=False)
    runner.predict(model, datamodule=data, return_predictions=False)
    epochs = np.array(model.seen["train"]).reshape(3, -1)
    for epoch, rows in enumerate(epochs):
        np.testing.assert_array_equal(np.sort(rows), split.train)
        order = data.train_dataloader().order
        order.set_epoch(epoch)
        np.testing.assert_array_equal(rows, order.indices())
    assert len({tuple(rows) for rows in epochs.tolist()}) == 3
    assert model.seen["val"] == split.val.tolist() * 3
    assert model.seen["test"] == model.seen["predict"] == split.test.tolist()


@pytest.mark.parametrize(("batch_size", "steps"), [("full", 1), (1, 48), (20, 3)])
def test_gradient_descent_stochastic_and_mini_batches(
    batch_size: Any, steps: int, tmp_path: Path
) -> None:
    data = module("expression->class", tmp_path, batch_size=batch_size)
    data.setup()
    loader = data.train_dataloader()
    assert len(loader) == len(list(loader)) == steps
    assert loader.order.shuffle is (batch_size != "full")


def test_files_are_read_once_and_only_when_asked(tmp_path: Path) -> None:
    made = module("expression->class", tmp_path).prepared
    loads = []

    def load() -> Prepared:
        loads.append(1)
        return made

    data = ResidentDataModule(load)
    assert not loads
    for stage in ("fit", "validate", "test"):
        data.setup(stage)
    data.train_dataloader()
    assert len(loads) == 1
    with refused("batch-size"):
        ResidentDataModule(load, batch_size=0)


def test_named_groups_stay_together_under_the_modules_default_split(tmp_path: Path) -> None:
    """The modules' default ``split="stratified"`` must not deal a donor's rows to two parts."""
    frame = labels().assign(g1=1.5, donor=[f"d{n // 5}" for n in range(ROWS)])
    frame.loc[::2, "g1"] = 0.5
    path = tmp_path / "a.csv"
    frame.to_csv(path, index=False)
    data = ExpressionDataModule(str(path), target="label", features=["g1"], group_column="donor")
    parts = pd.Series(data.prepared.split.parts(ROWS))
    assert (parts.groupby(frame["donor"]).nunique() == 1).all()


def test_ids_may_be_whole_headers(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("ACGT"), 10)) for _ in IDS]
    path, sheet = tmp_path / "a.fa", tmp_path / "labels.csv"
    path.write_text("".join(f">x {i}\n{t}\n" for i, t in zip(IDS, texts, strict=True)))
    labels().assign(id=[f"x {name}" for name in IDS]).to_csv(sheet, index=False)
    data = FastaDataModule(str(path), labels=str(sheet), target="label", id_rule="full")
    assert data.prepared.samples.ids == [f"x {name}" for name in IDS]


def acgt(folder: Path, letters: str = "ACGT", **options: Any) -> FastaDataModule:
    """Sequences of some letters, the last of which stands once."""
    rng = np.random.default_rng(1)
    texts = ["".join(rng.choice(list("ACGT"), 10)) for _ in IDS]
    texts[7] = texts[7][:4] + letters[-1] + texts[7][5:]
    path, sheet = folder / "sequences.fa", folder / "labels.csv"
    path.write_text("".join(f">{i}\n{t}\n" for i, t in zip(IDS, texts, strict=True)))
    labels()[["id", "label"]].to_csv(sheet, index=False)
    return FastaDataModule(str(path), labels=str(sheet), target="label", **options)


def test_packed_codes_make_the_same_batches(tmp_path: Path) -> None:
    plain, packed = acgt(tmp_path), acgt(tmp_path, packed=True)
    for name in ("train_dataloader", "val_dataloader", "test_dataloader"):
        ours, theirs = getattr(packed, name)(), getattr(plain, name)()
        assert ours.store.inputs.nbytes == 3 * ROWS  # ten bases in three bytes
        for one, other in zip(ours, theirs, strict=True):
            assert all(map(torch.equal, one, other))
    assert ours.store.inputs is packed.train_dataloader().store.inputs  # one copy for all parts
    packed.teardown()
    assert packed.train_dataloader().store.inputs is not ours.store.inputs


def test_what_does_not_fit_into_two_bits_is_refused(tmp_path: Path) -> None:
    with refused("packed", "A, C, G, T", "'N' found at position 5 of 's7'", "leave it out"):
        acgt(tmp_path, "ACGTN", packed=True).train_dataloader()
    table = module("expression->class", tmp_path)
    table.packed = True
    with refused("packed", "sequences needed", "table"):
        table.train_dataloader()
