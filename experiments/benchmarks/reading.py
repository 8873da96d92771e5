"""What reading FASTA costs: our readers against Biopython's bare ``SimpleFastaParser``, in one run.

Two of ours pass records on and keep none, as the parser does alone: the blocks of texts that
``bionn predict`` takes, and the columns that ``bionn run`` takes. The third is all of ``bionn run``'s
reading, which ends with every sequence packed in memory and the ids known to be different: beside it
stands the parser with its records kept in a list. Each round measures all in turn; the table holds
medians of processor time. What was read is compared first: no speed is printed for a wrong result.
"""

from __future__ import annotations

import argparse
import gzip
import platform
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from Bio.SeqIO.FastaIO import SimpleFastaParser

from bionn.data.records import read_records
from bionn.formats.fasta import read_blocks
from bionn.formats.fasta_columns import read_columns
from experiments.benchmarks.ops import commit, write_csv
from experiments.benchmarks.predict import write_fasta

WRAP = 60
Read = Callable[[Path], Any]


def with_parser(path: Path, use: Callable[[Iterator[tuple[str, str]]], Any]) -> Any:
    """What becomes of Biopython's titles and sequences of a plain or compressed file."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        return use(SimpleFastaParser(file))


READERS: dict[str, Read] = {
    "SimpleFastaParser": lambda path: with_parser(path, partial(deque, maxlen=0)),
    "kept in a list": lambda path: with_parser(path, list),
    "blocks": lambda path: deque(read_blocks(path), maxlen=0),
    "columns": lambda path: deque(read_columns(path), maxlen=0),
    "run": read_records,
}


def write_files(folder: Path, records: int, length: int) -> dict[str, Path]:
    """The same records in four files."""
    files = {name: folder / f"{name}.fa" for name in ("plain", "wrapped", "described")}
    files["gzip"] = folder / "plain.fa.gz"
    write_fasta(files["plain"], records, length)
    with files["wrapped"].open("w") as wrapped, files["described"].open("w") as described:
        for title, text in with_parser(files["plain"], list):
            lines = (text[at : at + WRAP] for at in range(0, length, WRAP))
            wrapped.write("\n".join([f">{title}", *lines, ""]))
            described.write(f">{title} a made-up sequence, len={length}\n{text}\n")
    files["gzip"].write_bytes(gzip.compress(files["plain"].read_bytes(), 6))
    return files


def check(path: Path) -> None:
    """Compare what the readers give with what the parser gives.

    Raises:
        AssertionError: an id or a sequence differs.
    """
    truth = [(title.split()[0], text) for title, text in with_parser(path, list)]
    found = read_records(path)
    assert list(zip(found.ids, found.sequences, strict=True)) == truth
    blocks = [pair for b in read_blocks(path) for pair in zip(b.ids, b.sequences, strict=True)]
    assert blocks == truth


def seconds(read: Read, path: Path) -> float:
    """Processor time of one reading, its result dropped."""
    begin = time.process_time()
    read(path)
    return time.process_time() - begin


def main() -> None:
    """Generate, check, measure in turn, print a table, write a CSV."""
    options = argparse.ArgumentParser(prog="python -m experiments.benchmarks.reading")
    options.add_argument("--records", type=int, default=200_000)
    options.add_argument("--length", type=int, default=200)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--out", type=Path, default=Path("runs/benchmarks/reading.csv"))
    given = options.parse_args()
    rows = []
    print(
        f"{given.records} x {given.length} bp; {platform.machine()}, commit {commit()}\n\n"
        f"| file | SimpleFastaParser, s | {' | '.join(list(READERS)[1:])} | run, of the list |\n"
        f"|{'---|' * (len(READERS) + 2)}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, path in write_files(Path(folder), given.records, given.length).items():
            check(path)
            times: dict[str, list[float]] = {reader: [] for reader in READERS}
            for _ in range(given.rounds):
                for reader, read in READERS.items():
                    times[reader].append(seconds(read, path))
            found = {reader: statistics.median(each) for reader, each in times.items()}
            base, kept = found["SimpleFastaParser"], found["kept in a list"]
            row = {"file": name, "SimpleFastaParser": round(base, 3)}
            row |= {reader: round(found[reader] / base, 2) for reader in list(READERS)[1:]}
            rows.append(row | {"run, of the list": round(found["run"] / kept, 2)})
            print("| " + " | ".join(map(str, rows[-1].values())) + " |", flush=True)
    write_csv(rows, given.out)


if __name__ == "__main__":
    main()
