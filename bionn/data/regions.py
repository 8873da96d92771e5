"""BED regions of a genome as records: windows cut, strands respected, nothing left out in silence."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pandas as pd
from Bio.Seq import reverse_complement

from bionn.data.records import PackedRecords
from bionn.errors import FormatError, InputError
from bionn.formats.fasta import unique_ids
from bionn.formats.genome import Genome
from bionn.formats.intervals import Regions, read_bed
from bionn.formats.texts import text_array
from bionn.sequences.packed import Packer

_BLOCK = 1024


class RegionCutter:
    """Cuts the sequences of regions, or of windows around their middles, out of a genome.

    A window that reaches beyond an end of its chromosome is filled up with unknown symbols there,
    so that the middle of the region stands in its middle all the same; they are counted.

    Args:
        genome: what the regions are of.
        window: take so many positions around the middle of each region, instead of all of it.
        unknown: the symbol that stands beyond a chromosome's ends.

    Attributes:
        filled: how many windows were filled up.

    Raises:
        InputError: a window that is not positive.
    """

    def __init__(self, genome: Genome, *, window: int | None = None, unknown: str = "N") -> None:
        if window is not None and window < 1:
            raise InputError(f"window: at least 1 needed, {window} found; choose more")
        self.genome, self.window, self.unknown = genome, window, unknown
        self.filled, self._first = 0, ""

    def sequences(self, regions: Regions) -> Iterator[str]:
        """The sequence of each region, that of the reverse strand where it says ``-``.

        Raises:
            FormatError: a region on no sequence of the genome, or with positions beyond its end.
        """
        places = zip(
            regions.chromosomes, regions.starts.tolist(), regions.ends.tolist(), strict=True
        )
        for region, (name, start, end) in enumerate(places):
            try:
                length = self.genome.length(name)
            except InputError as error:
                raise FormatError(f"{regions.where(region)}: {error}") from None
            if end > length:
                raise FormatError(
                    f"{regions.where(region)}: a region on {name} up to its end {length} needed, "
                    f"{start} to {end} found; correct it, or name the genome that the regions are of"
                )
            if self.window is not None:
                start = (start + end) // 2 - self.window // 2
                end = start + self.window
                if start < 0 or end > length:
                    self._first = self._first or regions.where(region)
                    self.filled += 1
            sequence = self._cut(name, start, end, length)
            yield str(reverse_complement(sequence)) if regions.strands[region] == "-" else sequence

    def _cut(self, name: str, start: int, end: int, length: int) -> str:
        sequence = self.genome.fetch(name, max(start, 0), min(end, length))
        return self.unknown * max(-start, 0) + sequence + self.unknown * max(end - length, 0)

    def notes(self) -> list[str]:
        """A sentence about the windows that were filled up, if there were any."""
        windows = f"{self.filled} windows reach" if self.filled > 1 else "1 window reaches"
        note = (
            f"{windows} beyond the end of a chromosome and {'are' if self.filled > 1 else 'is'} filled "
            f"up with {self.unknown} there; the first is of {self._first}"
        )
        return [note] if self.filled else []


def read_regions(
    path: str | Path, cutter: RegionCutter, *, id_column: str | None = None, packer: Packer
) -> PackedRecords:
    """The sequence of every region of a BED file.

    Args:
        path: the BED file.
        cutter: of the genome; the notes are about what it cut here.
        id_column: ``name`` for column 4; the ids are like ``chr1:100-200`` when None.
        packer: what packs the sequences, perhaps with those of other files.

    Returns:
        Records with the columns ``chromosome``, ``name`` and ``score``.

    Raises:
        InputError: no such file.
        FormatError: a region without a name where ids are names, or see :class:`RegionCutter`.
    """
    regions = read_bed(path)
    ids, renamed = unique_ids(regions.named(id_column))
    sequences = cutter.sequences(regions)
    while block := list(islice(sequences, _BLOCK)):
        packer.add(block)
    columns = pd.DataFrame(
        {"chromosome": regions.chromosomes, "name": regions.names, "score": regions.scores}
    )
    return PackedRecords(
        regions.path,
        text_array(ids),
        packer.packed(),
        renamed,
        regions.where,
        columns,
        tuple(f"{regions.path}: {note}" for note in cutter.notes()),
    )


def needs_genome(path: object) -> InputError:
    """The refusal of regions that come without the sequences that they are of."""
    return InputError(
        f"{path}: BED regions need the genome that they are of, an indexed FASTA file; name it with "
        "genome"
    )
