"""Several processes of one training, started by a test: over the loopback interface, nothing else."""

from __future__ import annotations

import multiprocessing
import os
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import start_processes

WORLD = 2

needs_gloo = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()), reason="torch was built without gloo"
)


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def loopback() -> Iterator[None]:
    """Let the processes that are started in the block meet over the loopback interface."""
    names = [name for _, name in socket.if_nameindex() if name in ("lo", "lo0")]
    chosen = {"GLOO_SOCKET_IFNAME": names[0]} if names else {}
    with mock.patch.dict(os.environ, chosen | dict(os.environ)):
        yield


def together(job: Callable[[Path], Any], folder: Path) -> list[Any]:
    """What a function of a module returns in each of :data:`WORLD` processes of one Lightning training.

    Args:
        job: is given the folder; ``L.Trainer(strategy="ddp", devices=WORLD)`` finds the others.
        folder: an empty one.
    """
    multiprocessing.set_forkserver_preload(["lightning", "bionn.pipeline"])
    arguments = (job, str(folder), free_port())
    with loopback():
        start_processes(_work, arguments, nprocs=WORLD, start_method="forkserver")
    return [torch.load(folder / f"rank{rank}.pt", weights_only=False) for rank in range(WORLD)]


def _work(rank: int, job: Callable[[Path], Any], folder: str, port: int) -> None:
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "LOCAL_RANK": str(rank),
        "NODE_RANK": "0",
        "WORLD_SIZE": str(WORLD),
    }
    os.environ.pop("PL_GLOBAL_SEED", None)  # of an earlier test: Lightning seeds processes by it
    torch.save(job(Path(folder)), Path(folder) / f"rank{rank}.pt")
    if dist.is_initialized():
        dist.destroy_process_group()
