"""Small made-up sets for tests: sequences of two or three classes, expression of two targets."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bionn.data.modules import load_prepared
from bionn.data.prepared import Prepared
from bionn.data.samples import DataOptions

ROOT = Path(__file__).parent.parent
PROMOTERS = ROOT / "data" / "promoters_simulated" / "promoters.fasta"
LABELS = ROOT / "data" / "promoters_simulated" / "labels.csv"
EXPRESSION = ROOT / "data" / "regulation_simulated" / "expression.csv"


def sequences(rows: int = 90, length: int = 12, letters: str = "ACGTNR") -> pd.DataFrame:
    """``id, sequence`` with N and R in it, ``label`` and ``site``.

    The label is yes if the first half holds more A than the second; the site is EI, IE, N in turn.
    """
    rng = np.random.default_rng(1)
    texts = ["".join(rng.choice(list(letters), length)) for _ in range(rows)]
    half = length // 2
    labels = ["yes" if t[:half].count("A") > t[half:].count("A") else "no" for t in texts]
    ids = [f"s{row}" for row in range(rows)]
    sites = [("EI", "IE", "N")[row % 3] for row in range(rows)]
    return pd.DataFrame({"id": ids, "sequence": texts, "label": labels, "site": sites})


def expression(rows: int = 90) -> pd.DataFrame:
    """``id``, features ``gene1`` .. ``gene5`` with a few gaps, targets ``y1``, ``y2``, ``state``."""
    rng = np.random.default_rng(2)
    genes = rng.normal(7, 2, (rows, 5))
    frame = pd.DataFrame(genes, columns=[f"gene{n}" for n in range(1, 6)])
    frame["y1"] = 3 * genes[:, 0] - genes[:, 1] + rng.normal(0, 0.1, rows)
    frame["y2"] = 100 + 0.1 * genes[:, 2]
    frame["state"] = np.where(genes[:, 0] > 7, "sick", "well")
    frame.iloc[[3, 40, 80], [1]] = np.nan
    frame.insert(0, "id", [f"a{row}" for row in range(rows)])
    return frame


def prepared(kind: str, **options: Any) -> Prepared:
    """The ``binary`` or ``multiclass`` sequences, or the ``regression`` or ``state`` table."""
    fractions = (0.6, 0.2, 0.2)
    if kind in ("binary", "multiclass"):
        frame = sequences()
        target = "label" if kind == "binary" else "site"
        frame = frame[["id", "sequence", target]]
    else:
        frame = expression()
        target = ["y1", "y2"] if kind == "regression" else "state"
        options.setdefault("features", [f"gene{n}" for n in range(1, 6)])
    return load_prepared(frame, DataOptions(target=target, fractions=fractions, **options))


def write_fasta(frame: pd.DataFrame, path: Path) -> Path:
    """The ids and sequences of a frame as FASTA."""
    pairs = zip(frame["id"], frame["sequence"], strict=True)
    path.write_text("".join(f">{name}\n{text}\n" for name, text in pairs), encoding="utf-8")
    return path
