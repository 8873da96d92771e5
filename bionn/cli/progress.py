"""How far a prediction has come, on a terminal: rows, rows a second, time left."""

from __future__ import annotations

import gzip
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from bionn.formats.fasta import is_fasta
from bionn.formats.fastq import is_fastq
from bionn.formats.h5ad import is_h5ad
from bionn.formats.text import GZIP_MAGIC, is_pipe
from bionn.sequences.windows import Windows

_SAMPLE = 1 << 20


class _Rate(ProgressColumn):
    """Rows done, and rows a second."""

    def render(self, task: Task) -> Text:
        """The column's text."""
        speed = task.finished_speed or task.speed
        rate = "" if speed is None else f", {speed:,.0f}/s"
        return Text(f"{task.completed:,.0f} rows{rate}")


def progress_bar() -> Progress:
    """A bar on standard error that shows nothing where that is not a terminal."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("predicting"),
        BarColumn(bar_width=20),
        _Rate(),
        TimeRemainingColumn(compact=True),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


def expected_rows(path: str | Path, windows: Windows | None) -> float | None:
    """About how many rows a file gives: judged by its size and its first megabyte.

    Args:
        path: FASTA, FASTQ or a delimited table, compressed or not.
        windows: over sequences; None for a row a record.

    Returns:
        None for Parquet and .h5ad, whose first megabyte does not tell, and for a pipe.
    """
    path = Path(path)
    if path.suffix == ".parquet" or is_h5ad(path) or is_pipe(path):
        return None
    with path.open("rb") as file:
        packed = file.peek(2)[:2] == GZIP_MAGIC
        text = (gzip.GzipFile(fileobj=file) if packed else file).read(_SAMPLE)
        share = path.stat().st_size / max(file.tell() if packed else len(text), 1)
    if windows is not None:
        return share * len(text) / windows.stride
    if is_fasta(path):
        return share * (text.count(b"\n>") + text.startswith(b">"))
    return share * text.count(b"\n") / (4 if is_fastq(path) else 1)
