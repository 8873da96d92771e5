"""The certification catches errors: each is planted in each op's backward and jvp, and found."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from bionn.certify.cases import CASES, Case
from bionn.certify.probe import bind, evaluate, smooth
from bionn.certify.runner import certify, results, undisturbed
from bionn.kernels import nodes
from bionn.kernels.library import library
from bionn.ops import base, linear, losses, onehot_linear
from bionn.ops.base import FunctionPair

# The cheap properties, in the order of what they cost and catch.
CHEAP = ["twin", "jacobians", "shapes", "hessian"]
EVERY = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def rounded(tensor: Tensor) -> Tensor:
    """What is left of a float64 that was computed in float32."""
    return tensor.float().to(tensor.dtype)


def without_last(tensor: Tensor) -> Tensor:
    """A derivative whose loop stopped one short."""
    kept = torch.ones(tensor.numel(), dtype=tensor.dtype)
    kept[-1:] = 0
    return tensor * kept.reshape(tensor.shape)


ERRORS: dict[str, Callable[[Tensor], Tensor]] = {
    "wrong sign": lambda derivative: -derivative,
    "dropped factor": lambda derivative: derivative * 0.5,
    "dropped term": lambda derivative: torch.zeros_like(derivative),
    "added constant": lambda derivative: derivative + 1,
    "last entries forgotten": without_last,
    "second derivative lost": lambda derivative: derivative.detach(),
    "too few digits": rounded,
    "wrong dtype": lambda derivative: derivative.float(),
}
# A derivative that is zero by definition is unchanged by all but these.
ERRORS_OF_ZERO = ["added constant", "wrong dtype"]


class Rule(NamedTuple):
    """A backward or jvp that the samples of an op run, and what it handles."""

    pair: FunctionPair
    kind: str
    places: tuple[int, ...]


@contextmanager
def planted(rule: Rule, change: Callable[[Callable[..., Any], Any, tuple[Any, ...]], Any]):
    """Run with ``change(original, ctx, args)`` in place of a rule."""
    owner = rule.pair.reverse if rule.kind == "backward" else rule.pair.both
    original = vars(owner)[rule.kind].__func__

    @staticmethod
    def replaced(ctx: Any, *args: Any) -> Any:
        return change(original, ctx, args)

    setattr(owner, rule.kind, replaced)
    try:
        yield
    finally:
        setattr(owner, rule.kind, staticmethod(original))


def rules_of(case: Case, monkeypatch: pytest.MonkeyPatch) -> list[Rule]:
    """Find the rules an op's samples run: backward by gradients given, jvp by tangents taken."""
    pairs: list[FunctionPair] = []
    apply = FunctionPair.__call__

    def spy(pair: FunctionPair, *args: Any) -> Any:
        if pair not in pairs:
            pairs.append(pair)
        return apply(pair, *args)

    def run() -> None:
        with undisturbed():
            for sample in smooth(case, "cpu"):
                evaluate(case.function, sample)
                call = bind(case.function, sample)
                inputs = tuple(leaf.detach() for leaf in call.copies())
                torch.func.jvp(call.function, inputs, inputs)

    with monkeypatch.context() as patch:
        patch.setattr(FunctionPair, "__call__", spy)
        run()
    found = []
    for pair in pairs:
        for kind in ("backward", "jvp"):
            places: set[int] = set()

            def record(
                original: Callable[..., Any],
                ctx: Any,
                args: tuple[Any, ...],
                kind: str = kind,
                places: set[int] = places,
            ) -> Any:
                returned = original(ctx, *args)
                seen = returned if kind == "backward" else args
                places.update(i for i, value in enumerate(seen) if isinstance(value, Tensor))
                return returned

            rule = Rule(pair, kind, ())
            with planted(rule, record):
                run()
            found.append(rule._replace(places=tuple(sorted(places))))
    return found


def wrong_gradient(error: Callable[[Tensor], Tensor], place: int) -> Callable[..., Any]:
    def change(original: Callable[..., Any], ctx: Any, args: tuple[Any, ...]) -> Any:
        returned = list(original(ctx, *args))
        if isinstance(returned[place], Tensor):
            returned[place] = error(returned[place])
        return tuple(returned)

    return change


def wrong_tangent(error: Callable[[Tensor], Tensor], place: int) -> Callable[..., Any]:
    """Err in the term of one argument: all rules are linear in the tangents."""

    def change(original: Callable[..., Any], ctx: Any, args: tuple[Any, ...]) -> Any:
        taken = list(args)
        if isinstance(taken[place], Tensor):
            taken[place] = error(taken[place])
        return original(ctx, *taken)

    return change


def wrong_output(error: Callable[[Tensor], Tensor]) -> Callable[..., Any]:
    def change(original: Callable[..., Any], ctx: Any, args: tuple[Any, ...]) -> Any:
        returned = original(ctx, *args)
        if isinstance(returned, tuple):
            return (error(returned[0]), *returned[1:])
        return error(returned)

    return change


