"""Tasks under Lightning's Trainer: any network, losses over rows, scores, checkpoints, schedules."""

from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torch.nn import functional as TF

from bionn.data import ExpressionDataModule, FastaDataModule
from bionn.data.resident import ResidentDataModule
from bionn.errors import InputError
from bionn.metrics import CLASSIFICATION, REGRESSION
from bionn.models import MLP
from bionn.tasks import Classifier, Regressor
from bionn.tasks.base import Task
from tests.small_sets import expression, prepared, sequences, write_fasta

KINDS = ("binary", "multiclass", "regression")
SETTINGS = {
    "accelerator": "cpu",
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}
STAND_STILL = partial(torch.optim.SGD, lr=0.0)


class Convolution(torch.nn.Module):
    """A user's own network: on one-hot columns ``(N, A, L)``, or on features."""

    def __init__(self, in_features: int | tuple[int, int], out_features: int) -> None:
        super().__init__()
        channels = 1 if isinstance(in_features, int) else in_features[0]
        self.convolution = torch.nn.Conv1d(channels, 6, 3)
        self.head = torch.nn.Linear(6, out_features)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        columns = inputs if inputs.ndim == 3 else inputs[:, None]
        return self.head(self.convolution(columns).relu().mean(dim=2))


def data_of(kind: str, batch_size: Any = 10) -> ResidentDataModule:
    data = prepared(kind)
    return ResidentDataModule(lambda: data, batch_size=batch_size)


def task_of(data: ResidentDataModule, network: str = "mlp", **options: Any) -> Task:
    torch.manual_seed(0)
    if network == "mlp":
        model = MLP(data.input_shape, (8,), data.num_outputs)
    else:
        model = Convolution(data.input_shape, data.num_outputs)
    if data.task == "regression":
        return Regressor(model, target_names=data.target_names, **options)
    return Classifier(model, classes=data.classes, **options)


def loss_of(task: Task, data: ResidentDataModule, rows: np.ndarray) -> float:
    """The mean loss over rows by torch's functions, all rows at once, from dense inputs."""
    inputs, targets = data.prepared.inputs[rows], data.prepared.outputs[rows]
    if data.code_table is not None:
        inputs = data.code_table[inputs.long()].transpose(1, 2)
    with torch.no_grad():
        logits = task.model(inputs)  # nothing in it is dropped
    if data.task == "binary":
        return TF.binary_cross_entropy_with_logits(logits[:, 0], targets.float()).item()
    return (TF.cross_entropy if data.task == "multiclass" else TF.mse_loss)(logits, targets).item()


@pytest.mark.parametrize("network", ["mlp", "convolution"])
@pytest.mark.parametrize("kind", KINDS)
def test_any_network_learns(kind: str, network: str) -> None:
    data = data_of(kind)
    task = task_of(data, network, learning_rate=0.01, schedule="constant")
    before = loss_of(task, data, data.prepared.split.train)
    L.Trainer(max_epochs=10, **SETTINGS).fit(task, data)
    assert loss_of(task, data, data.prepared.split.train) < 0.99 * before


@pytest.mark.parametrize("network", ["mlp", "convolution"])
@pytest.mark.parametrize("kind", KINDS)
def test_logged_losses_are_means_over_rows(kind: str, network: str, monkeypatch) -> None:
    monkeypatch.setattr("bionn.data.batches.EVALUATION_ROWS", 7)
    data = data_of(kind, batch_size=53)  # 54 training rows: batches of 53 and 1
    task = task_of(data, network, optimizer=STAND_STILL)
    trainer = L.Trainer(max_epochs=1, **SETTINGS)
    trainer.fit(task, data)
    logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
    split = data.prepared.split
    assert logged["train_loss"] == pytest.approx(loss_of(task, data, split.train), rel=1e-5)
    assert logged["val_loss"] == pytest.approx(loss_of(task, data, split.val), rel=1e-5)


def test_the_logged_loss_is_the_same_when_a_step_has_several_batches() -> None:
    data = data_of("binary", batch_size=9)
    task = task_of(data, optimizer=STAND_STILL)
    trainer = L.Trainer(max_epochs=1, accumulate_grad_batches=3, **SETTINGS)
    trainer.fit(task, data)
    loss = float(trainer.callback_metrics["train_loss"])
    assert loss == pytest.approx(loss_of(task, data, data.prepared.split.train), rel=1e-5)


