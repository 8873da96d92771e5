"""What every refusal must be: of the right class, one line long, with the fact and a remedy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bionn.errors import InputError


@contextmanager
def refused(*parts: object, kind: type[InputError] = InputError) -> Iterator[pytest.ExceptionInfo]:
    """The block must raise ``kind`` with a message of one line that contains every part.

    A remedy, or a question, must follow the fact. Yields what ``pytest.raises`` does.
    """
    with pytest.raises(kind) as caught:
        yield caught
    message = str(caught.value)
    assert "\n" not in message
    assert "; " in message or "? " in message, f"no remedy: {message}"
    for part in parts:
        assert str(part) in message, message
