"""``python -m tests.faults [--short] [--json] [SECTION ...]``: inject faults, print the figures."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from tests.faults.harness import as_json, preload

SECTIONS = {
    "kills": "SIGKILL at random moments, then --resume",
    "writes": "every write, sync, rename and creation of a file failed in turn",
    "corrupt": "models, manifests and checkpoints truncated and with bits flipped",
    "hostile": "pickles, archives, JSON and YAML made to harm",
    "clocks": "a wall clock that jumps by years",
    "readers": "a hundred processes that read a model while it is replaced",
    "rows": "predictions through writes cut short, pipes and kills",
}


def main() -> int:
    """Run the sections; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--short", action="store_true", help="a few of each: under two minutes")
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    given = parser.parse_args()
    preload()

    results = {}
    for name in given.sections or SECTIONS:
        begin = time.monotonic()
        section = import_module(f"tests.faults.{name}")
        with tempfile.TemporaryDirectory(prefix=f"bionn-{name}-") as folder:
            results[name] = section.test(Path(folder).resolve(), short=given.short)
        if not given.json:
            figures = ", ".join(f"{what} {n}" for what, n in results[name].numbers.items())
            print(f"{name}: {figures} ({time.monotonic() - begin:.0f} s)", flush=True)
            for sentence in results[name].broken:
                print(f"  BROKEN: {sentence}", flush=True)
    if given.json:
        print(as_json(results))
    return int(any(figures.broken for figures in results.values()))


if __name__ == "__main__":
    code = main()
    shutil.rmtree(Path(os.environ["BIONN_SHIM"]).parent, ignore_errors=True)
    sys.stdout.flush()
    os._exit(code)
