"""An indexed genome: any region, one open file a process, an index that fits."""

from __future__ import annotations

import gzip
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from bionn.errors import FormatError, InputError
from bionn.formats.genome import Genome
from tests.support.refusals import refused

Write = Callable[[str, str | bytes], Path]
CHROMOSOMES = {
    name: "".join(np.random.default_rng(seed).choice(list("ACGTNacgt"), 1000 + seed))
    for seed, name in enumerate(("chr1", "chr2"))
}


@pytest.fixture
def genome(write: Write) -> Genome:
    records = []
    for name, sequence in CHROMOSOMES.items():
        lines = [sequence[at : at + 60] for at in range(0, len(sequence), 60)]
        records.append("\n".join([f">{name} about", *lines]))
    return Genome(write("genome.fa", "\n".join(records) + "\n"))


def fetch(genome: Genome, start: int) -> str:
    return genome.fetch("chr2", start, start + 50)


def test_regions_are_those_of_the_text(genome: Genome) -> None:
    assert genome.lengths == {name: len(sequence) for name, sequence in CHROMOSOMES.items()}
    for name, sequence in CHROMOSOMES.items():
        for start, end in ((0, 1), (59, 61), (500, len(sequence))):
            assert genome.fetch(name, start, end) == sequence[start:end]


def test_a_worker_opens_the_file_for_itself(genome: Genome) -> None:
    copy = pickle.loads(pickle.dumps(genome))
    assert fetch(copy, 7) == CHROMOSOMES["chr2"][7:57]
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        found = list(pool.map(fetch, [genome] * 40, range(40)))
    assert found == [CHROMOSOMES["chr2"][start : start + 50] for start in range(40)]


def test_an_index_older_than_its_fasta_is_refused(genome: Genome) -> None:
    index = Path(f"{genome.path}.fai")
    assert index.exists()
    newer = index.stat().st_mtime + 10
    os.utime(genome.path, (newer, newer))
    with refused(index, "older one found", "delete it", kind=FormatError):
        Genome(genome.path)
    index.unlink()
    assert Genome(genome.path).lengths == genome.lengths


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.fa.gz", gzip.compress(b">a\nACGT\n")),
        ("ragged.fa", b">a\nAC\nACGT\nAC\n"),
        ("text.fa", b"hello\n"),
        ("empty.fa", b""),
    ],
)
def test_what_cannot_be_indexed_is_refused(write: Write, name: str, content: bytes) -> None:
    path = write(name, content)
    with refused(path, "an indexed FASTA needed", kind=FormatError):
        Genome(path)


def test_an_absent_sequence_is_refused_with_the_nearest_name(genome: Genome) -> None:
    with refused("'Chr1'", "did you mean 'chr1'?", kind=InputError):
        genome.length("Chr1")
