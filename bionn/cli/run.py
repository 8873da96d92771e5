"""``bionn run``: the options of :func:`bionn.pipeline.run` as a command."""

from __future__ import annotations

from argparse import BooleanOptionalAction
from collections.abc import Sequence

from bionn.cli.data_options import add_data_options
from bionn.cli.parser import Parser, batch_size, integers, noted, read_config
from bionn.errors import InputError, did_you_mean

ENGINES = ("local", "ray")


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
    add_data_options(parser)
    add_training_options(parser)
    parser.add_argument_group("tuning").add_argument(
        "--tune",
        type=float,
        metavar="MINUTES",
        help="search better settings on train and val rows first (of what is not given; bionn[tune])",
    )
    parser.add_argument_group("machine").add_argument(
        "--engine", help="local (default), or ray: the run is made on a Ray cluster (bionn[ray])"
    )
    _add_output_options(parser)
    return parser


def add_training_options(parser: Parser) -> None:
    """Add those of :class:`bionn.training.options.TrainingOptions`, in a group of their own."""
    training = parser.add_argument_group("network and training")
    training.add_argument("--hidden", type=integers, metavar="512,128", help="hidden widths")
    training.add_argument("--activation", help="relu, tanh, sigmoid, gelu, ...")
    training.add_argument("--dropout", type=float, metavar="P", help="share of units dropped")
    training.add_argument(
        "--input-dropout", type=float, metavar="P", help="share of inputs dropped"
    )
    training.add_argument(
        "--augment",
        nargs="+",
        metavar="A",
        help="alter training sequences at each step: reverse-complement, shift:N, mask:P",
    )
    training.add_argument("--init", help="kaiming_uniform, xavier_normal, lecun_uniform, ...")
    training.add_argument(
        "--objective", help="auto, cross-entropy or squared-error: what is minimised"
    )
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
    training.add_argument(
        "--class-weight", metavar="W", help="none (default), balanced, or A=1,B=5: in the loss"
    )
    training.add_argument("--sampler", help="uniform (default), or balanced: classes drawn alike")
    training.add_argument(
        "--threshold", metavar="T", help="of two classes: auto (best MCC on val rows), or a number"
    )
    training.add_argument(
        "--ensemble", type=int, metavar="K", help="train K networks and average them (1)"
    )
    training.add_argument(
        "--calibrate",
        action=BooleanOptionalAction,
        default=None,
        help="scale logits by a temperature fitted on val rows (default: where it helps there)",
    )
    training.add_argument("--min-gradient-norm", type=float, metavar="G", help="stop below it")
    training.add_argument("--min-loss-change", type=float, metavar="D", help="stop below it")
    training.add_argument(
        "--packed",
        action="store_true",
        default=None,
        help="two bits a base in the device's memory (A, C, G, T and nothing else)",
    )
    training.add_argument(
        "--compile", action="store_true", default=None, help="torch.compile the network"
    )
    training.add_argument(
        "--cuda-graphs",
        action="store_true",
        default=None,
        help="compile it and launch it as one graph (a GPU)",
    )
    training.add_argument("--device", help="auto, cpu, gpu")
    training.add_argument("--precision", help="32-true, bf16-mixed, ...")
    training.add_argument(
        "--deterministic",
        action="store_true",
        default=None,
        help="bit-equal runs on a GPU too: none but torch's deterministic algorithms",
    )
    training.add_argument(
        "--checkpoint-seconds", type=float, metavar="S", help="between checkpoints (default: 60)"
    )
    training.add_argument("--seed", type=int, metavar="S", help="of split, weights and order")


def _add_output_options(parser: Parser) -> None:
    output = parser.add_argument_group("output")
    output.add_argument("--out", metavar="DIR", help="the run's folder (default: runs/NAME)")
    output.add_argument(
        "--overwrite", action="store_true", default=None, help="replace the run that is there"
    )
    output.add_argument(
        "--resume",
        action="store_true",
        default=None,
        help="go on exactly where the same run was interrupted (or begin, if it was not)",
    )
    output.add_argument(
        "--no-baselines",
        dest="baselines",
        action="store_false",
        default=None,
        help="score no baselines",
    )
    output.add_argument(
        "--learning-curve",
        action="store_true",
        default=None,
        help="train on shares of the training rows too: would more data help?",
    )
    output.add_argument(
        "--no-explain",
        dest="explain",
        action="store_false",
        default=None,
        help="leave out the attributions of test samples",
    )


def run(arguments: Sequence[str]) -> int:
    """Parse, merge with ``--config``, run, here or on a cluster."""
    parser = make_parser()
    given = {
        name: value for name, value in vars(parser.parse(arguments)).items() if value is not None
    }
    config = given.pop("config", None)
    options = {}
    if config is not None:
        known = [action for action in parser._actions if action.dest not in ("config", "help")]
        options = read_config(config, known, also=("tuned",))
    if not given["inputs"] and "inputs" in options:
        del given["inputs"]
    options |= given
    engine = options.pop("engine", None) or "local"
    if engine not in ENGINES:
        raise InputError(
            f"engine: local or ray needed, {engine!r} found{did_you_mean(engine, ENGINES)}; choose one"
        )
    if engine == "ray":
        from bionn.cli.run_on_ray import run_on_ray
        from bionn.data.reading import as_list
        from bionn.report.folder import check_directory

        directory = check_directory(
            options.get("out"),
            as_list(options["inputs"]),
            bool(options.get("overwrite")),
            bool(options.get("resume")),
        )
        return run_on_ray(
            arguments,
            directory,
            device=options.get("device") or "auto",
            overwrite=bool(options.get("overwrite")),
        )

    from bionn.pipeline import run as run_pipeline

    with noted():
        run_pipeline(options.pop("inputs"), **options)
    return 0
