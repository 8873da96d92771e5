"""Alphabets against Biopython's IUPAC tables: codes, decoding, code tables, first bad symbols."""

from __future__ import annotations

import itertools
import string

import numpy as np
import pytest
from Bio.Data import IUPACData
from hypothesis import given
from hypothesis import strategies as st

from bionn.errors import InputError
from bionn.sequences.alphabet import (
    ALPHABETS,
    DNA,
    PROTEIN,
    RNA,
    Alphabet,
    Iupac,
    SymbolError,
    Unknown,
    alphabet_named,
)
from tests.support.refusals import refused

STANDS_FOR = {
    "dna": IUPACData.ambiguous_dna_values,
    "rna": IUPACData.ambiguous_rna_values,
    "protein": IUPACData.extended_protein_values,
}
UNKNOWN: tuple[Unknown, ...] = ("zero", "uniform", "error")
IUPAC: tuple[Iupac, ...] = ("expand", "unknown", "error")
alphabets = pytest.mark.parametrize("alphabet", list(ALPHABETS.values()), ids=list(ALPHABETS))


def all_symbols(alphabet: Alphabet) -> str:
    """Letters, the first unknown symbol and the ambiguity codes."""
    return alphabet.symbols.replace("-", "")


def test_the_letters_and_the_ten_ambiguity_codes() -> None:
    assert (DNA.letters, RNA.letters) == ("ACGT", "ACGU")
    assert sorted(PROTEIN.letters) == sorted(IUPACData.protein_letters)
    for alphabet in (DNA, RNA):
        assert sorted(code for code, _ in alphabet.ambiguity) == sorted("RYSWKMBDHV")


@alphabets
@given(data=st.data())
def test_decode_is_the_inverse_of_encode(alphabet: Alphabet, data: st.DataObject) -> None:
    length = data.draw(st.integers(0, 12))
    texts = st.text(st.sampled_from(all_symbols(alphabet)), min_size=length, max_size=length)
    sequences = data.draw(st.lists(texts, min_size=1, max_size=5))
    codes = alphabet.encode(sequences)
    assert codes.dtype == np.uint8
    assert codes.shape == (len(sequences), length)
    assert alphabet.decode(codes) == sequences
    np.testing.assert_array_equal(alphabet.encode([s.lower() for s in sequences]), codes)


def test_letters_come_first_then_unknown_then_padding() -> None:
    np.testing.assert_array_equal(DNA.encode(["ACGTNX"]), [[0, 1, 2, 3, 4, 4]])
    assert (DNA.unknown_code, DNA.padding_code, DNA.num_codes) == (4, 5, 16)
    assert DNA.decode(np.array([[0, 5, 4]])) == ["A-N"]


@pytest.mark.parametrize(("alphabet", "other"), [(DNA, "Uu"), (RNA, "Tt")])
def test_u_and_t_are_read_as_each_other(alphabet: Alphabet, other: str) -> None:
    np.testing.assert_array_equal(alphabet.encode([other]), [[3, 3]])
    assert alphabet.decode(alphabet.encode([other])) == [alphabet.letters[3] * 2]


@alphabets
@pytest.mark.parametrize("unknown", UNKNOWN)
def test_a_row_of_the_code_table_shares_1_among_the_letters_a_code_stands_for(
    alphabet: Alphabet, unknown: Unknown
) -> None:
    table = alphabet.code_table(unknown=unknown)
    assert table.shape == (alphabet.num_codes, len(alphabet.letters))
    assert table.dtype == np.float32
    for symbol, row in zip(alphabet.symbols, table, strict=True):
        if symbol == "-":
            letters = ""
        elif symbol in alphabet.unknown_symbols:
            letters = alphabet.letters if unknown == "uniform" else ""
        else:
            letters = STANDS_FOR[alphabet.name].get(symbol, symbol)
        truth = [letter in letters for letter in alphabet.letters] / np.float32(len(letters) or 1)
        np.testing.assert_allclose(row, truth, rtol=1e-6)


@pytest.mark.parametrize(("unknown", "iupac"), list(itertools.product(UNKNOWN, IUPAC)))
def test_the_policies_decide_what_n_and_the_ambiguity_codes_are(
    unknown: Unknown, iupac: Iupac
) -> None:
    def allowed(symbol: str) -> bool:
        try:
            DNA.encode([symbol], unknown=unknown, iupac=iupac)
        except SymbolError:
            return False
        return True

    assert allowed("N") is allowed("x") is (unknown != "error")
    as_unknown_refused = iupac == "unknown" and unknown == "error"
    assert allowed("R") is allowed("v") is (iupac != "error" and not as_unknown_refused)
    if allowed("R"):
        code = int(DNA.encode(["R"], unknown=unknown, iupac=iupac)[0, 0])
        assert DNA.symbols[code] == ("R" if iupac == "expand" else "N")


