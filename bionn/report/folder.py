"""A run's folder: where it may be, what an earlier run left there, and what is written into it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from bionn.data.samples import DataOptions, Samples, Source
from bionn.data.splits import Split
from bionn.errors import InputError
from bionn.formats.output import replacing, write_table
from bionn.training.options import TrainingOptions

RUN_FILES = (
    "config.yaml",
    "metrics.json",
    "metrics.csv",
    "predictions.tsv",
    "splits.tsv",
    "split.json",
    "audit.json",
    "explain",
    "report.html",
    "model",
    "checkpoints",
    "members",
)
"""What a run leaves in its directory; with folds, also ``fold_0``, ``fold_1``, ..."""

CONFIG_HEAD = "# Every option of this run"
"""How ``config.yaml`` begins: by it a folder is known as a run's."""


def check_directory(out: str | Path | None, sources: Sequence[Source], overwrite: bool) -> Path:
    """Where the run goes; nothing is made yet.

    Raises:
        InputError: the directory holds a run, or something else is in the way.
    """
    if out is None:
        stem = (
            "table" if isinstance(sources[0], pd.DataFrame) else Path(sources[0]).name.split(".")[0]
        )
        free = (
            Path("runs") / f"{stem}{suffix}" for suffix in ("", *(f"-{n}" for n in range(2, 10**6)))
        )
        return next(path for path in free if overwrite or not path.exists())
    if not str(out):
        raise InputError("out: a folder needed, an empty name found; name one")
    directory = Path(out)
    if directory.exists() and not directory.is_dir():
        raise InputError(
            f"{directory}: a folder needed for the run, a file found; choose another out"
        )
    there = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    if not os.access(there, os.W_OK):
        raise InputError(f"{directory}: cannot be written (Permission denied); choose another out")
    held = [name for name in (*RUN_FILES, "fold_0") if (directory / name).exists()]
    if held and not overwrite:
        raise InputError(
            f"{directory}: already holds a run; choose another folder with out, or replace the run "
            "with overwrite"
        )
    if held and not _is_run(directory):
        raise InputError(
            f"{directory}: holds {held[0]!r}, which overwrite would remove, but no config.yaml of a "
            "run; choose another folder with out"
        )
    return directory


@contextlib.contextmanager
def building(directory: Path) -> Iterator[Path]:
    """A folder beside the run's, whose files take the place of an earlier run's when all is done.

    Until the block ends well the run's own folder stays as it was; after an error nothing is left.

    Args:
        directory: the run's folder, as :func:`check_directory` approved it.

    Raises:
        InputError: it cannot be made or written to.
    """
    directory = directory.absolute()
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
    except OSError as error:
        raise InputError(
            f"{directory}: cannot be written ({error.strerror}); choose another out"
        ) from None
    try:
        yield temporary
        directory.mkdir(exist_ok=True)
        for path in [*(directory / name for name in RUN_FILES), *directory.glob("fold_[0-9]*")]:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        for path in temporary.iterdir():
            path.rename(directory / path.name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _is_run(directory: Path) -> bool:
    """Whether its ``config.yaml`` is one that :func:`write_config` wrote."""
    config = directory / "config.yaml"
    return config.is_file() and config.read_bytes().startswith(CONFIG_HEAD.encode())


def write_config(
    directory: Path,
    sources: Sequence[Source],
    data: DataOptions,
    training: TrainingOptions,
    *,
    name: str = "config.yaml",
) -> None:
    """``config.yaml``: every option as settled; ``bionn run --config`` of it is the same run."""
    paths = [None if isinstance(source, pd.DataFrame) else str(source) for source in sources]
    options = {"inputs": paths, **plain(training), **plain(data)}
    with replacing(directory / name) as file:
        file.write(f"{CONFIG_HEAD}; repeat it with: bionn run --config {name} --out DIR\n")
        yaml.safe_dump(options, file, sort_keys=False, allow_unicode=True)


def write_splits(directory: Path, samples: Samples, splits: Sequence[Split]) -> None:
    """``splits.tsv``: the part of each id, or with folds the fold in which it is tested.

    Repeated folds have a column a repetition, ``fold_1``, ``fold_2``, ...; the folds are numbered
    through, as their folders are.
    """
    columns: dict[str, Any] = {"id": samples.ids}
    if len(splits) == 1:
        columns["split"] = splits[0].parts(len(samples))
    repeats = splits[-1].repeat + 1
    for number, split in enumerate(splits if len(splits) > 1 else ()):
        name = "fold" if repeats == 1 else f"fold_{split.repeat + 1}"
        fold = columns.setdefault(name, np.full(len(samples), "drop", dtype=object))
        fold[split.test] = str(number)
    write_table(pd.DataFrame(columns), directory / "splits.tsv")


def plain(options: Any) -> dict[str, Any]:
    """The fields of options as YAML and JSON have them: lists and text, no tuples and no paths."""
    return {
        name: list(value)
        if isinstance(value, tuple)
        else str(value)
        if isinstance(value, Path)
        else value
        for name, value in asdict(options).items()
        if not isinstance(value, pd.DataFrame)
    }
