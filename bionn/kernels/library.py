"""The C++ kernels as a shared library: compiled once for this machine, kept, loaded."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import logging
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

SWITCH = "BIONN_KERNELS"
"""The environment variable that turns the kernels off (``0``)."""

_SOURCES = Path(__file__).parent / "source"
_FLAGS = [
    "-std=c++17",
    "-O3",
    "-march=native",
    "-fopenmp",
    "-fPIC",
    "-fvisibility=hidden",
]
# what torch's own kernels assume as well: nobody reads errno or traps floating-point exceptions
_FLAGS += ["-fno-math-errno", "-fno-trapping-math"]
_LIGHT = ["-O1"]  # of nodes.cpp, which computes nothing but has all of torch's headers to read


@functools.cache
def library() -> ctypes.CDLL | None:
    """The kernels, compiled on the first call on a machine; None where they cannot be had.

    That they are being compiled, and why they cannot be had, is said once, as a warning of the logger
    ``bionn.kernels``; nothing fails for it.
    """
    if os.environ.get(SWITCH) == "0":
        return None
    try:
        return ctypes.CDLL(str(_compiled()))
    except (OSError, subprocess.SubprocessError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        logging.getLogger(__name__).warning(
            "no compiled kernels (%s); layers compute in plain torch, which is slower",
            reason[0] if reason else type(error).__name__,
        )
        return None


def _compiled() -> Path:
    """The library's file in the cache, compiled now if it is not there.

    Raises:
        OSError: no compiler, or no folder to write to.
        subprocess.SubprocessError: the compiler failed.
    """
    command = [*_compiler(), *_FLAGS]
    if platform.machine().lower() in ("x86_64", "amd64"):
        command.append("-mprefer-vector-width=512")
    torch_root = Path(torch.__file__).parent
    command += ["-isystem", str(torch_root / "include")]
    command.append(f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}")
    libraries = [f"-L{torch_root / 'lib'}", f"-Wl,-rpath,{torch_root / 'lib'}"]
    libraries += ["-ltorch_cpu", "-lc10"]
    # torch's own threads: a second OpenMP runtime in the process would stall the first
    libraries += [f"-l:{path.name}" for path in (torch_root / "lib").glob("libgomp*.so*")]
    digest = hashlib.sha256("\0".join([*command, *libraries, *_LIGHT]).encode())
    digest.update("\0".join([torch.__version__, _processor()]).encode())
    sources = sorted(_SOURCES.iterdir())
    for path in sources:
        digest.update(path.read_bytes())
    target = _cache() / f"kernels-{digest.hexdigest()[:16]}.so"
    if not target.is_file():
        logging.getLogger(__name__).warning(
            "compiling kernels for this machine, once: about half a minute"
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            built = Path(folder) / target.name
            objects = _objects(command, sources, Path(folder))
            _run([*command, "-shared", *objects, *libraries, "-o", str(built)])
            built.replace(target)  # whole or not at all, also when two processes build at once
    return target


def _objects(command: list[str], sources: list[Path], folder: Path) -> list[str]:
    """Compile each source, several at a time, the one that takes longest first."""
    files = sorted((path for path in sources if path.suffix == ".cpp"), key=_is_kernel)
    objects = [str(folder / f"{path.stem}.o") for path in files]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(
            pool.map(
                _run,
                [
                    [*command, *([] if _is_kernel(path) else _LIGHT), "-c", str(path), "-o", made]
                    for path, made in zip(files, objects, strict=True)
                ],
            )
        )
    return objects


def _is_kernel(path: Path) -> bool:
    return path.stem != "nodes"


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)


def _compiler() -> list[str]:
    named = os.environ.get("CXX")
    if named:
        return shlex.split(named)
    for name in ("c++", "g++", "clang++"):
        if shutil.which(name):
            return [name]
    raise FileNotFoundError("no C++ compiler found: c++, g++ or clang++, or named by CXX")


def _cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "bionn"


def _processor() -> str:
    """What this processor can do: a cache may be shared by machines that differ in it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    told = ("model name", "flags", "Features", "CPU part")
    return "\n".join(sorted({line for line in lines if line.startswith(told)}))
