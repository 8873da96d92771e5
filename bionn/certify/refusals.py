"""Calls of every op that torch refuses: wrong shapes, dtypes, options and values."""

from collections.abc import Iterator

import torch

from bionn.certify.samples import Maker, Sample


def linear(make: Maker) -> Iterator[Sample]:
    """Sizes that do not meet, dimensions too few, dtypes that differ."""
    yield Sample("sizes", (make.normal(3, 4), make.normal(2, 5)))
    yield Sample("bias size", (make.normal(3, 4), make.normal(2, 4), make.normal(3)))
    yield Sample("scalar input", (make.normal(), make.normal(2, 4)))
    yield Sample("scalar weight", (make.normal(3, 4), make.normal()))
    yield Sample("dtypes", (make.normal(3, 4), make.normal(2, 4).to(torch.float16)))


def onehot_linear(make: Maker) -> Iterator[Sample]:
    """A code that stands for nothing."""
    text = "codes must lie in [0, 5), as table has S = 5 rows, but the largest is 5"
    args = (torch.tensor([[0, 5, 1]]), make.normal(2, 4, 3))
    yield Sample("value: code", args, refusal=text)


def gelu(make: Maker) -> Iterator[Sample]:
    """An approximation that does not exist."""
    yield Sample("approximate", (make.normal(3),), {"approximate": "sigmoid"})


def softmax(make: Maker) -> Iterator[Sample]:
    """Dimensions out of range."""
    yield Sample("dim", (make.normal(3, 4),), {"dim": 2})
    yield Sample("negative dim", (make.normal(3, 4),), {"dim": -3})
    yield Sample("scalar", (make.normal(),), {"dim": 1})


def squared(make: Maker) -> Iterator[Sample]:
    """An unknown reduction, shapes that do not broadcast."""
    yield Sample("reduction", (make.normal(3), make.normal(3)), {"reduction": "average"})
    yield Sample("shapes", (make.normal(3, 4), make.normal(3, 5)))


def mse(make: Maker) -> Iterator[Sample]:
    """Those of a squared error, and a weight that does not fit."""
    yield from squared(make)
    kwargs = {"weight": make.unit(2)}
    yield Sample("weight", (make.normal(3, 4), make.normal(3, 4)), kwargs)


def bce(make: Maker) -> Iterator[Sample]:
    """Shapes, dtypes and numbers that are no probabilities."""
    yield Sample("reduction", (make.unit(3), make.unit(3)), {"reduction": "average"})
    yield Sample("shapes", (make.unit(3, 1), make.unit(3)))
    text = "Found dtype torch.float16 for target but expected torch.float32"
    yield Sample("dtypes", (make.unit(3), make.unit(3).to(torch.float16)), refusal=text)
    text = "weight needs a shape that broadcasts to the input's (3, 4), but has (3,)"
    args = (make.unit(3, 4), make.unit(3, 4))
    yield Sample("weight", args, {"weight": make.unit(3)}, refusal=text)
    yield Sample("value: above 1", (make.values(0.5, 1.5), make.unit(2)))
    yield Sample("value: below 0", (make.values(-0.5, 0.5), make.unit(2)))
    yield Sample("value: no number", (make.values(float("nan"), 0.5), make.unit(2)))


def bce_logits(make: Maker) -> Iterator[Sample]:
    """Shapes and weights that do not fit."""
    yield Sample("reduction", (make.normal(3), make.unit(3)), {"reduction": "average"})
    yield Sample("shapes", (make.normal(3, 1), make.unit(3)))
    for name in ("weight", "pos_weight"):
        text = f"{name} needs a shape that broadcasts to the input's (3, 4), but has (3,)"
        args = (make.normal(3, 4), make.unit(3, 4))
        yield Sample(name, args, {name: make.unit(3)}, refusal=text)


def cross_entropy(make: Maker) -> Iterator[Sample]:
    """Targets, weights and options that do not fit the logits."""
    input, target = make.normal(3, 4), make.integers(4, 3)
    yield Sample("reduction", (input, target), {"reduction": "average"})
    yield Sample("smoothing", (input, target), {"label_smoothing": 1.5})
    text = (
        "cross_entropy: weight tensor should be defined either for all 4 classes or no classes but "
        "got weight tensor of shape: [3]"
    )
    yield Sample("weight", (input, target), {"weight": make.unit(3)}, refusal=text)
    yield Sample("batch", (input, make.integers(4, 2)))
    for label, sizes in (("shape", (3,)), ("deep shape", (3, 3))):
        text = f"Expected target size [3, 2], got {list(sizes)} for input [3, 4, 2]"
        yield Sample(label, (make.normal(3, 4, 2), make.integers(4, *sizes)), refusal=text)
    yield Sample("value: class", (input, torch.tensor([0, 4, 1])))
    yield Sample("value: negative class", (input, torch.tensor([0, -1, 1])))
    text = "expected target dtype to be Long or Byte, but got torch.int32"
    yield Sample("target dtype", (input, target.to(torch.int32)), refusal=text)
    text = (
        "cross_entropy needs class indices of shape (N, *) for logits (N, C, *), or class "
        "probabilities of the logits' shape; input (3, 4) and target (3,) torch.float32 are neither"
    )
    yield Sample("numbers for classes", (input, make.unit(3)), refusal=text)
    yield Sample("ignored probabilities", (input, make.simplex(3, 4, dim=1)), {"ignore_index": 1})
    text = "Expected floating point type for target with class probabilities, got torch.int64"
    yield Sample("integer probabilities", (input, make.integers(2, 3, 4)), refusal=text)
