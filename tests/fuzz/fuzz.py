"""Coverage-guided fuzzing of a parser: any bytes give records or a FormatError, and nothing else.

Run by hand (``make fuzz``), not by pytest::

    python tests/fuzz/fuzz.py table -max_total_time=600

What follows the parser's name goes to libFuzzer; inputs that crash are written to the folder where
this runs, and are given back with ``python tests/fuzz/fuzz.py table FILE``.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
from collections.abc import Callable
from itertools import accumulate, chain, pairwise
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["bionn.formats", "csv"]):
    from bionn.errors import FormatError
    from bionn.formats import (
        fasta,
        fasta_columns,
        fastq,
        intervals,
        sequence_files,
        table,
        variants,
    )

Records = tuple[list[str], list[str]]
"""Ids and sequences."""

FOLDER = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))


def fuzz_fasta(path: Path) -> None:
    """Records written again and read again are the same; so are those read as columns."""
    fuzz_columns(path)
    records = fasta.read_fasta(path, id_rule="full")
    assert len(set(records.ids)) == len(records.ids) == len(records.sequences)
    assert records.where(len(records.ids) - 1).rpartition(":")[2].isdigit()
    if any(sequence[0] in ">;" for sequence in records.sequences):  # were indented
        return
    again = FOLDER / "again.fa"
    pairs = zip(records.ids, records.sequences, strict=True)
    again.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in pairs), "utf-8")
    second = fasta.read_fasta(again, id_rule="full")
    assert (second.ids, second.sequences) == (records.ids, records.sequences)


def fuzz_columns(path: Path) -> None:
    """Columns hold the records that reading record by record gives, or are refused in its words."""
    for id_rule in ("first", "full"):
        found, expected = (
            _records_or_message(read, path, id_rule) for read in (_in_columns, _in_blocks)
        )
        assert found == expected


def _in_columns(path: Path, id_rule: fasta.IdRule) -> Records:
    pieces = list(fasta_columns.read_columns(path, id_rule=id_rule))
    ids = [name for piece in pieces for name in piece.ids.to_pylist()]
    lengths = [0]
    for piece in pieces:  # a record may go on from piece to piece
        lengths[-1] += int(piece.lengths[0])
        lengths += piece.lengths[1:].tolist()
    symbols = b"".join(piece.symbols for piece in pieces).decode("ascii")
    bounds = accumulate(lengths[1:], initial=lengths[0])
    return ids, [symbols[start:stop] for start, stop in pairwise(bounds)]


def _in_blocks(path: Path, id_rule: fasta.IdRule) -> Records:
    blocks = list(fasta.read_blocks(path, id_rule=id_rule))
    columns = ([block.ids for block in blocks], [block.sequences for block in blocks])
    ids, sequences = (list(chain.from_iterable(column)) for column in columns)
    return ids, sequences


def _records_or_message(
    read: Callable[[Path, fasta.IdRule], Records], path: Path, id_rule: fasta.IdRule
) -> Records | str:
    try:
        return read(path, id_rule)
    except FormatError as error:
        return str(error)


def fuzz_fastq(path: Path) -> None:
    """Either format through the common door; every block knows its lines."""
    if not sequence_files.holds_sequences(path):
        return
    read, ids = fastq.read_blocks if fastq.is_fastq(path) else fasta.read_blocks, []
    for block in read(path, records=3):
        ids += block.ids
        assert len(block.ids) == len(block.sequences) <= 3
        assert all(block.ids)
        assert all(block.sequences)
        assert block.where(0).rpartition(":")[2].isdigit()
    pieces = sequence_files.sequence_columns(path)
    assert [name for piece in pieces for name in piece.ids.to_pylist()] == ids


def fuzz_table(path: Path) -> None:
    """Blocks hold the rows of the whole table, which are written and read again."""
    whole = table.read_table(path)
    blocks = [row for block in table.read_blocks(path, rows=2) for row in block.frame.to_numpy()]
    assert [list(row) for row in blocks] == whole.frame.to_numpy().tolist()
    assert len(set(whole.columns)) == len(whole.columns)
    assert whole.where(len(whole) - 1).rpartition(":")[2].isdigit()
    for column in whole.columns:
        whole.mostly_numeric(column)
        assert len(whole.text(column)) == len(whole)


def fuzz_bed(path: Path) -> None:
    """Regions written again and read again are the same."""
    regions = intervals.read_bed(path)
    assert (regions.starts >= 0).all()
    assert (regions.ends > regions.starts).all()
    assert regions.where(len(regions) - 1).rpartition(":")[2].isdigit()
    again = FOLDER / "again.bed"
    columns = (
        regions.chromosomes,
        regions.starts,
        regions.ends,
        regions.names,
        regions.scores,
        regions.strands,
    )
    rows = ["\t".join(map(str, row)) for row in zip(*columns, strict=True)]
    again.write_text("\n".join(rows) + "\n", "utf-8")
    assert intervals.read_bed(again).ids == regions.ids


def fuzz_vcf(path: Path) -> None:
    """Rows written again, with nothing added, and read again are the same."""
    source = variants.VariantFile(path)
    again = FOLDER / "again.vcf"
    with variants.writing_variants(again, source, []) as write:
        rows = []
        for row in source:
            assert source.where(row) == f"{path}:{row.line}"
            assert len(row.cells) == source.width
            write(row, {})
            rows.append(row)
    second = variants.VariantFile(again)
    assert (second.header, second.columns) == (source.header, source.columns)
    for row, other in zip(rows, second, strict=True):
        assert _alleles(row) == _alleles(other)


def _alleles(row: variants.Variant) -> tuple[object, ...]:
    return row.chromosome, row.position, row.id, row.ref, row.alts


PARSERS: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "fasta": (fuzz_fasta, ("a.fa", "a.txt")),
    "fastq": (fuzz_fastq, ("a.fq", "a.txt", "a.fastq")),
    "table": (fuzz_table, ("a.csv", "a.tsv", "a.txt")),
    "bed": (fuzz_bed, ("a.bed",)),
    "vcf": (fuzz_vcf, ("a.vcf",)),
}
EXAMPLES = {
    "fasta": b">one two\nACGT\nNN\n>three\nac\n",
    "fastq": b"@one two\nACGT\n+\nIIII\n",
    "table": b'id,"a b",y\nx1,1.5,yes\nx2,,"no"\n',
    "bed": b"chr1\t5\t10\tname\t0\t+\n",
    "vcf": b"##fileformat=VCFv4.2\n#"
    + "\t".join(variants.FIXED).encode()
    + b"\nchr1\t5\trs1\tAC\tA,<DEL>\t.\tPASS\tDP=3;END=9\n",
}
"""A file of each kind, from which the fuzzer sets out."""


def main() -> None:
    """Fuzz the parser named first."""
    parser = sys.argv.pop(1)
    parse, names = PARSERS[parser]

    def test_one_input(data: bytes) -> None:
        choice, content = (data[0], data[1:]) if data else (0, b"")
        path = FOLDER / names[choice % len(names)]
        path.write_bytes(gzip.compress(content, 1) if choice & 64 else content)
        try:
            parse(path)
        except FormatError as error:
            message = str(error)
            if "\n" in message or not message.startswith(str(path)):
                raise AssertionError(message) from error

    examples = FOLDER / "examples"
    examples.mkdir()
    (examples / parser).write_bytes(b"\0" + EXAMPLES[parser])
    if not any(Path(argument).is_file() for argument in sys.argv[1:]):
        sys.argv.append(str(examples))
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
