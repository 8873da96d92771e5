"""Reading JSON of unknown origin: no more than so many bytes, no deeper than so many levels."""

from __future__ import annotations

import json
import reprlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from bionn.errors import FormatError


def read_json(path: str | Path, *, most_bytes: int, deepest: int) -> Any:
    """The value in a file of strict JSON.

    Args:
        path: an existing file.
        most_bytes: a larger file is refused before it is read.
        deepest: how many lists and objects may stand in each other.

    Raises:
        FormatError: too large, too deep, not UTF-8, not strict JSON (NaN and infinities are not), or
            an object in which a name stands twice.
    """
    path = Path(path)
    with path.open("rb") as file:
        raw = file.read(most_bytes + 1)
    if len(raw) > most_bytes:
        raise FormatError(
            f"{path}: at most {most_bytes} bytes of JSON needed, {path.stat().st_size} found; "
            "not a file that bionn wrote, fetch it again"
        )
    try:
        value = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:  # JSONDecodeError, UnicodeDecodeError among them
        raise FormatError(
            f"{path}: not readable as JSON ({error}); fetch or copy it again"
        ) from None
    if _deeper(value, deepest):
        raise FormatError(
            f"{path}: JSON of at most {deepest} levels needed, a deeper one found; "
            "not a file that bionn wrote, fetch it again"
        )
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; of two values of one name a reader could take either."""
    found = dict(pairs)
    if len(found) < len(pairs):
        name = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the name {reprlib.repr(name)} stands twice in an object")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _deeper(value: Any, deepest: int) -> bool:
    """Whether more than so many lists and objects stand in each other."""
    level = [value]
    for _ in range(deepest):
        level = [
            item for outer in level if isinstance(outer, (dict, list)) for item in _items(outer)
        ]
    return any(isinstance(value, (dict, list)) for value in level)


def _items(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value
