"""``bionn predict``: a model directory and new samples in, a table out, whole or not at all."""

from __future__ import annotations

import sys
from argparse import BooleanOptionalAction, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bionn.cli.parser import Parser, noted, words
from bionn.errors import InputError, InputWarning, did_you_mean
from bionn.formats.escape import as_text, printable

if TYPE_CHECKING:
    import pandas as pd

    from bionn.data.new_samples import Columns
    from bionn.predict import Predictor
    from bionn.sequences.windows import Windows


def make_parser() -> Parser:
    """The parser of ``bionn predict``."""
    parser = Parser(prog="bionn predict", description="Predictions of a trained model.")
    parser.add_argument("model", metavar="MODEL", help="a run's folder, or the model folder in it")
    parser.add_argument(
        "input",
        metavar="INPUT",
        help="FASTA, FASTQ, a table, or BED with --genome; - is standard input",
    )
    parser.add_argument(
        "--out",
        required=True,
        metavar="FILE",
        help="where predictions go: .tsv, .csv, .parquet, or, of windows, .bed, .bedgraph; - is "
        "standard output",
    )
    parser.add_argument(
        "--window",
        type=int,
        metavar="N",
        help="predict windows of N positions over each sequence; of BED regions, N positions around "
        "the middle (default: as in training)",
    )
    parser.add_argument(
        "--stride", type=int, metavar="N", help="from window to window (default: side by side)"
    )
    parser.add_argument(
        "--output-column", metavar="COL", help="write this class, target or column alone"
    )
    parser.add_argument("--genome", metavar="FASTA", help="what the regions of BED inputs are of")
    parser.add_argument("--orient", help="rows of a table: samples, genes or auto (by the names)")
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
        "--calibrate",
        action=BooleanOptionalAction,
        default=None,
        help="probabilities by the temperature of the val rows (default: as the run decided)",
    )
    parser.add_argument(
        "--conformal",
        "--intervals",
        type=float,
        metavar="L",
        help="add sets of classes, or intervals, that hold the truth with probability L, as .9",
    )
    parser.add_argument(
        "--by-class", action="store_true", help="let L hold in each class by itself"
    )
    parser.add_argument(
        "--missing-features",
        choices=("error", "impute"),
        default="error",
        help="what to do about features that INPUT has no column for",
    )
    parser.add_argument(
        "--spreadsheet",
        action="store_true",
        help="put ' before text that a spreadsheet would compute (=, +, -, @ first)",
    )
    parser.add_argument("--device", default="cpu", help="auto, cpu, gpu, ...")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes that share a FASTA file (default: 1)"
    )
    parser.add_argument(
        "--engine", default="local", help="of the workers: local, or ray: a cluster (bionn[ray])"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace FILE if it is there")
    return parser


def predict(arguments: Sequence[str]) -> int:
    """Parse, load, predict block by block."""
    given = make_parser().parse(arguments)
    source = "/dev/stdin" if given.input == "-" else given.input

    from bionn.cli.progress import expected_rows, progress_bar
    from bionn.data.new_samples import Columns
    from bionn.formats.formulas import count_formulas
    from bionn.formats.predictions import STANDARD_OUTPUT, files_for, format_of, writing
    from bionn.formats.texts import arrow_texts
    from bionn.loading import load

    _refuse_folder(given.out)
    format_of(given.out)
    predictor = load(
        given.model,
        device=given.device,
        both_strands=given.both_strands,
        calibrate=given.calibrate,
    )
    _refuse_idle(given, predictor, source)
    outputs = _outputs(given, predictor)
    _check_level(given, predictor)
    shown, files = given.out == STANDARD_OUTPUT, files_for(given.out, outputs)
    for file in files:
        if not shown and file.exists() and not given.overwrite:
            raise InputError(f"{file}: already there; choose another file, or pass --overwrite")
    columns = Columns(
        given.id_column,
        given.id_rule,
        given.sequence_column,
        given.columns,
        given.missing_features,
        genome=given.genome,
        window=None if given.genome is None else given.window,
        orient=given.orient or "auto",
    )
    windows, rows, formulas = _windows(given, predictor), 0, 0
    left_out = _left_out(given, predictor, outputs)
    with noted(), progress_bar() as bar, writing(given.out, outputs) as write:
        task = bar.add_task("", total=None)
        for block in _blocks(given, predictor, source, columns, windows):
            if not rows:
                bar.update(task, total=expected_rows(source, windows))
            if given.conformal is not None:
                block = predictor.at_level(block, given.conformal, by_class=given.by_class)
            formulas += count_formulas(arrow_texts(block["id"]))
            kept = block.drop(columns=left_out)
            write(_for_spreadsheets(kept) if given.spreadsheet else kept)
            rows += len(block)
            bar.advance(task, len(block))
    if formulas and not given.spreadsheet:
        print(
            f"note: {formulas} ids are written as they are, though a spreadsheet would compute them; "
            "open the file as text, or pass --spreadsheet",
            file=sys.stderr,
        )
    if shown:
        print(f"{rows} predictions", file=sys.stderr)
    else:
        print(printable(f"{rows} predictions: {', '.join(map(str, files))}"))
    return 0


def _blocks(
    given: Namespace, predictor: Predictor, source: str, columns: Columns, windows: Windows | None
) -> Iterator[pd.DataFrame]:
    """The rows of the table, from this process or from others; notes at the end."""
    if given.workers is None and given.engine == "local":
        yield from predictor.blocks(source, columns=columns, windows=windows)
        return
    for name in ("genome", "orient"):
        if getattr(given, name) is not None:
            raise InputError(f"{name}: workers share FASTA files only; leave one of the two out")
    import warnings

    from bionn.sharded import Work, predicted

    work = Work(
        Path(given.model).absolute(),
        Path(source).absolute(),
        given.device,
        given.both_strands,
        given.calibrate,
        given.id_rule,
        windows,
    )
    notes: list[str] = []
    workers = 1 if given.workers is None else given.workers
    yield from predicted(work, workers=workers, engine=given.engine, notes=notes)
    for note in notes:
        warnings.warn(note, InputWarning, stacklevel=2)


def _for_spreadsheets(block: pd.DataFrame) -> pd.DataFrame:
    """The rows with formulas among ids and classes told to be text."""
    texts = block.select_dtypes([object, "string"])
    return block.assign(**{str(name): as_text(texts[name]) for name in texts})


def _refuse_folder(out: str) -> None:
    if Path(out).is_dir():
        raise InputError(f"{out}: a file name needed, this is a folder; name a file in it")


def _refuse_idle(given: Namespace, predictor: Predictor, source: str) -> None:
    """Refuse options to which the model, or the kind of file, leaves nothing to do.

    Raises:
        InputError: one of them is given.
    """
    from bionn.formats.intervals import is_bed
    from bionn.formats.sequence_files import holds_sequences
    from bionn.preprocess.sequences import SequenceEncoder

    if isinstance(predictor.encoder, SequenceEncoder):
        _refuse(given, "a model of sequences", "missing_features")
    else:
        _refuse(given, "a model of features", "sequence_column")
    if not Path(source).is_file():  # a pipe can be read only once
        return
    if is_bed(source):
        _refuse(given, f"BED regions ({source})", "id_rule", "sequence_column", "columns")
    elif holds_sequences(source):
        _refuse(
            given, f"sequences in records ({source})", "id_column", "sequence_column", "columns"
        )
    else:
        _refuse(given, f"a table ({source})", "id_rule")


def _refuse(given: Namespace, found: str, *names: str) -> None:
    nothing = {"missing_features": "error"}
    for name in names:
        if getattr(given, name) != nothing.get(name):
            option = "id" if name == "id_rule" else name.replace("_", "-")
            raise InputError(f"{option}: of no use for {found}; leave it out")


def _outputs(given: Namespace, predictor: Predictor) -> list[str]:
    """The columns of numbers to write: the one named, else all.

    Of two complementary classes bedGraph takes the positive one.

    Raises:
        InputError: none of that name.
    """
    from bionn.formats.predictions import format_of

    names, asked = predictor.output_columns, given.output_column
    if asked is None:
        tracks = format_of(given.out) in ("bed", "bedgraph")
        return names[-1:] if tracks and predictor.task == "binary" else names
    found = [name for name in names if asked in (name, name.split("_", 1)[-1])]
    if not found:
        raise InputError(
            f"output-column: one of {', '.join(names)} needed, {asked!r} found"
            f"{did_you_mean(asked, names)}; choose one"
        )
    return found[:1]


def _left_out(given: Namespace, predictor: Predictor, outputs: Sequence[str]) -> list[str]:
    """The columns of numbers that were not asked for."""
    names = [name for name in predictor.output_columns if name not in outputs]
    if given.conformal is None or predictor.task != "regression":
        return names
    ends = [name.replace("prediction", end, 1) for name in names for end in ("low", "high")]
    return names + ends


def _check_level(given: Namespace, predictor: Predictor) -> None:
    """Refuse sets and intervals where they cannot be told, before anything is computed.

    Raises:
        InputError: no level, no thresholds, or a format without columns for them.
    """
    import pandas as pd

    from bionn.formats.predictions import format_of

    if given.conformal is None:
        if given.by_class:
            raise InputError("by-class: a level needed; add --conformal .9")
        return
    if format_of(given.out) in ("bed", "bedgraph"):
        raise InputError(
            f"{given.out}: conformal needs a table, .tsv, .csv or .parquet; choose another name"
        )
    changed = {"both-strands": given.both_strands, "calibrate": given.calibrate}
    asked = [name for name, value in changed.items() if value is not None]
    if predictor.conformal is None and asked:
        raise InputError(
            f"{asked[0]}: the thresholds of conformal are of predictions as the run made them; leave "
            "out one of the two"
        )
    nothing = pd.DataFrame({name: pd.Series(dtype=float) for name in predictor.output_columns})
    predictor.at_level(nothing, given.conformal, by_class=given.by_class)


def _windows(given: Namespace, predictor: Predictor) -> Windows | None:
    """The sliding windows asked for: as long as the model's sequences, side by side, unless told.

    Raises:
        InputError: windows of a model that takes features, or over the regions of a genome.
    """
    from bionn.formats.predictions import format_of
    from bionn.preprocess.sequences import SequenceEncoder
    from bionn.sequences.windows import Windows

    tracks = format_of(given.out) in ("bed", "bedgraph")
    if given.genome is not None:
        if given.stride is not None:
            raise InputError(
                "stride: a region of a genome is one prediction, around its middle; leave it out"
            )
        if format_of(given.out) == "bedgraph":
            raise InputError(
                f"{given.out}: bedGraph allows no overlaps, and regions may overlap; write .bed or .tsv"
            )
        return None
    if given.window is None and given.stride is None and not tracks:
        return None
    if not isinstance(predictor.encoder, SequenceEncoder):
        what = f"{given.out}" if tracks else "window"
        raise InputError(f"{what}: windows need a model of sequences, this one takes features")
    size = predictor.encoder.length if given.window is None else given.window
    return Windows(size, size if given.stride is None else given.stride)
