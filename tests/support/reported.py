"""Runs for the tests of the page: real ones of a few epochs, and what is written beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

import bionn
from tests.small_sets import expression, sequences

QUICK: dict[str, Any] = {
    "max_epochs": 3,
    "hidden": (8,),
    "device": "cpu",
    "progress": False,
    "explain": False,
}

HOSTILE = (
    "<script>window.hacked=1</script>",
    "</script><img src=x onerror=window.hacked=1>",
    "'\"><svg onload=window.hacked=1>",
    "{{ 7 * 7 }}",
    "safe\u202egnihton\u202c",
    "zero\u200bwidth",
    "--><!--",
    "&lt;b&gt;",
)
"""Names that would do something if they were taken for anything but text."""


def sequence_run(folder: Path, *, target: str = "label", **options: Any) -> Path:
    """Sequences with classes, ``label`` two of them and ``site`` three."""
    frame = sequences()[["id", "sequence", target]]
    bionn.run(frame, target=target, out=folder, **QUICK | options)
    return folder


def table_run(folder: Path, *, target: str | list[str] = "y1", **options: Any) -> Path:
    """Expression: ``y1`` and ``y2`` are numbers."""
    features = [f"gene{n}" for n in range(1, 6)]
    bionn.run(expression(), target=target, features=features, out=folder, **QUICK | options)
    return folder


def hostile_run(folder: Path) -> Path:
    """Ids, labels and columns that try to break out of the page."""
    frame = sequences()
    frame["id"] = [f"{HOSTILE[row % len(HOSTILE)]}{row}" for row in range(len(frame))]
    names = {"yes": HOSTILE[1], "no": HOSTILE[0]}
    frame[HOSTILE[2]] = frame["label"].map(names)
    frame = frame[["id", "sequence", HOSTILE[2]]]
    bionn.run(frame, target=HOSTILE[2], out=folder, id_column="id", **QUICK)
    return folder


def edit_metrics(folder: Path, **more: Any) -> None:
    """Add keys to ``metrics.json``, or replace them."""
    path = folder / "metrics.json"
    metrics = json.loads(path.read_text(encoding="utf-8")) | more
    path.write_text(json.dumps(metrics), encoding="utf-8")


def write_examples(folder: Path, length: int = 12, letters: str = "ACGT", **more: Any) -> list[Any]:
    """Two examples of random effects, as ``explain/examples.json``."""
    rng, made = np.random.default_rng(5), []
    for name in ("first", "second"):
        sequence = "".join(rng.choice(list(letters), length))
        effects = rng.normal(size=(length, len(letters))).round(3)
        effects[np.arange(length), [letters.index(c) for c in sequence]] = 0
        made.append(
            {
                "id": name,
                "target": "yes",
                "prediction": "no",
                "probability": 0.75,
                "class": "yes",
                "sequence": sequence,
                "start": 0,
                "attribution": rng.normal(size=length).round(3).tolist(),
                "hypothetical": rng.normal(size=(length, len(letters))).round(3).tolist(),
                "mutagenesis": effects.tolist(),
                "why": "worst error",
            }
            | more
        )
    (folder / "explain").mkdir(exist_ok=True)
    (folder / "explain" / "examples.json").write_text(json.dumps(made), encoding="utf-8")
    return made
