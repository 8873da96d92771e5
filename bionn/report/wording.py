"""Numbers and names as a reader sees them: rounded alike everywhere, and nothing hidden in a name."""

from __future__ import annotations

import math
from typing import Any

SCORE_NAMES = {
    "loss": "loss",
    "accuracy": "accuracy",
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "mcc": "MCC",
    "f1": "F1",
    "r2": "R²",
    "pearson": "Pearson r",
    "spearman": "Spearman ρ",
    "mse": "MSE",
    "mae": "MAE",
    "ece": "ECE",
    "brier": "Brier score",
    "precision": "precision",
    "recall": "recall",
}

MEANINGS = {
    "accuracy": "share of the rows whose class is predicted right",
    "auroc": "chance that a row of a class is ranked above one of another; .5 is guessing",
    "auprc": "mean precision over all thresholds; guessing gives the share of the class",
    "mcc": "correlation of true and predicted class; 0 is guessing, 1 perfect, fair to rare classes",
    "f1": "harmonic mean of precision and recall",
    "precision": "share of the rows called a class that are of it",
    "recall": "share of a class's rows that are called it",
    "r2": "share of the target's variance that is explained; 0 is the mean of the test rows, "
    "below 0 is worse",
    "pearson": "linear correlation of measured and predicted values",
    "spearman": "correlation of their ranks",
    "mse": "mean squared error, in the target's unit squared",
    "mae": "mean absolute error, in the target's unit",
    "ece": "expected calibration error: mean gap between confidence and the share that is right",
    "brier": "mean squared gap between the probabilities and the truth",
    "loss": "what training lowers: cross-entropy, or squared error in standardised units",
}

DASH = "–"


def visible(text: str) -> str:
    """The text with every invisible or reordering character written out.

    Control, format (bidirectional marks, zero-width), surrogate and unassigned characters could
    hide in an id, or let one look like another.

    Example:
        >>> visible("gene\\u202eA\\n")
        'gene⟨U+202E⟩A⟨U+000A⟩'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\N{NO-BREAK SPACE}" else code(c) for c in text)


def code(character: str) -> str:
    """A character by its number: ``⟨U+202E⟩``."""
    return f"⟨U+{ord(character):04X}⟩"


def short(text: object, most: int = 60) -> str:
    """A name of at most so many characters, its middle left out.

    Example:
        >>> short("chromosome_1_of_Arabidopsis", 12)
        'chrom…dopsis'
    """
    text = str(text)
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


def number(value: Any, digits: int = 3) -> str:
    """A number with so many decimals, or digits where it is large or tiny; a dash for none.

    Example:
        >>> [number(value) for value in (0.98765, -12, 1234567.0, 0.00001234, None)]
        ['0.988', '−12', '1,234,567', '1.23 × 10⁻⁵', '–']
    """
    if value is None or isinstance(value, bool) or not isinstance(value, (int, float)):
        return DASH if value is None else str(value)
    if math.isnan(value) or math.isinf(value):
        return DASH
    if float(value).is_integer() and abs(value) < 1e12:
        whole = isinstance(value, int) or abs(value) >= 10
        text = f"{value:,.0f}" if whole else f"{value:.{digits}f}"
    elif abs(value) >= 1e6 or abs(value) < 10.0**-digits:
        mantissa, exponent = f"{value:.{max(digits - 1, 0)}e}".split("e")
        text = f"{mantissa} × 10{superscript(int(exponent))}"
    elif abs(value) >= 100:
        text = f"{value:,.1f}"
    else:
        text = f"{value:.{digits}f}"
    return text.replace("-", "−")


def superscript(value: int) -> str:
    """A whole number as an exponent."""
    return str(value).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def interval(ends: Any) -> str:
    """``0.91 to 0.97``; nothing where there is none."""
    if not ends or any(end is None for end in ends):
        return ""
    return f"{number(float(ends[0]))} to {number(float(ends[1]))}"


def chance(probability: float | None) -> str:
    """A probability; what rounds to 0 or 1 is not called so.

    Example:
        >>> chance(0.123), chance(0.99999), chance(0.0001)
        ('0.123', 'over 0.999', 'below 0.001')
    """
    if probability is None:
        return DASH
    if probability > 0.9995:
        return "over 0.999"
    return "below 0.001" if probability < 0.0005 else number(float(probability))


def percent(share: float | None, digits: int = 1) -> str:
    """``97.4 %``."""
    return DASH if share is None else f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def score_name(name: str) -> str:
    """A score's name in print."""
    return SCORE_NAMES.get(name, name)


def listed(names: list[str], most: int = 6) -> str:
    """``a, b and c``; of many the first ones and how many more.

    Example:
        >>> listed(["a", "b", "c"]), listed(list("abcdefgh"), 3)
        ('a, b and c', 'a, b, c and 5 more')
    """
    if len(names) > most:
        return ", ".join(names[:most]) + f" and {len(names) - most:,} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def counted(count: int, one: str, many: str | None = None) -> str:
    """``1 row``, ``1,000 rows``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
