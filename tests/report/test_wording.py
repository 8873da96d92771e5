"""Numbers keep their value in print; nothing in a name stays hidden."""

import math
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from bionn.report.wording import DASH, interval, listed, number, short, visible


def read_back(text: str) -> float:
    """What a reader takes a printed number for."""
    plain = text.replace("−", "-").replace(",", "")
    if " × 10" not in plain:
        return float(plain)
    mantissa, exponent = plain.split(" × 10")
    return float(mantissa) * 10.0 ** int(unicodedata.normalize("NFKC", exponent).replace("−", "-"))


@given(st.floats(-1e12, 1e12))
def test_a_number_is_told_to_three_digits(value: float) -> None:
    assert math.isclose(read_back(number(value)), value, rel_tol=6e-3, abs_tol=5.1e-4) or (
        math.isclose(read_back(number(value)), value, rel_tol=6e-3)
    )


@given(st.floats(1e-300, 1e-4))
def test_a_tiny_number_is_not_called_zero(value: float) -> None:
    assert math.isclose(read_back(number(value)), value, rel_tol=6e-3)


def test_what_is_not_a_number_is_a_dash() -> None:
    assert number(None) == number(float("nan")) == number(float("inf")) == DASH


@given(st.text())
def test_everything_is_visible(text: str) -> None:
    shown = visible(text)
    assert shown.replace("\N{NO-BREAK SPACE}", " ").isprintable()
    assert (shown == text) == text.replace("\N{NO-BREAK SPACE}", " ").isprintable()


def test_different_names_stay_different_when_made_visible() -> None:
    assert visible("ab") != visible("a\u200bb") != visible("a\u202eb")


@given(st.text(), st.integers(5, 30))
def test_short_is_short_and_keeps_both_ends(text: str, most: int) -> None:
    cut = short(text, most)
    assert len(cut) <= most
    if len(text) > most:
        head, tail = cut.split("…") if cut.count("…") == 1 else (cut[:1], cut[-1:])
        assert text.startswith(head)
        assert text.endswith(tail)


def test_lists_and_intervals() -> None:
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert interval([0, 1]) == "0.000 to 1.000"
    assert interval(None) == interval([None, 1]) == ""
