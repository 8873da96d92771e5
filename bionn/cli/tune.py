"""``bionn tune``: search network, training and encoding on the validation rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bionn.cli.data_options import add_data_options
from bionn.cli.parser import Parser, read_config
from bionn.cli.run import add_training_options
from bionn.errors import InputError


def make_parser() -> Parser:
    """The parser of ``bionn tune``: the options of ``bionn run``, and how long to search."""
    parser = Parser(
        prog="bionn tune",
        description="Search depth, width, activation, objective, initialisation, learning rate, weight "
        "decay, dropout, batch size and encoding for the smallest validation loss. What is given as an "
        "option is kept as it is. Test rows are not looked at.",
        epilog="The folder holds best.yaml (bionn run --config best.yaml --out DIR), trials.tsv, "
        "importance.png, slices.png and study.db, with which the same command goes on.",
        argument_default=None,
    )
    parser.add_argument("inputs", nargs="*", metavar="INPUT", help="FASTA files or a table")
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="YAML of options, as config.yaml of a run; under 'search' what to search",
    )
    search = parser.add_argument_group("search")
    search.add_argument("--minutes", type=float, metavar="M", help="how long (default: 10)")
    search.add_argument("--trials", type=int, metavar="N", help="the most trials in all")
    search.add_argument("--workers", type=int, metavar="W", help="processes side by side (1)")
    search.add_argument(
        "--engine", help="local (default), or ray: workers on a Ray cluster (needs bionn[ray])"
    )
    search.add_argument("--out", metavar="DIR", help="folder (default: runs/NAME-tuning)")
    search.add_argument(
        "--overwrite", action="store_true", default=None, help="begin anew, drop the trials there"
    )
    add_data_options(parser)
    add_training_options(parser)
    return parser


def tune(arguments: Sequence[str]) -> int:
    """Parse, merge with ``--config``, search, write."""
    parser = make_parser()
    given = {name: v for name, v in vars(parser.parse(arguments)).items() if v is not None}
    config, options = given.pop("config", None), {}
    if config is not None:
        known = [action for action in parser._actions if action.dest not in ("config", "help")]
        options = read_config(config, known, also=("search",))
    if not given["inputs"] and "inputs" in options:
        del given["inputs"]
    options = {name: value for name, value in (options | given).items() if value is not None}
    inputs, dimensions = options.pop("inputs"), options.pop("search", None)
    if not inputs:
        raise InputError("tune: files needed; name them, or a --config that does")
    bounds: dict[str, Any] = {
        name: options.pop(name, None) for name in ("minutes", "trials", "workers")
    }
    if bounds["minutes"] is None and bounds["trials"] is None:
        bounds["minutes"] = 10.0
    bounds["workers"] = bounds["workers"] or 1
    bounds["engine"] = options.pop("engine", None) or "local"
    out, overwrite = options.pop("out", None), options.pop("overwrite", False)

    from bionn.pipeline import make_search, split_options
    from bionn.report.folder import write_config
    from bionn.report.terminal import terminal
    from bionn.report.tuning import print_search, write_search
    from bionn.training import tuning

    data_options, training_options = split_options(options)
    search = make_search(inputs, data_options, training_options, options, dimensions)
    directory = _directory(out, inputs, overwrite)
    console = terminal(soft_wrap=True)
    console.print(f"searching: {', '.join(search.space)}", markup=False)

    def report(number: int, loss: float, best: float) -> None:
        mark = ", the best so far" if loss <= best else ""
        console.print(f"trial {number}: validation loss {loss:.4f}{mark}", markup=False)

    tuned = tuning.tune(search, directory, report=report, **bounds)
    write_config(directory, inputs, tuned.data, tuned.training, name="best.yaml")
    write_search(tuned, search.space, directory)
    print_search(console, tuned, directory)
    return 0


def _directory(out: str | None, inputs: Sequence[str], overwrite: bool) -> Path:
    """The folder of the search, made.

    Raises:
        InputError: it holds something else than a search.
    """
    from bionn.training.trials import STUDY

    directory = Path(out or f"runs/{Path(inputs[0]).name.split('.')[0]}-tuning")
    if directory.exists() and not directory.is_dir():
        raise InputError(f"{directory}: a folder needed, a file found; choose another out")
    if directory.is_dir() and any(directory.iterdir()) and not (directory / STUDY).is_file():
        raise InputError(f"{directory}: holds other files than a search; choose another out")
    directory.mkdir(parents=True, exist_ok=True)
    if overwrite:
        (directory / STUDY).unlink(missing_ok=True)
    return directory
