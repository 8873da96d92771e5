"""Where the public data sets are: BIONN_DATA, or ``shared/data`` beside the repository."""

from __future__ import annotations

import os
from pathlib import Path

PUBLIC = Path(
    os.environ.get("BIONN_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data"
)
