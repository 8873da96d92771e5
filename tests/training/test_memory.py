"""Where memory does not suffice, fewer rows at a time give the same weights, but for rounding."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch

from bionn.data.batches import Batch
from bionn.errors import InputError, InputWarning
from bionn.models.layers import set_code_table
from bionn.tasks.accumulation import loss_in_parts
from bionn.tasks.base import Task
from bionn.training.fit import train
from bionn.training.loop import build_task
from bionn.training.options import TrainingOptions, choose
from tests.small_sets import prepared

SETS: dict[str, Any] = {kind: prepared(kind) for kind in ("binary", "multiclass", "regression")}
ROOT = Path(__file__).parents[2]


def options_for(data: Any, **given: Any) -> TrainingOptions:
    small: dict[str, Any] = {"hidden": (8, 5), "max_epochs": 3, "device": "cpu", "batch_size": 20}
    small |= {"precision": "64-true", "refit": False} | given
    return choose(TrainingOptions(**small), data)


def shortage(monkeypatch, most: int, *, backward: bool = False) -> list[int]:
    """Let torch's error come for more than so many rows; the numbers of rows that were tried."""
    tried: list[int] = []
    loss = Task.loss

    def loss_of(self: Task, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if not self.trainer.training or not torch.is_grad_enabled():
            return loss(self, logits, targets)
        tried.append(len(logits))
        if len(logits) > most and not backward:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: ...")
        if len(logits) > most:
            logits.register_hook(_fail)
        return loss(self, logits, targets)

    monkeypatch.setattr(Task, "loss", loss_of)
    return tried


def _fail(gradient: torch.Tensor) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate ...")


def same(one: torch.nn.Module, other: torch.nn.Module, *, rtol: float, atol: float) -> None:
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=rtol, atol=atol)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("binary", {"dropout": 0.4, "input_dropout": 0.3}),
        ("binary", {"class_weight": "no=1,yes=5"}),
        ("multiclass", {"class_weight": "balanced", "sampler": "uniform"}),
        ("multiclass", {"objective": "squared-error"}),
        ("regression", {"batch_size": "full", "dropout": 0.4}),
    ],
)
def test_the_weights_are_those_of_enough_memory(
    kind: str, given: dict[str, Any], backward: bool, monkeypatch
) -> None:
    data = SETS[kind]
    if kind == "regression":  # some targets are missing, all of some parts
        outputs = data.outputs.clone()
        outputs[::3, 0] = outputs[data.split.train[:9]] = torch.nan
        data = replace(data, outputs=outputs)
    options = options_for(data, **given)
    whole = train(data, options)
    assert whole.health == ()
    tried = shortage(monkeypatch, 6, backward=backward)
    with pytest.warns(InputWarning, match="at a time, their gradients are summed up"):
        parts = train(data, options)
    too_many = [54, 27, 14, 7] if given.get("batch_size") == "full" else [20, 10]
    assert [rows for rows in tried if rows > 6] == too_many  # tried once each, and remembered
    assert max(tried[-5:]) <= 6
    same(whole.model, parts.model, rtol=1e-6, atol=1e-9)
    assert whole.val_loss == pytest.approx(parts.val_loss, rel=1e-9)
    assert [note for note in parts.health if note.startswith("memory does not suffice")]


def test_single_precision_agrees_to_rounding(monkeypatch) -> None:
    data = SETS["binary"]
    options = options_for(data, precision="32-true")
    whole = train(data, options)
    shortage(monkeypatch, 5)
    with pytest.warns(InputWarning):
        parts = train(data, options)
    same(whole.model, parts.model, rtol=1e-3, atol=1e-5)


def test_other_errors_are_errors(monkeypatch) -> None:
    monkeypatch.setattr(Task, "loss", lambda *_: (_ for _ in ()).throw(RuntimeError("shapes")))
    with pytest.raises(RuntimeError, match="shapes"):
        train(SETS["binary"], options_for(SETS["binary"]))


def test_what_does_not_fit_by_single_rows_is_one_line(monkeypatch) -> None:
    shortage(monkeypatch, 0)
    with (
        pytest.warns(InputWarning),
        pytest.raises(InputError, match="more needed for a single row of a step than there is"),
    ):
        train(SETS["binary"], options_for(SETS["binary"]))


