"""An epoch of training on one-hot DNA: bionn through Lightning against its peers, in one run.

Every contender trains the same network on the same rows with Adam. Ours is first checked against
torch.nn's twin: same logits, same gradients. Then each in turn runs some epochs; a figure is the
median time of an epoch, and its ratio to ours. "Dense products" is not a contender but a floor: the
matrix products alone of one epoch, forward and backward, on one-hot batches that are ready.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import platform
import statistics
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
import numpy as np
import torch
from torch import Tensor

from bionn.data.batches import ResidentBatches
from bionn.models import MLP
from bionn.tasks import Classifier
from bionn.tasks.optimizer import AdamW
from experiments.benchmarks.ops import clock, commit, write_csv

ROUNDS = 7
EPOCHS = 3


class Setting(NamedTuple):
    """What is trained: rows of DNA (or of expression), hidden widths, rows a step."""

    rows: int
    length: int
    hidden: tuple[int, ...]
    batch: int
    table: bool = False
    epochs: int = EPOCHS
    dropout: float = 0.0

    @property
    def name(self) -> str:
        """Short, for a table."""
        widths = "-".join(map(str, (*self.hidden, 1)))
        unit = "genes" if self.table else "bp"
        dropout = f", dropout {self.dropout:g}" if self.dropout else ""
        return f"{self.rows} x {self.length} {unit}, {widths}, batch {self.batch}{dropout}"

    @property
    def input_shape(self) -> int | tuple[int, int]:
        """What our network takes."""
        return self.length if self.table else (4, self.length)

    @property
    def widths(self) -> tuple[int, ...]:
        """Of the layers of a dense network, from the inputs on."""
        return (self.length if self.table else 4 * self.length, *self.hidden, 1)


class Data(NamedTuple):
    """Codes ``uint8 (N, L)``, the same one-hot and flat ``(N, 4 L)``, classes ``int64 (N,)``.

    Of a table both are its numbers ``float32 (N, L)``.
    """

    codes: Tensor
    onehot: Tensor
    classes: Tensor


def make_data(setting: Setting) -> Data:
    """Random DNA, or numbers, of two classes."""
    generator = torch.Generator().manual_seed(0)
    shape = (setting.rows, setting.length)
    classes = torch.randint(0, 2, (setting.rows,), generator=generator)
    if setting.table:
        features = torch.randn(shape, generator=generator)
        return Data(features, features, classes)
    codes = torch.randint(0, 4, shape, generator=generator, dtype=torch.uint8)
    onehot = torch.eye(4)[codes.long()].mT.flatten(1).contiguous()
    return Data(codes, onehot, classes)


def ours(setting: Setting) -> MLP:
    """Our network, on codes or numbers."""
    torch.manual_seed(0)
    return MLP(setting.input_shape, setting.hidden, 1, dropout=setting.dropout)


def twin(setting: Setting) -> torch.nn.Sequential:
    """torch.nn's network on flat one-hot rows, with the weights of ours."""
    layers: list[torch.nn.Module] = []
    for into, out in itertools.pairwise(setting.widths):
        layers += [torch.nn.Linear(into, out), torch.nn.ReLU()]
        if setting.dropout:
            layers.append(torch.nn.Dropout(setting.dropout))
    network = torch.nn.Sequential(*layers[: -2 if setting.dropout else -1])
    with torch.no_grad():
        for theirs, known in zip(network.parameters(), ours(setting).parameters(), strict=True):
            theirs.copy_(known.reshape(theirs.shape))
    return network


def adam(parameters: Any) -> torch.optim.Optimizer:
    """The optimiser of all contenders that are torch's."""
    return torch.optim.Adam(parameters, fused=True)


def own_adam(parameters: Any) -> torch.optim.Optimizer:
    """The same in bionn's class, which wants no copies of our weights' layout."""
    return AdamW(parameters, weight_decay=0.0, fused=True)


def loss_of(logits: Tensor, classes: Tensor) -> Tensor:
    """The objective of the contenders that are torch's."""
    return torch.nn.functional.binary_cross_entropy_with_logits(logits.squeeze(1), classes.float())


def check(setting: Setting, data: Data) -> None:
    """Raise AssertionError unless our network and the twin agree, values and gradients, dropout off."""
    gradients, logits = [], []
    for network, inputs in ((ours(setting), data.codes), (twin(setting), data.onehot)):
        out = network.eval()(inputs[: setting.batch])
        loss_of(out, data.classes[: setting.batch]).backward()
        logits.append(out.detach())
        gradients.append([p.grad.flatten() for p in network.parameters() if p.grad is not None])
    torch.testing.assert_close(logits[0], logits[1], rtol=1e-4, atol=1e-4)
    # a unit whose input is 0 but for rounding may be on in one of them and off in the other
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=5e-5)


class Clock(L.Callback):
    """Times the epochs of a Lightning fit, from the start of one to the start of the next."""

    def __init__(self) -> None:
        self.starts: list[float] = []

    def on_train_epoch_start(self, *_: Any) -> None:
        """Note when."""
        self.starts.append(clock())

    def on_train_end(self, *_: Any) -> None:
        """Note when the last one ended."""
        self.starts.append(clock())


def lightning_fit(setting: Setting, module: L.LightningModule, batches: Any) -> list[float]:
    """Seconds of each epoch."""
    clock = Clock()
    trainer = L.Trainer(
        max_epochs=setting.epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[clock],
    )
    trainer.fit(module, batches)
    return list(np.diff(clock.starts))


