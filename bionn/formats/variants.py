"""VCF files, plain, gzip or bgzip, to variants one after another; and with further INFO back again."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from Bio.bgzf import BgzfWriter

from bionn.errors import FormatError
from bionn.formats.output import replacing
from bionn.formats.text import existing_file, text_lines

FIXED = ("CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
"""The columns that every VCF file has."""

INFO = FIXED.index("INFO")


@dataclass(frozen=True)
class Variant:
    """A row of a VCF file.

    Attributes:
        line: where it stands, from 1.
        chromosome: the name of the sequence that it is on.
        position: of the first base of ``ref``, from 1; 0 is before the first.
        id: ``.`` where it has none.
        ref: the bases of the reference, as written.
        alts: the alternatives, as written; none where the file has ``.``.
        cells: all cells of the row.
    """

    line: int
    chromosome: str
    position: int
    id: str
    ref: str
    alts: tuple[str, ...]
    cells: tuple[str, ...]


class VariantFile:
    """A VCF file: its header at once, its rows as they are asked for, in constant memory.

    Args:
        path: the file.

    Attributes:
        header: the lines that begin with ``##``, without their ends.
        columns: the line of column names.

    Raises:
        InputError: no such file.
        FormatError: not a VCF file, or a header without the line of column names.

    Example::

        for variant in VariantFile("calls.vcf.gz"):
            print(variant.chromosome, variant.position, variant.ref, variant.alts)
    """

    def __init__(self, path: str | Path) -> None:
        self.path = existing_file(path)
        self.header: list[str] = []
        self._lines = enumerate(text_lines(self.path), 1)
        for number, text in self._lines:
            text = text.rstrip("\n")
            if number == 1 and not re.match(r"##fileformat=VCF", text):
                raise FormatError(
                    f"{self.path}:1: a VCF file needed, which begins with ##fileformat=VCF, "
                    f"{text[:30]!r} found; name the file of variants"
                )
            if not text.startswith("##"):
                self.columns = text
                self._check_columns(number)
                return
            self.header.append(text)
        raise FormatError(
            f"{self.path}:{len(self.header)}: a line of column names (#CHROM ...) needed, the file ends "
            "before; fetch or write it again"
        )

    def _check_columns(self, line: int) -> None:
        names = self.columns.removeprefix("#").split("\t")
        if not self.columns.startswith("#") or tuple(names[: len(FIXED)]) != FIXED:
            raise FormatError(
                f"{self.path}:{line}: the column names #{' '.join(FIXED)} needed, separated by tabs, "
                f"{self.columns[:40]!r} found; correct the header"
            )
        self.width = len(names)

    def where(self, variant: Variant) -> str:
        """``file:line`` of a row."""
        return f"{self.path}:{variant.line}"

    def __iter__(self) -> Iterator[Variant]:
        """The rows; each comes once.

        Raises:
            FormatError: a row with fewer cells than there are columns, a position that is no whole
                number, or an empty allele; says the line.
        """
        for line, text in self._lines:
            text = text.rstrip("\n")
            if text.strip():
                yield self._variant(line, text)

    def _variant(self, line: int, text: str) -> Variant:
        cells = tuple(text.split("\t"))
        if text.startswith("#") or len(cells) != self.width:
            found = "a header line" if text.startswith("#") else f"{len(cells)}"
            raise FormatError(
                f"{self.path}:{line}: a variant of {self.width} cells, separated by tabs, needed, "
                f"{found} found; correct or remove the line"
            )
        chromosome, position, name, ref, alternatives = cells[:5]
        if not re.fullmatch(r"[0-9]{1,15}", position):
            raise FormatError(
                f"{self.path}:{line}: POS: a whole number from 0 needed, {position[:20]!r} found; "
                "correct it"
            )
        alts = () if alternatives == "." else tuple(alternatives.split(","))
        for what, cell in (("CHROM", chromosome), ("REF", ref), *(("ALT", alt) for alt in alts)):
            if not cell.strip():
                raise FormatError(
                    f"{self.path}:{line}: {what}: an entry needed, an empty one found; correct or "
                    "remove the line"
                )
        return Variant(line, chromosome, int(position), name, ref, alts, cells)


@dataclass(frozen=True)
class InfoField:
    """An entry that rows are given in their INFO column.

    Attributes:
        name: its ID.
        number: ``A`` for a value an alternative, ``.`` for any number.
        type: ``Float`` or ``String``.
        description: what it says.
    """

    name: str
    number: str
    type: str
    description: str

    def __str__(self) -> str:
        told = re.sub(r'["\\\n]', "'", self.description)
        return f'##INFO=<ID={self.name},Number={self.number},Type={self.type},Description="{told}">'


WriteRow = Callable[[Variant, Mapping[str, Sequence[str]]], None]
"""Takes a row and, by name of its INFO entries, their values as text."""


@contextlib.contextmanager
def writing_variants(
    path: str | Path, source: VariantFile, fields: Sequence[InfoField]
) -> Iterator[WriteRow]:
    """Write the rows of a VCF file with further INFO entries; ``.gz`` and ``.bgz`` are bgzip.

    Entries of these names that the file has already are replaced.

    Args:
        path: the file to write, whole or not at all.
        source: whose header is kept.
        fields: what is added.
    """
    names = {field.name for field in fields}
    ours = re.compile(rf"##INFO=<ID=({'|'.join(map(re.escape, names))}),")
    head = [line for line in source.header if not ours.match(line)]
    with replacing(path, binary=True) as raw:
        packed = Path(path).suffix in (".gz", ".bgz")
        out: Any = BgzfWriter(fileobj=cast(Any, raw)) if packed else raw

        def line(text: str) -> None:
            out.write(f"{text}\n".encode())

        for text in [*head, *map(str, fields), source.columns]:
            line(text)

        def write(variant: Variant, values: Mapping[str, Sequence[str]]) -> None:
            kept = [
                entry
                for entry in variant.cells[INFO].split(";")
                if entry not in ("", ".") and entry.partition("=")[0] not in names
            ]
            added = [f"{name}={','.join(entries)}" for name, entries in values.items()]
            cells = list(variant.cells)
            cells[INFO] = ";".join(kept + added) or "."
            line("\t".join(cells))

        yield write
        if packed:
            out.flush()
            raw.write(_BGZF_END)


_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
"""The empty block by which readers know that a bgzip file is whole (SAM specification, 4.1.2)."""
