"""Effects of variants beside sequences built otherwise: whole chromosomes, spliced and cut by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pysam
import pytest
import torch
from Bio.Seq import reverse_complement
from scipy.special import logit

from bionn import artifact
from bionn.cli.main import main
from bionn.explain.variants import REASONS, Windows, trimmed, variant_effects
from bionn.formats.genome import Genome
from bionn.formats.variants import Variant, VariantFile
from bionn.loading import with_both_strands
from bionn.models import MLP
from bionn.models.ensemble import Ensemble
from bionn.models.layers import set_code_table
from bionn.predict import Predictor
from tests.small_sets import prepared, sequences
from tests.support.refusals import refused

Write = Callable[[str, str | bytes], Path]
RNG = np.random.default_rng(0)
SIZES = {"chr1": 90, "chr2": 9}
CHROMOSOMES = {name: "".join(RNG.choice(list("ACGTacgt"), size)) for name, size in SIZES.items()}
L = 12
OUT = {"binary": 1, "multiclass": 3, "number": 1}


def other(base: str) -> str:
    return "ACGT"["CGTA".index(base.upper())]


def predictor_of(kind: str, seed: int = 0, **options: Any) -> Predictor:
    if kind == "number":
        from bionn.data.modules import load_prepared
        from bionn.data.samples import DataOptions

        frame = sequences()[["id", "sequence"]].assign(y=np.linspace(3, 9, 90))
        data = load_prepared(frame, DataOptions(target="y", **options))
    else:
        data = prepared(kind, **options)
    generator = torch.Generator().manual_seed(seed)
    model = MLP(data.encoder.input_shape, (16, 8), OUT[kind], generator=generator)
    if data.code_table is not None:
        set_code_table(model, data.code_table)
    return Predictor(model, data.manifest())


@pytest.fixture
def genome(write: Write) -> Genome:
    return Genome(write("g.fa", "".join(f">{n}\n{s}\n" for n, s in CHROMOSOMES.items())))


def variants(write: Write, rows: list[tuple[str, int, str, str]]) -> VariantFile:
    head = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    lines = [f"{c}\t{p}\tv{n}\t{r}\t{a}\t.\t.\t." for n, (c, p, r, a) in enumerate(rows)]
    return VariantFile(write("v.vcf", head + "\n".join(lines) + "\n"))


def rows_of_every_kind() -> list[tuple[str, int, str, str]]:
    """Substitutions, insertions and deletions along both chromosomes, at their ends as well."""
    rows = []
    for name, sequence in CHROMOSOMES.items():
        for at in range(len(sequence)):
            base, rest = sequence[at], sequence[at : at + 4]
            rows += [
                (name, at + 1, base, f"{other(base)},{base}TATAAT"),
                (name, at + 1, rest, base if len(rest) > 1 else other(base)),
                (name, at + 1, rest, f"GGCC{rest[-1]},{'ACGT' * 5}"),
            ]
    return rows


def in_common(one: str, two: str) -> int:
    """How many letters both begin with."""
    pairs = zip(one + "<", two + ">", strict=False)
    return next(number for number, (a, b) in enumerate(pairs) if a != b)


def spliced(variant: Variant, alt: str) -> tuple[str, str]:
    """Both windows, from the whole chromosome with and without the variant, N around it."""
    sequence = CHROMOSOMES[variant.chromosome].upper()
    ref, alt, at = variant.ref.upper(), alt.upper(), variant.position - 1
    assert sequence[at : at + len(ref)] == ref
    changed = sequence[:at] + alt + sequence[at + len(ref) :]
    shared_end = in_common(ref[::-1], alt[::-1])
    ref, alt = ref[: len(ref) - shared_end], alt[: len(alt) - shared_end]
    first = 50 + at + in_common(ref, alt) - L // 2
    padded = ("N" * 50 + text + "N" * 50 for text in (sequence, changed))
    before, after = (text[first : first + L] for text in padded)
    return before, after


@pytest.mark.parametrize("both_strands", [True, False])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "number"])
def test_effects_are_those_of_sequences_spliced_by_hand(
    write: Write, genome: Genome, kind: str, both_strands: bool
) -> None:
    predictor = predictor_of(kind)
    oriented = Predictor(predictor.model, with_both_strands(predictor.manifest, False))
    averaged = Predictor(predictor.model, with_both_strands(predictor.manifest, both_strands))
    source = variants(write, rows_of_every_kind())
    blocks = list(variant_effects(averaged, genome, source, block=50))
    alleles = [allele for block, _ in blocks for allele in block]
    found = pd.concat([frame for _, frame in blocks], ignore_index=True)
    assert [a.variant.line for a in alleles] == sorted(a.variant.line for a in alleles)
    scored = [row for row, allele in enumerate(alleles) if allele.status == "scored"]
    assert len(scored) > 0.95 * len(alleles)

    windows = np.array([spliced(alleles[row].variant, alleles[row].alternative) for row in scored])

    def outputs(texts: list[str]) -> np.ndarray:
        """Probabilities or values, of the mean of the strands' logits."""
        strands = [texts, [reverse_complement(text) for text in texts]][: 1 + both_strands]
        logits = [oriented.logits(torch.from_numpy(oriented.encoder.encode(s))) for s in strands]
        values = oriented.outputs_of(torch.stack(logits).mean(0))
        return values.reshape(len(texts), -1)

    before, after = outputs(windows[:, 0].tolist()), outputs(windows[:, 1].tolist())
    names = {"binary": ["yes"], "multiclass": ["EI", "IE", "N"], "number": ["y"]}[kind]
    for column, name in enumerate(names):
        own = found.loc[scored]
        np.testing.assert_allclose(own[f"reference_{name}"], before[:, column], atol=1e-5)
        np.testing.assert_allclose(own[f"alternative_{name}"], after[:, column], atol=1e-5)
        change = after - before if kind == "number" else logit(after) - logit(before)
        np.testing.assert_allclose(own[f"effect_{name}"], change[:, column], atol=1e-5)
    rest = found.drop(index=scored)
    assert rest.isna().all(axis=None)