def test_a_training_cut_short_logs_the_loss_of_the_rows_it_saw() -> None:
    data = data_of("binary")
    task = task_of(data, optimizer=STAND_STILL)
    trainer = L.Trainer(max_steps=2, **SETTINGS)
    trainer.fit(task, data)
    order = data.train_dataloader().order
    rows = order.indices()[:20].numpy()
    loss = float(trainer.callback_metrics["train_loss"])
    assert loss == pytest.approx(loss_of(task, data, rows), rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_validate_and_test_log_loss_and_all_scores(kind: str, monkeypatch) -> None:
    monkeypatch.setattr("bionn.data.batches.EVALUATION_ROWS", 7)
    data = data_of(kind)
    task = task_of(data)
    trainer = L.Trainer(**SETTINGS, max_epochs=1)
    (val,) = trainer.validate(task, data, verbose=False)
    (test,) = trainer.test(task, data, verbose=False)
    names = REGRESSION if kind == "regression" else CLASSIFICATION
    assert val.keys() == {f"val_{name}" for name in ("loss", *names)}
    assert test.keys() == {f"test_{name}" for name in ("loss", *names)}
    rows = data.prepared.split.test
    assert test["test_loss"] == pytest.approx(loss_of(task, data, rows), rel=1e-5)
    outputs = torch.cat(trainer.predict(task, data)).numpy()
    truth = data.prepared.outputs[rows].numpy()
    if kind == "regression":
        assert test["test_r2"] == pytest.approx(sk.r2_score(truth, outputs), rel=1e-4)
    else:
        auroc = sk.roc_auc_score(truth, outputs, multi_class="ovr")
        assert test["test_auroc"] == pytest.approx(auroc, rel=1e-5)


def test_scores_are_not_carried_from_one_test_to_the_next() -> None:
    data = data_of("multiclass")
    task = task_of(data)
    trainer = L.Trainer(**SETTINGS, max_epochs=1)
    assert trainer.test(task, data, verbose=False) == trainer.test(task, data, verbose=False)


def test_training_logs_no_scores() -> None:
    data = data_of("binary")
    trainer = L.Trainer(max_epochs=1, **SETTINGS)
    trainer.fit(task_of(data), data)
    assert set(trainer.callback_metrics) == {"train_loss", "val_loss"}


@pytest.mark.parametrize("network", ["mlp", "convolution"])
def test_the_trainers_checkpoint_loads_back_without_unpickling(network: str, tmp_path) -> None:
    data = data_of("binary")
    task = task_of(data, network)
    trainer = L.Trainer(max_epochs=2, **SETTINGS)
    trainer.fit(task, data)
    path = tmp_path / "task.ckpt"
    trainer.save_checkpoint(path)
    torch.load(path, weights_only=True)
    expected = trainer.test(task, data, verbose=False)
    fresh = task_of(data, network)
    assert trainer.test(fresh, data, ckpt_path=str(path), verbose=False) == expected
    loaded = Classifier.load_from_checkpoint(
        path, model=task_of(data, network).model, classes=data.classes, weights_only=True
    )
    for name, value in task.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)


def test_training_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    data = data_of("binary")
    whole, half, rest = (task_of(data, schedule="constant") for _ in range(3))
    L.Trainer(max_epochs=4, **SETTINGS).fit(whole, data)
    trainer = L.Trainer(max_epochs=2, **SETTINGS)
    trainer.fit(half, data)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    L.Trainer(max_epochs=4, **SETTINGS).fit(rest, data, ckpt_path=tmp_path / "half.ckpt")
    for one, other in zip(whole.parameters(), rest.parameters(), strict=True):
        assert torch.equal(one, other)


