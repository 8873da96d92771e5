"""Argument parsing that answers a slip in one line, with the nearest name and exit code 2."""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from bionn.errors import InputError, InputWarning, did_you_mean
from bionn.formats.escape import printable

_MOST = 2000
"""Characters of a message: the place and the need stand at its beginning, the remedy at its end."""


class Parser(argparse.ArgumentParser):
    """An ``ArgumentParser`` without abbreviations whose errors are :class:`InputError`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage; name what was meant where that can be guessed."""
        raise InputError(f"{message}; see {self.prog} --help")

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parse everything; an unknown option is an error that offers the nearest one."""
        parsed, unknown = self.parse_known_args(arguments)
        if unknown:
            options = [option for action in self._actions for option in action.option_strings]
            name = unknown[0].split("=", 1)[0]
            what = "option" if name.startswith("-") else "argument"
            raise InputError(
                f"no such {what}: {name}{did_you_mean(name, options)}; see {self.prog} --help"
            )
        return parsed


def words(text: str) -> list[str]:
    """``a,b`` as a list."""
    return [word.strip() for word in text.split(",") if word.strip()]


def integers(text: str) -> list[int]:
    """``512,128`` as a list of numbers."""
    return [_number(word, int, text) for word in words(text)]


def shares(text: str) -> tuple[float, ...]:
    """``.8,.1,.1`` as a tuple of numbers."""
    return tuple(_number(word, float, text) for word in words(text))


def batch_size(text: str) -> int | str:
    """A number or ``full``."""
    return text if text == "full" else _number(text, int, text)


def _number(word: str, kind: Callable[[str], Any], text: str) -> Any:
    try:
        return kind(word)
    except ValueError:
        what = "whole numbers" if kind is int else "numbers"
        raise argparse.ArgumentTypeError(f"{what} needed, {text!r} found") from None


def read_config(
    path: str, actions: Iterable[argparse.Action], *, also: Sequence[str] = ()
) -> dict[str, Any]:
    """Options from a YAML file; see ``config.yaml`` in a run's directory.

    Args:
        path: the file.
        actions: the options that the command has.
        also: names that the command reads for itself; their values stay as they are.

    Raises:
        InputError: no such file, not YAML, an option that the command does not have, or a value that
            an option does not take.
    """
    import yaml

    file = Path(path)
    if not file.is_file():
        raise InputError(f"{path}: no such file; name a YAML file of options")
    try:
        options = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable as YAML: {one_line(error)}") from None
    if not isinstance(options, dict):
        raise InputError(f"{path}: options by name needed (name: value), found something else")
    known = {action.dest: action for action in actions}
    parts = [name for name in ("model", "data", "trainer") if name in options and name not in known]
    if parts and not {*parts} & {*also}:
        raise InputError(
            f"{path}: options by name needed, a configuration of bionn fit found ({parts[0]}:); "
            f"train by bionn fit --config {path}"
        )
    for name in options:
        if name not in known and name not in also:
            raise InputError(f"{path}: no option {name!r}{did_you_mean(str(name), known)}")
    return {
        name: value if name in also else as_typed(path, name, value, known[name])
        for name, value in options.items()
    }


def as_typed(path: str, name: str, value: Any, action: argparse.Action) -> Any:
    """An option's value from a YAML file, as the command line would give it.

    YAML reads ``1e-3`` as text and ``target: 1`` as a number; both mean what they look like.

    Raises:
        InputError: it is not what the option takes.
    """
    items = value if isinstance(value, list) else [value]
    scalar = all(type(item) in (str, int, float) for item in items)
    convert = action.type if callable(action.type) else str
    try:
        if value is None or (action.nargs == 0 and isinstance(value, bool)):
            return value
        if scalar and convert in (words, integers, shares):
            return convert(",".join(map(str, items)))
        if scalar and action.nargs in ("+", "*"):
            return [convert(str(item)) for item in items]
        if scalar and action.nargs is None and not isinstance(value, list):
            converted = convert(str(value))
            if action.choices is None or converted in action.choices:
                return converted
    except (ValueError, argparse.ArgumentTypeError):
        pass
    raise InputError(f"{path}: {name}: not what this option takes: {value!r}; see bionn run --help")


@contextlib.contextmanager
def noted() -> Iterator[None]:
    """Print what the block finds worth a note as a line each, once, on stderr."""

    def show(message: Warning | str, *_: Any) -> None:
        print(f"note: {one_line(message)}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("once", InputWarning)
        warnings.showwarning = show
        yield


def fail(prog: str, error: BaseException) -> int:
    """Print an error as one line; the exit code is 2."""
    print(f"{prog}: error: {one_line(error)}", file=sys.stderr)
    return 2


def one_line(error: BaseException | str) -> str:
    """An error's message without line breaks, control characters told, what is endless cut short."""
    text = str(error)
    if len(text) > _MOST:  # of a file with a line of 200 MB
        text = f"{text[: _MOST // 2]} ... {text[-_MOST // 2 :]}"
    return printable(re.sub(r"\s*[\n\r\v\f]\s*", " ", text))