def test_a_kmer_model_takes_windows_too(write: Write, genome: Genome) -> None:
    predictor = predictor_of("binary", encoding="kmer:2,canonical")
    source = variants(
        write, [("chr1", 40, CHROMOSOMES["chr1"][39], other(CHROMOSOMES["chr1"][39]))]
    )
    ((alleles, frame),) = variant_effects(predictor, genome, source)
    windows = spliced(alleles[0].variant, alleles[0].alternative)
    chances = predictor.predict(list(windows))["prob_yes"].to_numpy()
    expected = np.diff(logit(chances))[0]
    assert frame["effect_yes"][0] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("row", "status", "note"),
    [
        (("chr1", 5, "=", "."), "no_alternative", ""),
        (("chr1", 5, "=", "<DEL>"), "symbolic", ""),
        (("chr1", 5, "=", "*"), "spanning_deletion", ""),
        (("chr1", 5, "=", "=[chr2:4["), "breakend", ""),
        (("chr1", 5, "=", ".A"), "breakend", ""),
        (("chr1", 5, "=", "R"), "not_dna", ""),
        (("chr1", 5, "=", "D4"), "not_dna", ""),
        (("chr1", 5, "R", "A"), "not_dna", "REF R"),
        (("Chr1", 5, "A", "C"), "unknown_chromosome", "did you mean 'chr1'?"),
        (("chr1", 0, "A", "C"), "past_end", "chr1 has 90 bases"),
        (("chr1", 91, "A", "C"), "past_end", ""),
        (("chr2", 9, "=A", "C"), "past_end", "chr2 has 9 bases"),
        (("chr1", 5, "!", "T"), "reference_mismatch", "the genome has"),
        (("chr1", 5, "=", "="), "no_change", ""),
        (("chr2", 5, "=", "!"), "scored", "the window reaches beyond the chromosome"),
        (("chr1", 45, "=", "=" + "A" * 9), "scored", "the allele reaches beyond the window"),
        (("chr1", 45, "=", "!"), "scored", ""),
    ],
)
def test_every_allele_has_its_status(
    write: Write, genome: Genome, row: tuple[str, int, str, str], status: str, note: str
) -> None:
    name, position, ref, alt = row
    base = CHROMOSOMES.get(name, "A" * 99)[position - 1 : position] or "A"
    ref, alt = (text.replace("=", base).replace("!", other(base)) for text in (ref, alt))
    predictor = predictor_of("binary")
    ((alleles, frame),) = variant_effects(
        predictor, genome, variants(write, [(name, position, ref, alt)])
    )
    (allele,) = alleles
    assert allele.status == status
    assert note in allele.note
    assert (note == "") <= (allele.note == "" or status not in ("scored",))
    assert frame.notna().all(axis=None) == (status == "scored")
    assert status == "scored" or status in REASONS


