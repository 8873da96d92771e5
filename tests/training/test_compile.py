"""Compiled and mixed-precision training: the same network comes out, to rounding."""

from __future__ import annotations

from collections.abc import Callable
from functools import partialmethod
from typing import Any

import lightning as L
import pytest
import torch
from torch.nn import Module

from bionn.data.resident import ResidentDataModule
from bionn.errors import InputError
from bionn.models import MLP
from bionn.tasks import Classifier, Regressor
from bionn.training.fit import Trained, check, train
from bionn.training.options import TrainingOptions, choose
from tests.small_sets import prepared

# What Dynamo and Inductor say of torch's own code
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")

SETS = {kind: prepared(kind) for kind in ("binary", "multiclass", "regression")}
OPTIONS: dict[str, Any] = {"hidden": (8,), "max_epochs": 3, "batch_size": 16, "device": "cpu"}
OPTIONS |= {"dropout": 0.0, "input_dropout": 0.0, "refit": False}


def options(kind: str, **given: Any) -> TrainingOptions:
    return choose(TrainingOptions(**(OPTIONS | given)), SETS[kind])


def close(one: Trained, other: Trained, tolerance: float = 1e-5) -> None:
    for ours, theirs in zip(one.model.parameters(), other.model.parameters(), strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)
    assert one.val_loss == pytest.approx(other.val_loss, rel=tolerance)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the graphs of networks compiled; by a backend that needs no compiler."""
    graphs: list[int] = []

    def backend(graph: torch.fx.GraphModule, inputs: Any) -> Callable[..., Any]:
        graphs.append(len(graph.graph.nodes))
        return torch._dynamo.lookup_backend("aot_eager")(graph, inputs)

    torch._dynamo.reset()
    monkeypatch.setattr(Module, "compile", partialmethod(Module.compile, backend=backend))
    return graphs


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_a_compiled_network_trains_as_any_other(kind: str, compiled: list[int]) -> None:
    ours = train(SETS[kind], options(kind, compile=True))
    assert compiled
    assert ours.model._compiled_call_impl is None
    compiled.clear()
    close(ours, train(SETS[kind], options(kind)))
    assert not compiled


def test_inductor_compiles_a_network_for_training() -> None:
    torch._dynamo.reset()
    given = {"batch_size": "full", "max_epochs": 2, "hidden": (4,)}
    close(
        train(SETS["regression"], options("regression", compile=True, **given)),
        train(SETS["regression"], options("regression", **given)),
    )


def test_what_the_compiler_lacks_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def backend(graph: torch.fx.GraphModule, inputs: Any) -> Callable[..., Any]:
        raise RuntimeError("no C++ compiler found")

    torch._dynamo.reset()
    monkeypatch.setattr(Module, "compile", partialmethod(Module.compile, backend=backend))
    with pytest.raises(InputError, match=r"^compile: .*no C\+\+ compiler found; leave it out"):
        train(SETS["binary"], options("binary", compile=True))


@pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without a GPU")
def test_cuda_graphs_need_a_gpu() -> None:
    with pytest.raises(InputError, match="cuda-graphs: a GPU of NVIDIA needed, device cpu found"):
        check(SETS["binary"], options("binary", cuda_graphs=True))
    data = ResidentDataModule(lambda: SETS["regression"])
    model = MLP(data.input_shape, (4,), data.num_outputs)
    task = Regressor(model, target_names=["a", "b"], cuda_graphs=True)
    trainer = L.Trainer(max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False)
    with pytest.raises(InputError, match="cuda_graphs: a GPU of NVIDIA needed, device cpu found"):
        trainer.fit(task, data)


def test_a_task_asks_for_cuda_graphs_by_their_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[Any] = []
    monkeypatch.setattr(Module, "compile", lambda self, mode=None: modes.append(mode))
    for given in ({}, {"compile": True}, {"cuda_graphs": True}):
        task = Classifier(MLP((4, 12), (4,), 1), classes=["no", "yes"], **given)
        monkeypatch.setattr(Classifier, "device", torch.device("cuda"))
        task.on_fit_start()
    assert modes == [None, "reduce-overhead"]


@pytest.mark.parametrize("kind", SETS)
def test_mixed_precision_multiplies_in_bfloat16_on_the_cpu(kind: str) -> None:
    seen: set[torch.dtype] = set()

    class Look(L.Callback):
        def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
            model = pl_module.model
            assert isinstance(model, Module)
            self.hook = model.register_forward_hook(lambda module, given, out: seen.add(out.dtype))

        def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
            self.hook.remove()

    mixed = train(SETS[kind], options(kind, precision="bf16-mixed"), callbacks=[Look()])
    assert seen == {torch.bfloat16}
    close(mixed, train(SETS[kind], options(kind)), tolerance=0.02)
