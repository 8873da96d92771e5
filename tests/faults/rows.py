"""Predictions through writes cut short, pipes, gzip and kills: every row once, in order, or no file."""

from __future__ import annotations

import gzip
import hashlib
import os
import random
import time
from pathlib import Path

from bionn import artifact
from bionn.models import MLP
from tests.faults.harness import ONCE, SHORT, Command, Fault, Figures, finished
from tests.small_sets import prepared


def test(folder: Path, *, short: bool) -> Figures:
    """The ids of a large FASTA file must come back as they went in."""
    figures, rng = Figures(), random.Random(0)
    data, rows = prepared("binary"), 3_000 if short else 300_000
    artifact.save(folder / "model", MLP(data.encoder.input_shape, (8,), 1), data.manifest())
    ids = [f"{hashlib.sha256(str(n).encode()).hexdigest()[:12]}_{n}" for n in range(rows)]
    with (folder / "new.fa").open("w") as file:
        file.writelines(f">{name}\n{''.join(rng.choices('ACGT', k=12))}\n" for name in ids)
    raw = (folder / "new.fa").read_bytes()
    (folder / "new.fa.gz").write_bytes(gzip.compress(raw, 1))
    expected = None
    for source, out, fault in (
        ("new.fa", "plain.tsv", None),
        ("new.fa", "short.tsv", Fault(SHORT)),
        ("new.fa.gz", "gz.tsv", Fault(SHORT)),
        ("-", "pipe.tsv", Fault(SHORT)),
    ):
        command = ["predict", "model", source, "--out", out]
        ended = _piped(command, folder, raw) if source == "-" else finished(command, folder, fault)
        if not figures.check(ended == 0 or getattr(ended, "code", 1) == 0, f"{out}: {ended}"):
            continue
        lines = (folder / out).read_text().splitlines()[1:]
        found = [line.split("\t", 1)[0] for line in lines]
        figures.count("rows predicted", len(found))
        figures.count("rows lost", len(set(ids) - set(found)))
        figures.count("rows doubled", len(found) - len(set(found)))
        figures.check(found == ids, f"{out}: not every row once and in order")
        expected = expected or lines
        figures.check(lines == expected, f"{out}: other predictions")
    _kills(folder, (folder / "plain.tsv").read_bytes(), 4 if short else 40, rng, figures)
    return figures


def _piped(command: list[str], folder: Path, raw: bytes) -> int:
    """Feed standard input in pieces of odd sizes."""
    out_end, in_end = os.pipe()

    def predict() -> int:
        from bionn.cli.main import main

        os.close(in_end)
        os.dup2(out_end, 0)
        return main(command)

    running = Command(predict, folder, Fault(SHORT))
    os.close(out_end)
    with os.fdopen(in_end, "wb", buffering=0) as pipe:
        for start in range(0, len(raw), 10_007):
            piece = raw[start : start + 10_007]
            while piece:
                piece = piece[pipe.write(piece) :]
    return running.ended().code


def _kills(
    folder: Path, expected: bytes, number: int, rng: random.Random, figures: Figures
) -> None:
    """A predict that is killed leaves the earlier file, or the new one whole."""
    command = ["predict", "model", "new.fa", "--out", "killed.tsv", "--overwrite"]
    begin = time.monotonic()
    finished(command, folder, Fault(ONCE, 1 << 60))
    lasts = time.monotonic() - begin
    for _ in range(number):
        (folder / "killed.tsv").write_bytes(b"earlier")
        running = Command(command, folder)
        until = time.monotonic() + rng.random() * lasts
        while time.monotonic() < until and running.running():
            time.sleep(0.002)
        running.kill()
        ended = running.ended()
        figures.count("predictions killed", int(ended.code == -9))
        found = (folder / "killed.tsv").read_bytes()
        figures.check(found in (b"earlier", expected), "a killed prediction left half a file")