class Rates(L.Callback):
    """Notes the learning rate of every step."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer) -> None:
        self.rates.append(optimizer.param_groups[0]["lr"])


def rates_of(epochs: int, **options: Any) -> tuple[list[float], torch.optim.Optimizer]:
    data, rates = data_of("binary"), Rates()
    trainer = L.Trainer(max_epochs=epochs, callbacks=[rates], **SETTINGS)
    trainer.fit(task_of(data, **options), data)
    return rates.rates, trainer.optimizers[0]


def test_constant_schedule() -> None:
    rates, _ = rates_of(3, schedule="constant", learning_rate=0.02)
    assert rates == [0.02] * 18  # 54 rows in batches of 10, 3 times


def test_one_cycle_rises_for_a_tenth_and_falls_to_nothing() -> None:
    rates, _ = rates_of(20, learning_rate=0.02)
    steps = len(rates)
    assert steps == 120
    peak = int(np.argmax(rates))
    assert max(rates) == pytest.approx(0.02, rel=0.01)
    assert 0.08 < peak / steps < 0.12
    assert (np.diff(rates[: peak + 1]) > 0).all()
    assert (np.diff(rates[peak:]) < 0).all()
    assert rates[0] < 0.002
    assert rates[-1] < 2e-5


@pytest.mark.parametrize("steps", [1, 2, 8, 9, 10, 19])
def test_one_cycle_of_few_steps_is_a_schedule_too(steps: int) -> None:
    data, rates = data_of("binary"), Rates()
    trainer = L.Trainer(max_epochs=-1, max_steps=steps, callbacks=[rates], **SETTINGS)
    trainer.fit(task_of(data, learning_rate=0.02), data)
    assert len(rates.rates) == steps
    assert all(0 <= rate <= 0.02 for rate in rates.rates)


def test_an_optimizer_of_ones_own_keeps_its_rate() -> None:
    rates, optimizer = rates_of(2, optimizer=partial(torch.optim.SGD, lr=0.5))
    assert type(optimizer) is torch.optim.SGD
    assert set(rates) == {0.5}


def test_weights_decay_and_biases_do_not() -> None:
    _, optimizer = rates_of(1, weight_decay=0.3)
    decays = {p.ndim: g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    assert decays == {3: 0.3, 2: 0.3, 1: 0.0}


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "64-true"])
def test_gradients_are_clipped_in_any_precision(precision: str) -> None:
    data = data_of("binary")
    settings = SETTINGS | {"precision": precision, "gradient_clip_val": 0.1}
    trainer = L.Trainer(max_epochs=2, **settings)
    trainer.fit(task_of(data), data)
    assert float(trainer.callback_metrics["train_loss"]) < 1


def test_networks_without_biases_train() -> None:
    data = data_of("regression")
    model = MLP(data.input_shape, (4,), data.num_outputs, bias=False)
    L.Trainer(max_epochs=1, **SETTINGS).fit(Regressor(model, target_names=["a", "b"]), data)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda m: Classifier(m, classes=["one"]), "classes: at least 2 needed, 1 found"),
        (lambda m: Regressor(m, target_names=[]), "target_names: at least 1 needed"),
        (lambda m: Classifier(m, classes=["a", "b"], schedule="cosine"), "'cosine' found"),
        (lambda m: Classifier(m, classes=["a", "b"], learning_rate=-1), "learning_rate: .* -1"),
        (lambda m: Regressor(m, target_names=["a"], weight_decay=-1), "weight_decay: .* -1"),
    ],
)
def test_what_makes_no_task_is_refused(make, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make(MLP(3, (), 1))


def test_one_cycle_without_an_end_is_refused() -> None:
    data = data_of("binary")
    with pytest.raises(InputError, match="one_cycle needs an end"):
        L.Trainer(max_epochs=-1, **SETTINGS).fit(task_of(data), data)


@pytest.mark.parametrize("unknown", ["zero", "uniform"])
@pytest.mark.parametrize("letters", ["ACGT", "ACGTNRYSWKMBDHV"])
def test_the_documented_line_for_sequences(letters: str, unknown: str, tmp_path: Path) -> None:
    frame = sequences(letters=letters)
    fasta = write_fasta(frame, tmp_path / "sequences.fa")
    frame[["id", "label"]].to_csv(tmp_path / "labels.csv", index=False)
    dm = FastaDataModule(str(fasta), labels=str(tmp_path / "labels.csv"), unknown=unknown)
    dm.setup()
    trainer = L.Trainer(max_epochs=1, **SETTINGS)
    task = Classifier(MLP(dm.input_shape, (512, 128), dm.num_outputs), classes=dm.classes)
    trainer.fit(task, dm)
    dense = dm.code_table[dm.prepared.inputs.long()].transpose(1, 2)
    with torch.no_grad():
        torch.testing.assert_close(task.eval()(dm.prepared.inputs), task(dense))


def test_the_documented_line_for_tables(tmp_path: Path) -> None:
    expression().to_csv(tmp_path / "expression.csv", index=False)
    dm = ExpressionDataModule(
        str(tmp_path / "expression.csv"), target=["y1", "y2"], batch_size="full"
    )
    dm.setup()
    task = Regressor(MLP(dm.input_shape, (16,), dm.num_outputs), target_names=dm.target_names)
    trainer = L.Trainer(max_epochs=1, **SETTINGS)
    trainer.fit(task, dm)
    assert trainer.global_step == 1
