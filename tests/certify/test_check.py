"""``bionn check`` and the runner behind it: results, exit codes, messages, and nothing left behind."""

import json
import subprocess
import sys

import pytest
import torch

from bionn.certify.cases import CASES
from bionn.certify.runner import PROPERTIES, Property, certify, examine
from bionn.cli.main import main
from bionn.errors import InputError
from bionn.ops import activations

QUICK = ("oracle", "twin")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[Property]:
    """Let the command run two properties only."""
    chosen = [promise for promise in PROPERTIES if promise.name in QUICK]
    monkeypatch.setattr("bionn.certify.runner.PROPERTIES", tuple(chosen))
    return chosen


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give sigmoid's gradient the wrong sign."""
    right = activations.sigmoid.pair.reverse.backward
    wrong = staticmethod(lambda ctx, grad: (-right(ctx, grad)[0], None))
    monkeypatch.setattr(activations.sigmoid.pair.reverse, "backward", wrong)


def test_letters_and_names_are_unique_and_every_promise_is_told() -> None:
    assert len({promise.letter for promise in PROPERTIES}) == len(PROPERTIES)
    assert len({promise.name for promise in PROPERTIES}) == len(PROPERTIES)
    assert all(promise.promise.endswith(".") for promise in PROPERTIES)


def test_certify_gives_a_result_for_each_op_and_property() -> None:
    found = certify(["tanh", "relu"], properties=QUICK)
    assert [(result.op, result.property) for result in found] == [
        (op, name) for op in ("tanh", "relu") for name in QUICK
    ]
    assert all(result.passed and result.seconds > 0 for result in found)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"only": ["sigmod"]}, "no such op: sigmod (did you mean 'sigmoid'?)"),
        ({"properties": ["twins"]}, "no such property: twins (did you mean 'twin'?)"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(options, message: str) -> None:
    with pytest.raises(InputError) as caught:
        certify(**options)
    assert str(caught.value).startswith(message)


def test_what_breaks_inside_a_property_is_a_finding_in_one_line() -> None:
    def check(case, device) -> None:
        raise ZeroDivisionError("a\n  b")

    result = examine(CASES[0], Property("Z", "zero", check))
    assert (result.passed, result.message) == (False, "ZeroDivisionError: a b")


def test_the_callers_settings_stay_as_they_were() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with torch.no_grad():
        certify(["softplus"], properties=["memory", "reverse", "autocast", "hessian"])
        assert not torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.are_deterministic_algorithms_enabled()


def test_check_prints_a_table_of_80_columns(quick, capsys) -> None:
    assert main(["check", "--only", "binary_cross_entropy_with_logits", "relu"]) == 0
    shown = capsys.readouterr().out
    assert f"torch {torch.__version__}" in shown
    assert "device cpu" in shown
    lines = shown.splitlines()
    assert lines[2].split() == [promise.letter for promise in quick]
    assert [line.split() for line in lines[3:5]] == [
        ["relu", "+", "+"],
        ["binary_cross_entropy_with_logits", "+", "+"],
    ]
    assert "4 of 4 properties hold, 0 fail" in lines[-1]


def test_the_whole_table_fits_80_columns() -> None:
    widest = max(len(case.name) for case in CASES)
    assert max(33, widest + 1) + 2 * len(PROPERTIES) - 1 <= 80
    assert all(len(f"X {p.name:<15}{p.promise}") <= 80 for p in PROPERTIES)


def test_check_fails_with_the_names_of_what_does_not_hold(quick, broken, capsys) -> None:
    assert main(["check", "--only", "sigmoid", "tanh"]) == 1
    shown = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in shown.splitlines()[3:5]}
    assert rows == {"sigmoid": ["x", "x"], "tanh": ["+", "+"]}
    assert "sigmoid, oracle: plain matrix: " in shown
    assert "2 of 4 properties hold, 2 fail" in shown


def test_check_gives_json(quick, broken, capsys) -> None:
    assert main(["check", "--only", "sigmoid", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["passed"] is False
    assert told["torch"] == torch.__version__
    assert [(row["op"], row["property"], row["passed"]) for row in told["results"]] == [
        ("sigmoid", name, False) for name in QUICK
    ]
    assert all(row["message"] for row in told["results"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "sigmod"], "bionn check: error: no such op: sigmod (did you mean 'sigmoid'?)"),
        (["--device", "gpu"], "bionn check: error: --device gpu: cannot be used here: "),
        (["--device", "meta"], "bionn check: error: --device meta: cannot be used here: "),
        (["--jsno"], "bionn check: error: no such option: --jsno (did you mean '--json'?)"),
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], message: str, capsys) -> None:
    assert main(["check", *arguments]) == 2
    assert capsys.readouterr().err.startswith(message)


def test_certify_needs_no_test_library() -> None:
    program = (
        "import sys, bionn.certify.runner; "
        "print(sorted({'pytest', 'hypothesis', 'expecttest', 'lightning'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_it_refuses_to_pass_where_its_assertions_are_removed() -> None:
    command = [sys.executable, "-O", "-m", "bionn.cli.main", "check", "--only", "relu"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "run without -O" in done.stderr
