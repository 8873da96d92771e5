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
    yield Sample("value: code", (torch.tensor([[0, 5, 1]]), make.normal(2, 4, 3)))


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
    yield Sample("dtypes", (make.unit(3), make.unit(3).to(torch.float16)))
    yield Sample("weight", (make.unit(3, 4), make.unit(3, 4)), {"weight": make.unit(3)})
    yield Sample("value: above 1", (make.values(0.5, 1.5), make.unit(2)))
    yield Sample("value: below 0", (make.values(-0.5, 0.5), make.unit(2)))
    yield Sample("value: no number", (make.values(float("nan"), 0.5), make.unit(2)))


def bce_logits(make: Maker) -> Iterator[Sample]:
    """Shapes and weights that do not fit."""
    yield Sample("reduction", (make.normal(3), make.unit(3)), {"reduction": "average"})
    yield Sample("shapes", (make.normal(3, 1), make.unit(3)))
    for name in ("weight", "pos_weight"):
        yield Sample(name, (make.normal(3, 4), make.unit(3, 4)), {name: make.unit(3)})


def cross_entropy(make: Maker) -> Iterator[Sample]:
    """Targets, weights and options that do not fit the logits."""
    input, target = make.normal(3, 4), make.integers(4, 3)
    yield Sample("reduction", (input, target), {"reduction": "average"})
    yield Sample("smoothing", (input, target), {"label_smoothing": 1.5})
    yield Sample("weight", (input, target), {"weight": make.unit(3)})
    yield Sample("batch", (input, make.integers(4, 2)))
    yield Sample("shape", (make.normal(3, 4, 2), make.integers(4, 3)))
    yield Sample("deep shape", (make.normal(3, 4, 2), make.integers(4, 3, 3)))
    yield Sample("value: class", (input, torch.tensor([0, 4, 1])))
    yield Sample("value: negative class", (input, torch.tensor([0, -1, 1])))
    yield Sample("target dtype", (input, target.to(torch.int32)))
    yield Sample("numbers for classes", (input, make.unit(3)))
    yield Sample("ignored probabilities", (input, make.simplex(3, 4, dim=1)), {"ignore_index": 1})
    yield Sample("integer probabilities", (input, make.integers(2, 3, 4)))
