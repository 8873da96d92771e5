"""BED files (BED3 to BED12, narrowPeak and the like) to regions of named sequences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from bionn.errors import FormatError, InputError
from bionn.formats.text import existing_file, plain_suffix, text_lines

BED_SUFFIXES = frozenset({".bed", ".narrowpeak", ".broadpeak", *(f".bed{n}" for n in range(3, 13))})

_PLACE = re.compile(r"(\S+):(\d+)-(\d+)(\([+-]\))?")


@dataclass(frozen=True)
class Regions:
    """N regions in file order.

    Attributes:
        path: the file.
        chromosomes: the name of the sequence that each is on.
        starts: the first position, from 0, ``int64 (N,)``.
        ends: one beyond the last position, ``int64 (N,)``.
        strands: ``+``, ``-`` or ``.``.
        names: column 4; ``""`` where there is none.
        scores: column 5 as text; ``""`` where there is none.
        lines: where each stands in the file, ``int64 (N,)``.
    """

    path: Path
    chromosomes: list[str]
    starts: np.ndarray
    ends: np.ndarray
    strands: list[str]
    names: list[str]
    scores: list[str]
    lines: np.ndarray

    def __len__(self) -> int:
        return len(self.chromosomes)

    @property
    def ids(self) -> list[str]:
        """``chr1:100-200``, with ``(-)`` on the reverse strand; positions as in the file."""
        parts = zip(self.chromosomes, self.starts, self.ends, self.strands, strict=True)
        return [f"{c}:{start}-{end}{'(-)' * (s == '-')}" for c, start, end, s in parts]

    def named(self, id_column: str | None) -> list[str]:
        """The ids: column 4 where it is asked for by ``name``, else :attr:`ids`.

        Raises:
            InputError: another column is asked for.
            FormatError: a region has no name; says its line.
        """
        if id_column is None:
            return self.ids
        if id_column != "name":
            raise InputError(
                f"id-column: name needed for BED regions, {id_column!r} found; leave it out"
            )
        if "" in self.names:
            raise FormatError(
                f"{self.where(self.names.index(''))}: id-column: a name needed in column 4, none found; "
                "complete the line, or leave id-column out"
            )
        return self.names

    def where(self, region: int) -> str:
        """``file:line`` of a region."""
        return f"{self.path}:{self.lines[region]}"


def is_bed(path: str | Path) -> bool:
    """Whether the name says BED."""
    return plain_suffix(path) in BED_SUFFIXES


def chromosome_of(name: str) -> str:
    """The chromosome in an id like ``chr1:100-200`` or ``chr1:100-200(-)``; ``""`` in any other.

    Example:
        >>> chromosome_of("chr1:100-200(-)"), chromosome_of("gene7")
        ('chr1', '')
    """
    match = _PLACE.fullmatch(name)
    return match[1] if match else ""


def read_bed(path: str | Path) -> Regions:
    """Read every region; see :func:`bed_blocks`."""
    return next(bed_blocks(path, regions=None))


def bed_blocks(path: str | Path, *, regions: int | None) -> Iterator[Regions]:
    """Regions in blocks; comments, blank lines, ``track`` and ``browser`` lines are passed over.

    Args:
        path: the file.
        regions: how many a block holds; all when None.

    Raises:
        InputError: no such file.
        FormatError: fewer than three cells, a position that is no whole number, an end that is not
            beyond the start, a strand other than ``+``, ``-`` and ``.``, or no region at all; says
            the line. Blocks before the fault have been yielded by then.
    """
    path = existing_file(path)
    rows, found = _rows(path), False
    while block := list(islice(rows, regions)):
        yield _regions(path, block)
        found = True
    if not found:
        raise FormatError(
            f"{path}: regions needed, none found; add lines of chromosome, start, end"
        )


def _regions(path: Path, rows: list[tuple[int, str, int, int, str, str, str]]) -> Regions:
    lines, chromosomes, starts, ends, names, scores, strands = zip(*rows, strict=True)
    return Regions(
        path=path,
        chromosomes=list(chromosomes),
        starts=np.array(starts, dtype=np.int64),
        ends=np.array(ends, dtype=np.int64),
        strands=list(strands),
        names=list(names),
        scores=list(scores),
        lines=np.array(lines, dtype=np.int64),
    )


def _rows(path: Path) -> Iterator[tuple[int, str, int, int, str, str, str]]:
    """Line, chromosome, start, end, name, score and strand of each region."""
    for line, text in enumerate(text_lines(path), 1):
        text = text.strip(" \n")
        if not text.strip() or text[0] == "#" or re.match(r"(track|browser)\s", text):
            continue
        cells = text.split("\t") if "\t" in text else text.split()
        cells = [cell.strip(" ") for cell in cells]
        if len(cells) < 3 or not cells[0]:
            raise FormatError(
                f"{path}:{line}: chromosome, start and end needed, {text.strip()[:40]!r} found; "
                "complete or remove the line"
            )
        start, end = (
            _position(path, line, what, c) for what, c in zip(_WHAT, cells[1:3], strict=True)
        )
        if start >= end:
            raise FormatError(
                f"{path}:{line}: an end beyond the start needed, {start} to {end} found; swap or "
                "correct them"
            )
        name, score, strand = [*cells[3:6], "", "", ""][:3]
        if strand not in ("+", "-", ".", ""):
            raise FormatError(
                f"{path}:{line}: strand +, - or . needed in column 6, {strand[:20]!r} found; correct it"
            )
        yield line, cells[0], start, end, name, score, strand or "."


_WHAT = ("start", "end")


def _position(path: Path, line: int, what: str, cell: str) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", cell):
        raise FormatError(
            f"{path}:{line}: {what}: a whole number from 0 needed, {cell[:20]!r} found; correct it"
        )
    return int(cell)
