"""A run that is not finished: built beside its folder under a lock, kept if it can be gone on with.

``runs/NAME`` is built in ``runs/.NAME.unfinished``. Until all is there an earlier ``runs/NAME`` stays as
it was; after an error or a signal the unfinished one stays if it holds a checkpoint.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bionn.errors import FormatError, InputError, Stopped, StorageError
from bionn.formats.json_file import read_json
from bionn.formats.output import remove_half_written, sync, write_json

LOCK = ".lock"
"""Held, not merely there, while a process writes: the system lets go of it when the process ends."""

STATE = ".state.json"
"""What must be the same to go on, and once the run is whole the names of its parts."""

NO_MATTER = ("inputs", "labels", "genome", "val", "test", "checkpoint_seconds")
"""Options that may differ: how often is saved, and names of files, whose contents are compared."""


def unfinished_folder(directory: Path) -> Path:
    """Where the run of this folder is built."""
    directory = directory.resolve()
    return directory.parent / f".{directory.name}.unfinished"


def can_go_on(directory: Path) -> bool:
    """Whether an unfinished run of this folder holds something worth going on from."""
    folder = unfinished_folder(directory)
    state = _read(folder / STATE)
    return "same" in state and (
        "whole" in state
        or any(folder.glob("**/checkpoints/**/*.ckpt"))
        or any(folder.glob("**/model/manifest.json"))
        or any(folder.glob("**/tuning/study.db"))
    )


@contextlib.contextmanager
def building(
    directory: Path,
    same: dict[str, Any],
    *,
    resume: bool = False,
    replaceable: Sequence[str] = (),
) -> Iterator[Path]:
    """The folder to build a run in, whose files take the place of an earlier run's when all is done.

    Args:
        directory: the run's folder, as :func:`bionn.report.folder.check_directory` approved it.
        same: what must not differ when the run is gone on with: ``options``, and hashes by name.
        resume: go on with what an interrupted run left; otherwise that is removed.
        replaceable: patterns of the names that an earlier run left.

    Raises:
        InputError: it cannot be made or written to, another process is writing there, or the
            interrupted run was another one.
        Stopped: a signal came; tells whether what was done can be gone on with.
    """
    directory = directory.resolve()
    folder = unfinished_folder(directory)
    with _locked(folder, directory):
        try:
            before = _read(folder / STATE).get("same") if resume else None
            if before is None:
                _empty(folder)
                write_json({"same": same}, folder / STATE)
            else:
                refuse_differences(before, same, directory)
                remove_half_written(folder)
            yield folder
            _publish(folder, directory, replaceable)
        except (KeyboardInterrupt, Stopped) as stop:
            number = stop.signal_number if isinstance(stop, Stopped) else signal.SIGINT
            raise Stopped(number, saved=_kept(folder)) from None
        except OSError as error:
            kept = "; make room and go on with resume" if _kept(folder) else "; choose another out"
            raise StorageError(
                f"{error.filename or folder}: cannot be written ({error.strerror}){kept}"
            ) from None
        except StorageError as error:
            kept = "; what was saved is kept: go on with resume" if _kept(folder) else ""
            raise StorageError(f"{error}{kept}") from None
        except DifferentRunError:
            raise
        except InputError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        except BaseException:
            _kept(folder)
            raise


class DifferentRunError(InputError):
    """The interrupted run was another one; it stays as it is."""


def refuse_differences(before: dict[str, Any], now: dict[str, Any], directory: Path) -> None:
    """Refuse to go on with a run that another command began.

    Args:
        before: its ``options``, and hashes by name.
        now: those of this command.
        directory: of the run.

    Raises:
        DifferentRunError: names the first option that differs, or says that the data do.
    """
    now = json.loads(json.dumps(now))
    for name in [*before["options"], *(n for n in now["options"] if n not in before["options"])]:
        old, new = before["options"].get(name), now["options"].get(name)
        if old != new and name not in NO_MATTER:
            raise DifferentRunError(
                f"{directory}: {name.replace('_', '-')} {_shown(old)} needed to go on with the run that "
                f"is there, {_shown(new)} found; leave it as it was, or begin anew with overwrite "
                "instead of resume"
            )
    for name in before:
        if name != "options" and before[name] != now.get(name):
            what = "data" if name == "data_sha256" else "parts of the split"
            raise DifferentRunError(
                f"{directory}: the {what} are not those of the run that is there (another sha256); "
                "restore the files, or begin anew with overwrite instead of resume"
            )


def _shown(value: Any) -> str:
    return "none" if value is None else repr(value)


def finish_moving(directory: Path, replaceable: Sequence[str] = ()) -> None:
    """End what a process began that was killed while a whole run took its place."""
    folder = unfinished_folder(directory)
    if "whole" in _read(folder / STATE):
        with _locked(folder, directory.resolve()):
            _publish(folder, directory.resolve(), replaceable)
    elif (directory / STATE).is_file():
        _tidy(directory)


def _tidy(directory: Path) -> None:
    """Remove from a whole run what an unfinished one needs; the state last, as it tells of the rest."""
    for name in (LOCK, STATE):
        (directory / name).unlink(missing_ok=True)


def _publish(folder: Path, directory: Path, replaceable: Sequence[str]) -> None:
    """Put a whole run in its place: at once where nothing is there, else part by part.

    Killed in between, the rest is moved by :func:`finish_moving`.
    """
    hidden = (LOCK, STATE)
    if not directory.exists() or not any(directory.iterdir()):  # the system may do that at once
        folder.replace(directory)
        sync(directory.parent)
        _tidy(directory)
        return
    state = _read(folder / STATE)
    if "whole" not in state:
        names = sorted(path.name for path in folder.iterdir() if path.name not in hidden)
        state["whole"] = names
        write_json(state, folder / STATE)
    for path in {path for pattern in replaceable for path in directory.glob(pattern)}:
        if path.name not in state["whole"]:
            _remove(path)
    for name in state["whole"]:
        if (folder / name).exists():
            _remove(directory / name)
            (folder / name).replace(directory / name)
    sync(directory)
    shutil.rmtree(folder, ignore_errors=True)


def _kept(folder: Path) -> bool:
    """Whether an unfinished run can be gone on with; removed if not."""
    directory = folder.parent / folder.name.removeprefix(".").removesuffix(".unfinished")
    if can_go_on(directory):
        return True
    shutil.rmtree(folder, ignore_errors=True)
    return False


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name != LOCK:
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any]:
    """The state; empty where there is none, or none that can be read."""
    try:
        return read_json(path, most_bytes=1 << 25, deepest=24)
    except (OSError, FormatError):
        return {}


@contextlib.contextmanager
def _locked(folder: Path, directory: Path) -> Iterator[None]:
    """Hold the lock of an unfinished run, whose folder is made if it is not there.

    Raises:
        InputError: another process holds it, or the folder cannot be made.
    """
    lock, handle = folder / LOCK, None
    while handle is None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
            with contextlib.suppress(OSError):  # a file system that has no locks
                _take(handle, directory)
            if not os.path.samestat(os.fstat(handle), lock.stat()):
                raise FileNotFoundError
        except (FileNotFoundError, InputError) as error:
            if handle is not None:
                os.close(handle)
            if isinstance(error, InputError):
                raise
            handle = None  # the process before has just removed the folder: once more
        except OSError as error:
            raise InputError(
                f"{directory}: cannot be written ({error.strerror}); choose another out"
            ) from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    try:
        yield
    finally:
        os.close(handle)


def _take(handle: int, directory: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(handle, 20).decode("ascii", "replace").strip()
        raise InputError(
            f"{directory}: process {owner or 'unknown'} is writing a run there; wait for it, or choose "
            "another out"
        ) from None
