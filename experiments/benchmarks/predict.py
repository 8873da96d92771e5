"""``bionn predict`` on a generated FASTA file: time against Biopython's bare reading, and peak memory.

Each round reads the file once with ``SimpleFastaParser``, which does nothing with the records, and
predicts it once with each network, from FASTA to TSV; a ratio is that of the medians. Start-up
(imports, loading the model) is left out of the time. The first rows of the output are compared with
the same network in float64 and plain torch: no speed is printed for a wrong result.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from Bio.SeqIO.FastaIO import SimpleFastaParser

from bionn import artifact
from bionn.cli.parser import integers
from bionn.formats.predictions import writing
from bionn.loading import load
from bionn.models import MLP
from bionn.models.layers import set_code_table
from bionn.preprocess.sequences import SequenceEncoder
from experiments.benchmarks.ops import commit, write_csv

CHECKED = 2000


def write_fasta(path: Path, records: int, length: int, *, begin: int = 0) -> None:
    """Random DNA, a line a sequence, ids of eight digits, numbered from ``begin`` on."""
    rng = np.random.default_rng(begin)
    letters = np.frombuffer(b"ACGT", dtype=np.uint8)
    with path.open("wb") as file:
        for first in range(0, records, 100_000):
            rows = min(100_000, records - first)
            numbers = range(begin + first, begin + first + rows)
            head = [f">read{n:08d}\n".encode() for n in numbers]
            bodies = letters[rng.integers(0, 4, (rows, length), dtype=np.uint8)]
            block = np.full((rows, len(head[0]) + length + 1), ord("\n"), dtype=np.uint8)
            block[:, : len(head[0])] = np.frombuffer(b"".join(head), np.uint8).reshape(rows, -1)
            block[:, len(head[0]) : -1] = bodies
            file.write(block.tobytes())


def save_model(directory: Path, length: int, hidden: list[int]) -> None:
    """An untrained network of two classes."""
    torch.manual_seed(0)
    encoder = SequenceEncoder.fit(["A" * length])
    model = MLP((4, length), hidden, 1)
    set_code_table(model, torch.from_numpy(encoder.code_table))
    manifest = {
        "task": "binary",
        "classes": ["background", "promoter"],
        "targets": ["label"],
        "target_scaler": None,
        "input": {"kind": "sequence", **encoder.to_manifest()},
        "reading": {},
        "decision": None,
    }
    artifact.save(directory, model, manifest)


def check(fasta: Path, model: Path, output: Path) -> None:
    """Compare the first rows with the same network in float64, from one-hot columns.

    Raises:
        AssertionError: an id or a probability differs.
    """
    found = pd.read_csv(output, sep="\t", nrows=CHECKED)
    with fasta.open() as file:
        records = [
            record for _, record in zip(range(CHECKED), SimpleFastaParser(file), strict=False)
        ]
    assert found["id"].tolist() == [title for title, _ in records]
    codes = np.array([["ACGT".index(letter) for letter in text] for _, text in records])
    hidden = torch.from_numpy(np.eye(4)[codes].transpose(0, 2, 1).reshape(len(records), -1))
    weights = load(model).model.state_dict()
    names = [name.removesuffix(".weight") for name in weights if name.endswith(".weight")]
    for depth, name in enumerate(names):
        matrix = weights[f"{name}.weight"].double().flatten(1)
        hidden = hidden.relu() if depth else hidden
        hidden = hidden @ matrix.T + weights[f"{name}.bias"].double()
    expected = torch.sigmoid(hidden[:, 0]).numpy()
    np.testing.assert_allclose(found["prob_promoter"], expected, rtol=1e-4, atol=1e-6)


def predict(fasta: Path, model: Path, output: Path, threads: int) -> dict[str, float]:
    """Predict in a process of its own: seconds, and megabytes above those of the loaded model."""
    command = [sys.executable, "-m", "experiments.benchmarks.predict", "--threads", str(threads)]
    command += ["--child", str(fasta), str(model), str(output)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def child(fasta: str, model: str, output: str) -> None:
    """What that process does."""
    predictor = load(model)
    assert isinstance(predictor.encoder, SequenceEncoder)
    predictor.predict(["A" * predictor.encoder.length])  # kernels are compiled and loaded
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    begin = time.perf_counter()
    with writing(output, predictor.output_columns) as write:
        for block in predictor.blocks(fasta):
            write(block)
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "memory_mb": (peak - before) / 1e6}))


def read(fasta: Path) -> float:
    """Seconds that Biopython's fast parser needs for every record."""
    begin = time.perf_counter()
    with fasta.open() as file:
        for _ in SimpleFastaParser(file):
            pass
    return time.perf_counter() - begin


def main() -> None:
    """Generate, check, measure in turn, print a table, write a CSV."""
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmarks.predict")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--length", type=int, default=200)
    parser.add_argument(
        "--hidden", type=integers, nargs="+", default=[[32], [64], [256, 128], [512, 128]]
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/predict.csv"))
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.child:
        child(*given.child)
        return
    with tempfile.TemporaryDirectory() as folder:
        fasta, output = Path(folder, "reads.fa"), Path(folder, "predictions.tsv")
        write_fasta(fasta, given.records, given.length)
        size = fasta.stat().st_size
        models = {",".join(map(str, hidden)): Path(folder, str(hidden)) for hidden in given.hidden}
        for hidden, model in zip(given.hidden, models.values(), strict=True):
            save_model(model, given.length, hidden)
        reading, runs = [], {name: [] for name in models}
        for _ in range(given.rounds):
            reading.append(read(fasta))
            for name, model in models.items():
                runs[name].append(predict(fasta, model, output, given.threads))
                check(fasta, model, output)
    base = statistics.median(reading)
    print(
        f"{given.records} x {given.length} bp, {size / 1e9:.2f} GB; SimpleFastaParser {base:.2f} s; "
        f"{platform.machine()}, {given.threads} thread(s), torch {torch.__version__}, commit "
        f"{commit()}\n\n"
        "| hidden | s | ratio | records/s | MB/s | memory, MB |\n|---|---|---|---|---|---|"
    )
    rows = []
    for name, measured in runs.items():
        seconds = statistics.median(run["seconds"] for run in measured)
        rows.append(
            {
                "hidden": name,
                "seconds": round(seconds, 2),
                "ratio": round(seconds / base, 2),
                "records_per_s": round(given.records / seconds),
                "mb_per_s": round(size / 1e6 / seconds),
                "memory_mb": round(max(run["memory_mb"] for run in measured)),
            }
        )
        print("| " + " | ".join(map(str, rows[-1].values())) + " |", flush=True)
    write_csv(rows, given.out)


if __name__ == "__main__":
    main()
