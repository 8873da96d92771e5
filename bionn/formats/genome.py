"""An indexed genome FASTA: the sequence of any region without reading the rest."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bionn.errors import FormatError, InputError, did_you_mean
from bionn.formats.text import existing_file

if TYPE_CHECKING:
    import pysam


class Genome:
    """The sequences of a FASTA file, plain or bgzip, by name and position.

    The file is opened when it is first asked, once in each process: an object that was copied to a
    worker opens its own.

    Args:
        path: the file. Its index (``.fai``) is made beside it where there is none.

    Raises:
        InputError: no such file, or pysam is not installed.
        FormatError: an index that is older than the file, or a file that cannot be indexed.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = existing_file(path)
        self._file: pysam.FastaFile | None = None
        self._process: int | None = None
        index = Path(f"{self.path}.fai")
        if index.exists() and index.stat().st_mtime < self.path.stat().st_mtime:
            raise FormatError(
                f"{index}: an index as new as its FASTA needed, an older one found; delete it (it is "
                "made again), or run samtools faidx"
            )
        names, lengths = self._opened().references, self._opened().lengths
        self.lengths: dict[str, int] = dict(zip(names, lengths, strict=True))

    def length(self, name: str) -> int:
        """How long a sequence is.

        Raises:
            InputError: there is none of that name; the nearest is offered.
        """
        if name not in self.lengths:
            raise InputError(
                f"no sequence {name!r} in {self.path}{did_you_mean(name, self.lengths)}; name the "
                "genome that the regions are of"
            )
        return self.lengths[name]

    def fetch(self, name: str, start: int, end: int) -> str:
        """The symbols from ``start``, counted from 0, to just before ``end``."""
        return self._opened().fetch(name, start, end)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_file": None}

    def _opened(self) -> pysam.FastaFile:
        if self._file is None or self._process != os.getpid():
            self._file, self._process = _open(self.path), os.getpid()
        return self._file


def _open(path: Path) -> pysam.FastaFile:
    try:
        import pysam
    except ImportError:
        raise InputError(
            "genome: the package pysam is needed; install it with: pip install 'bionn[genome]'"
        ) from None
    quiet = pysam.set_verbosity(0)
    try:
        return pysam.FastaFile(str(path))
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise FormatError(
            f"{path}: an indexed FASTA needed, plain or bgzip, not readable as one ({reason}); "
            "compress with bgzip rather than gzip, and keep it where an index can be written"
        ) from None
    finally:
        pysam.set_verbosity(quiet)
