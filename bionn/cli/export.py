"""``bionn export``: a trained model for other programs, ONNX or torch.export."""

from __future__ import annotations

from argparse import BooleanOptionalAction
from collections.abc import Sequence
from pathlib import Path

from bionn.cli.parser import Parser
from bionn.errors import InputError
from bionn.formats.escape import printable


def make_parser() -> Parser:
    """The parser of ``bionn export``."""
    parser = Parser(
        prog="bionn export",
        description="Write a trained model so that programs without bionn can compute with it. It takes "
        "one-hot sequences (batch, letter, position) or preprocessed features (batch, feature).",
    )
    parser.add_argument("model", metavar="MODEL", help="a run's folder, or the model folder in it")
    parser.add_argument(
        "--format", choices=("onnx", "torch"), default="onnx", help="torch: for torch.export.load"
    )
    parser.add_argument(
        "--output",
        choices=("probabilities", "logits"),
        default="probabilities",
        help="of classes; numbers are in the targets' own units, or as the network has them (logits)",
    )
    parser.add_argument("--both-strands", action=BooleanOptionalAction, default=None)
    parser.add_argument("--out", required=True, metavar="FILE", help=".onnx, or .pt2 for torch")
    parser.add_argument("--overwrite", action="store_true", help="replace FILE if it is there")
    return parser


def export(arguments: Sequence[str]) -> int:
    """Parse, load, write."""
    given = make_parser().parse(arguments)
    out = Path(given.out)
    if out.is_dir():
        raise InputError(f"{out}: a file name needed, this is a folder; name a file in it")
    if out.exists() and not given.overwrite:
        raise InputError(f"{out}: already there; choose another file, or pass --overwrite")

    from bionn.export import export as export_model
    from bionn.loading import load

    predictor = load(given.model, both_strands=given.both_strands)
    told = export_model(predictor, out, format=given.format, output=given.output)
    print(f"input: {told['input']}")
    print(
        printable(
            f"output: {told['output']} (batch, {len(told['columns'])}): {', '.join(told['columns'])}"
        )
    )
    print(printable(f"file: {out}"))
    return 0
