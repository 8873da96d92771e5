"""``bionn run``: the options of :func:`bionn.pipeline.run` as a command."""

from __future__ import annotations

from argparse import BooleanOptionalAction
from collections.abc import Sequence

from bionn.cli.parser import Parser, batch_size, integers, read_config, shares, words


def make_parser() -> Parser:
    """The parser of ``bionn run``; only what is given ends up in the namespace."""
    parser = Parser(
        prog="bionn run",
        description="Train and test a network on files, choosing by itself what is not said.",
        epilog="INPUT: one FASTA file with --labels; FASTA files of a class each (of two, the first "
        "is the positive class); or a table with a column of sequences or with numeric features.",
        argument_default=None,
    )
    parser.add_argument("inputs", nargs="*", metavar="INPUT", help="FASTA files or a table")
    parser.add_argument("--config", metavar="FILE", help="YAML of options, as config.yaml of a run")
    data = parser.add_argument_group("data")
    data.add_argument("--labels", metavar="TABLE", help="table with a row an id")
    data.add_argument("--target", nargs="+", metavar="COL", help="column(s) to predict")
    data.add_argument("--id-column", metavar="COL", help="column of ids")
    data.add_argument(
        "--id", dest="id_rule", choices=("first", "full"), help="part of a FASTA header"
    )
    data.add_argument("--sequence-column", metavar="COL", help="column of sequences")
    data.add_argument("--features", nargs="+", metavar="COL", help="feature columns")
    data.add_argument("--columns", type=words, metavar="A,B", help="names for a headerless table")
    data.add_argument("--classes", type=words, metavar="A,B", help="keep only these classes")
    data.add_argument("--task", help="auto, binary, multiclass or regression")
    data.add_argument("--val", metavar="FILE", help="validation samples")
    data.add_argument("--test", metavar="FILE", help="test samples")
    data.add_argument("--split", help="random, stratified or group")
    data.add_argument("--split-column", metavar="COL", help="column of train / val / test")
    data.add_argument("--fold-column", metavar="COL", help="column of folds 0..K-1, or drop")
    data.add_argument("--folds", type=int, metavar="K", help="cross-validate with K folds")
    data.add_argument("--group-column", metavar="COL", help="rows of one group stay together")
    data.add_argument("--group-pattern", metavar="REGEX", help="group: first group of it in the id")
    data.add_argument("--fractions", type=shares, metavar=".8,.1,.1", help="train, val, test")
    data.add_argument("--length", type=int, metavar="L", help="cut or pad sequences to L")
    data.add_argument("--align", help="left, center or right, for sequences of unequal length")
    data.add_argument("--alphabet", help="dna, rna, protein or custom:LETTERS")
    data.add_argument("--unknown", help="N and X: zero, uniform or error")
    data.add_argument("--iupac", help="R, Y, ...: expand, unknown or error")
    data.add_argument(
        "--encoding",
        metavar="E",
        help="onehot, kmer:K, kmer:K-K or onehot+kmer:K; after K: ,canonical ,frequency",
    )
    data.add_argument(
        "--both-strands",
        action=BooleanOptionalAction,
        default=None,
        help="average predictions over a sequence and its reverse complement",
    )
    data.add_argument(
        "--allow-missing", action="store_true", default=None, help="leave out what has no partner"
    )
    training = parser.add_argument_group("network and training")
    training.add_argument("--hidden", type=integers, metavar="512,128", help="hidden widths")
    training.add_argument("--activation", help="relu, tanh, sigmoid, gelu, ...")
    training.add_argument("--dropout", type=float, metavar="P", help="share of units dropped")
    training.add_argument(
        "--input-dropout", type=float, metavar="P", help="share of inputs dropped"
    )
    training.add_argument("--init", help="kaiming_uniform, xavier_normal, lecun_uniform, ...")
    training.add_argument("--learning-rate", type=float, metavar="R", help="peak learning rate")
    training.add_argument("--weight-decay", type=float, metavar="W", help="of AdamW")
    training.add_argument("--batch-size", type=batch_size, metavar="N|full", help="rows a step")
    training.add_argument("--gradient-clip", type=float, metavar="C", help="longest gradient")
    training.add_argument("--max-epochs", type=int, metavar="N", help="the most epochs")
    training.add_argument(
        "--patience", type=int, metavar="N", help="epochs without a better val loss"
    )
    training.add_argument(
        "--refit",
        action=BooleanOptionalAction,
        default=None,
        help="train once more on train and val rows for the chosen epochs (default: small data)",
    )
    training.add_argument("--min-gradient-norm", type=float, metavar="G", help="stop below it")
    training.add_argument("--min-loss-change", type=float, metavar="D", help="stop below it")
    training.add_argument("--device", help="auto, cpu, gpu")
    training.add_argument("--precision", help="32-true, bf16-mixed, ...")
    training.add_argument("--seed", type=int, metavar="S", help="of split, weights and order")
    output = parser.add_argument_group("output")
    output.add_argument("--out", metavar="DIR", help="the run's folder (default: runs/NAME)")
    output.add_argument(
        "--overwrite", action="store_true", default=None, help="replace the run that is there"
    )
    output.add_argument(
        "--no-baselines",
        dest="baselines",
        action="store_false",
        default=None,
        help="score no baselines",
    )
    return parser


def run(arguments: Sequence[str]) -> int:
    """Parse, merge with ``--config``, run."""
    parser = make_parser()
    given = {
        name: value for name, value in vars(parser.parse(arguments)).items() if value is not None
    }
    config = given.pop("config", None)
    options = {}
    if config is not None:
        options = read_config(
            config, [action for action in parser._actions if action.dest not in ("config", "help")]
        )
    if not given["inputs"] and "inputs" in options:
        del given["inputs"]
    options |= given

    from bionn.pipeline import run as run_pipeline

    run_pipeline(options.pop("inputs"), **options)
    return 0
