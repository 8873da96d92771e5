"""An ensemble's members: trained together by ``torch.func.vmap``, or one after the other.

``python -m experiments.benchmarks.members`` times a step of AdamW, forward and backward, of five MLPs as
``bionn run`` makes them. Together they are one batched matrix product a layer over dense one-hot rows;
one after the other each reads bases as codes, which no batched product does.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from torch.func import functional_call, stack_module_state, vmap

from bionn.functional import cross_entropy
from bionn.models.mlp import MLP
from bionn.sequences.onehot import one_hot
from bionn.tasks.optimizer import AdamW

MEMBERS, STEPS, HIDDEN, CLASSES = 5, 20, (256, 128), 2
SIZES = (("60 bp", (4, 60), 32), ("200 bp", (4, 200), 256), ("77 features", 77, 32))
"""Inputs, their shape and the rows of a step."""


def one_by_one(models: list[MLP], inputs: torch.Tensor, labels: torch.Tensor) -> Callable[[], None]:
    """A step of each network, as an ensemble is trained."""
    optimizers = [AdamW(model.parameters(), lr=1e-3) for model in models]

    def step() -> None:
        for model, optimizer in zip(models, optimizers, strict=True):
            optimizer.zero_grad()
            cross_entropy(model(inputs), labels).backward()
            optimizer.step()

    return step


def together(models: list[MLP], inputs: torch.Tensor, labels: torch.Tensor) -> Callable[[], None]:
    """The same step of all of them, each with rows of its own."""
    weights, buffers = stack_module_state(models)  # pyright: ignore[reportArgumentType]
    optimizer = AdamW(weights.values(), lr=1e-3)
    rows = inputs.expand(len(models), *inputs.shape)
    targets = labels.expand(len(models), *labels.shape)

    def loss(own: dict, held: dict, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return cross_entropy(functional_call(models[0], (own, held), (x,)), y)

    def step() -> None:
        optimizer.zero_grad()
        vmap(loss, randomness="different")(weights, buffers, rows, targets).sum().backward()
        optimizer.step()

    return step


def milliseconds(step: Callable[[], None], repeats: int = 5) -> float:
    """Of a step, the least of some repetitions."""
    step()
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(STEPS):
            step()
        best = min(best, time.perf_counter() - start)
    return 1e3 * best / STEPS


def main() -> None:
    """Print a line a size."""
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmarks.members")
    parser.add_argument("--threads", type=int, default=1)
    torch.set_num_threads(parser.parse_args().threads)
    print(f"| inputs | rows a step | {MEMBERS} one by one, ms | together, ms | ratio |")
    print("|---|---|---|---|---|")
    for name, shape, rows in SIZES:
        generator = torch.Generator().manual_seed(0)
        labels = torch.randint(0, CLASSES, (rows,), generator=generator)
        models = [MLP(shape, HIDDEN, CLASSES, dropout=0.2) for _ in range(MEMBERS)]
        if isinstance(shape, int):
            inputs = dense = torch.randn(rows, shape, generator=generator)
        else:
            inputs = torch.randint(0, 4, (rows, shape[1]), generator=generator, dtype=torch.uint8)
            dense = one_hot(inputs, torch.eye(5, 4))
        apart = milliseconds(one_by_one(models, inputs, labels))
        joint = milliseconds(together(models, dense, labels))
        print(f"| {name} | {rows} | {apart:.2f} | {joint:.2f} | {joint / apart:.2f} |", flush=True)


if __name__ == "__main__":
    main()
