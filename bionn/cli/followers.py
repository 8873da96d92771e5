"""The processes beside the first one of a training: silent, and heard only where they alone fail."""

from __future__ import annotations

import contextlib
import os
import time
import warnings
from collections.abc import Iterator

from lightning.fabric.utilities.rank_zero import rank_zero_only

from bionn.errors import InputWarning, Stopped

PATIENCE = 4.0
"""Seconds that a follower waits, before it tells an error, for the first process to end of the same."""


@contextlib.contextmanager
def one_voice() -> Iterator[None]:
    """Let the block speak in the first process of a training alone.

    In the others nothing goes to standard output, and there are no notes. A stop that was saved
    ends them with code 0, as Lightning kills the process that started them after any other.
    """
    if not rank_zero_only.rank:
        yield
        return
    leader = os.getppid()
    with contextlib.ExitStack() as stack:
        nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
        stack.enter_context(contextlib.redirect_stdout(nowhere))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore", InputWarning)
        try:
            yield
        except Stopped as stop:
            raise SystemExit(0 if stop.saved else 128 + stop.signal_number) from None
        except Exception:
            until = time.monotonic() + PATIENCE
            while time.monotonic() < until:
                if os.getppid() != leader:  # it has told what there is to tell
                    raise SystemExit(1) from None
                time.sleep(0.05)
            raise
