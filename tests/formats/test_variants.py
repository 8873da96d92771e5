"""VCF: every row comes back with its line, or the line of what is wrong; what is written is read."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bionn.errors import FormatError
from bionn.formats.variants import InfoField, VariantFile, writing_variants
from tests.support.refusals import refused

Write = Callable[[str, str | bytes], Path]
HEAD = "##fileformat=VCFv4.3\n##contig=<ID=chr1,length=1000>\n"
NAMES = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
ROW = "chr1\t5\trs1\tA\tC,<DEL>\t.\tPASS\tDP=3"
ALLELE = st.text("ACGTN", min_size=1, max_size=6) | st.sampled_from(
    ["<DEL>", "*", "G]chr2:3]", "<*>"]
)
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["chr1", "2", "HLA-A*01:01"]),
        st.integers(0, 10**9),
        st.text("ACGTN", min_size=1, max_size=4),
        st.lists(ALLELE, max_size=3),
        st.sampled_from([".", "DP=3;DB", "X=a b"]),
    )
)


@given(ROWS, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.integers(0, 3))
def test_rows_come_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list, end: str, packed: bool, samples: int
) -> None:
    names = NAMES + "".join(f"\t{name}" for name in (["FORMAT"] + ["s"] * samples) if samples)
    extra = ["x"] * (samples + 1) if samples else []
    lines = [
        "\t".join([c, str(p), "id", r, ",".join(a) or ".", ".", "PASS", info, *extra])
        for c, p, r, a, info in rows
    ]
    text = end.join([*HEAD.splitlines(), names, *lines, ""]).encode()
    path = tmp_path_factory.getbasetemp() / ("a.vcf.gz" if packed else "a.vcf")
    path.write_bytes(gzip.compress(text, 1) if packed else text)
    source = VariantFile(path)
    assert source.header == HEAD.splitlines()
    found = list(source)
    assert [(v.chromosome, v.position, v.ref, list(v.alts)) for v in found] == [r[:4] for r in rows]
    assert ["\t".join(v.cells) for v in found] == lines
    assert [source.where(v) for v in found] == [f"{path}:{4 + n}" for n in range(len(rows))]


@pytest.mark.parametrize(
    ("content", "line", "found"),
    [
        ("chr1\t5\t9\n", 1, "begins with ##fileformat=VCF, 'chr1"),
        (HEAD, 2, "the file ends before"),
        (HEAD + ROW, 3, "the column names"),
        (HEAD + NAMES.replace("\t", " "), 3, "the column names"),
        (
            HEAD + NAMES + "\n" + "chr1\t5\tx\tA\tC",
            4,
            "8 cells, separated by tabs, needed, 5 found",
        ),
        (HEAD + NAMES + "\n" + ROW + "\tx", 4, "9 found"),
        (HEAD + NAMES + "\n" + ROW + "\n" + NAMES, 5, "a header line found"),
        (HEAD + NAMES + "\n" + ROW.replace("\t5\t", "\t5.0\t"), 4, "POS: a whole number"),
        (HEAD + NAMES + "\n" + ROW.replace("\t5\t", "\t-1\t"), 4, "POS: a whole number"),
        (HEAD + NAMES + "\n" + ROW.replace("C,<DEL>", "C,"), 4, "ALT: an entry needed"),
        (HEAD + NAMES + "\n" + ROW.replace("\tA\t", "\t\t"), 4, "REF: an entry needed"),
    ],
)
def test_what_is_no_vcf_is_refused_with_its_line(
    write: Write, content: str, line: int, found: str
) -> None:
    path = write("a.vcf", content)
    with refused(f"{path}:{line}: ", found, kind=FormatError):
        list(VariantFile(path))


def test_rows_before_a_fault_have_come(write: Write) -> None:
    path = write("a.vcf", f"{HEAD}{NAMES}\n{ROW}\nbad\n")
    rows = iter(VariantFile(path))
    assert next(rows).id == "rs1"
    with pytest.raises(FormatError):
        next(rows)


FIELDS = [
    InfoField("BIONN_STATUS", ".", "String", "scored or not"),
    InfoField("BIONN_EFFECT", "A", "Float", 'of "this"'),
]


@pytest.mark.parametrize("name", ["out.vcf", "out.vcf.gz"])
def test_what_is_written_is_read_by_htslib(write: Write, tmp_path: Path, name: str) -> None:
    rows = [ROW, ROW.replace("DP=3", "."), ROW.replace("DP=3", "BIONN_EFFECT=9,9;DB")]
    head = HEAD + "".join(f'##INFO=<ID={i},Number=0,Type=Flag,Description="x">\n' for i in ("DB",))
    head += '##INFO=<ID=DP,Number=1,Type=Integer,Description="x">\n'
    path = write("a.vcf", head + NAMES + "\n" + "\n".join(rows) + "\n")
    for _ in range(2):  # annotated again, nothing stands twice
        source = VariantFile(path)
        with writing_variants(tmp_path / name, source, FIELDS) as write_row:
            for number, variant in enumerate(source):
                values = {
                    "BIONN_STATUS": ["scored", "symbolic"],
                    "BIONN_EFFECT": [f"{number}.5", "."],
                }
                write_row(variant, values)
        path = (tmp_path / name).rename(tmp_path / f"again.{name}")
    with pysam.VariantFile(str(path)) as read:
        found = list(read)
        assert read.header.info["BIONN_EFFECT"].number == "A"
    assert [record.info["BIONN_EFFECT"] for record in found] == [(n + 0.5, None) for n in range(3)]
    assert all(record.info["BIONN_STATUS"] == ("scored", "symbolic") for record in found)
    assert [sorted(record.info)[-1:] for record in found] == [["DP"], ["BIONN_STATUS"], ["DB"]]
    assert [record.alts for record in found] == [("C", "<DEL>")] * 3
    if name.endswith(".gz"):
        assert pysam.tabix_index(str(path), preset="vcf", force=True)


@pytest.mark.parametrize(
    "name",
    [
        "galaxy/vcf_to_maf_in.vcf.gz",
        "galaxy/vcf2pgSnp_input.vcf",
        "galaxy/vcf_to_maf_in.vcf",
        "bedtools2/headerOnly.vcf",
        "bedtools2/testA.vcf",
        "bedtools2/bug44_a.vcf.gz",
    ],
)
def test_every_messy_vcf_file_is_read_in_full(name: str, public: Path) -> None:
    path = public / "messy" / name
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    lines = [line for line in raw.decode().splitlines() if line[:1] != "#" and line.strip()]
    assert ["\t".join(variant.cells) for variant in VariantFile(path)] == lines
