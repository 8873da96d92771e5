"""Checkpoint files: whole or passed over, written aside, with their sha256; the two newest are kept."""

from __future__ import annotations

import contextlib
import hashlib
import io
import warnings
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from bionn.errors import InputError, InputWarning
from bionn.formats.output import replacing

NEXT, LAST, PREVIOUS = "next.ckpt", "last.ckpt", "previous.ckpt"
"""The newest first. The next one becomes the last one at once, unless the process ends between."""

GOOD = "good.ckpt"
"""That of the last epoch's end before gradients exploded; another name for the last one until then."""

MARK = b"sha256:"
_COMMENT = len(MARK) + 64


def write_checkpoint(checkpoint: dict[str, Any], path: str | Path) -> None:
    """Write what ``torch.load`` reads, whole or not at all.

    The archive's comment, which is its end, is the sha256 of what stands before it.

    Args:
        checkpoint: tensors and plain data.
        path: the file; its folder is made if it is not there.

    Raises:
        StorageError: there is no room, or the folder cannot be written to.
    """
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    content = buffer.getbuffer()[:-2]  # a zip archive ends with the length of its comment
    digest = hashlib.sha256(content).hexdigest().encode()
    with replacing(path, binary=True) as file:
        file.write(content)
        file.write(_COMMENT.to_bytes(2, "little") + MARK + digest)


def is_whole(path: str | Path) -> bool:
    """Whether a file has the sha256 that :func:`write_checkpoint` gave it."""
    try:
        raw = Path(path).read_bytes()
    except OSError:
        return False
    content, comment = memoryview(raw)[: -_COMMENT - 2], raw[-_COMMENT - 2 :]
    digest = hashlib.sha256(content).hexdigest().encode()
    return comment == _COMMENT.to_bytes(2, "little") + MARK + digest


def is_marked(path: str | Path) -> bool:
    """Whether a file ends with a sha256, right or wrong."""
    with Path(path).open("rb") as file:
        file.seek(0, io.SEEK_END)
        if file.tell() < _COMMENT:
            return False
        file.seek(-_COMMENT, io.SEEK_END)
        return file.read(len(MARK)) == MARK


def mark_of(path: str | Path) -> bytes:
    """The sha256 that a file ends with, if it has one: another file has another."""
    with Path(path).open("rb") as file:
        file.seek(max(0, file.seek(0, io.SEEK_END) - _COMMENT))
        return file.read()


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint into the CPU's memory; nothing in it is unpickled but tensors and plain data.

    Raises:
        InputError: no such file, a damaged one, or none of tensors and plain data.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"Checkpoint file not found: {path}")
    if is_marked(path) and not is_whole(path):
        raise InputError(
            f"{path}: damaged: its sha256 is not the one that it ends with; name another checkpoint"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # torch's advice about pickles, which are refused anyway
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # of a file that is anything at all, torch.load may raise whatever it likes
        checkpoint = None
    if not isinstance(checkpoint, dict):
        raise InputError("ckpt_path: a checkpoint of bionn fit needed, found another file")
    return checkpoint


def keep(directory: Path) -> None:
    """Let ``next.ckpt`` be the last one, and the last one the previous one."""
    with contextlib.suppress(FileNotFoundError):
        (directory / LAST).replace(directory / PREVIOUS)
    (directory / NEXT).replace(directory / LAST)


def hold(directory: Path) -> None:
    """Let ``last.ckpt`` stay as ``good.ckpt``: one file of two names, which takes no room of its own."""
    aside = directory / f".{GOOD}.link"
    aside.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # a file system without links
        aside.hardlink_to(directory / LAST)
        aside.replace(directory / GOOD)


def newest(directory: Path) -> Path | None:
    """The newest checkpoint that is whole; others are passed over with a warning.

    Args:
        directory: where :class:`bionn.training.resume.Checkpoints` wrote them.
    """
    damaged = []
    for name in (NEXT, LAST, PREVIOUS):
        path = directory / name
        if is_whole(path):
            for other in damaged:
                warnings.warn(
                    f"{other}: damaged, passed over; going on from {path.name}",
                    InputWarning,
                    stacklevel=2,
                )
            return path
        if path.exists():
            damaged.append(path)
    for other in damaged:
        warnings.warn(f"{other}: damaged, passed over", InputWarning, stacklevel=2)
    return None


def last_checkpoint(root: Path, directory: str | None = None) -> Path | None:
    """The newest whole checkpoint of the last training under Lightning's command that left one.

    Args:
        root: where Lightning puts ``lightning_logs/version_0``, ``version_1``, ...
        directory: where the checkpoints are, if they were told to be elsewhere.
    """
    if directory is not None:
        return newest(Path(directory))
    numbered = [path for path in root.glob("*/version_*") if path.name[8:].isdecimal()]
    numbered.sort(key=lambda path: int(path.name[8:]), reverse=True)
    for folder in (*numbered, root):
        found = newest(folder / "checkpoints")
        if found is not None:
            return found
    return None


def clear(directory: Path, *names: str) -> None:
    """Remove checkpoints of these names, and what a process left there that was killed in writing."""
    for path in [*(directory / name for name in names), *directory.glob(".*.ckpt.*")]:
        path.unlink(missing_ok=True)


class WholeFiles(TorchCheckpointIO):
    """Has Lightning write and read checkpoints by the functions above."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """See :func:`write_checkpoint`."""
        assert storage_options is None
        write_checkpoint(checkpoint, path)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """See :func:`read_checkpoint`; there is no other way than ``weights_only``."""
        del map_location, weights_only
        return read_checkpoint(path)
