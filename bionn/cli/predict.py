"""``bionn predict``: a model directory and new samples in, a TSV out, whole or not at all."""

from __future__ import annotations

from argparse import BooleanOptionalAction
from collections.abc import Sequence

from bionn.cli.parser import Parser, noted, words


def make_parser() -> Parser:
    """The parser of ``bionn predict``."""
    parser = Parser(prog="bionn predict", description="Predictions of a trained model.")
    parser.add_argument("model", metavar="MODEL", help="a run's folder, or the model folder in it")
    parser.add_argument("input", metavar="INPUT", help="a FASTA file or a table")
    parser.add_argument("--out", required=True, metavar="FILE.tsv", help="where predictions go")
    parser.add_argument("--columns", type=words, metavar="A,B", help="names for a headerless table")
    parser.add_argument("--id-column", metavar="COL", help="column of ids")
    parser.add_argument(
        "--id", dest="id_rule", choices=("first", "full"), help="part of a FASTA header"
    )
    parser.add_argument("--sequence-column", metavar="COL", help="column of sequences")
    parser.add_argument(
        "--both-strands",
        action=BooleanOptionalAction,
        default=None,
        help="average over a sequence and its reverse complement (default: as in training)",
    )
    parser.add_argument(
        "--missing-features",
        choices=("error", "impute"),
        default="error",
        help="what to do about features that INPUT has no column for",
    )
    parser.add_argument("--device", default="cpu", help="auto, cpu, gpu, ...")
    parser.add_argument("--overwrite", action="store_true", help="replace FILE.tsv if it is there")
    return parser


def predict(arguments: Sequence[str]) -> int:
    """Parse, load, check the input, predict block by block."""
    given = make_parser().parse(arguments)

    from pathlib import Path

    from rich.console import Console
    from rich.progress import track

    from bionn.data.unlabelled import Columns
    from bionn.errors import InputError
    from bionn.formats.output import replacing
    from bionn.predict import load

    if Path(given.out).is_dir():
        raise InputError(f"{given.out}: a file name needed, this is a folder; name a file in it")
    if Path(given.out).exists() and not given.overwrite:
        raise InputError(f"{given.out}: already there; choose another file, or pass --overwrite")
    predictor = load(given.model, device=given.device, both_strands=given.both_strands)
    console = Console(stderr=True)
    columns = Columns(
        given.id_column,
        given.id_rule,
        given.sequence_column,
        given.columns,
        given.missing_features,
    )
    with noted():
        total, blocks = predictor.blocks(given.input, columns=columns)
    rows = 0
    with replacing(given.out) as file:
        for block in track(blocks, "predicting", total=total, console=console, disable=total < 2):
            block.to_csv(
                file,
                sep="\t",
                index=False,
                header=rows == 0,
                float_format="%.6g",
                lineterminator="\n",
            )
            rows += len(block)
    print(f"{rows} predictions: {given.out}")
    return 0
