"""Records of files in one buffer; what a set of sequences costs in memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from bionn.data.modules import load_prepared
from bionn.data.records import pack_cells, read_records
from bionn.data.samples import DataOptions
from bionn.errors import FormatError
from bionn.formats.fasta import read_fasta
from bionn.preprocess.sequences import SequenceEncoder
from bionn.sequences.packed import Packer
from tests.support.refusals import refused

Write = Callable[[str, str | bytes], Path]


def random_fasta(records: int, length: int, seed: int) -> tuple[str, list[str]]:
    letters = np.random.default_rng(seed).choice(list("ACGT"), (records, length))
    sequences = ["".join(row) for row in letters]
    return "".join(f">s{seed}_{n}\n{s}\n" for n, s in enumerate(sequences)), sequences


def test_records_are_those_of_the_plain_reader(write: Write) -> None:
    text = ">a x\nACGT\nAC\n>b\nggg\n>a\nT\n"
    first, second = write("a.fa", text), write("b.fa", ">c\nAA\n")
    packer = Packer()
    packed, plain = read_records(first, packer=packer), read_fasta(first)
    other = read_records(second, packer=packer)
    assert packed.ids.tolist() == plain.ids == ["a", "b", "a#2"]
    assert packed.sequences == plain.sequences
    assert (packed.repeated_ids, packed.where(2)) == (1, plain.where(2))
    assert (list(other.sequences), other.where(0)) == (["AA"], f"{second}:1")
    assert other.sequences.buffer is packed.sequences.buffer


def test_a_cell_that_is_not_ascii_is_refused_with_its_place() -> None:
    with refused("row 2", "'é'", kind=FormatError):
        pack_cells(pa.chunked_array([["ACGT", "ACé"]]), lambda row: f"table, row {row + 1}")


@pytest.mark.parametrize("length", [None, 300])
def test_a_training_set_costs_a_byte_a_base(write: Write, length: int | None) -> None:
    records, own = 12000, 250
    files, sequences = [], []
    for seed, name in enumerate(("first", "second")):
        text, own_sequences = random_fasta(records, own, seed)
        files.append(write(f"{name}.fa", text))
        sequences += own_sequences
    del text
    options = DataOptions(length=length)
    load_prepared([write(f"{n}.fa", random_fasta(9, 20, 2)[0]) for n in "ab"], options)
    tracemalloc.start()
    try:
        prepared = load_prepared(files, options)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    bases, padded = 2 * records * own, 2 * records * (length or 0)
    assert peak < bases + padded + 5e6  # a copy of the text would be 6e6 more
    encoder = prepared.encoder
    assert isinstance(encoder, SequenceEncoder)
    np.testing.assert_array_equal(prepared.inputs.numpy(), encoder.encode(sequences))
    assert list(prepared.samples.sequences) == sequences
