"""The data sets that are known by name: what they are, where they come from, and where they lie here."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

import yaml

from bionn.errors import InputError, did_you_mean

_REGISTRY = Path(__file__).with_name("registry.yaml")
_SHIPPED = Path(__file__).resolve().parents[2] / "data"
"""The simulated sets, where the package lies in its source."""


@dataclass(frozen=True)
class File:
    """A file of a data set.

    Attributes:
        name: without folders.
        size: in bytes.
        sha256: of its contents, in hexadecimal.
        path: its place in the source repository; None where that is not known.
    """

    name: str
    size: int
    sha256: str
    path: str | None

    def is_at(self, path: Path) -> bool:
        """Whether this very file lies there."""
        if not path.is_file() or path.stat().st_size != self.size:
            return False
        return hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256


@dataclass(frozen=True)
class DataSet:
    """An entry of the registry; ``registry.yaml`` documents the fields."""

    name: str
    title: str
    kind: str
    task: tuple[str, ...]
    licence: str | None
    licence_note: str | None
    repository: str | None
    commit: str | None
    files: tuple[File, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def shipped(self) -> Path | None:
        """The folder in the source of bionn that holds the files; None for what is not shipped."""
        folder = _SHIPPED / self.name
        return folder if self.kind == "simulated" and folder.is_dir() else None

    def url_of(self, file: File) -> str | None:
        """Where the file is fetched; None where its place is not known."""
        if self.repository is None or file.path is None:
            return None
        owner = self.repository.removeprefix("https://github.com/")
        return f"https://raw.githubusercontent.com/{owner}/{self.commit}/{quote(file.path)}"

    def is_in(self, folder: Path | None) -> bool:
        """Whether every file lies in a folder as it should be."""
        return folder is not None and all(file.is_at(folder / file.name) for file in self.files)


@cache
def registry() -> dict[str, DataSet]:
    """All data sets by name."""
    entries = yaml.safe_load(_REGISTRY.read_text(encoding="utf-8"))["datasets"]
    return {entry["name"]: _data_set(entry) for entry in entries}


def _data_set(entry: dict) -> DataSet:
    source = entry["source"] or {}
    return DataSet(
        **{name: entry[name] for name in ("name", "title", "kind", "licence", "licence_note")},
        task=tuple(entry["task"]),
        repository=source.get("repository"),
        commit=source.get("commit"),
        files=tuple(
            File(file["name"], file["bytes"], file["sha256"], file["path"])
            for file in entry["files"]
        ),
    )


def data_set(name: str) -> DataSet:
    """The data set of that name.

    Raises:
        InputError: there is none; offers the nearest.
    """
    if name not in registry():
        raise InputError(
            f"no such data set: {name!r}{did_you_mean(name, registry())}; see bionn data list"
        )
    return registry()[name]


def data_folder() -> Path:
    """Where data sets lie, a folder each: ``$BIONN_DATA``, else ``bionn`` in the user's data folder.

    That is ``$XDG_DATA_HOME``, or ``~/.local/share``.
    """
    if named := os.environ.get("BIONN_DATA"):
        return Path(named)
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "bionn"