def mutants(case: Case, rules: list[Rule]) -> Iterator[tuple[str, Rule, Callable[..., Any]]]:
    names = list(ERRORS) if case.differentiable else ERRORS_OF_ZERO
    for rule in rules:
        label = f"{rule.pair.both.__name__}.{rule.kind}"
        for name in names:
            if rule.kind == "jvp":
                yield f"{label}: {name}", rule, wrong_output(ERRORS[name])
            for place in rule.places:
                if rule.kind == "backward":
                    yield f"{label}[{place}]: {name}", rule, wrong_gradient(ERRORS[name], place)
                elif (
                    name in ("wrong sign", "dropped factor", "dropped term")
                    and len(rule.places) > 1
                ):
                    yield f"{label}[{place}]: {name}", rule, wrong_tangent(ERRORS[name], place)


def caught(case: Case, properties: list[str] = CHEAP) -> bool:
    return any(not result.passed for result in results([case.name], properties=properties))


def able_to_see(label: str, rule: Rule) -> list[str]:
    """The cheap properties but those that cannot see a mutant, to save their time."""
    if label.endswith("second derivative lost"):
        return ["hessian"]
    return CHEAP if rule.kind == "backward" else ["jacobians", "hessian"]


@EVERY
def test_every_error_in_a_derivative_is_caught(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = rules_of(case, monkeypatch)
    assert {rule.kind for rule in rules} == {"backward", "jvp"}
    assert all(rule.places for rule in rules)
    survivors, planted_errors = [], 0
    for label, rule, change in mutants(case, rules):
        planted_errors += 1
        with planted(rule, change):
            if not caught(case, able_to_see(label, rule)):
                survivors.append(label)
    assert not survivors
    assert planted_errors >= (16 if case.differentiable else 4)


@EVERY
def test_a_missing_broadcast_sum_is_caught(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    summed = []
    original = base.sum_to_shape

    def spy(gradient: Tensor, shape: torch.Size) -> Tensor:
        summed.append(gradient.shape != shape)
        return original(gradient, shape)

    def unsummed(gradient: Tensor, shape: torch.Size) -> Tensor:
        return gradient

    def first(gradient: Tensor, shape: torch.Size) -> Tensor:
        while gradient.dim() > len(shape):
            gradient = gradient[0]
        for dim, size in enumerate(shape):
            gradient = gradient.narrow(dim, 0, size)
        return gradient

    for room in (linear, losses, onehot_linear):
        monkeypatch.setattr(room, "sum_to_shape", spy)
    assert not caught(case)
    if any(summed):
        for wrong in (unsummed, first):
            for room in (linear, losses, onehot_linear):
                monkeypatch.setattr(room, "sum_to_shape", wrong)
            assert caught(case), wrong.__name__
    else:
        assert case.name not in ("linear", "onehot_linear", "mse_loss", "half_squared_error")


ERRORS_OF_A_KERNEL = ["wrong sign", "dropped factor", "added constant", "last entries forgotten"]


class Spoiled(torch.autograd.Function):
    """Nothing but an error in the gradient that passes by."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, error: str) -> Tensor:
        ctx.error = error
        return input.view_as(input)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        return ERRORS[ctx.error](grad_outputs[0]), None


@pytest.mark.skipif(library() is None, reason="no compiled kernels here")
@pytest.mark.parametrize("kind", ["value", "chain"])
@pytest.mark.parametrize("name", ERRORS_OF_A_KERNEL)
def test_every_error_in_a_kernel_is_caught(
    name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: set[str] = set()
    running = ""

    operation = nodes.operation

    def spoiled_operation(op: str) -> Callable[..., Tensor | None]:
        """An op whose own value, or own gradient by each of its arguments, has the error."""

        def call(*args: Any) -> Tensor | None:
            found = operation(op)
            assert found is not None
            if kind == "value":
                output = found(*args)
                spoiled = None if output is None else ERRORS[name](output)
            else:
                asking = [isinstance(arg, Tensor) and arg.requires_grad for arg in args]
                passed = [
                    Spoiled.apply(arg, name) if asks else arg
                    for arg, asks in zip(args, asking, strict=True)
                ]
                spoiled = found(*passed)
            if spoiled is not None:
                used.add(running)
            return spoiled

        return call

    monkeypatch.setattr(nodes, "operation", spoiled_operation)
    survivors = []
    for case in CASES:
        running = case.name
        if not caught(case, ["twin"]) and running in used:
            survivors.append(running)
    assert not survivors
    with_kernels = {case.name for case in CASES if case.differentiable}
    assert used - {"onehot_linear"} == with_kernels - {"onehot_linear", "binary_cross_entropy"}


def test_a_healthy_op_passes() -> None:
    found = certify(["sigmoid"], properties=CHEAP)
    assert {result.property for result in found} == set(CHEAP)
    assert all(result.passed and not result.message for result in found)
