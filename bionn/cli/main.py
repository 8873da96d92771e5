"""The entry point: finds the verb, runs it, and turns errors into one line and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from typing import NoReturn

from bionn.cli.parser import fail
from bionn.errors import BionnError, InputError, Stopped, did_you_mean

VERBS = {
    "run": "files to a trained, tested model in one command",
    "fit": "train from a configuration file (model:, data:, trainer:)",
    "validate": "score a configuration's checkpoint on the validation rows",
    "test": "score a configuration's checkpoint on the test rows",
    "tune": "search network, training and encoding on the validation rows",
    "audit": "what is in the data, and what is wrong with it",
    "report": "the page of a run, made again from its folder",
    "predict": "predictions of a trained model for new samples",
    "export": "a trained model for other programs: ONNX or torch.export",
    "data": "data sets known by name: list them, get one",
    "explain": "what a model looks at: attributions, mutagenesis, motifs, logos",
    "variants": "what the variants of a VCF file do to a model's predictions",
    "playground": "the lecture's network and gradient descent, in the browser",
    "check": "certify the layers on this machine, device and torch version",
}

HELP = """usage: bionn VERB ... (bionn VERB --help tells its options)

From a FASTA file or a CSV table to a trained, tested neural network.

{verbs}

  bionn run promoters.fasta --labels labels.csv      sequences to classes
  bionn run expression.csv --target geneA geneB      genes to other genes
  bionn predict runs/promoters new.fasta --out new.tsv

exit codes: 0 done, 1 a check failed, 2 bad input or usage, 3 stopped by a signal after saving,
128 + N stopped by signal N with nothing saved
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``bionn`` with these arguments (``sys.argv`` when None) and return the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(HELP.format(verbs="\n".join(f"  {verb:<12}{does}" for verb, does in VERBS.items())))
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version"):
        print(f"bionn {version('bionn')}")
        return 0
    # Waiting OpenMP threads are to sleep: spinning, they starve each other on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    verb, prog = arguments[0], "bionn"
    before = signal.signal(signal.SIGTERM, _raise_stopped)
    try:
        command = _command(verb)
        prog = f"bionn {verb}"
        return command(arguments[1:])
    except Stopped as stop:
        return _stopped(verb, stop)
    except BionnError as error:
        return fail(prog, error)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        where = f"{error.filename}: " if error.filename else ""
        return fail(prog, InputError(f"{where}{error.strerror or error}"))
    except KeyboardInterrupt:
        return _stopped(verb, Stopped(signal.SIGINT))
    finally:
        signal.signal(signal.SIGTERM, before)


def _raise_stopped(number: int, frame: object) -> NoReturn:
    """Unwind, so that temporary files are removed."""
    raise Stopped(number)


def _stopped(verb: str, stop: Stopped) -> int:
    if stop.saved:
        how = "--resume" if verb == "run" else "--ckpt_path last"
        kept = f"; saved: the same command with {how} goes on exactly"
    else:
        kept = "; nothing was written" if verb in ("run", "predict", "variants") else ""
    print(f"\nbionn {verb}: {stop}{kept}", file=sys.stderr)
    return 3 if stop.saved else 128 + stop.signal_number


def _command(verb: str) -> Callable[[Sequence[str]], int]:
    if verb not in VERBS:
        raise InputError(f"no such verb: {verb}{did_you_mean(verb, VERBS)}; see bionn --help")
    room = "fit" if verb in ("fit", "validate", "test") else verb
    return getattr(import_module(f"bionn.cli.{room}"), verb)


if __name__ == "__main__":
    sys.exit(main())
