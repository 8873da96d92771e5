"""From files to disjoint splits to batches; ``FastaDataModule`` and ``ExpressionDataModule``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bionn.data.modules import ExpressionDataModule as ExpressionDataModule
    from bionn.data.modules import FastaDataModule as FastaDataModule

__all__ = ["ExpressionDataModule", "FastaDataModule"]


def __getattr__(name: str) -> Any:
    """Import the modules, and with them Lightning, only when they are asked for (PEP 562)."""
    if name in __all__:
        from bionn.data import modules

        return getattr(modules, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
