"""From files to disjoint splits to batches; the names below are for use from outside."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bionn.data.batches import ResidentBatches as ResidentBatches
    from bionn.data.modules import ExpressionDataModule as ExpressionDataModule
    from bionn.data.modules import FastaDataModule as FastaDataModule

_HOME = {
    "ExpressionDataModule": "modules",
    "FastaDataModule": "modules",
    "ResidentBatches": "batches",
}
__all__ = ["ExpressionDataModule", "FastaDataModule", "ResidentBatches"]


def __getattr__(name: str) -> Any:
    """Import the modules, and with them Lightning, only when they are asked for (PEP 562)."""
    if name in _HOME:
        return getattr(import_module(f"bionn.data.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
