"""What every op of the registry promises: each property of `bionn check`, op by op."""

import pytest

from bionn import functional as F
from bionn.certify.cases import CASES, Case
from bionn.certify.runner import PROPERTIES, Property, examine


@pytest.mark.parametrize("promise", PROPERTIES, ids=lambda promise: promise.name)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_op_has_property(case: Case, promise: Property) -> None:
    result = examine(case, promise)
    assert result.passed, result.message


def test_every_function_has_a_case() -> None:
    public = {
        name
        for name, value in vars(F).items()
        if getattr(value, "__module__", None) == F.__name__ and not name.startswith("_")
    }
    assert {case.name for case in CASES} == public - {"dropout"}  # which no two calls agree on
    assert len(CASES) == len(public) - 1
