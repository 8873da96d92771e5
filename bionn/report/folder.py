"""A run's folder: where it may be, what an earlier run left there, and what is written into it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from bionn import artifact
from bionn.data.samples import DataOptions, Samples, Source
from bionn.data.splits import PARTS, Split
from bionn.errors import InputError
from bionn.formats.output import AT_ONCE, replacing, write_table
from bionn.formats.texts import hash_lines
from bionn.manifest import read_manifest
from bionn.report.unfinished import (
    DifferentRunError,
    can_go_on,
    finish_moving,
    refuse_differences,
)
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
    "tuning",
)
"""What a run leaves in its directory; with folds, also ``fold_0``, ``fold_1``, ..."""

ASKED = "tuning/asked.json"
"""The options of a run that tuned, as they were given; its ``config.yaml`` has those that it found."""

REPLACEABLE = (*RUN_FILES, "fold_[0-9]*")
"""Patterns of all names that a run may leave."""

CONFIG_HEAD = "# Every option of this run"
"""How ``config.yaml`` begins: by it a folder is known as a run's."""

FILES = ("labels", "val", "test", "genome")
"""The options that name files, beside the inputs."""


def check_directory(
    out: str | Path | None, sources: Sequence[Source], overwrite: bool, resume: bool = False
) -> Path:
    """Where the run goes; nothing is made yet.

    Args:
        out: as the user named it; below ``runs`` when None: a free name, or to resume the name of the
            run that was interrupted, else of the last one.
        sources: what the name is made from.
        overwrite: a run that is there may be replaced.
        resume: a run that was interrupted, or is whole, may be there.

    Raises:
        InputError: the directory holds a run, an interrupted one is waiting there, or something else
            is in the way.
    """
    if out is None:
        return _default(sources, overwrite, resume)
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
    if resume:
        finish_moving(directory, REPLACEABLE)
    held = [name for name in (*RUN_FILES, "fold_0") if (directory / name).exists()]
    if held and not (overwrite or resume):
        raise InputError(
            f"{directory}: already holds a run; choose another folder with out, or replace the run "
            "with overwrite"
        )
    if held and not _is_run(directory):
        raise InputError(
            f"{directory}: holds {held[0]!r}, which overwrite would remove, but no config.yaml of a "
            "run; choose another folder with out"
        )
    if not (overwrite or resume) and can_go_on(directory):
        raise InputError(
            f"{directory}: a run was interrupted there; go on with resume, or begin anew with overwrite"
        )
    return directory


def _default(sources: Sequence[Source], overwrite: bool, resume: bool) -> Path:
    first = sources[0]
    stem = "table" if isinstance(first, pd.DataFrame) else Path(first).name.split(".")[0]
    names = (
        Path("runs") / f"{stem}{suffix}" for suffix in ("", *(f"-{n}" for n in range(2, 10**6)))
    )
    if overwrite and not resume:
        return next(names)
    taken = list(takewhile(lambda path: path.exists() or can_go_on(path), names))
    if not resume:
        return Path("runs") / (stem if not taken else f"{stem}-{len(taken) + 1}")
    return next(filter(can_go_on, taken), taken[-1] if taken else Path("runs") / stem)


def earlier_run(
    directory: Path, options: dict[str, Any], manifest: dict[str, Any], overwrite: bool
) -> dict[str, Any] | None:
    """The ``metrics.json`` of the whole run that is there, if it is the one that would be made.

    Args:
        directory: where.
        options: as they would stand in ``config.yaml``.
        manifest: hashes of data and split, as they would stand in the (first) model's manifest.
        overwrite: another run may be replaced.

    Raises:
        InputError: it is another one; see :func:`bionn.report.unfinished.refuse_differences`.
    """
    if not (directory / "metrics.json").is_file() or can_go_on(directory):
        return None
    there = read_manifest(model_folder(directory) / artifact.MANIFEST)
    before = yaml.safe_load((directory / "config.yaml").read_text(encoding="utf-8"))
    if "tune" in options and (directory / ASKED).is_file():  # the other one has what was found
        before = json.loads((directory / ASKED).read_text(encoding="utf-8"))
    hashes = ("data_sha256", "split_sha256")
    try:
        refuse_differences(
            {"options": before, **{name: there[name] for name in hashes}},
            {"options": options, **{name: manifest[name] for name in hashes}},
            directory,
        )
    except DifferentRunError:
        if overwrite:
            return None
        raise
    return json.loads((directory / "metrics.json").read_text(encoding="utf-8"))


def model_folder(directory: Path) -> Path:
    """The model of a run; with folds, that of fold 0."""
    folder = directory / "fold_0"
    return (folder if folder.is_dir() else directory) / "model"


def hash_of_splits(samples: Samples, splits: Sequence[Split]) -> str:
    """sha256 over the ids and the part of each in every split, in file order."""
    digest = hashlib.sha256()
    hash_lines(digest, samples.ids.lists())
    for split in splits:
        numbers = split.numbers(len(samples))
        pieces = np.split(numbers, range(AT_ONCE, len(numbers), AT_ONCE))
        hash_lines(digest, ([PARTS[number] for number in piece.tolist()] for piece in pieces))
    return digest.hexdigest()


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
    tuned: Sequence[Mapping[str, Any]] | None = None,
) -> None:
    """``config.yaml``: every option as settled; ``bionn run --config`` of it is the same run.

    With ``tuned`` it also holds what was found for each fold.
    """
    options = every_option(sources, data, training)
    if tuned is not None:
        options["tuned"] = [dict(values) for values in tuned]
    with replacing(directory / name) as file:
        file.write(f"{CONFIG_HEAD}; repeat it with: bionn run --config {name} --out DIR\n")
        yaml.safe_dump(options, file, sort_keys=False, allow_unicode=True)


def every_option(
    sources: Sequence[Source], data: DataOptions, training: TrainingOptions
) -> dict[str, Any]:
    """What ``config.yaml`` holds; files are named by whole paths, so that it is read from anywhere."""
    paths = [None if isinstance(source, pd.DataFrame) else _whole(source) for source in sources]
    options = plain(training) | plain(data)
    files = {name: _whole(options[name]) for name in FILES if options.get(name) is not None}
    return {"inputs": paths, **options, **files}


def _whole(path: str | Path) -> str:
    return os.path.abspath(path)


def write_splits(directory: Path, samples: Samples, splits: Sequence[Split]) -> None:
    """``splits.tsv``: the part of each id, or with folds the fold in which it is tested.

    Repeated folds have a column a repetition, ``fold_1``, ``fold_2``, ...; the folds are numbered
    through, as their folders are.
    """
    columns: dict[str, np.ndarray] = {}
    if len(splits) == 1:
        columns["split"] = np.array(PARTS, dtype=object)[splits[0].numbers(len(samples))]
    repeats = splits[-1].repeat + 1
    for number, split in enumerate(splits if len(splits) > 1 else ()):
        name = "fold" if repeats == 1 else f"fold_{split.repeat + 1}"
        fold = columns.setdefault(name, np.full(len(samples), "drop", dtype=object))
        fold[split.test] = str(number)
    rows = samples.ids.beside(np.arange(len(samples)))
    tables = (
        pd.DataFrame({"id": ids, **{name: cells[own] for name, cells in columns.items()}})
        for ids, own in rows
    )
    write_table(tables, directory / "splits.tsv")


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
