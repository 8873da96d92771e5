"""Shards of a FASTA file hold each record once, as the reader of the whole file finds it."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from bionn.errors import FormatError, InputError
from bionn.formats.fasta import FastaRecords, IdRule, read_blocks, read_fasta, read_pieces
from bionn.formats.fasta_shards import Shard, fasta_shards
from bionn.formats.text import Span

PLAIN = ">a one\nACGT\nAC\n>b two\nGG\n>a three\nTTTT\n>c\nA\n>a\nCCC\n>b\nGGG\n"
FILES = {
    "plain": PLAIN.encode(),
    "no line end": PLAIN.rstrip("\n").encode(),
    "windows": PLAIN.replace("\n", "\r\n").encode(),
    "byte-order mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "comments": (";first\n\n" + PLAIN.replace(">b two", "; >no\n>b two>x")).encode(),
    "blanks": PLAIN.replace("ACGT\n", "\nAC GT\n\n").encode(),
    "one record": b">only\nACGT\n",
    "greater in a line": b">a >b\nACGT\n>c>d\nGG\n",
}


def joined(blocks: list[FastaRecords], shard: Shard) -> list[tuple[str, str]]:
    records = [pair for b in blocks for pair in zip(b.ids, b.sequences, strict=True)]
    return [(shard.renamed.get(n, name), text) for n, (name, text) in enumerate(records)]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("records", [1, 2, 5, 100])
@pytest.mark.parametrize("id_rule", ["first", "full"])
def test_shards_are_the_file(name: str, records: int, id_rule: IdRule, write) -> None:
    path: Path = write("x.fa", FILES[name])
    whole = read_fasta(path, id_rule=id_rule)
    shards = list(fasta_shards(path, records, id_rule=id_rule))
    assert all(shard.records == records for shard in shards[:-1])
    assert [shard.first for shard in shards] == list(range(0, len(whole.ids), records))
    assert (shards[0].span.begin, shards[-1].span.end) == (0, path.stat().st_size)
    found = []
    for shard in shards:
        read = list(read_blocks(path, id_rule=id_rule, span=shard.span, first=shard.first))
        assert sum(len(block.ids) for block in read) == shard.records
        found += joined(read, shard)
    assert [name for name, _ in found] == expected_ids(path, id_rule)
    assert [text for _, text in found] == whole.sequences


def expected_ids(path: Path, id_rule: IdRule) -> list[str]:
    """Of equal ids the first stays, in the order of the file."""
    seen: dict[str, int] = {}
    ids = []
    for block in read_blocks(path, id_rule=id_rule):
        for name in block.ids:
            seen[name] = seen.get(name, 0) + 1
            ids.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return ids


def test_long_records_end_a_shard_early(write) -> None:
    path = write("x.fa", "".join(f">r{n}\n{'ACGT' * 25}\n" for n in range(10)))
    shards = list(fasta_shards(path, 100, symbols=250))
    assert [shard.records for shard in shards] == [3, 3, 3, 1]
    pieces = [b for s in shards for b in read_pieces(path, span=s.span, first=s.first, symbols=30)]
    assert "".join(t for b in pieces for t in b.sequences) == "ACGT" * 250


def test_a_fault_in_a_shard_is_told_by_its_line_in_the_file(write) -> None:
    path = write("x.fa", ">a\nAC\n>b\nGG\n>c\n>d\nTT\n")
    with pytest.raises(FormatError) as whole:
        list(read_blocks(path))
    shard = list(fasta_shards(path, 2))[1]
    with pytest.raises(FormatError) as part:
        list(read_blocks(path, span=shard.span, first=shard.first))
    assert str(part.value) == str(whole.value)


def test_an_empty_file_is_one_shard_for_the_reader_to_refuse(write) -> None:
    path = write("x.fa", b"")
    assert list(fasta_shards(path, 3)) == [Shard(Span(0, 0), 0, 0, {})]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.fa.gz", gzip.compress(PLAIN.encode()), "a compressed one found"),
        ("x.csv", b"id,sequence\na,ACGT\n", "something else found"),
        ("x.fa", PLAIN.replace("\n", "\r").encode(), "carriage returns found"),
    ],
)
def test_what_cannot_be_cut_is_refused(name: str, content: bytes, says: str, write) -> None:
    with pytest.raises(InputError, match=says):
        list(fasta_shards(write(name, content), 2))


def test_a_pipe_cannot_be_cut(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="a pipe found"):
        list(fasta_shards(tmp_path / "pipe", 2))
