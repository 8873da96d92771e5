"""A hundred processes read a model, again and again, while another one replaces it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import torch

from bionn import artifact
from bionn.loading import load
from bionn.models import MLP
from tests.faults.harness import Command, Figures
from tests.small_sets import prepared

SEQUENCES = ["ACGTACGTACGT", "TTGACATATAAT"]


def test(folder: Path, *, short: bool) -> Figures:
    """Every reader gets one of the two models, whole."""
    figures, data = Figures(), prepared("binary")
    models = [MLP(data.encoder.input_shape, (8,), 1) for _ in range(2)]
    expected = []
    for number, model in enumerate(models):
        with torch.no_grad():
            model.layers[0].weight.mul_(1 + number)
        artifact.save(folder / "model", model, data.manifest())
        expected.append(load(folder / "model").predict(SEQUENCES)["prob_yes"].to_numpy())
    gate_out, gate_in = os.pipe()

    def read() -> int:
        os.read(gate_out, 1)  # until the parent closes its end, for all at once
        seen = [0, 0]
        for _ in range(10):
            found = load("model").predict(SEQUENCES)["prob_yes"].to_numpy()
            which = [bool(np.array_equal(found, values)) for values in expected]
            seen[which.index(True)] += 1
        print(json.dumps(seen))
        return 0

    def read_when_open() -> int:
        os.close(gate_in)
        return read()

    readers = [Command(read_when_open, folder) for _ in range(20 if short else 100)]
    os.close(gate_in)
    os.close(gate_out)
    replaced = 0
    while any(reader.running() for reader in readers):
        artifact.save(folder / "model", models[replaced % 2], data.manifest())
        replaced += 1
    for reader in readers:
        ended = reader.ended()
        figures.count("readers")
        if figures.check(
            ended.code == 0, f"a reader ended with {ended.code}: {ended.error[-400:]}"
        ):
            seen = json.loads(ended.output)
            figures.count("models read", sum(seen))
    figures.count("times replaced meanwhile", replaced)
    return figures
