"""Runs every property over every op, and tells what held."""

import re
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import torch

from bionn.certify import derivatives, transforms, values
from bionn.certify.cases import CASES, Case
from bionn.certify.probe import Device
from bionn.errors import InputError, did_you_mean

T = TypeVar("T")


class Property(NamedTuple):
    """One promise of every op.

    Attributes:
        letter: Its column in the table of `bionn check`.
        name: How messages and tests call it.
        check: ``check(case, device)`` raises if the promise is broken.
    """

    letter: str
    name: str
    check: Callable[[Case, Device], None]

    @property
    def promise(self) -> str:
        """What is promised, in a line."""
        return (self.check.__doc__ or "").strip().split("\n")[0]


PROPERTIES: tuple[Property, ...] = (
    Property("V", "oracle", values.oracle),
    Property("T", "twin", values.twin),
    Property("H", "half", values.half),
    Property("X", "extremes", values.extremes),
    Property("L", "layouts", values.layouts),
    Property("Q", "errors", values.errors),
    Property("A", "arguments", values.arguments),
    Property("G", "shapes", values.shapes),
    Property("U", "memory", values.memory),
    Property("K", "meta", values.meta),
    Property("R", "reverse", derivatives.reverse),
    Property("F", "forward", derivatives.forward),
    Property("S", "second_reverse", derivatives.second_reverse),
    Property("O", "second_forward", derivatives.second_forward),
    Property("J", "jacobians", derivatives.jacobians),
    Property("N", "hessian", derivatives.hessian),
    Property("B", "vmap", transforms.vmap),
    Property("P", "per_sample", transforms.per_sample),
    Property("C", "compiled", transforms.compiled),
    Property("D", "dynamic", transforms.dynamic),
    Property("E", "export", transforms.export),
    Property("M", "autocast", transforms.autocast),
)


class Result(NamedTuple):
    """Whether an op has a property; the message is empty if it has."""

    op: str
    property: str
    passed: bool
    seconds: float
    message: str


# What torch says against its own code while tracing, compiling and loading forward mode; what it
# and we say of a target that broadcasts; what deterministic mode, wanted for its NaN, cannot do.
_KNOWN_WARNINGS = (
    ".*should not be instantiated",
    ".*torch.jit.script.*is deprecated",
    ".*Using a target size",
    ".*does not have a deterministic implementation",
    ".*Deterministic behavior was enabled",
)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Silence known warnings; give the caller's random state back."""
    with warnings.catch_warnings(), torch.random.fork_rng(), torch.enable_grad():
        for message in _KNOWN_WARNINGS:
            warnings.filterwarnings("ignore", message)
        yield


def examine(case: Case, promise: Property, device: Device = "cpu") -> Result:
    """Check one property of one op."""
    began = time.perf_counter()
    message = ""
    try:
        with undisturbed():
            promise.check(case, device)
    except Exception as error:  # whatever an op does wrong is a finding
        message = re.sub(r"\s+", " ", str(error)).strip() or "no message"
        if not isinstance(error, AssertionError):
            message = f"{type(error).__name__}: {message}"
    seconds = time.perf_counter() - began
    return Result(case.name, promise.name, not message, seconds, message)


def certify(
    only: Iterable[str] | None = None,
    device: Device = "cpu",
    *,
    properties: Iterable[str] | None = None,
) -> list[Result]:
    """Check every property of every op.

    Args:
        only: Names of ops; all by default.
        device: Where to run the ops; the oracles run on the CPU. It must know float64.
        properties: Names of properties; all by default.

    Returns:
        One result for each op and property, op by op.

    Raises:
        InputError: No such op or property.

    Example:
        >>> [result.passed for result in certify(["relu"], properties=["oracle", "twin"])]
        [True, True]
    """
    return list(results(only, device, properties=properties))


def results(
    only: Iterable[str] | None = None,
    device: Device = "cpu",
    *,
    properties: Iterable[str] | None = None,
) -> Iterator[Result]:
    """Do what `certify` does, each result as soon as it is known."""
    cases = _choose("op", {case.name: case for case in CASES}, only)
    promises = _choose("property", {promise.name: promise for promise in PROPERTIES}, properties)
    return (examine(case, promise, device) for case in cases for promise in promises)


def _choose(kind: str, known: dict[str, T], names: Iterable[str] | None) -> list[T]:
    if names is None:
        return list(known.values())
    wanted = set(names)
    for name in sorted(wanted - set(known)):
        raise InputError(
            f"no such {kind}: {name}{did_you_mean(name, known)}; there are {', '.join(known)}"
        )
    return [value for name, value in known.items() if name in wanted]
