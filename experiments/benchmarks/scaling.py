"""Rows a second in one and in two processes of one thread each, and a model of more of them.

    python -m experiments.benchmarks.scaling [--rows 20000] [--length 200] [--batch 1024]

A step of W processes takes C / W + A(W): C, the computations on the batch by one process, and A, the
sum of the gradients over the processes, 2 (W - 1) / W times their bytes through the slowest link of
a ring and 2 (W - 1) times its latency. C and A(2) are measured here, over the loopback interface;
the table for more processes assumes the bandwidth and latency that are given.
"""

from __future__ import annotations

import argparse
import os
import socket
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import lightning as L
import pandas as pd
import torch
from torch.multiprocessing.spawn import start_processes

from bionn.data.modules import load_prepared
from bionn.data.prepared import Prepared
from bionn.data.resident import ResidentDataModule
from bionn.data.samples import DataOptions
from bionn.models import MLP
from bionn.tasks.classifier import Classifier
from bionn.training.loop import quiet_lightning

HIDDEN = (512, 128)
EPOCHS = 4


class EpochSeconds(L.Callback):
    """Times the training epochs."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._begun = 0.0

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Begin."""
        self._begun = time.perf_counter()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """End."""
        self.seconds.append(time.perf_counter() - self._begun)


def made_up(rows: int, length: int) -> Prepared:
    """Random sequences of two classes, all but a few of them to train on."""
    draw = torch.Generator().manual_seed(0)
    letters = torch.tensor(list(b"ACGT"), dtype=torch.uint8)
    codes = torch.randint(0, 4, (rows, length), generator=draw)
    texts = [row.numpy().tobytes().decode() for row in letters[codes]]
    labels = ["yes" if t.count("GC") > length / 16 else "no" for t in texts]
    frame = pd.DataFrame({"sequence": texts, "label": labels})
    return load_prepared(
        frame, DataOptions(target=["label"], split="random", fractions=(0.98, 0.01, 0.01))
    )


def epoch_seconds(rows: int, length: int, batch: int, processes: int) -> float:
    """The fastest epoch but the first of a training in this process, one of so many."""
    torch.set_num_threads(1)
    prepared, timer = made_up(rows, length), EpochSeconds()
    with quiet_lightning():
        torch.manual_seed(0)
        model = MLP(prepared.encoder.input_shape, HIDDEN, 1)
        trainer = L.Trainer(
            accelerator="cpu",
            devices=processes,
            strategy="ddp" if processes > 1 else "auto",
            max_epochs=EPOCHS,
            limit_val_batches=0,
            callbacks=[timer],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        data = ResidentDataModule(lambda: prepared, batch_size=batch)
        trainer.fit(Classifier(model, classes=["no", "yes"]), data)
    return min(timer.seconds[1:])


def work(rank: int, processes: int, port: int, folder: str, shape: tuple[int, int, int]) -> None:
    """One of the processes."""
    if processes > 1:
        os.environ |= {"LOCAL_RANK": str(rank), "NODE_RANK": "0", "WORLD_SIZE": str(processes)}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        names = [name for _, name in socket.if_nameindex() if name.startswith("lo")]
        os.environ.setdefault("GLOO_SOCKET_IFNAME", names[0])
    rows, length, batch = shape
    seconds = epoch_seconds(rows, length, batch, processes)
    if rank == 0:
        Path(folder, "seconds").write_text(str(seconds), encoding="utf-8")


def measured(processes: int, shape: tuple[int, int, int]) -> float:
    """Seconds of an epoch of so many processes."""
    with socket.socket() as listener, tempfile.TemporaryDirectory() as folder:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        listener.close()
        start_processes(work, (processes, port, folder, shape), processes, start_method="spawn")
        return float(Path(folder, "seconds").read_text(encoding="utf-8"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--length", type=int, default=200)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--gigabits", type=float, default=10.0, help="a second, of the network")
    parser.add_argument("--microseconds", type=float, default=30.0, help="its latency")
    given = parser.parse_args()
    shape = (given.rows, given.length, given.batch)
    steps = -(-int(0.98 * given.rows) // given.batch)
    one, two = (measured(processes, shape) / steps for processes in (1, 2))
    sizes = (4 * given.length, *HIDDEN, 1)
    gradient = 4 * sum((a + 1) * b for a, b in pairwise(sizes))
    print(
        f"{given.rows} x {given.length} bp, batch {given.batch}, gradient {gradient / 1e6:.2f} MB"
    )
    print(f"1 process:   {1e3 * one:7.2f} ms a step")
    print(f"2 processes: {1e3 * two:7.2f} ms a step, {one / two:.2f} times as fast")
    print(f"sum of the gradients and all else that two cost: {1e3 * (two - one / 2):.2f} ms a step")
    print(f"model at {given.gigabits:g} Gbit/s and {given.microseconds:g} us:")
    for count in (2, 4, 8, 16, 32):
        ring = 2 * (count - 1) / count * 8 * gradient / (given.gigabits * 1e9)
        step = one / count + ring + 2 * (count - 1) * given.microseconds * 1e-6
        print(
            f"{count:4d} processes: {one / step:5.1f} times one, {one / step / count:4.0%} efficiency"
        )


if __name__ == "__main__":
    main()
