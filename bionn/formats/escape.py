"""Text from files where it is shown: a terminal must not obey it, a spreadsheet must not compute it.

HTML is escaped by the templates of the report, JSON and YAML by their writers; quotes, tabs and line
ends of delimited files by :mod:`bionn.formats.rows`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# C0 and C1 controls but for tab and line feed; what turns the direction of writing or breaks lines
# unseen; halves of surrogate pairs, which cannot be written at all.
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)

# Plain numbers, and + and - alone (strands), are none.
_FORMULA = re.compile(r"[=@\t\r]|[+-](?!$|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$)")


def printable(text: str) -> str:
    r"""The text with every character that a terminal might obey written out.

    Example:
        >>> printable("\x1b[31mred\x1b[0m, back\rto the start")
        '\\x1b[31mred\\x1b[0m, back\\rto the start'
    """
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would compute a cell instead of showing it.

    Example:
        >>> [text for text in ["=1+1", "+", "-1.5e3", "-2+3", "@a", "a=b"] if is_formula(text)]
        ['=1+1', '-2+3', '@a']
    """
    return _FORMULA.match(text) is not None


def as_text(cells: Iterable[str]) -> list[str]:
    """The cells, those that are formulas behind an apostrophe, by which spreadsheets show them.

    Example:
        >>> as_text(["chr1:5", "=1+1"])
        ['chr1:5', "'=1+1"]
    """
    return [f"'{cell}" if is_formula(cell) else cell for cell in cells]
