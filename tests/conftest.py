"""Fixtures that many tests share: files written by a line of code, and the public data sets."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from bionn.kernels.library import library
from tests.support.public import PUBLIC

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = (
        "1"  # read when Triton is imported: its kernels run without a GPU
    )

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts the tests in the background makes them, and their children, ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

collect_ignore = ["fuzz"]  # run by hand: make fuzz

# The same examples on every machine, however slow it is.
settings.register_profile("bionn", derandomize=True, database=None, deadline=None)
settings.load_profile("bionn")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests marked ``ray`` to ``tests/test_on_ray.py``, unless ``-m ray`` asks for them."""
    if config.getoption("markexpr") != "ray":
        left = [item for item in items if item.get_closest_marker("ray")]
        if left:
            items[:] = [item for item in items if item not in left]
            config.hook.pytest_deselected(items=left)


@pytest.fixture(scope="session", autouse=True)
def kernels() -> None:
    """They are compiled before a test looks at what a command prints, which tells of it."""
    library()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """``write(name, content)`` puts a file, byte for byte, into the test's own folder."""

    def writer(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return path

    return writer


@pytest.fixture(scope="session")
def public() -> Path:
    """The folder of the public data sets."""
    if not (PUBLIC / "SHA256SUMS").is_file():
        pytest.skip(f"public data not found at {PUBLIC}; set BIONN_DATA to their folder")
    return PUBLIC
