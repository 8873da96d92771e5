"""bionn: from a FASTA file or a CSV table to a trained, tested and explained neural network.

The names below are imported when they are first used, so that ``import bionn`` costs no more than
``import torch``:

=====================  ===================================================================
``bionn.functional``   the functions, shaped like ``torch.nn.functional``
``bionn.nn``           the modules, drop-ins for those of ``torch.nn``
``bionn.models``       ``MLP`` and its one-layer relatives
``bionn.data``         ``FastaDataModule``, ``ExpressionDataModule``, ``ResidentBatches``
``bionn.tasks``        ``Classifier``, ``Regressor``
``bionn.run``          files to results in one call: what the command ``bionn run`` does
``bionn.load``         a model directory to a ``Predictor``
=====================  ===================================================================
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bionn import data, functional, models, nn, tasks
    from bionn.loading import load
    from bionn.pipeline import RunResult, run
    from bionn.predict import Predictor

__all__ = [
    "Predictor",
    "RunResult",
    "data",
    "functional",
    "load",
    "models",
    "nn",
    "run",
    "tasks",
]

_HOME = {
    "run": "bionn.pipeline",
    "RunResult": "bionn.pipeline",
    "load": "bionn.loading",
    "Predictor": "bionn.predict",
}


def __getattr__(name: str) -> Any:
    """Import a public name from the module that defines it (PEP 562)."""
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    if name in __all__:
        return import_module(f"bionn.{name}")
    raise AttributeError(f"module 'bionn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
