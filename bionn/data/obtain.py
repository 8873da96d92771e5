"""A data set into its folder: from its source, a mirror or an archive; whole, checked, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from bionn.data.registry import DataSet, File
from bionn.errors import InputError
from bionn.formats.archives import MOST_UNPACKED, SUFFIXES, extract, unpack_gzip
from bionn.formats.download import download


class Obtained(NamedTuple):
    """What :func:`obtain` did.

    Attributes:
        folder: where the files lie now.
        new: names of those that were not there.
    """

    folder: Path
    new: tuple[str, ...]


def obtain(
    entry: DataSet, folder: Path, *, mirror: str | None = None, overwrite: bool = False
) -> Obtained:
    """Put the files of a data set into ``folder/NAME``; each has the size and sha256 of the registry.

    Nothing is seen there before all files are whole and checked. What is there already stays.

    Args:
        entry: which.
        folder: of all data sets; made if it is not there.
        mirror: a folder or the address of one, with ``NAME/FILE``, ``FILE``, or the source's own
            layout in it, plain or as ``FILE.gz``, or ``NAME.zip``, ``NAME.tar.gz`` and the like. The
            source itself when None.
        overwrite: replace files that are there and are others.

    Raises:
        InputError: a file is not to be had, is another one than the registry tells of, or would
            replace one that is there.
    """
    target = folder / entry.name
    needed = [file for file in entry.files if not file.is_at(target / file.name)]
    others = [file.name for file in needed if os.path.lexists(target / file.name)]
    if others and not overwrite:
        raise InputError(
            f"{target / others[0]}: the file of the registry needed, another one found; move it away, "
            "or replace it with --overwrite"
        )
    if not needed:
        return Obtained(target, ())
    with _beside(target) as temporary:
        if mirror is not None and "://" not in mirror:
            _from_folder(entry, needed, Path(mirror), temporary)
        elif entry.kind == "simulated" and mirror is None:
            _from_source(entry, needed, temporary)
        else:
            _from_network(entry, needed, mirror, temporary)
        for file in needed:
            if not file.is_at(temporary / file.name):
                raise InputError(
                    f"{file.name}: {file.size} bytes of sha256 {file.sha256[:12]}... needed, another "
                    "file found; it was changed on the way or at its source, try --from a mirror"
                )
        _move(temporary, target, needed)
    return Obtained(target, tuple(file.name for file in needed))


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A new folder beside a folder to come, gone at the end."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    except OSError as error:
        raise InputError(
            f"{target}: cannot be written ({error.strerror}); choose another folder with BIONN_DATA"
        ) from None
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _from_network(entry: DataSet, files: list[File], mirror: str | None, temporary: Path) -> None:
    for file in files:
        if mirror is not None:
            url = f"{mirror.rstrip('/')}/{entry.name}/{quote(file.name)}"
        else:
            url = entry.url_of(file)
        if url is None:
            raise InputError(
                f"{file.name}: its place in {entry.repository} is not known; clone that at commit "
                f"{entry.commit} and name the clone with --from"
            )
        with (temporary / file.name).open("xb") as opened:
            download(url, opened, size=file.size)


def _from_source(entry: DataSet, files: list[File], temporary: Path) -> None:
    if entry.shipped is None:
        raise InputError(
            f"{entry.name}: shipped with the source of bionn, which is not here; name its data folder "
            "with --from"
        )
    for file in files:
        shutil.copyfile(entry.shipped / file.name, temporary / file.name)


def _from_folder(entry: DataSet, files: list[File], mirror: Path, temporary: Path) -> None:
    """Files as they lie in a folder, else out of an archive in it."""
    if not mirror.is_dir():
        raise InputError(f"{mirror}: a folder needed, none found; name the mirror's folder")
    missing: dict[str, int] = {}
    for file in files:
        places = [f"{entry.name}/{file.name}", file.path or file.name, file.name]
        found = [
            path
            for place, suffix in product(places, ("", ".gz"))
            if (path := mirror / f"{place}{suffix}").is_file()
        ]
        if not found:
            missing[file.name] = file.size
            continue
        with (temporary / file.name).open("xb") as opened:
            if found[0].name == file.name:
                with found[0].open("rb") as source:
                    opened.write(source.read(file.size + 1))
            else:
                unpack_gzip(found[0], opened, file.size)
    if not missing:
        return
    archive = next((a for s in SUFFIXES if (a := mirror / f"{entry.name}{s}").is_file()), None)
    if archive is None:
        raise InputError(
            f"{mirror}: {entry.name}/{next(iter(missing))} needed, or {entry.name}.zip or .tar.gz with "
            "it, none found; name the mirror's folder"
        )
    if archive.stat().st_size > MOST_UNPACKED:
        raise InputError(
            f"{archive}: at most {MOST_UNPACKED} bytes needed, {archive.stat().st_size} found; unpack "
            "it yourself"
        )
    found_names = extract(archive, missing, temporary)
    for name, size in missing.items():
        if name not in found_names:
            raise InputError(
                f"{archive}: a file {name} of {size} bytes needed, none found; name another mirror"
            )


def _move(temporary: Path, target: Path, files: list[File]) -> None:
    """The checked files to their place: the whole folder in one step where there is none yet."""
    for file in files:
        with (temporary / file.name).open("rb") as opened:
            os.fsync(opened.fileno())
    temporary.chmod(0o777 & ~_umask())
    try:
        temporary.rename(target)
    except OSError:  # something is there
        target.mkdir(exist_ok=True)
        for file in files:
            (temporary / file.name).replace(target / file.name)


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
