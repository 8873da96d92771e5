"""FASTA that real tools ship as test input: read in full or refused with file and line."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from bionn.errors import FormatError
from bionn.formats.fasta import read_fasta
from bionn.formats.table import read_table
from tests.support.public import PUBLIC
from tests.support.refusals import refused

_NAMES = re.compile(r"(\.(fa|fna|fasta|nu|pro)(\.gz)?|/(f002|fa01))$")
FILES = sorted(
    str(path.relative_to(PUBLIC / "messy"))
    for path in (PUBLIC / "messy").glob("*/*")
    if _NAMES.search(path.as_posix())
)
REFUSED = {
    "biopython/aster_blast.pro": 1,  # '# Some header'
    "seqkit/empty_id_and_seq.fa": 3,
    "seqkit/empty_id_and_seq2.fa": 1,
}


def count(path: Path) -> tuple[int, int]:
    """Records and symbols, counted without our reader: headers, and what is no white space."""
    raw = path.read_bytes()
    lines = re.split(rb"\r\n|\r|\n", gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)
    headers = [line for line in lines if line.startswith(b">")]
    body = [line for line in lines if line[:1] not in (b">", b";")]
    return len(headers), sum(len(b"".join(line.split())) for line in body)


@pytest.mark.parametrize("name", FILES or ["absent"])
def test_every_messy_file_is_read_in_full_or_refused_with_its_line(name: str, public: Path) -> None:
    path = public / "messy" / name
    if name in REFUSED:
        with refused(f"{path}:{REFUSED[name]}: ", kind=FormatError):
            read_fasta(path)
        return
    records = read_fasta(path)
    assert (len(records.ids), sum(map(len, records.sequences))) == count(path)
    assert len(set(records.ids)) == len(records.ids)


def test_no_line_of_other_formats_is_taken_for_a_record(public: Path) -> None:
    others = [p for p in (public / "messy").glob("*/*") if ".bed" in p.name or ".vcf" in p.name]
    tables = [path for path in others if ".fa" not in path.name]
    assert len(tables) > 10
    for path in tables:
        with refused(f"{path}:1: ", "'>'", kind=FormatError):
            read_fasta(path)


def test_no_vcf_file_is_taken_for_a_table(public: Path) -> None:
    paths = [path for path in (public / "messy").glob("*/*") if ".vcf" in path.name]
    assert len(paths) > 5
    for path in paths:
        with refused(f"{path}:1: ", "as in VCF", kind=FormatError):
            read_table(path)
