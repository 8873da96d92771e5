"""Run every experiment on public data, or those named: ``python -m experiments [NAME ...]``."""

from __future__ import annotations

import subprocess
import sys

from experiments.common import HERE

NAMES = sorted(path.parent.name for path in HERE.glob("*/config.yaml"))


def main() -> int:
    """One process an experiment, so that each starts afresh; the worst exit code is returned."""
    names = sys.argv[1:] or NAMES
    if unknown := [name for name in names if name not in NAMES]:
        print(f"no such experiment: {unknown[0]}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    commands = ([sys.executable, "-m", f"experiments.{name}.run"] for name in names)
    return max(subprocess.run(command, check=False).returncode for command in commands)


if __name__ == "__main__":
    sys.exit(main())
