"""A FASTA file in shards of whole records, which several processes read side by side."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from mmap import ACCESS_READ, mmap
from pathlib import Path

from bionn.errors import InputError
from bionn.formats.fasta import IdRule, is_fasta, record_ids
from bionn.formats.ids import UniqueIds
from bionn.formats.text import GZIP_MAGIC, Span, existing_file, is_pipe


@dataclass(frozen=True)
class Shard:
    """Consecutive records of a FASTA file.

    Attributes:
        span: their bytes.
        first: how many records stand before them.
        records: how many they are.
        renamed: the id of a record, counted from 0 in the shard, whose own stood before in the file.
    """

    span: Span
    first: int
    records: int
    renamed: dict[int, str]


def fasta_shards(
    path: str | Path, records: int, *, id_rule: IdRule = "first", symbols: int | None = None
) -> Iterator[Shard]:
    """A file in shards, found by one fast look through it; its sequences are not looked at.

    Args:
        path: the file, not compressed.
        records: how many a shard has, but for the last.
        id_rule: which part of a header is the id; see :func:`bionn.formats.fasta.read_blocks`.
        symbols: end a shard that has so many bytes even if it has fewer records.

    Raises:
        InputError: no such file, or one that cannot be cut.
    """
    path = _to_be_cut(path)
    unique, begin, first = UniqueIds(), 0, 0
    titles: list[str] = []

    def shard(end: int) -> Shard:
        ids = record_ids(titles, id_rule)
        pairs = enumerate(zip(ids, unique(ids), strict=True))
        renamed = {n: new for n, (old, new) in pairs if old != new}
        return Shard(Span(begin, end), first, len(titles), renamed)

    for at, title in chain(_headers(path), [(path.stat().st_size, "")]):
        full = len(titles) == records or (symbols is not None and at - begin >= symbols)
        if titles and full:
            yield shard(at)
            begin, first, titles = at, first + len(titles), []
        titles.append(title)
    titles.pop()  # of the end
    if titles or not first:
        yield shard(path.stat().st_size)


def _to_be_cut(path: str | Path) -> Path:
    path = existing_file(path)
    what = "a pipe" if is_pipe(path) else "" if is_fasta(path) else "something else"
    if not what:
        with path.open("rb") as file:
            what = "a compressed one" if file.read(2) == GZIP_MAGIC else ""
    if what:
        raise InputError(
            f"{path}: a FASTA file that is not compressed needed, to be shared among workers, {what} "
            "found; make one, or predict with one worker"
        )
    return path


def _headers(path: Path) -> Iterator[tuple[int, str]]:
    """Where each header begins, and what it says behind the ``>``."""
    if not path.stat().st_size:
        return
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as text:
        begin = len(BOM_UTF8) if text[: len(BOM_UTF8)] == BOM_UTF8 else 0
        if text[begin : begin + 1] != b">":
            begin = text.find(b"\n>") + 1
        while begin or text[:1] == b">":
            end = text.find(b"\n", begin)
            title = text[begin + 1 : end if end >= 0 else len(text)]
            if b"\r" in title.rstrip(b"\r"):
                raise InputError(
                    f"{path}: lines that end in a line feed needed to share it among workers, carriage "
                    "returns found; convert it, or predict with one worker"
                )
            yield begin, title.decode("utf-8", "replace").rstrip("\r")
            if (begin := text.find(b"\n>", max(end, 0)) + 1) == 0:
                return