def test_windows_with_symbols_that_the_model_refuses_are_not_scored(write: Write) -> None:
    genome = Genome(write("n.fa", ">c\n" + "ACGT" * 5 + "N" + "ACGT" * 5 + "\n"))
    predictor = predictor_of("binary")
    encoder = predictor.encoder
    forbidding = encoder.to_manifest() | {"kind": "sequence", "unknown": "error"}
    strict = Predictor(predictor.model, predictor.manifest | {"input": forbidding})
    source = variants(write, [("c", 10, "C", "G"), ("c", 18, "C", "G")])
    ((alleles, _),) = variant_effects(strict, genome, source)
    assert [allele.status for allele in alleles] == ["scored", "unreadable_window"]


def test_shared_bases_are_set_aside_however_an_indel_is_written() -> None:
    assert trimmed(4, "A", "C") == (4, "A", "C")
    assert trimmed(4, "CAG", "CAGAG") == trimmed(4, "C", "CAG") == (5, "", "AG")
    assert trimmed(4, "TTACG", "TTTCG") == (6, "A", "T")


def test_the_spread_is_that_of_the_networks_of_an_ensemble(write: Write, genome: Genome) -> None:
    members = [predictor_of("binary", seed=seed) for seed in range(3)]
    model = Ensemble([member.model for member in members], "binary")
    rows = [("chr1", 40, CHROMOSOMES["chr1"][39], other(CHROMOSOMES["chr1"][39]))]

    def found(predictor: Predictor) -> pd.Series:
        ((_, frame),) = variant_effects(predictor, genome, variants(write, rows))
        return frame.iloc[0]

    whole, own = found(Predictor(model, members[0].manifest)), [found(m) for m in members]
    assert whole["spread_yes"] == pytest.approx(np.std([each["effect_yes"] for each in own]))
    for part in ("reference", "alternative"):
        mean = np.mean([each[f"{part}_yes"] for each in own])
        assert whole[f"{part}_yes"] == pytest.approx(mean, rel=1e-5)
    change = logit(whole["alternative_yes"]) - logit(whole["reference_yes"])
    assert whole["effect_yes"] == pytest.approx(change, rel=1e-4)
    assert "spread_yes" not in own[0]


def test_models_of_other_letters_or_of_features_are_refused(genome: Genome) -> None:
    for encoder in (None, predictor_of("binary", alphabet="custom:ACGTNR").encoder):
        with refused("a model of DNA or RNA sequences needed"):
            Windows(genome, encoder)