@pytest.mark.parametrize(
    ("symbol", "unknown", "iupac", "remedy"),
    [
        ("N", "error", "expand", "choose unknown=zero or uniform"),
        ("r", "zero", "error", "choose iupac=expand or unknown"),
        ("R", "error", "unknown", "choose iupac=expand"),
        ("-", "zero", "expand", "correct the record"),
        ("*", "zero", "expand", "correct the record"),
        ("é", "zero", "expand", "not in the dna alphabet"),
        ("ſ", "zero", "expand", "not in the dna alphabet"),  # upper case: S
    ],
)
def test_the_first_bad_symbol_is_told_with_record_and_position(
    symbol: str, unknown: Unknown, iupac: Iupac, remedy: str
) -> None:
    sequences = ["ACGT", "", f"AC{symbol}T-{symbol}", "----"]
    with refused(repr(symbol), "position 3", remedy, kind=SymbolError) as caught:
        DNA.encode_flat(sequences, unknown=unknown, iupac=iupac)
    error = caught.value
    assert (error.symbol, error.record, error.position) == (symbol, 2, 2)


@given(
    st.lists(st.text(st.characters(max_codepoint=127), max_size=6), max_size=6),
    st.sampled_from(UNKNOWN),
    st.sampled_from(IUPAC),
)
def test_any_ascii_text_gives_codes_or_an_error_at_its_first_bad_symbol(
    sequences: list[str], unknown: Unknown, iupac: Iupac
) -> None:
    good = "ACGTU"
    good += "NX" if unknown != "error" else ""
    read = iupac == "expand" or (iupac == "unknown" and unknown != "error")
    good += "RYSWKMBDHV" if read else ""
    bad = [
        (record, position)
        for record, sequence in enumerate(sequences)
        for position, symbol in enumerate(sequence)
        if symbol.upper() not in good
    ]
    if bad:
        with pytest.raises(SymbolError) as caught:
            DNA.encode_flat(sequences, unknown=unknown, iupac=iupac)
        assert (caught.value.record, caught.value.position) == bad[0]
    else:
        codes = DNA.encode_flat(sequences, unknown=unknown, iupac=iupac)
        assert len(codes) == sum(map(len, sequences))
        assert not codes.size or codes.max() < DNA.num_codes


def test_sequences_of_several_lengths_are_no_matrix() -> None:
    with refused("lengths 1 to 3", kind=InputError):
        DNA.encode(["A", "ACG"])
    assert DNA.encode([]).shape == (0, 0)
    assert DNA.encode(["", ""]).shape == (2, 0)


def test_alphabets_are_named_in_any_case() -> None:
    for name in ALPHABETS:
        assert alphabet_named(name.upper()) is alphabet_named(name)
    with refused("dna, rna, protein", "did you mean 'protein'", kind=InputError):
        alphabet_named("proteins")


def test_protein_knows_every_capital_but_two() -> None:
    """Protein has no code for O and U: they are refused, not guessed."""
    known = {s for s in string.ascii_uppercase if s in all_symbols(PROTEIN)}
    assert set(string.ascii_uppercase) - known == {"O", "U"}
    for symbol in "OU*":
        with pytest.raises(SymbolError):
            PROTEIN.encode([symbol])


def test_a_custom_alphabet_has_its_letters_and_one_unknown() -> None:
    for text, unknown in (("HEC", "X"), ("ACGTX", "N"), ("XN", "?")):
        alphabet = alphabet_named(f"custom:{text}")
        assert (alphabet.letters, alphabet.ambiguity) == (text, ())
        assert alphabet.decode(alphabet.encode([text.lower() + unknown])) == [text + unknown]
        assert alphabet_named(alphabet.name) == alphabet == alphabet_named(f"Custom:{text.lower()}")
        table = alphabet.code_table(unknown="uniform")
        np.testing.assert_allclose(table[len(text)], 1 / len(text))
    with refused("'Q'", "not in the custom alphabet (HEC, X)", kind=SymbolError):
        alphabet_named("custom:HEC").encode(["HEQ"])


@pytest.mark.parametrize("letters", ["", "A", "AA", "ACA", "Aca", "A-C", "A C", "Aß", "A\tC"])
def test_letters_that_make_no_alphabet_are_refused(letters: str) -> None:
    with refused("alphabet: two or more different letters needed", "custom:", kind=InputError):
        alphabet_named(f"custom:{letters}")


def test_a_custom_alphabet_needs_a_symbol_for_the_unknown() -> None:
    with refused("X, N or ?", kind=InputError):
        alphabet_named("custom:XN?")
