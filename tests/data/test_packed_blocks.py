"""Records as packed blocks against the plain reader, however the file falls into pieces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from bionn.data.packed_blocks import packed_blocks
from bionn.errors import FormatError
from bionn.formats import fasta_columns
from bionn.formats.fasta import read_fasta
from bionn.formats.fastq import read_blocks as fastq_blocks
from bionn.formats.ids import UniqueIds
from bionn.preprocess.sequences import SequenceEncoder

Write = Callable[[str, str], Path]


def as_they_are(ids: pa.LargeStringArray) -> pa.LargeStringArray:
    return ids


def fasta_text(rng: np.random.Generator, records: int) -> str:
    """Records of many lengths, some wrapped, some with descriptions, with a comment between."""
    lines = []
    for number in range(records):
        body = "".join(rng.choice(list("ACGTn"), int(rng.integers(1, 90))))
        lines.append(f">r{number % 17}" + " more" * int(rng.integers(0, 2)))
        lines += [body[at : at + 30] for at in range(0, len(body), 30)]
        lines += ["; a comment"] * (number % 5 == 0)
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("size", [16, 100, 5000])
@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_they_are_the_records_of_the_file(
    write: Write, monkeypatch: pytest.MonkeyPatch, size: int, rows: int
) -> None:
    path = write("a.fa", fasta_text(np.random.default_rng(size), 60))
    monkeypatch.setattr(fasta_columns, "_BLOCK", size)
    plain, ids, texts, places = read_fasta(path), [], [], []
    encoder = SequenceEncoder.fit(plain.sequences, align="left")
    for block in packed_blocks(path, "first", rows, UniqueIds().renaming):
        assert block.sequences is not None
        assert len(block.ids) == len(block.sequences) <= rows
        np.testing.assert_array_equal(
            encoder.encode(block.sequences), encoder.encode(list(block.sequences))
        )
        ids += block.ids
        texts += block.sequences
        places += [block.where(row) for row in range(len(block.ids))]
    assert ids == plain.ids
    assert texts == plain.sequences
    assert places == [plain.where(row) for row in range(len(ids))]


def test_a_long_record_is_whole(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fasta_columns, "_BLOCK", 64)
    path = write("a.fa", f">a\nAC\n>b\n{'ACGTT' * 1000}\n>c\nG\n")
    blocks = list(packed_blocks(path, "first", 10, as_they_are))
    assert [text for block in blocks for text in block.sequences or ()] == [
        "AC",
        "ACGTT" * 1000,
        "G",
    ]


def test_fastq_is_read_too(write: Write) -> None:
    path = write("a.fq", "@a\nACGT\n+\nIIII\n@b\nGG\n+\nII\n")
    blocks = list(packed_blocks(path, "first", 10, as_they_are))
    (plain,) = fastq_blocks(path)
    assert [name for block in blocks for name in block.ids] == plain.ids
    assert [text for block in blocks for text in block.sequences or ()] == plain.sequences


def test_a_fault_is_refused_with_its_line(write: Write) -> None:
    path = write("a.fa", ">a\nACGT\n>b\n>c\nA\n")
    with pytest.raises(FormatError, match=r"a\.fa:3: record 'b' has no sequence"):
        list(packed_blocks(path, "first", 10, as_they_are))