class Plain(L.LightningModule):
    """The usual Lightning module around a torch.nn network."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def training_step(self, batch: Sequence[Tensor], batch_idx: int) -> Tensor:
        """The loss, logged once an epoch."""
        loss = loss_of(self.network(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        return adam(self.parameters())


def bionn_lightning(setting: Setting, data: Data) -> list[float]:
    """Codes resident, our layers, Lightning's trainer with the loop that our task brings along."""
    rows = torch.arange(setting.rows)
    batches = ResidentBatches(
        data.codes, data.classes, rows, batch_size=setting.batch, shuffle=True
    )
    task = Classifier(ours(setting), classes="AB", optimizer=own_adam)
    return lightning_fit(setting, task, batches)


def torch_lightning(setting: Setting, data: Data) -> list[float]:
    """torch.nn, Lightning's loop, a DataLoader over one-hot rows that are ready."""
    dataset = torch.utils.data.TensorDataset(data.onehot, data.classes)
    loader = torch.utils.data.DataLoader(dataset, batch_size=setting.batch, shuffle=True)
    return lightning_fit(setting, Plain(twin(setting)), loader)


def torch_loop(setting: Setting, data: Data) -> list[float]:
    """torch.nn in the shortest loop there is, over one-hot rows that are ready."""
    network, seconds = twin(setting), []
    optimizer = adam(network.parameters())
    for _ in range(setting.epochs):
        begin = clock()
        for rows in torch.randperm(setting.rows).split(setting.batch):
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(network(data.onehot[rows]), data.classes[rows])
            loss.backward()
            optimizer.step()
        seconds.append(clock() - begin)
    return seconds


def dense_products(setting: Setting, data: Data) -> list[float]:
    """The products of each layer: forward, by the weights, and by the inputs but for the first."""
    weights = [torch.randn(o, i) for i, o in itertools.pairwise(setting.widths)]
    seconds = []
    for _ in range(setting.epochs):
        begin = clock()
        for start in range(0, setting.rows, setting.batch):
            x = data.onehot[start : start + setting.batch]
            kept = [x]
            for weight in weights:
                kept.append(kept[-1] @ weight.t())
            for layer in reversed(range(len(weights))):
                gradient = kept[layer + 1]
                _ = gradient.t() @ kept[layer]
                if layer:
                    _ = gradient @ weights[layer]
        seconds.append(clock() - begin)
    return seconds


def scikit_learn(setting: Setting, data: Data) -> list[float]:
    """MLPClassifier, an epoch a call."""
    from sklearn.neural_network import MLPClassifier

    options: dict[str, Any] = {
        "batch_size": setting.batch,
        "max_iter": setting.epochs,
        "random_state": 0,
    }
    network = MLPClassifier(setting.hidden, **options)
    inputs, classes = data.onehot.numpy(), data.classes.numpy()
    seconds = []
    for _ in range(setting.epochs):
        begin = clock()
        network.partial_fit(inputs, classes, classes=[0, 1])
        seconds.append(clock() - begin)
    return seconds


def skorch(setting: Setting, data: Data) -> list[float]:
    """NeuralNetBinaryClassifier around torch.nn's twin."""
    options: dict[str, Any] = {"train_split": None, "iterator_train__shuffle": True, "verbose": 0}
    options |= {"batch_size": setting.batch, "max_epochs": 1, "optimizer": torch.optim.Adam}
    network = import_module("skorch").NeuralNetBinaryClassifier(twin(setting), **options)
    inputs, classes = data.onehot.numpy(), data.classes.float().numpy()
    network.initialize()
    seconds = []
    for _ in range(setting.epochs):
        begin = clock()
        network.partial_fit(inputs, classes)
        seconds.append(clock() - begin)
    return seconds


CONTENDERS: dict[str, Callable[[Setting, Data], list[float]]] = {
    "bionn, Lightning": bionn_lightning,
    "torch.nn, Lightning, DataLoader": torch_lightning,
    "torch.nn, bare loop": torch_loop,
    "scikit-learn": scikit_learn,
    "skorch": skorch,
    "dense products alone": dense_products,
}


def measure(
    setting: Setting, contenders: Sequence[str] = tuple(CONTENDERS), rounds: int = ROUNDS
) -> list[dict[str, object]]:
    """Check, then time some contenders, ours among them, in turn; a row each."""
    data = make_data(setting)
    check(setting, data)
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, times in seconds.items():
            times.append(statistics.median(CONTENDERS[name](setting, data)))
    own = statistics.median(seconds["bionn, Lightning"])
    return [
        {
            "setting": setting.name,
            "contender": name,
            "epoch_s": round(statistics.median(times), 4),
            "ratio": round(statistics.median(times) / own, 2),
        }
        for name, times in seconds.items()
    ]


def main() -> None:
    """Measure, print a table, write a CSV."""
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmarks.training")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/training.csv"))
    parser.add_argument("--rows", type=int, default=20000)
    parser.add_argument("--length", type=int, default=200)
    parser.add_argument("--hidden", type=int, nargs="+", default=[512, 128])
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument(
        "--dropout", type=float, default=0.0, help="without scikit-learn, which has none"
    )
    parser.add_argument("--threads", type=int)
    given = parser.parse_args()
    setting = Setting(
        given.rows, given.length, tuple(given.hidden), given.batch, dropout=given.dropout
    )
    contenders = [name for name in CONTENDERS if name != "scikit-learn" or not given.dropout]
    if given.threads is not None:
        torch.set_num_threads(given.threads)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    print(
        f"{platform.machine()}, {torch.get_num_threads()} thread(s), torch {torch.__version__}, "
        f"commit {commit()}\n{setting.name}\n\n| | epoch, s | ratio to bionn |\n|---|---|---|"
    )
    rows = measure(setting, contenders)
    for row in rows:
        print(f"| {row['contender']} | {row['epoch_s']} | {row['ratio']} |")
    write_csv(rows, given.out)


if __name__ == "__main__":
    main()
