"""Text that is shown cannot command a terminal or a spreadsheet, and is not changed otherwise."""

from __future__ import annotations

import unicodedata

import pytest

from bionn.formats.escape import as_text, is_formula, printable


def test_every_control_character_of_unicode_is_written_out() -> None:
    kept = []
    for code in range(0x110000):
        character = chr(code)
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
            shown = printable(f"a{character}b")
            if character in shown:
                kept.append(character)
            else:
                assert shown.isprintable()
                assert shown.encode("ascii").decode("unicode_escape") == f"a{character}b"
    assert kept == ["\t", "\n"]


def test_what_turns_the_direction_of_writing_is_written_out() -> None:
    turning = [chr(c) for c in range(0x110000) if unicodedata.bidirectional(chr(c)) in TURNING]
    assert len(turning) == 9
    assert not any(character in printable("".join(turning)) for character in turning)


TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@pytest.mark.parametrize("text", ["chr1:5-9(+)", "ä€ 蛋白", "a\\x1b", "👩‍🔬", "[red]", "a\tb\nc"])
def test_honest_text_stays(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    "text", ["=1+1", "=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "-A1", "+."]
)
def test_formulas_are_known(text: str) -> None:
    assert is_formula(text)
    assert as_text([text]) == [f"'{text}"]


@pytest.mark.parametrize(
    "text", ["", "+", "-", "-1", "+1.5", "-.5e-3", "1e5", "chr1", "a=b", "'=1"]
)
def test_ids_strands_and_numbers_are_none(text: str) -> None:
    assert not is_formula(text)
    assert as_text([text]) == [text]
