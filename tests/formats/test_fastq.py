"""FASTQ as sequences: every record, its line, and the length of its quality."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from Bio.SeqIO.QualityIO import FastqGeneralIterator
from hypothesis import given
from hypothesis import strategies as st

from bionn.errors import FormatError
from bionn.formats.fastq import is_fastq, read_blocks
from bionn.formats.sequence_files import holds_sequences, read_sequences, sequence_blocks
from tests.support.refusals import refused

Write = Callable[[str, str | bytes], Path]

QUALITY = st.text(st.sampled_from("!@+>;I~"), min_size=1)


@given(st.lists(QUALITY, min_size=1, max_size=12), st.integers(1, 9), st.integers(1, 4))
def test_records_are_those_that_biopython_reads(
    tmp_path_factory: pytest.TempPathFactory, qualities: list[str], width: int, records: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.fastq"
    text, lines = "", []
    for number, quality in enumerate(qualities):
        lines.append(text.count("\n") + 1)
        sequence = ("ACGTN" * (number + len(quality)))[number : number + len(quality)]
        folded = [
            "\n".join(t[at : at + width] for at in range(0, len(t), width))
            for t in (sequence, quality)
        ]
        text += f"@read{number} lane\n{folded[0]}\n+\n{folded[1]}\n" + "\n" * (number % 2)
    path.write_text(text)
    with path.open() as file:
        truth = [(title.split()[0], sequence) for title, sequence, _ in FastqGeneralIterator(file)]
    blocks = list(read_blocks(path, records=records))
    found = [pair for b in blocks for pair in zip(b.ids, b.sequences, strict=True)]
    assert found == truth
    assert [b.where(row) for b in blocks for row in range(len(b.ids))] == [
        f"{path}:{line}" for line in lines
    ]


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("@a\nAC\n+\nII\nACGT\n", 5, "'ACGT' found"),
        ("@a\nAC\n@b\nGG\n+\nII\n", 3, "a line '+' needed"),
        ("@a\nAC\n", 2, "a line '+' needed"),
        ("@a\nAC\n+\nI\n", 4, "2 characters needed"),
        ("@a\nAC\n+\nIII\n", 4, "3 found"),
        ("@a\nAC\n+\nII\n@\nAC\n+\nII\n", 5, "an id needed"),
        ("@a\nAC\n+\nII\n@b\n\n+\n\n", 5, "'b' has no sequence"),
    ],
)
def test_a_damaged_record_is_refused_with_its_line(
    write: Write, text: str, line: int, found: str
) -> None:
    path = write("a.fastq", text)
    with refused(f"{path}:{line}: ", found, kind=FormatError):
        list(read_blocks(path))


@pytest.mark.parametrize(
    ("name", "text", "answer"),
    [
        ("a.fq.gz", "whatever", True),
        ("a.txt", "@r 1\nACGT\n+r 1\nIIII\n", True),
        ("a.csv", "@r 1\nACGT\n+r 1\nIIII\n", False),
        ("a.txt", "@id\tx\nA\t1\nB\t2\n", False),
        ("a.fa", "@r 1\nACGT\n+r 1\nIIII\n", False),
    ],
)
def test_a_file_is_fastq_by_its_name_or_else_its_first_record(
    write: Write, name: str, text: str, answer: bool
) -> None:
    assert is_fastq(write(name, text)) is answer


def test_either_format_is_read_through_one_door(write: Write) -> None:
    fastq = write("reads.gz", gzip.compress(b"@a x\nAC\n+\nII\n@a\nGG\n+\nII\n"))
    fasta = write("reads.txt", ">a x\nAC\n>a\nGG\n")
    for path in (fastq, fasta):
        assert holds_sequences(path)
        records = read_sequences(path)
        assert (records.ids, records.sequences, records.repeated_ids) == (
            ["a", "a#2"],
            ["AC", "GG"],
            1,
        )
        assert [block.ids for block in sequence_blocks(path, records=1)] == [["a"], ["a"]]
    assert not holds_sequences(write("table.csv", "id,x\na,1\n"))
