"""A worker that is killed by the system, once, in the middle of its work."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from bionn.formats.fasta_shards import Shard
from bionn.sharded import Piece, Work, Worker


class Dying(Worker):
    """Kills its own process at the first shard but the first, unless that has been done.

    The file ``killed`` beside the model tells which process it was.
    """

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self.mark = Path(work.model).parent / "killed"

    def __call__(self, shard: Shard) -> Piece:
        """Predict, or die."""
        if shard.first and not self.mark.exists():
            self.mark.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(shard)
