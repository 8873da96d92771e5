"""The hierarchy of exceptions, and the nearest name in a message."""

from __future__ import annotations

import pytest

from bionn.errors import ArtifactError, BionnError, FormatError, InputError, did_you_mean
from bionn.preprocess.sequences import LengthError
from bionn.sequences.alphabet import SymbolError


@pytest.mark.parametrize("kind", [FormatError, ArtifactError, SymbolError, LengthError])
def test_whatever_the_caller_can_mend_is_an_input_error(kind: type[Exception]) -> None:
    assert issubclass(kind, InputError)
    assert issubclass(InputError, BionnError)


@pytest.mark.parametrize(
    ("name", "choices", "nearest"),
    [
        ("lable", ["label", "id"], "label"),
        ("LABEL", ["label"], "label"),
        ("Sequnce", ["id", "sequence"], "sequence"),
        ("xyz", ["label", "id"], None),
        ("label", [], None),
    ],
)
def test_did_you_mean_offers_the_nearest_choice_or_nothing(
    name: str, choices: list[str], nearest: str | None
) -> None:
    assert did_you_mean(name, choices) == (f" (did you mean {nearest!r}?)" if nearest else "")
