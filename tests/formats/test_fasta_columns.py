"""FASTA as columns: what reading record by record gives, wherever the file is cut."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bionn.errors import FormatError
from bionn.formats import fasta
from bionn.formats.fasta import IdRule, read_fasta
from bionn.formats.fasta_columns import read_columns
from bionn.formats.text import existing_file
from bionn.sequences.packed import Packer
from tests.support.fasta import by_lines, cut_to
from tests.support.refusals import refused

Write = Callable[[str, str | bytes], Path]

LINES = [
    ">a",
    ">b c",
    ">\tc d ",
    ">",
    ">é",
    "AC",
    "ggt ",
    "A C",
    "",
    ";n >x",
    "T" * 40,
    "\x0b",
    "é",
]


def read(path: Path, id_rule: IdRule) -> tuple[list[str], list[str]]:
    """Ids, and sequences packed."""
    ids, packer = [], Packer()
    for piece in read_columns(path, id_rule=id_rule):
        assert len(piece.lengths) == len(piece.ids) + 1
        assert piece.lengths.sum() == len(piece.symbols)
        ids += piece.ids.to_pylist()
        packer.add_symbols(piece.symbols, piece.lengths)
    return ids, list(packer.packed())


@given(
    st.lists(st.sampled_from(LINES[:3] + LINES[5:11]), max_size=25).map("\n".join),
    st.integers(1, 50),
)
def test_pieces_of_any_size_give_what_reading_line_by_line_gives(
    tmp_path_factory: pytest.TempPathFactory, text: str, size: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "columns.fa"
    path.write_text(text)
    truth = by_lines(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fasta, "text_blocks", cut_to(size))
        if isinstance(truth, int):
            with refused(f"{path}:{truth}: " if text.strip() else "empty", kind=FormatError):
                read(path, "full")
            return
        found = read(path, "full")
    assert list(zip(*found, strict=True)) == [(title, sequence) for title, sequence, _ in truth]


@given(
    st.one_of(
        st.lists(st.sampled_from(LINES), max_size=12).map("\n".join).map(str.encode),
        st.binary(max_size=60).map(b">".__add__),
    ),
    st.sampled_from(["first", "full"]),
)
def test_any_bytes_are_read_or_refused_as_record_by_record(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes, id_rule: IdRule
) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.fa"
    path.write_bytes(raw)
    try:
        blocks = list(fasta.read_blocks(path, id_rule=id_rule))
    except FormatError as error:
        with refused(str(error), kind=FormatError):
            read(path, id_rule)
        return
    truth = [name for b in blocks for name in b.ids], [text for b in blocks for text in b.sequences]
    assert read(path, id_rule) == truth


def test_a_long_line_may_be_cut_anywhere(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fasta, "text_blocks", cut_to(100))
    sequence = "".join(np.random.default_rng(0).choice(list("ACGT"), 4000))
    path = write("a.fa", f"; {'>' * 999}\n>{'x' * 1234} y\n{sequence}\n {sequence}\n>b\nGG")
    assert read(path, "first") == (["x" * 1234, "b"], [sequence * 2, "GG"])


def test_messy_files_are_read_or_refused_as_record_by_record(public: Path) -> None:
    paths = [path for path in sorted((public / "messy").glob("*/*")) if fasta.is_fasta(path)]
    assert len(paths) > 20
    refusals = 0
    for path in map(existing_file, paths):
        try:
            whole = read_fasta(path)
        except FormatError as error:
            refusals += 1
            with refused(str(error), kind=FormatError):
                read(path, "first")
            continue
        ids, sequences = read(path, "first")
        assert fasta.unique_ids(ids)[0] == whole.ids
        assert sequences == whole.sequences
    assert refusals
