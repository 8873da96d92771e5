"""BED regions of a genome as records: windows cut, strands respected, nothing left out in silence."""

from __future__ import annotations

from collections.abc import Iterator
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


def read_regions(
    path: str | Path,
    genome: Genome,
    *,
    window: int | None = None,
    id_column: str | None = None,
    packer: Packer | None = None,
) -> PackedRecords:
    """The sequence of every region of a BED file, that of the reverse strand where it says ``-``.

    Args:
        path: the BED file.
        genome: what the regions are of.
        window: take so many positions around the middle of each region, instead of all of it.
        id_column: ``name`` for column 4; the ids are like ``chr1:100-200`` when None.
        packer: what packs the sequences, if with those of other files.

    Returns:
        Records with the columns ``chromosome``, ``name`` and ``score``.

    Raises:
        InputError: no such file, or a window that is not positive.
        FormatError: a region on no sequence of the genome, or with positions beyond its end.
    """
    if window is not None and window < 1:
        raise InputError(f"window: at least 1 needed, {window} found; choose more")
    if id_column not in (None, "name"):
        raise InputError(
            f"id-column: name needed for BED regions, {id_column!r} found; leave it out"
        )
    regions, packer = read_bed(path), packer or Packer()
    block: list[str] = []
    for sequence in _sequences(regions, genome, window):
        block.append(sequence)
        if len(block) == _BLOCK:
            packer.add(block)
            block = []
    packer.add(block)
    ids, renamed = unique_ids(regions.ids if id_column is None else regions.names)
    columns = pd.DataFrame(
        {"chromosome": regions.chromosomes, "name": regions.names, "score": regions.scores}
    )
    return PackedRecords(
        regions.path, text_array(ids), packer.packed(), renamed, regions.where, columns
    )


def _sequences(regions: Regions, genome: Genome, window: int | None) -> Iterator[str]:
    places = zip(regions.chromosomes, regions.starts.tolist(), regions.ends.tolist(), strict=True)
    for region, (name, start, end) in enumerate(places):
        try:
            length = genome.length(name)
        except InputError as error:
            raise FormatError(f"{regions.where(region)}: {error}") from None
        if end > length:
            raise FormatError(
                f"{regions.where(region)}: a region on {name} up to its end {length} needed, {start} "
                f"to {end} found; correct it, or name the genome that the regions are of"
            )
        if window is not None:
            start = (start + end) // 2 - window // 2
            end = start + window
            if start < 0 or end > length:
                raise FormatError(
                    f"{regions.where(region)}: a window of {window} on {name} (0 to {length}) needed, "
                    f"{start} to {end} found; choose a smaller window, or remove the region"
                )
        sequence = genome.fetch(name, start, end)
        yield str(reverse_complement(sequence)) if regions.strands[region] == "-" else sequence
