"""``bionn check``: certifies the layers here; a table of ops and properties, exit code 0 or 1."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bionn.cli.parser import Parser
from bionn.errors import InputError

if TYPE_CHECKING:
    from bionn.certify.runner import Property, Result


def make_parser() -> Parser:
    """The parser of ``bionn check``."""
    parser = Parser(
        prog="bionn check",
        description="Certifies every layer's values and derivatives on this machine, within a minute.",
        epilog="exit codes: 0 all hold, 1 a property does not hold, 2 wrong usage",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--device", default="cpu", metavar="D", help="cpu (default), cuda, cuda:1")
    parser.add_argument(
        "--only", nargs="+", metavar="OP", help="these ops alone, as sigmoid linear"
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    return parser


def check(arguments: Sequence[str]) -> int:
    """Parse, run each property of each op, print as results come; 1 if any failed."""
    given = make_parser().parse(arguments)
    if not __debug__:
        raise InputError(
            "check: Python's -O removes the assertions that it is made of; run without -O"
        )

    import json
    import time

    from bionn.certify.runner import PROPERTIES, results

    head = describe(given.device)
    began = time.perf_counter()
    coming = results(given.only, given.device)
    if given.json:
        found = list(coming)
        seconds = round(time.perf_counter() - began, 2)
        passed = all(result.passed for result in found)
        rows = [result._asdict() | {"seconds": round(result.seconds, 3)} for result in found]
        print(json.dumps({**head, "passed": passed, "seconds": seconds, "results": rows}, indent=1))
        return 0 if passed else 1
    print(", ".join(f"{name} {value}" for name, value in head.items()))
    print("\n" + " " * 33 + " ".join(promise.letter for promise in PROPERTIES), flush=True)
    found = []
    for result in coming:
        if not found or found[-1].op != result.op:
            print(f"{result.op:<33}", end="")
        found.append(result)
        last = result.property == PROPERTIES[-1].name
        print("+" if result.passed else "x", end="\n" if last else " ", flush=True)
    print("\n" + "\n".join(explain(PROPERTIES, found)))
    failed = sum(not result.passed for result in found)
    seconds = time.perf_counter() - began
    print(
        f"\n{len(found) - failed} of {len(found)} properties hold, {failed} fail; {seconds:.0f} s"
    )
    return 1 if failed else 0


def describe(device: str) -> dict[str, str]:
    """Versions, and the device by name.

    Raises:
        InputError: no such device here.
    """
    import platform
    from importlib.metadata import version

    import torch

    from bionn.kernels.library import library

    try:
        torch.zeros(1, dtype=torch.float64, device=device).item()
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).split("\n")[0]
        raise InputError(f"--device {device}: cannot be used here: {reason}") from None
    name = device
    if torch.device(device).type == "cuda":
        name = f"{device} ({torch.cuda.get_device_name(device)})"
    return {
        "bionn": version("bionn"),
        "torch": str(torch.__version__),
        "Python": platform.python_version(),
        "device": name,
        "kernels": "compiled" if library() is not None else "none",
    }


def explain(properties: Sequence[Property], found: Sequence[Result]) -> list[str]:
    """The legend of the table, then each failure in a line."""
    lines = [f"{promise.letter} {promise.name:<15}{promise.promise}" for promise in properties]
    failures = [result for result in found if not result.passed]
    if failures:
        lines += ["", "x  did not hold:"]
    lines += [f"{failure.op}, {failure.property}: {failure.message}" for failure in failures]
    return lines
