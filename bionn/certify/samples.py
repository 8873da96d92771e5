"""Sample inputs of every op: moderate ones away from kinks, and the ends of the number range."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Sample(NamedTuple):
    """One call of an op.

    Attributes:
        label: What is special about it.
        args: Positional arguments.
        kwargs: Options.
        differentiable: Positions of the arguments that carry a gradient.
        autocast: False where torch's twin, made of parts, casts by no policy under autocast.
        refusal: Of a call that is refused: our words where they say more than torch's.
    """

    label: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = MappingProxyType({})
    differentiable: tuple[int, ...] = (0,)
    autocast: bool = True
    refusal: str | None = None

    def to(self, device: torch.device | str) -> "Sample":
        """Return it with every tensor on a device."""

        def moved(value: Any) -> Any:
            return value.to(device) if isinstance(value, Tensor) else value

        args = tuple(moved(value) for value in self.args)
        kwargs = {name: moved(value) for name, value in self.kwargs.items()}
        return self._replace(args=args, kwargs=kwargs)


class Maker:
    """Draws small tensors of one dtype from one generator, so that samples repeat exactly."""

    def __init__(self, dtype: torch.dtype, seed: int = 0) -> None:
        self.dtype = dtype
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, *shape: int) -> Tensor:
        """Draw from the standard normal, pushed away from 0, where some activations have a kink."""
        draw = torch.randn(shape, generator=self.generator, dtype=torch.float64)
        return (draw + 0.05 * draw.sign()).to(self.dtype)

    def unit(self, *shape: int) -> Tensor:
        """Draw from the interval [.1, .9]."""
        draw = torch.rand(shape, generator=self.generator, dtype=torch.float64)
        return (0.1 + 0.8 * draw).to(self.dtype)

    def simplex(self, *shape: int, dim: int) -> Tensor:
        """Draw probabilities that sum to 1 along a dimension."""
        draw = torch.randn(shape, generator=self.generator, dtype=torch.float64)
        return torch.softmax(draw, dim).to(self.dtype)

    def integers(self, below: int, *shape: int) -> Tensor:
        """Draw int64 in [0, below)."""
        return torch.randint(below, shape, generator=self.generator)

    def values(self, *numbers: float) -> Tensor:
        """Make a vector of the given numbers."""
        return torch.tensor(numbers, dtype=self.dtype)


Builder = Callable[[Maker], Iterator[Sample]]


def none(make: Maker) -> Iterator[Sample]:
    """Make no samples."""
    return iter(())


def elementwise(*options: dict[str, Any]) -> Builder:
    """Make samples of an elementwise op, a matrix for each set of options."""

    def build(make: Maker) -> Iterator[Sample]:
        for kwargs in options or ({},):
            name = ",".join(f"{key}={value}" for key, value in kwargs.items()) or "plain"
            yield Sample(f"{name} matrix", (make.normal(3, 4),), kwargs)
        yield Sample("scalar", (make.normal(),))
        yield Sample("empty", (make.normal(0, 3),))
        yield Sample("transposed", (make.normal(2, 3, 2).transpose(0, 2),))
        yield Sample("expanded", (make.normal(3, 1).expand(3, 2),))
        yield Sample("image", (make.normal(1, 2, 2, 3),))

    return build


def far(*numbers: float) -> Builder:
    """Make one vector of the given numbers."""

    def build(make: Maker) -> Iterator[Sample]:
        yield Sample("far", (make.values(*numbers),))

    return build


FINITE = (-1e4, -100.0, -1e-30, 1e-30, 100.0, 1e4)
ENDS = (*FINITE, float("inf"), float("-inf"), float("nan"))


def softmax(make: Maker) -> Iterator[Sample]:
    """Logits of every number of dimensions, along several of them."""
    yield Sample("rows", (make.normal(3, 4),), {"dim": 1})
    yield Sample("columns", (make.normal(3, 4).t(),), {"dim": 0})
    yield Sample("middle", (make.normal(2, 3, 2),), {"dim": -2})
    yield Sample("ties", (make.normal(2, 1).expand(2, 3),), {"dim": 1})
    yield Sample("one class", (make.normal(2, 1),), {"dim": 1})
    yield Sample("scalar", (make.normal(),), {"dim": 0})
    yield Sample("image", (make.normal(1, 3, 2, 2),), {"dim": 1})
    yield Sample("no classes", (make.normal(2, 0),), {"dim": 1})
    yield Sample("no rows", (make.normal(0, 3),), {"dim": 1})


def softmax_ends(make: Maker) -> Iterator[Sample]:
    """Logits that overflow the plain formula, and those of which torch makes NaN."""
    inf, nan = float("inf"), float("nan")
    rows = [(1e4, -1e4, 0.0), (-1e4, -1e4, -1e4), (inf, 0, 1), (-inf, 0, 1), (nan, 0, 1)]
    for row in [*rows, (-inf, -inf, -inf), (88.0, 0.0, -88.0)]:
        yield Sample(f"{row}", (make.values(*row),), {"dim": 0})


def linear(make: Maker) -> Iterator[Sample]:
    """Batches, vectors, views, and every size that may be 0."""
    yield Sample("batch", (make.normal(3, 4), make.normal(2, 4), make.normal(2)), {}, (0, 1, 2))
    yield Sample("no bias", (make.normal(3, 4), make.normal(2, 4)), {}, (0, 1))
    yield Sample("vector", (make.normal(4), make.normal(2, 4), make.normal(2)), {}, (0, 1, 2))
    deep = (make.normal(4, 2, 3).transpose(0, 2), make.normal(4, 2).t(), make.normal(2))
    yield Sample("deep and transposed", deep, {}, (0, 1, 2))
    yield Sample("one neuron", (make.normal(3, 4), make.normal(4)), {}, (0, 1))
    yield Sample("empty batch", (make.normal(0, 4), make.normal(2, 4), make.normal(2)), {}, (0, 1))
    yield Sample("no inputs", (make.normal(3, 0), make.normal(2, 0), make.normal(2)), {}, (1, 2))
    yield Sample("no outputs", (make.normal(3, 4), make.normal(0, 4), make.normal(0)), {}, (0, 1))


def onehot_linear(make: Maker) -> Iterator[Sample]:
    """Codes of both dtypes, with and without a table; and the one-hot form itself."""
    weight, bias = make.normal(2, 4, 3), make.normal(2)
    major = make.normal(3, 4, 2).permute(2, 1, 0)
    codes = make.integers(5, 4, 3)
    table = make.unit(7, 4)
    yield Sample("int64", (codes, weight, bias), {}, (1, 2))
    yield Sample("uint8", (codes.to(torch.uint8), major, bias), {}, (1, 2))
    yield Sample("no bias", (codes, weight), {}, (1,))
    yield Sample("table", (make.integers(7, 4, 3), major, bias), {"table": table}, (1, 2))
    yield Sample("one sequence", (codes[0], weight, bias), {}, (1, 2))
    yield Sample("deep", (make.integers(5, 2, 2, 3), weight, bias), {}, (1, 2))
    yield Sample("empty batch", (codes[:0], weight, bias), {}, (1, 2))
    yield Sample("one-hot", (make.unit(2, 4, 3), major, bias), {}, (0, 1, 2))


_REDUCTIONS = ("mean", "sum", "none")


def squared(make: Maker) -> Iterator[Sample]:
    """Pairs of equal shape, and one that broadcasts (with a warning, as torch)."""
    for reduction in _REDUCTIONS:
        args = (make.normal(3, 4), make.normal(3, 4))
        yield Sample(reduction, args, {"reduction": reduction}, (0, 1))
    yield Sample("scalar", (make.normal(), make.normal()), {}, (0, 1))
    yield Sample("empty", (make.normal(0, 2), make.normal(0, 2)), {}, (0, 1))
    args = (make.normal(4, 3).t(), make.normal(3, 1).expand(3, 4))
    yield Sample("transposed and expanded", args, {}, (0, 1))
    yield Sample("image", (make.normal(1, 2, 2, 2), make.normal(1, 2, 2, 2)), {}, (0, 1))
    for reduction in _REDUCTIONS:
        args = (make.normal(3, 1), make.normal(2))
        yield Sample(f"broadcast {reduction}", args, {"reduction": reduction}, (0, 1))


def mse(make: Maker) -> Iterator[Sample]:
    """Those of a squared error, and weighted ones."""
    yield from squared(make)
    for reduction in _REDUCTIONS:
        kwargs = {"reduction": reduction, "weight": make.unit(3, 2)}
        args = (make.normal(3, 2), make.normal(3, 2))
        yield Sample(f"weighted {reduction}", args, kwargs, (0, 1), autocast=False)


def far_pair(make: Maker) -> Iterator[Sample]:
    """The ends of the number range against a target."""
    ends = make.values(*ENDS)
    yield Sample("far", (ends, make.unit(len(ENDS))), {"reduction": "none"})


def bce(make: Maker) -> Iterator[Sample]:
    """Probabilities and targets, with and without weight."""
    for reduction in _REDUCTIONS:
        kwargs = {"reduction": reduction, "weight": make.unit(4)}
        yield Sample(f"weighted {reduction}", (make.unit(3, 4), make.unit(3, 4)), kwargs, (0, 1))
    yield Sample("plain", (make.unit(4, 3).t(), make.unit(3, 4)), {}, (0, 1))
    yield Sample("image", (make.unit(1, 2, 2, 2), make.unit(1, 2, 2, 2)), {}, (0, 1))
    yield Sample("scalar", (make.unit(), make.unit()), {}, (0, 1))
    yield Sample("empty", (make.unit(0, 2), make.unit(0, 2)), {}, (0, 1))


def bce_ends(make: Maker) -> Iterator[Sample]:
    """Probabilities at and next to 0 and 1."""
    nothing, certain, half = make.values(0, 0, 0), make.values(1, 1, 1), make.values(0, 0.5, 1)
    yield Sample("probability 0", (nothing, half), {"reduction": "none"})
    yield Sample("probability 1", (certain, half), {"reduction": "none"})
    yield Sample("tiny", (make.values(1e-30, 1e-8, 1e-4), half), {"reduction": "none"})


def bce_logits(make: Maker) -> Iterator[Sample]:
    """Logits and targets, with and without weights."""
    for reduction in _REDUCTIONS:
        kwargs = {"reduction": reduction, "weight": make.unit(4), "pos_weight": make.unit(4) * 3}
        yield Sample(f"weighted {reduction}", (make.normal(3, 4), make.unit(3, 4)), kwargs, (0, 1))
    yield Sample("plain", (make.normal(4, 3).t(), make.unit(3, 4)), {}, (0, 1))
    yield Sample("image", (make.normal(1, 2, 2, 2), make.unit(1, 2, 2, 2)), {}, (0, 1))
    yield Sample("scalar", (make.normal(), make.unit()), {}, (0, 1))
    yield Sample("empty", (make.normal(0, 2), make.unit(0, 2)), {}, (0, 1))


def bce_logits_ends(make: Maker) -> Iterator[Sample]:
    """Saturated logits against each kind of target."""
    for target in (0.0, 0.5, 1.0):
        # torch's own loss of an infinite logit is NaN unless the target is 0
        ends = make.values(*(FINITE if target > 0 else ENDS))
        args = (ends, torch.full_like(ends, target))
        yield Sample(f"target {target}", args, {"reduction": "none"})


def cross_entropy(make: Maker) -> Iterator[Sample]:
    """Class indices and probabilities with every option."""
    target = make.integers(4, 3)
    ignored = torch.tensor([2, 1, 0])
    for reduction in _REDUCTIONS:
        yield Sample(f"{reduction}", (make.normal(3, 4), target), {"reduction": reduction})
        kwargs = {"reduction": reduction, "weight": make.unit(4), "label_smoothing": 0.1}
        args = (make.normal(3, 4), ignored)
        yield Sample(f"smooth weighted {reduction}", args, {**kwargs, "ignore_index": 1})
        args = (make.normal(3, 4), make.simplex(3, 4, dim=1))
        yield Sample(f"probabilities {reduction}", args, kwargs, (0, 1))
    yield Sample("smooth", (make.normal(3, 4), target), {"label_smoothing": 0.3})
    yield Sample("bytes", (make.normal(3, 4), target.to(torch.uint8)))
    yield Sample("unbatched", (make.normal(4), torch.tensor(2)))
    args = (make.normal(4), make.simplex(4, dim=0), make.unit(4))
    yield Sample("unbatched probabilities", args, {}, (0, 1, 2))
    deep = make.normal(2, 2, 3).transpose(1, 2)
    yield Sample("deep", (deep, make.integers(3, 2, 2)), {"weight": make.unit(3)})
    args = (deep, make.simplex(2, 3, 2, dim=1), make.unit(3))
    yield Sample("deep probabilities", args, {}, (0, 1, 2))
    yield Sample("image", (make.normal(1, 3, 2, 2), make.integers(3, 1, 2, 2)))
    yield Sample("empty", (make.normal(0, 3), make.integers(3, 0)), {"reduction": "sum"})


def cross_entropy_ends(make: Maker) -> Iterator[Sample]:
    """Extreme logits against every class, and nothing to average."""
    for sample in softmax_ends(make):
        for target in range(3):
            yield Sample(f"{sample.label} {target}", (sample.args[0], torch.tensor(target)))
    ignored = torch.tensor([1, 1])
    yield Sample("all ignored", (make.normal(2, 3), ignored), {"ignore_index": 1})
