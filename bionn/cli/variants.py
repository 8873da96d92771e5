"""``bionn variants``: a model, a genome and a VCF file in; the effect of every allele out."""

from __future__ import annotations

import re
from argparse import BooleanOptionalAction
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bionn.cli.parser import Parser, noted
from bionn.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from bionn.explain.variants import Allele
    from bionn.formats.variants import VariantFile

Write = Callable[["list[Allele]", "pd.DataFrame"], None]


def make_parser() -> Parser:
    """The parser of ``bionn variants``."""
    parser = Parser(
        prog="bionn variants",
        description="The effect of variants on a model's predictions: the difference of log-odds for "
        "classes, of values for numbers.",
    )
    parser.add_argument("model", metavar="MODEL", help="a run's folder, or the model folder in it")
    parser.add_argument("genome", metavar="REF.fa", help="reference FASTA, plain or bgzip")
    parser.add_argument("variants", metavar="VARS.vcf", help="VCF, plain, gzip or bgzip")
    parser.add_argument(
        "--out",
        required=True,
        metavar="FILE",
        help=".tsv: a row an allele; .vcf or .vcf.gz: VARS.vcf with the effects in INFO",
    )
    parser.add_argument(
        "--both-strands",
        action=BooleanOptionalAction,
        default=True,
        help="average over both strands (default), or take the genome's forward strand alone",
    )
    parser.add_argument("--device", default="cpu", help="auto, cpu, gpu, ...")
    parser.add_argument("--overwrite", action="store_true", help="replace FILE if it is there")
    return parser


def variants(arguments: Sequence[str]) -> int:
    """Parse, load, score block by block."""
    given = make_parser().parse(arguments)

    from bionn.explain.variants import REASONS, SCORED, effect_columns, variant_effects
    from bionn.formats.genome import Genome
    from bionn.formats.variants import VariantFile
    from bionn.loading import load

    out = Path(given.out)
    if out.is_dir():
        raise InputError(f"{out}: a file name needed, this is a folder; name a file in it")
    if not re.search(r"\.(tsv|vcf|vcf\.b?gz)$", out.name):
        raise InputError(f"{out}: a name that ends in .tsv, .vcf or .vcf.gz needed; choose one")
    if out.exists() and not given.overwrite:
        raise InputError(f"{out}: already there; choose another file, or pass --overwrite")
    predictor = load(given.model, device=given.device, both_strands=given.both_strands)
    genome, source = Genome(given.genome), VariantFile(given.variants)
    writing = _table if out.suffix == ".tsv" else _annotated
    counts: Counter[str] = Counter()
    rows = 0
    with noted(), writing(out, source, effect_columns(predictor)) as write:
        for alleles, effects in variant_effects(predictor, genome, source):
            write(alleles, effects)
            counts.update(allele.status for allele in alleles)
            rows += len({allele.variant.line for allele in alleles})
    total = sum(counts.values())
    print(f"{rows} rows, {total} alleles, {counts[SCORED]} scored: {out}")
    for status, number in counts.most_common():
        if status != SCORED:
            print(f"  not scored: {number} {status}: {REASONS[status]}")
    if counts["reference_mismatch"] > 0.1 * total:
        print(f"  is {given.genome} the genome that {given.variants} was called on?")
    return 0


@contextmanager
def _table(out: Path, source: VariantFile, columns: Sequence[str]) -> Iterator[Write]:
    """A TSV file of a row an allele."""
    import pandas as pd

    from bionn.formats.output import replacing
    from bionn.formats.rows import header_text, rows_text

    del source
    first = ["chromosome", "position", "id", "ref", "alt", "status", "note"]
    with replacing(out) as file:
        file.write(header_text([*first, *columns]))

        def write(alleles: list[Allele], effects: pd.DataFrame) -> None:
            cells = [
                (
                    v.chromosome,
                    v.position,
                    v.id,
                    v.ref,
                    allele.alternative,
                    allele.status,
                    allele.note,
                )
                for allele in alleles
                for v in [allele.variant]
            ]
            named = pd.DataFrame(cells, columns=pd.Index(first))
            file.write(rows_text(pd.concat([named, effects], axis=1)))

        yield write


@contextmanager
def _annotated(out: Path, source: VariantFile, columns: Sequence[str]) -> Iterator[Write]:
    """The VCF file again, with the effects in INFO."""
    from bionn.formats.variants import InfoField, writing_variants

    told = {
        "effect": "change of the log-odds (natural logarithm) or of the value by the allele",
        "spread": "standard deviation of the effect over the networks of the ensemble",
    }
    shown = [name for name in columns if name.partition("_")[0] in told]
    single = len(shown) == len({name.partition("_")[0] for name in shown})
    ids = {}
    for name in shown:
        kind, _, output = name.partition("_")
        suffix = "" if single else "_" + re.sub(r"\W", "_", output)
        ids[name] = f"BIONN_{kind.upper()}{suffix}"
    fields = [
        InfoField("BIONN_STATUS", ".", "String", "whether each allele was scored, or why not"),
        *(
            InfoField(
                ids[name],
                "A",
                "Float",
                f"bionn, {name.partition('_')[2]}: {told[name.split('_')[0]]}",
            )
            for name in shown
        ),
    ]
    with writing_variants(out, source, fields) as write_row:

        def write(alleles: list[Allele], effects: pd.DataFrame) -> None:
            cells = {name: effects[name].tolist() for name in shown}
            first = 0
            while first < len(alleles):
                variant = alleles[first].variant
                last = first + max(len(variant.alts), 1)
                values = {"BIONN_STATUS": [allele.status for allele in alleles[first:last]]}
                if variant.alts:
                    for name in shown:
                        own = cells[name][first:last]
                        values[ids[name]] = [f"{x:.6g}" if x == x else "." for x in own]
                write_row(variant, values)
                first = last

        yield write
