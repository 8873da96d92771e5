"""BED: every region with its line, or the line of what is wrong."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bionn.errors import FormatError
from bionn.formats.intervals import chromosome_of, is_bed, read_bed
from tests.support.public import PUBLIC
from tests.support.refusals import refused

Write = Callable[[str, str | bytes], Path]
MESSY = sorted(
    str(path.relative_to(PUBLIC / "messy"))
    for path in (PUBLIC / "messy").glob("*/*")
    if is_bed(path)
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["chr1", "2", "gi|5|x.1|"]),
            st.integers(0, 10**6),
            st.integers(1, 10**4),
            st.sampled_from(["+", "-", "."]),
        ),
        min_size=1,
    ),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(3, 12),
)
def test_regions_come_back_whatever_the_number_of_columns(
    tmp_path_factory: pytest.TempPathFactory,
    regions: list[tuple[str, int, int, str]],
    end: str,
    width: int,
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.bed.gz"
    rows = [
        [name, str(start), str(start + size), f"r{n}", "7", strand, *"012345"][:width]
        for n, (name, start, size, strand) in enumerate(regions)
    ]
    lines = ["track name=x", "# 1\t2\t3", "", *map("\t".join, rows)]
    path.write_bytes(gzip.compress(end.join(lines).encode(), 1))
    found = read_bed(path)
    assert found.chromosomes == [name for name, *_ in regions]
    assert found.starts.tolist() == [start for _, start, _, _ in regions]
    assert (found.ends - found.starts).tolist() == [size for _, _, size, _ in regions]
    assert found.strands == [strand if width >= 6 else "." for *_, strand in regions]
    assert found.names == [f"r{n}" if width >= 4 else "" for n in range(len(regions))]
    assert found.where(len(regions) - 1) == f"{path}:{len(lines)}"
    assert list(map(chromosome_of, found.ids)) == found.chromosomes


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("chr1\t5", "chromosome, start and end needed"),
        ("\t5\t6", "chromosome, start and end needed"),
        ("chr1\t9\t5", "9 to 5 found"),
        ("chr1\t5\t5", "5 to 5 found"),
        ("chr1\t-1\t5", "start: a whole number from 0 needed, '-1' found"),
        ("chr1\t1\t5.0", "end: a whole number"),
        ("chr1\t1\t1e3", "end: a whole number"),
        ("chr1\t1\t\u0663", "end: a whole number"),
        ("chr1\t1\t5\tx\t0\tplus", "strand +, - or ."),
        ("##fileformat=VCF\nchr1\t1\tid\tA\tG", "end: a whole number"),
    ],
)
def test_a_bad_region_is_refused_with_its_line(write: Write, line: str, found: str) -> None:
    path = write("a.bed", f"# about\nchr1\t0\t9\n{line}\n")
    with refused(f"{path}:{3 + line.count(chr(10))}: ", found, kind=FormatError):
        read_bed(path)


def test_a_file_without_regions_is_refused(write: Write) -> None:
    with refused("regions needed, none found", kind=FormatError):
        read_bed(write("a.bed", "# nothing\ntrack x\n"))


@pytest.mark.parametrize("name", MESSY or ["absent"])
def test_every_messy_bed_file_is_read_in_full_or_refused(name: str, public: Path) -> None:
    path = public / "messy" / name
    if name == "pyfaidx/malformed.bed":
        with refused(f"{path}:1: ", kind=FormatError):
            read_bed(path)
        return
    lines = [line.split() for line in path.read_text().splitlines() if line[:1] not in "#"]
    regions = read_bed(path)
    assert [(r[0], int(r[1]), int(r[2])) for r in lines] == list(
        zip(regions.chromosomes, regions.starts, regions.ends, strict=True)
    )