def test_a_resumed_training_keeps_to_the_rows_bit_by_bit(tmp_path: Path, monkeypatch) -> None:
    class Break(L.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
            if (trainer.current_epoch, batch_idx) == (1, 1):
                raise KeyboardInterrupt

    data = SETS["binary"]
    options = options_for(data, checkpoint_seconds=0.0, precision="32-true", dropout=0.3)
    tried = shortage(monkeypatch, 6)
    with pytest.warns(InputWarning):
        whole = train(data, options)
    with pytest.warns(InputWarning), pytest.raises(BaseException, match="SIGINT"):
        train(data, options, directory=tmp_path, callbacks=[Break()])
    tried.clear()
    resumed = train(data, options, directory=tmp_path, resume=True)
    assert max(tried) <= 6
    same(whole.model, resumed.model, rtol=0.0, atol=0.0)
    assert resumed.health == whole.health


def test_evaluation_is_halved(monkeypatch) -> None:
    data = SETS["multiclass"]
    options = options_for(data, batch_size=5)
    whole = train(data, options)
    forward = Task.forward
    tried: list[int] = []

    def short(self: Task, inputs: torch.Tensor) -> torch.Tensor:
        tried.append(len(inputs))
        if len(inputs) > 5:
            raise MemoryError
        return forward(self, inputs)

    monkeypatch.setattr(Task, "forward", short)
    parts = train(data, options)
    assert max(tried) > 5
    same(whole.model, parts.model, rtol=0.0, atol=0.0)
    assert whole.val_loss == pytest.approx(parts.val_loss, rel=1e-12)


@pytest.mark.parametrize("kernels", [True, False])
@pytest.mark.parametrize("codes", [torch.uint8, torch.int64])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_parts_derive_what_the_whole_batch_does(
    dtype: torch.dtype, codes: torch.dtype, kernels: bool, monkeypatch
) -> None:
    if not kernels:
        monkeypatch.setattr("bionn.kernels.nodes.reachable", lambda: False)
    data = SETS["multiclass"]
    options = options_for(data, hidden=(16, 8), dropout=0.3, input_dropout=0.3)
    task: Any = build_task(data, options).to(dtype).train()
    task.code_table = data.code_table.to(dtype)
    set_code_table(task.model, task.code_table)
    rows = torch.arange(23)
    batch = Batch(data.inputs[rows].to(codes), data.outputs[rows], rows)
    parameters = list(task.parameters())

    def loss(some: Batch) -> torch.Tensor:
        return task.loss(task(some.inputs), some.targets)

    torch.manual_seed(1)
    whole = loss(batch)
    expected = torch.autograd.grad(whole, parameters)
    after = torch.get_rng_state()
    for size in (1, 4, 22, 23):
        for scale in (1.0, 1024.0):
            torch.manual_seed(1)
            value = loss_in_parts(loss, batch, size, parameters, scale=scale)
            assert torch.equal(torch.get_rng_state(), after)
            torch.testing.assert_close(value, whole)
            found = torch.autograd.grad(3 * value, parameters)
            for a, b in zip(found, expected, strict=True):
                torch.testing.assert_close(a, 3 * b, rtol=1e-5, atol=1e-6)


LIMITED = """
import resource, sys, warnings
import torch
from bionn.data.batches import Batch
from bionn.training.fit import train
from tests.training.test_memory import large
warnings.simplefilter("ignore")
data, options = large()
if sys.argv[1] != "0":
    size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    most = size + (int(sys.argv[1]) << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
trained = train(data, options)
torch.save(dict(trained.model.state_dict()), sys.argv[2])
print(*trained.health)
"""


def large() -> tuple[Any, TrainingOptions]:
    """A step that needs more than 1 GB at once: 40,000 rows through 1000 units, some of them dropped."""
    generator = torch.Generator().manual_seed(0)
    data = SETS["regression"]
    inputs = torch.randn(40_000, 5, generator=generator)
    outputs = torch.tanh(inputs[:, :2]) + 0.1
    data = replace(data, inputs=inputs, outputs=outputs)
    split = replace(
        data.split, train=torch.arange(40_000).numpy()[100:], val=torch.arange(100).numpy()
    )
    options = options_for(
        data,
        hidden=(1000,),
        dropout=0.2,
        batch_size="full",
        max_epochs=1,
        precision="32-true",
        activation="tanh",
    )
    return replace(data, split=split), options


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="address space limits of Linux")
def test_under_a_limit_of_the_system(tmp_path: Path) -> None:
    said = []
    for limit in (0, 500):
        command = [sys.executable, "-c", LIMITED, str(limit), str(tmp_path / f"{limit}.pt")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert "memory" not in said[0]
    assert "memory does not suffice for all rows of a step at once: " in said[1]
    whole, parts = (torch.load(tmp_path / f"{limit}.pt", weights_only=True) for limit in (0, 500))
    for name, tensor in whole.items():
        torch.testing.assert_close(parts[name], tensor, rtol=1e-3, atol=1e-5)
