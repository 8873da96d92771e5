"""BED regions as samples: windows, strands, labels and chromosomes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from Bio.Seq import Seq

from bionn.data.reading import read_samples
from bionn.data.samples import DataOptions, Samples
from bionn.errors import FormatError, InputError
from tests.support.refusals import refused

Write = Callable[[str, str | bytes], Path]
SEQUENCE = {
    name: "".join(np.random.default_rng(seed).choice(list("ACGTRN"), 200))
    for seed, name in enumerate(("chr1", "chr2"))
}
BED = (
    "chr1\t10\t30\tone\t1\t+\nchr2\t50\t71\ttwo\t2\t-\n"
    "chr1\t100\t120\tone\t3\t.\nchr2\t100\t140\ttwo\t4\t-\n"
)


@pytest.fixture
def genome(write: Write) -> Path:
    return write("genome.fa", "".join(f">{name}\n{s}\n" for name, s in SEQUENCE.items()))


def read(inputs: Path | list[Path], genome: Path | None, **options: Any) -> Samples:
    return read_samples(inputs, DataOptions(genome=genome, **options))


def test_regions_are_cut_from_the_genome_on_their_strand(write: Write, genome: Path) -> None:
    samples = read(write("a.bed", BED), genome, target="name")
    one, two = SEQUENCE.values()
    assert list(samples.sequences) == [
        one[10:30],
        str(Seq(two[50:71]).reverse_complement()),
        one[100:120],
        str(Seq(two[100:140]).reverse_complement()),
    ]
    assert samples.ids == ["chr1:10-30", "chr2:50-71(-)", "chr1:100-120", "chr2:100-140(-)"]
    assert samples.column("chromosome") == ["chr1", "chr2"] * 2
    assert samples.targets["name"].tolist() == ["one", "two"] * 2
    assert samples.where(3).endswith("a.bed:4")


@pytest.mark.parametrize("window", [1, 8, 13])
def test_a_window_is_centred_on_the_region(write: Write, genome: Path, window: int) -> None:
    samples = read(write("a.bed", BED), genome, target="score", window=window)
    assert set(map(len, samples.sequences)) == {window}
    start = 20 - window // 2
    assert samples.sequences[0] == SEQUENCE["chr1"][start : start + window]
    start = 60 - window // 2
    reverse = SEQUENCE["chr2"][start : start + window]
    assert samples.sequences[1] == str(Seq(reverse).reverse_complement())
    assert samples.targets["score"].tolist() == ["1", "2", "3", "4"]


def test_bed_files_are_a_class_each_and_names_may_be_ids(write: Write, genome: Path) -> None:
    peaks, others = write("peaks.bed", BED), write("others.bed", "chr1\t0\t9\tx\nchr1\t3\t9\ty\n")
    samples = read([peaks, others], genome, window=6)
    assert samples.targets["class"].tolist() == ["peaks"] * 4 + ["others"] * 2
    sheet = write("places.csv", "region,y\nchr1:0-9,1\nchr1:3-9,2\n")
    assert read(others, genome, labels=sheet).targets["y"].tolist() == ["1", "2"]
    sheet = write("names.csv", "name,y\ny,1\nx,2\n")
    samples = read(others, genome, labels=sheet, id_column="name")
    assert samples.ids == ["x", "y"]
    assert samples.targets["y"].tolist() == ["2", "1"]


@pytest.mark.parametrize(("alphabet", "unknown"), [("dna", "N"), ("custom:ACGTRN", "X")])
def test_a_window_past_a_chromosomes_end_is_filled_up_counted_and_told(
    write: Write, genome: Path, alphabet: str, unknown: str
) -> None:
    lines = "chr1\t0\t4\tx\t.\t+\nchr1\t190\t200\ty\t.\t-\nchr2\t90\t100\tx\nchr2\t0\t9\ty\t.\t-\n"
    path = write("ends.bed", lines)
    samples = read(path, genome, target="name", window=21, alphabet=alphabet)
    wide = {name: unknown * 50 + sequence + unknown * 50 for name, sequence in SEQUENCE.items()}
    expected = []
    for name, middle, reverse in (
        ("chr1", 2, 0),
        ("chr1", 195, 1),
        ("chr2", 95, 0),
        ("chr2", 4, 1),
    ):
        window = wide[name][50 + middle - 10 : 50 + middle + 11]
        expected.append(str(Seq(window).reverse_complement()) if reverse else window)
    assert list(samples.sequences) == expected
    assert (
        f"{path}: 3 windows reach beyond the end of a chromosome and are filled up with {unknown} "
        f"there; the first is of {path}:1"
    ) in samples.notes
    inside = read(write("in.bed", "chr2\t90\t100\tx\n"), genome, target="name", window=21)
    assert not any("beyond" in note for note in inside.notes)


@pytest.mark.parametrize(
    ("line", "options", "found"),
    [
        ("chr1\t150\t201", {}, "up to its end 200 needed, 150 to 201 found"),
        ("chr3\t1\t2", {}, "no sequence 'chr3'"),
        ("chr1\t150\t201", {"window": 10}, "up to its end 200 needed, 150 to 201 found"),
        ("chr1\t3\t5\t", {"id_column": "name"}, "a name needed in column 4"),
    ],
)
def test_what_is_not_on_the_genome_is_refused_with_its_line(
    write: Write, genome: Path, line: str, options: dict[str, Any], found: str
) -> None:
    path = write("a.bed", f"chr1\t50\t60\tone\n{line}\n")
    with refused(f"{path}:2: ", found, kind=FormatError):
        read([path, path], genome, **options)


def test_options_that_do_not_fit_are_refused(write: Write, genome: Path) -> None:
    bed = write("a.bed", BED)
    with refused("window", "at least 1", kind=InputError):
        read(bed, genome, target="name", window=0)
    with refused("window: for BED regions", kind=InputError):
        read(write("a.fa", ">a\nAC\n"), None, window=5)
    with refused("BED regions of the genome needed", kind=InputError):
        read(write("b.fa", ">a\nAC\n"), genome)
    with refused(f"{bed}: BED regions need the genome", kind=InputError):
        read(bed, None)


def test_headers_that_tell_places_give_chromosomes(write: Write) -> None:
    first = write("a.fa", ">chr1:1-5 x\nACGTA\n>chr2:3-8(-)\nACGTA\n")
    second = write("b.fa", ">chr1:7-9\nACG\n")
    samples = read([first, second], None)
    assert samples.column("chromosome") == ["chr1", "chr2", "chr1"]
    assert read([first, write("c.fa", ">gene\nACG\n")], None).column("chromosome") == [
        "chr1",
        "chr2",
        "",
    ]


# --- labels in headers


def test_named_groups_in_headers_are_columns(write: Write) -> None:
    text = "".join(f">s{n} label={label} fold:{n % 3}\nACGT\n" for n, label in enumerate("abba"))
    pattern = r"label=(?P<label>\S+) fold:(?P<fold>\d)"
    samples = read(write("a.fa", text), None, label_pattern=pattern)
    assert samples.ids == ["s0", "s1", "s2", "s3"]
    assert samples.targets["label"].tolist() == list("abba")
    folds = read(
        write("a.fa", text), None, label_pattern=pattern, target="label", fold_column="fold"
    )
    assert folds.column("fold") == ["0", "1", "2", "0"]


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        ("label=(", ["regular expression needed"]),
        (r"label=(\S+)", ["a named group needed"]),
        (r"class=(?P<label>\S+)", ["a.fa:3: ", "'s1 label=b' found"]),
    ],
)
def test_a_pattern_that_does_not_fit_is_refused(
    write: Write, pattern: str, parts: list[str]
) -> None:
    path = write("a.fa", ">s0 class=a\nAC\n>s1 label=b\nAC\n")
    with refused("label-pattern", *parts):
        read(path, None, label_pattern=pattern)
