"""``bionn audit``: what is in the data and what is wrong with it, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence

from bionn.cli.data_options import add_data_options
from bionn.cli.parser import Parser


def make_parser() -> Parser:
    """The parser of ``bionn audit``: the data options of ``bionn run``, and where to write."""
    parser = Parser(
        prog="bionn audit",
        description="Count what is in the data, make the split that run would make, and say what is "
        "wrong and what to do about it. Trains nothing. A FASTA file without labels is counted alone.",
        epilog="Exit code 0, also with warnings; 1 with --strict if there are any; 2 for input that "
        "cannot be read.",
    )
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="FASTA files or a table")
    add_data_options(parser)
    parser.add_argument("--seed", type=int, metavar="S", help="of the split")
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="print JSON instead of a table")
    output.add_argument("--out", metavar="FILE", help="write the JSON to a file as well")
    output.add_argument("--strict", action="store_true", help="exit with 1 if there are warnings")
    return parser


def audit(arguments: Sequence[str]) -> int:
    """Read, split, count, print."""
    given = {name: v for name, v in vars(make_parser().parse(arguments)).items() if v is not None}
    inputs, out = given.pop("inputs"), given.pop("out", None)
    as_json, strict = given.pop("json"), given.pop("strict")

    from bionn.data.audit import audit as audit_samples
    from bionn.data.reading import read_samples
    from bionn.data.samples import DataOptions
    from bionn.data.splits import make_splits
    from bionn.data.targets import find_targets
    from bionn.data.together import distinct_inputs
    from bionn.data.unlabelled_audit import audit_unlabelled, is_unlabelled
    from bionn.formats.output import json_text, write_json
    from bionn.report.audit import print_audit
    from bionn.report.terminal import terminal

    options = DataOptions(**given)
    if is_unlabelled(inputs, options):
        found = audit_unlabelled(inputs[0], options)
    else:
        samples, targets = find_targets(read_samples(inputs, options), options)
        distinct = distinct_inputs(samples, options)
        splits = make_splits(samples, targets, options, distinct=distinct)
        found = audit_samples(samples, targets, splits, options, distinct=distinct)
    if out is not None:
        write_json(found, out)
    if as_json:
        print(json_text(found))
    else:
        console = terminal()
        for note in found["notes"]:
            console.print(note, markup=False)
        print_audit(console, found)
        if out is not None:
            console.print(f"file: {out}", markup=False)
    return 1 if strict and found["warnings"] else 0
