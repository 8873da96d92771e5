"""Forward and backward of every op against torch's own, in time and in bytes kept for the backward.

Each pair is first checked for equal values and gradients: no speed is printed for a wrong result.
The two are timed in turn in one run; a figure is the ratio of their medians.
"""

from __future__ import annotations

import argparse
import csv
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from bionn import functional as F
from bionn.certify.cases import CASES, Case

ROWS, WIDTH, LENGTH = 1024, 512, 200
LENGTHS, WIDTHS = (41, 70, 200, 1000), (64, 512, 2048)
ROUNDS = 101
HERE = Path(__file__).resolve().parent

Arguments = tuple[list[Tensor], dict[str, object]]


def arguments(name: str) -> Arguments:
    """Inputs of an op at the size of an MLP's layer; those that take a gradient ask for one."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int, scale: float = 1.0) -> Tensor:
        return (torch.randn(*shape, generator=generator) * scale).requires_grad_()

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    logits, target = normal(ROWS, WIDTH), uniform(ROWS, WIDTH)
    if name == "linear":
        return [logits, normal(WIDTH, WIDTH, scale=WIDTH**-0.5), normal(WIDTH)], {}
    if name == "onehot_linear":
        return onehot_arguments(ROWS, LENGTH, WIDTH), {}
    if name in ("softmax", "log_softmax"):
        return [logits], {"dim": 1}
    if name in ("mse_loss", "half_squared_error", "binary_cross_entropy_with_logits"):
        return [logits, target], {}
    if name == "binary_cross_entropy":
        return [uniform(ROWS, WIDTH).clamp(0.01, 0.99).requires_grad_(), target], {}
    if name == "cross_entropy":
        return [logits, torch.randint(0, WIDTH, (ROWS,), generator=generator)], {}
    return [logits], {}


def onehot_arguments(samples: int, length: int, width: int) -> list[Tensor]:
    """Codes, weight as the layer lays it out, and bias."""
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(0, 4, (samples, length), generator=generator, dtype=torch.uint8)
    stored = torch.randn(length, 4, width, generator=generator) * length**-0.5
    bias = torch.randn(width, generator=generator).requires_grad_()
    return [codes, stored.permute(2, 1, 0).requires_grad_(), bias]


def clock() -> float:
    """Seconds: of processor time with one thread, which other work does not add to; else of the wall."""
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def seconds(function: Callable[..., Tensor], given: Arguments, upstream: Tensor) -> float:
    """Time of one forward and backward."""
    tensors, options = given
    for tensor in tensors:
        tensor.grad = None
    begin = clock()
    function(*tensors, **options).backward(upstream)
    return clock() - begin


def outcome(
    function: Callable[..., Tensor], given: Arguments
) -> tuple[Tensor, list[Tensor | None], int]:
    """The value, the gradients for an upstream of ones, and the bytes kept between the two."""
    tensors, options = given
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        value = function(*tensors, **options)
    for tensor in tensors:
        kept.pop(tensor.untyped_storage().data_ptr(), None)  # an input is there anyway
    seconds(function, given, torch.ones_like(value))
    return value.detach(), [tensor.grad for tensor in tensors], sum(kept.values())


def measure(case: Case, given: Arguments) -> dict[str, str | float]:
    """Check an op against its twin, then time both in turn.

    Raises:
        AssertionError: values or gradients differ.
    """
    ours, theirs = outcome(case.function, given), outcome(case.twin, given)
    torch.testing.assert_close(ours[:2], theirs[:2], rtol=1e-4, atol=1e-4)
    upstream = torch.ones_like(ours[0])
    rounds = ROUNDS if seconds(case.twin, given, upstream) < 0.01 else ROUNDS // 7
    times = [
        (seconds(case.function, given, upstream), seconds(case.twin, given, upstream))
        for _ in range(rounds)
    ]
    ours_ms, torch_ms = (1e3 * statistics.median(column) for column in zip(*times, strict=True))
    return {
        "op": case.name,
        "ours_ms": round(ours_ms, 3),
        "torch_ms": round(torch_ms, 3),
        "time_ratio": round(ours_ms / torch_ms, 2),
        "ours_kept_kb": ours[2] // 1024,
        "torch_kept_kb": theirs[2] // 1024,
    }


def commit() -> str:
    """The commit that is measured."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def write_csv(rows: Sequence[Mapping[str, object]], path: Path) -> None:
    """Keep what was measured, a line a row; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    print(f"\nwritten: {path}")


def dense(codes: Tensor, matrix: Tensor, bias: Tensor, letters: Tensor) -> Tensor:
    """The layer in torch's two calls, whose weight lies as they like it: ``(H, L * A)``."""
    rows = torch.nn.functional.embedding(codes.int(), letters).flatten(1)
    return torch.nn.functional.linear(rows, matrix, bias)


def onehot_ratio(samples: int, length: int, width: int) -> float:
    """The one-hot layer's time as a multiple of `dense`'s, of which the numbers are compared first.

    Raises:
        AssertionError: values or gradients differ.
    """
    codes, weight, bias = onehot_arguments(samples, length, width)
    matrix = weight.detach().mT.flatten(1).contiguous().requires_grad_()
    ours: Arguments = [codes, weight, bias], {}
    theirs: Arguments = [codes, matrix, bias.detach().clone().requires_grad_(), torch.eye(4)], {}
    upstream = torch.randn(samples, width)
    value, known = F.onehot_linear(*ours[0]), dense(*theirs[0])
    gradient, known_gradient = (
        torch.autograd.grad(out, by, upstream)[0] for out, by in ((value, weight), (known, matrix))
    )
    torch.testing.assert_close(value, known, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(gradient.mT.flatten(1), known_gradient, rtol=1e-4, atol=1e-4)
    pairs = ((F.onehot_linear, ours), (dense, theirs))
    times = [[seconds(*pair, upstream) for pair in pairs] for _ in range(ROUNDS)]
    mine, other = (statistics.median(column) for column in zip(*times, strict=True))
    return round(mine / other, 2)


def compare_batches(batches: Sequence[int]) -> None:
    """Print `onehot_ratio` over lengths, widths and batches."""
    print("| bp | units | " + " | ".join(map(str, batches)) + " |")
    print("|---|---|" + "---|" * len(batches))
    for length in LENGTHS:
        for width in WIDTHS:
            ratios = [str(onehot_ratio(samples, length, width)) for samples in batches]
            print(f"| {length} | {width} | " + " | ".join(ratios) + " |", flush=True)


def main() -> None:
    """Measure every differentiable op, print a table, write a CSV; or the one-hot layer by size."""
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmarks.ops")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/ops.csv"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--batches",
        type=int,
        nargs="+",
        help="the one-hot layer alone, over sizes and these batches",
    )
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.batches:
        compare_batches(given.batches)
        return
    print(
        f"{platform.machine()}, {given.threads} thread(s), torch {torch.__version__}, "
        f"commit {commit()}\n\n"
        "| op | ours, ms | torch, ms | ratio | ours keeps, KB | torch keeps, KB |\n"
        "|---|---|---|---|---|---|"
    )
    rows = []
    for case in CASES:
        if not case.differentiable:
            continue
        rows.append(measure(case, arguments(case.name)))
        print("| " + " | ".join(map(str, rows[-1].values())) + " |", flush=True)
    write_csv(rows, given.out)


if __name__ == "__main__":
    main()
