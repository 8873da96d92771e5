"""The exceptions bionn raises on purpose: one short hierarchy under BionnError, and Stopped."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from difflib import get_close_matches


class BionnError(Exception):
    """Anything bionn refuses to do.

    The message is one line: the argument or file, what is needed, what was found, and the remedy,
    as in ``samples.csv:7: column 'age': a number needed, 'old' found; correct it or leave it
    empty``.
    """


class InputError(BionnError):
    """Bad input or wrong usage: the caller can put it right. The command line exits with 2."""


class FormatError(InputError):
    """A file that cannot be read as what it claims to be. The message begins with ``file:line``."""


class ArtifactError(InputError):
    """A model directory that cannot be used: missing, damaged, or of an unknown format version."""


class StorageError(InputError):
    """A file that cannot be written: no room, no permission. What was there before stays."""


class Stopped(BaseException):
    """A signal ended the work. The command line exits with 3 if it can be gone on with, else with
    128 and the signal's number.

    Like KeyboardInterrupt it passes by whoever catches Exception, or it might be swallowed.

    Args:
        signal_number: which signal.
        saved: whether what was done so far is kept and can be gone on with.
    """

    def __init__(self, signal_number: int, *, saved: bool = False) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number
        self.saved = saved


class InputWarning(UserWarning):
    """Input that was taken, though not as it should be; says what was made of it."""


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """The nearest of the choices as a clause for a message, or nothing.

    Example:
        >>> did_you_mean("lable", ["label", "id"])
        " (did you mean 'label'?)"
    """
    by_folded = {choice.casefold(): choice for choice in choices}
    near = get_close_matches(name.casefold(), by_folded, n=1)
    return f" (did you mean {by_folded[near[0]]!r}?)" if near else ""