class TestCommand:
    @pytest.fixture
    def model(self, tmp_path: Path) -> Path:
        predictor = predictor_of("multiclass")
        artifact.save(tmp_path / "model", predictor.model, predictor.manifest)
        return tmp_path / "model"

    def run(self, model: Path, genome: Genome, source: VariantFile, out: Path, *more: str) -> int:
        paths = [str(path) for path in (model, genome.path, source.path)]
        return main(["variants", *paths, "--out", str(out), *more])

    def test_every_row_is_accounted_for_in_order(
        self, model: Path, genome: Genome, write: Write, tmp_path: Path, capsys
    ) -> None:
        base = CHROMOSOMES["chr1"][44].upper()
        rows = [
            ("chr1", 45, base, other(base)),
            ("chr1", 45, other(base), base),
            ("chr9", 1, "A", "C"),
            ("chr1", 45, base, f"<DEL>,{other(base)}"),
        ]
        source = variants(write, rows)
        assert self.run(model, genome, source, tmp_path / "o.tsv") == 0
        told = capsys.readouterr().out
        assert "4 rows, 5 alleles, 2 scored" in told
        for status in ("reference_mismatch", "unknown_chromosome", "symbolic"):
            assert f"not scored: 1 {status}" in told
        assert "is " in told.splitlines()[-1]
        frame = pd.read_csv(tmp_path / "o.tsv", sep="\t", keep_default_na=False)
        assert frame["id"].tolist() == ["v0", "v1", "v2", "v3", "v3"]
        assert (frame["status"] == "scored").tolist() == [True, False, False, False, True]
        assert frame["effect_EI"][0] == frame["effect_EI"][4] != ""
        assert frame["effect_EI"][1] == ""

    @pytest.mark.parametrize("suffix", ["vcf", "vcf.gz"])
    def test_an_annotated_vcf_holds_the_numbers_of_the_table(
        self, model: Path, genome: Genome, write: Write, tmp_path: Path, suffix: str
    ) -> None:
        rows = rows_of_every_kind()[:40]
        out = tmp_path / f"o.{suffix}"
        for path in (tmp_path / "o.tsv", out):
            assert self.run(model, genome, variants(write, rows), path) == 0
        table = pd.read_csv(tmp_path / "o.tsv", sep="\t")
        annotated = list(VariantFile(out))
        assert [v.cells[:7] for v in annotated] == [v.cells[:7] for v in variants(write, rows)]
        names = ["EI", "IE", "N"]
        for name in names:
            info = [dict(e.partition("=")[::2] for e in v.cells[7].split(";")) for v in annotated]
            cells = [value for row in info for value in row[f"BIONN_EFFECT_{name}"].split(",")]
            numbers = [float(value) if value != "." else np.nan for value in cells]
            np.testing.assert_allclose(numbers, table[f"effect_{name}"], rtol=1e-5, equal_nan=True)
        with pysam.VariantFile(str(out)) as read:
            assert {f"BIONN_EFFECT_{name}" for name in names} <= set(read.header.info)

    def test_bad_input_writes_nothing(
        self, model: Path, genome: Genome, write: Write, tmp_path: Path, capsys
    ) -> None:
        source = variants(write, [("chr1", 1, "A", "C")])
        with source.path.open("a") as file:
            file.write("chr1\tx\t.\tA\tC\t.\t.\t.\n")
        assert self.run(model, genome, source, tmp_path / "o.tsv") == 2
        assert f"{source.path}:4: POS" in capsys.readouterr().err
        assert self.run(model, genome, source, tmp_path / "o.txt") == 2
        assert ".vcf.gz needed" in capsys.readouterr().err
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(("o.", ".o"))]
        (tmp_path / "o.tsv").touch()
        assert self.run(model, genome, source, tmp_path / "o.tsv") == 2
        assert "pass --overwrite" in capsys.readouterr().err

    def test_strands_can_be_told(
        self, model: Path, genome: Genome, write: Write, tmp_path: Path
    ) -> None:
        source = variants(write, rows_of_every_kind()[60:80])
        for name, more in (("both", []), ("one", ["--no-both-strands"])):
            self.run(model, genome, source, tmp_path / f"{name}.tsv", *more)
            source = variants(write, rows_of_every_kind()[60:80])
        one, both = (pd.read_csv(tmp_path / f"{n}.tsv", sep="\t") for n in ("one", "both"))
        assert (one["effect_EI"] - both["effect_EI"]).abs().max() > 1e-3
