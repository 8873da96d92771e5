"""The entry point: verbs, help, nearest names, and errors as one line with exit code 2."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from bionn.cli import main as entry
from bionn.cli.main import VERBS, main
from bionn.errors import InputError, Stopped

COMMAND = str(Path(sys.executable).with_name("bionn"))


@pytest.mark.parametrize("argument", ["--help", "-h", "help"])
def test_help_tells_every_verb(argument: str, capsys) -> None:
    assert main([argument]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {verb}" in shown for verb in VERBS)


def test_no_verb_is_wrong_usage(capsys) -> None:
    assert main([]) == 2
    assert "usage" in capsys.readouterr().out


def test_version(capsys) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"bionn {version('bionn')}\n"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str, capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        main([verb, "--help"])
    assert caught.value.code == 0
    assert "usage" in capsys.readouterr().out.lower()


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in ("playground", "check")])
def test_a_verb_alone_says_what_it_needs(verb: str, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([verb]) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"bionn {verb}: error: ")
    assert message.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu"], "bionn: error: no such verb: rnu (did you mean 'run'?); see bionn --help"),
        (["xyz"], "bionn: error: no such verb: xyz; see bionn --help"),
        (
            ["run", "a.fa", "--lables", "x"],
            "bionn run: error: no such option: --lables (did you mean '--labels'?); "
            "see bionn run --help",
        ),
        (
            ["run", "a.fa", "--max-epoch=3"],
            "bionn run: error: no such option: --max-epoch (did you mean '--max-epochs'?); "
            "see bionn run --help",
        ),
        (
            ["predict", "runs/a", "b.fa", "--ouput", "x", "--out", "c.tsv"],
            "bionn predict: error: no such option: --ouput (did you mean '--out'?); "
            "see bionn predict --help",
        ),
        (
            ["predict", "runs/a", "b.fa"],
            "bionn predict: error: the following arguments are required: --out; "
            "see bionn predict --help",
        ),
        (
            ["predict", "runs/a", "b.fa", "c.fa", "--out", "d.tsv"],
            "bionn predict: error: no such argument: c.fa; see bionn predict --help",
        ),
    ],
)
def test_slips_are_answered_with_the_nearest_name(arguments, message: str, capsys) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err == message + "\n"


def test_the_installed_command_exits_with_2() -> None:
    done = subprocess.run([COMMAND, "frobnicate"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "bionn: error: no such verb: frobnicate; see bionn --help\n"


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError("a file\n  needed"), 2, "bionn run: error: a file needed\n"),
        (PermissionError(13, "Permission denied", "x.csv"), 2, "error: x.csv: Permission denied\n"),
        (OSError(28, "No space left on device"), 2, "error: No space left on device\n"),
        (KeyboardInterrupt(), 130, "bionn run: stopped by SIGINT; nothing was written\n"),
        (Stopped(15), 143, "bionn run: stopped by SIGTERM; nothing was written\n"),
    ],
)
def test_errors_become_a_line_and_a_code(error, code: int, line: str, monkeypatch, capsys) -> None:
    def command(_) -> int:
        raise error

    monkeypatch.setattr(entry, "_command", lambda verb: command)
    assert main(["run"]) == code
    assert capsys.readouterr().err.endswith(line)


def test_an_unforeseen_error_keeps_its_traceback(monkeypatch) -> None:
    def command(_) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(entry, "_command", lambda verb: command)
    with pytest.raises(ZeroDivisionError):
        main(["run"])
