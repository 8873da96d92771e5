"""FASTA: every record read as written, ids made unique, and lines told exactly."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bionn.errors import FormatError
from bionn.formats import fasta
from bionn.formats.fasta import IdRule, is_fasta, read_blocks, read_fasta, read_pieces, unique_ids
from tests.support.fasta import by_lines, cut_to
from tests.support.refusals import refused

Write = Callable[[str, str | bytes], Path]


def wrapped(sequence: str, width: int) -> str:
    """The sequence in lines of some width."""
    return "\n".join(sequence[at : at + width] for at in range(0, len(sequence), width))


@pytest.mark.parametrize("width", [1, 3, 60])
def test_wrapped_and_unwrapped_files_give_equal_records(write: Write, width: int) -> None:
    pairs = [("a", "ACGTACGTNN"), ("b", "ggc"), ("c", "T" * 200)]
    plain = write("plain.fa", "".join(f">{i}\n{s}\n" for i, s in pairs))
    folded = write("folded.fa", "".join(f">{i}\n{wrapped(s, width)}\n" for i, s in pairs))
    for path in (plain, folded):
        records = read_fasta(path)
        assert list(zip(records.ids, records.sequences, strict=True)) == pairs
        assert records.repeated_ids == 0


def test_case_symbols_and_no_last_line_end_are_kept(write: Write) -> None:
    assert read_fasta(write("a.fa", ">a\nacGTnN-*u")).sequences == ["acGTnN-*u"]


def test_comments_blank_lines_and_blanks_in_sequences_are_passed_over(write: Write) -> None:
    text = "\n  \n; first\n;second\n\n>a desc\n;inside\nAC GT\n\nTT\tA\n\n>b\n; more\nGG  \n;end"
    records = read_fasta(write("a.fa", text))
    assert records.ids == ["a", "b"]
    assert records.sequences == ["ACGTTTA", "GG"]


@pytest.mark.parametrize(
    ("rule", "ids"), [("first", ["x|1", "y"]), ("full", ["x|1 the first; kind=a", "y  z"])]
)
def test_the_id_is_the_first_word_or_the_whole_header(
    write: Write, rule: IdRule, ids: list[str]
) -> None:
    path = write("a.fa", ">x|1 the first; kind=a \nA\n> y  z\t\nC\n")
    assert read_fasta(path, id_rule=rule).ids == ids


def test_repeated_ids_are_kept_numbered_and_counted(write: Write) -> None:
    records = read_fasta(write("a.fa", ">a one\nA\n>b\nC\n>a two\nG\n>a three\nT\n"))
    assert records.ids == ["a", "b", "a#2", "a#3"]
    assert records.sequences == list("ACGT")
    assert records.repeated_ids == 2


@given(st.lists(st.sampled_from(["a", "b", "a#2", "a#2#2", "b#3", "c"]), max_size=30))
def test_unique_ids_are_unique_and_rename_only_repeats(ids: list[str]) -> None:
    unique, renamed = unique_ids(ids)
    assert len(set(unique)) == len(ids) == len(unique)
    assert renamed == len(ids) - len(set(ids))
    for position, (old, new) in enumerate(zip(ids, unique, strict=True)):
        if old not in ids[:position]:
            assert new == old
        else:
            assert new.rpartition("#")[0] == old
            assert int(new.rpartition("#")[2]) >= 2


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_where_gives_the_line_of_a_header(write: Write, end: str) -> None:
    lines = ["; about", "", ">a", "AC", "; >no header", "GT", "", ">b", "A", ">c", "C", "G"]
    path = write("a.fa", end.join(lines) + end)
    records = read_fasta(path)
    assert records.ids == ["a", "b", "c"]
    truth = [n for n, line in enumerate(lines, 1) if line.startswith(">")]
    assert [records.where(r) for r in range(3)] == [f"{path}:{line}" for line in truth]


@pytest.mark.parametrize(
    ("name", "text", "line", "found"),
    [
        ("text.fa", "\n; note\nhello\n>a\nACGT\n", 3, "hello"),
        ("table.fa", "id,sequence\na,ACGT\n", 1, "id,sequence"),
        ("no_header.fa", "ACGT\nACGT\n", 1, "ACGT"),
        ("indented.fa", "\n >a\nACGT\n>b\nGG\n", 2, " >a"),
        ("comments.fa", "; only\n;comments\n", 1, "only comments"),
        ("no_id.fa", ">a\nAC\n> \nGT\n", 3, "none found"),
        ("bare.fa", ">\nGT\n", 1, "none found"),
        ("no_sequence.fa", ">a\nAC\n;x\n>b\n\n>c\nG\n", 4, "'b' has no sequence"),
        ("last_empty.fa", ">a\nAC\n>b", 3, "'b' has no sequence"),
    ],
)
def test_what_is_no_fasta_is_refused_with_file_and_line(
    write: Write, name: str, text: str, line: int, found: str
) -> None:
    path = write(name, text)
    with refused(f"{path}:{line}: ", found, kind=FormatError):
        read_fasta(path)


@pytest.mark.parametrize(
    ("name", "text", "answer"),
    [
        ("a.fa", "no,fasta\n", True),
        ("a.FASTA.gz", "whatever", True),
        ("a.csv", ">x\nA\n", False),
        ("a.tsv.gz", ">x\nA\n", False),
        ("a.txt", ">x\nA\n", True),
        ("a.txt", "\n; note\n>x\nA\n", True),
        ("a.txt", "id\tseq\n", False),
        ("noname", ";only\n", False),
    ],
)
def test_a_file_is_fasta_by_its_name_or_else_its_first_character(
    write: Write, name: str, text: str, answer: bool
) -> None:
    assert is_fasta(write(name, text)) is answer


def test_a_missing_file_counts_by_its_name(tmp_path: Path) -> None:
    assert is_fasta(tmp_path / "absent.fa")
    assert not is_fasta(tmp_path / "absent.csv")


@given(
    st.lists(
        st.sampled_from([">a", ">b c", ">longer name", "AC", "ggt ", "A C", "", ";n >x", "T" * 40]),
        max_size=25,
    ).flatmap(lambda lines: st.sampled_from(["", "\n"]).map("\n".join([*lines, ""]).__add__)),
    st.integers(1, 50),
    st.integers(1, 5),
)
def test_blocks_of_any_size_give_what_reading_line_by_line_gives(
    tmp_path_factory: pytest.TempPathFactory, text: str, size: int, records: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.fa"
    path.write_text(text)
    truth = by_lines(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fasta, "text_blocks", cut_to(size))
        if isinstance(truth, int):
            with refused(f"{path}:{truth}: " if text.strip() else "empty", kind=FormatError):
                list(read_blocks(path, id_rule="full", records=records))
            return
        blocks = list(read_blocks(path, id_rule="full", records=records))
        assert [len(block.ids) for block in blocks[:-1]] == [records] * (len(blocks) - 1)
        found = [
            (name, sequence, int(block.where(row).rpartition(":")[2]))
            for block in blocks
            for row, (name, sequence) in enumerate(zip(block.ids, block.sequences, strict=True))
        ]
    assert found == truth


@given(
    st.lists(
        st.sampled_from([">a", ">b c", ">longer name", "AC", "ggt ", "A C", "", ";n >x", "T" * 40]),
        max_size=25,
    ).map("\n".join),
    st.integers(1, 50),
    st.integers(1, 60),
)
def test_pieces_of_any_size_give_what_reading_line_by_line_gives(
    tmp_path_factory: pytest.TempPathFactory, text: str, size: int, symbols: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "pieces.fa"
    path.write_text(text)
    truth = by_lines(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fasta, "text_blocks", cut_to(size))
        if isinstance(truth, int):
            with refused(f"{path}:{truth}: " if text.strip() else "empty", kind=FormatError):
                list(read_pieces(path, id_rule="full", symbols=symbols))
            return
        found: list[tuple[str, str, int]] = []
        unfinished = False
        for block in read_pieces(path, id_rule="full", symbols=symbols):
            assert block.continues == unfinished
            lines = [int(block.where(row).rpartition(":")[2]) for row in range(len(block.ids))]
            rows = list(zip(block.ids, block.sequences, lines, strict=True))
            if block.continues:
                title, begun, line = found.pop()
                assert rows[0][0] == title
                assert rows[0][2] == line
                rows[0] = (title, begun + rows[0][1], line)
            found += rows
            unfinished = block.unfinished
        assert not unfinished
    assert found == truth


@pytest.mark.parametrize("read", [read_blocks, read_pieces])
def test_a_block_that_begins_within_the_line_at_fault(
    write: Write, monkeypatch: pytest.MonkeyPatch, read: Callable[..., Iterator[object]]
) -> None:
    monkeypatch.setattr(fasta, "text_blocks", cut_to(5))
    path = write("x.fa", "     ;x\n>a\nACGT\n")  # the second block looks like a comment
    with refused(f"{path}:1: FASTA needed", kind=FormatError):
        list(read(path))


def test_a_header_a_comment_and_a_sequence_may_be_longer_than_a_block(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fasta, "text_blocks", cut_to(100))
    title, sequence = "x" * 1234, "ACGT" * 1000
    path = write("a.fa", f"; {'>' * 999}\n>{title} y\n{sequence}\n{sequence}\n>b\nGG")
    records = read_fasta(path)
    assert records.ids == [title, "b"]
    assert records.sequences == [sequence * 2, "GG"]
    assert records.where(1) == f"{path}:5"


def test_a_block_holds_few_symbols_where_records_are_long(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fasta, "BLOCK_SYMBOLS", 250)
    monkeypatch.setattr(fasta, "text_blocks", cut_to(100))
    path = write("a.fa", "".join(f">{n}\n{'A' * 100}\n" for n in range(10)))
    blocks = list(read_blocks(path))
    assert [name for block in blocks for name in block.ids] == [str(n) for n in range(10)]
    assert max(len(block.ids) for block in blocks) == 3


def test_blocks_leave_repeated_ids_as_they_are(write: Write) -> None:
    (block,) = read_blocks(write("a.fa.gz", gzip.compress(b">a\nA\n>a\nC\n")))
    assert (block.ids, block.repeated_ids) == (["a", "a"], 0)


def test_a_symbol_that_is_not_ascii_is_refused_with_its_place(write: Write) -> None:
    path = write("a.fa", ">\u00e4\nACGT\n>b\nAC\nG\u00a0T\n")
    with refused(f"{path}:3: ", "'b'", "position 4", kind=FormatError):
        read_fasta(path)
    assert read_fasta(write("b.fa", ">\u00e4\nACGT\n")).ids == ["\u00e4"]
