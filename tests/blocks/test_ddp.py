"""Two processes that share a batch get the gradients of one process on the whole of it."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor
from torch.nn import Module
from torch.nn.parallel import DistributedDataParallel

from bionn import nn
from bionn.models import MLP

WORLD = 2

pytestmark = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()), reason="torch was built without gloo"
)


def on_codes() -> tuple[Module, Module, Tensor, Tensor]:
    """An MLP with its one-hot layer, its loss, codes and classes."""
    draw = torch.Generator().manual_seed(1)
    codes = torch.randint(0, 5, (24, 10), generator=draw, dtype=torch.uint8)
    classes = torch.randint(0, 3, (24,), generator=draw)
    network = MLP((4, 10), (8, 6), 3, activation="gelu", generator=torch.Generator().manual_seed(2))
    return network, nn.CrossEntropyLoss(), codes, classes


def on_features() -> tuple[Module, Module, Tensor, Tensor]:
    """A regression on features whose middle layer is frozen."""
    draw = torch.Generator().manual_seed(1)
    features, targets = (torch.randn(24, n, generator=draw) for n in (7, 2))
    network = MLP(7, (8, 6), 2, activation="tanh", generator=torch.Generator().manual_seed(2))
    network.layers[2].requires_grad_(False)
    return network, nn.HalfSquaredError(), features, targets


JOBS = [on_codes, on_features]
Results = list[list[dict[str, Tensor]]]


def step(network: Module, loss: Module, inputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """One step of gradient descent; return the parameters after it, and their gradients."""
    loss(network(inputs), targets).backward()
    bare = network.module if isinstance(network, DistributedDataParallel) else network
    results = {}
    for name, parameter in bare.named_parameters():
        results[name] = parameter.detach()
        if parameter.grad is not None:
            results[name] -= 0.5 * parameter.grad
            results[f"{name}.grad"] = parameter.grad
    return results


def work(rank: int, folder: str) -> None:
    """What each process does: every job on every WORLD-th row."""
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=WORLD
    )
    results = []
    for job in JOBS:
        network, loss, inputs, targets = job()
        if rank > 0:  # DDP must send the first process's numbers to the others
            for parameter in network.parameters():
                torch.nn.init.zeros_(parameter)
        wrapped = DistributedDataParallel(network)
        results.append(step(wrapped, loss, inputs[rank::WORLD], targets[rank::WORLD]))
    torch.save(results, Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """By process, by job: parameters and gradients after one step."""
    folder = tmp_path_factory.mktemp("ddp")
    with pytest.MonkeyPatch.context() as patch:
        if "GLOO_SOCKET_IFNAME" not in os.environ:
            loopback = [name for _, name in socket.if_nameindex() if name in ("lo", "lo0")]
            if loopback:
                patch.setenv("GLOO_SOCKET_IFNAME", loopback[0])
        mp.spawn(work, (str(folder),), nprocs=WORLD)
    return [torch.load(folder / f"{rank}.pt") for rank in range(WORLD)]


@pytest.mark.parametrize("job", JOBS)
def test_two_processes_step_as_one_does_on_the_whole_batch(
    results: Results, job: Callable[[], tuple[Module, Module, Tensor, Tensor]]
) -> None:
    expected = step(*job())
    for of_rank in results:
        torch.testing.assert_close(of_rank[JOBS.index(job)], expected, rtol=0, atol=1e-6)
    assert any(name.endswith(".grad") and value.any() for name, value in expected.items())


def test_half_the_batch_alone_would_not_give_these_gradients(results: Results) -> None:
    network, loss, inputs, targets = on_codes()
    alone = step(network, loss, inputs[::WORLD], targets[::WORLD])
    assert not torch.allclose(
        alone["layers.0.weight.grad"], results[0][0]["layers.0.weight.grad"], rtol=0, atol=1e-4
    )
