"""Runs the long runs that are named, or all, one after the other, each in a process of its own.

python -m tests.soak [NAME …] [--scale SHARE]; a name may be a pattern, as postgres_*.
"""

from __future__ import annotations

import argparse
import fnmatch
import subprocess
import sys
from collections.abc import Sequence

from tests.soak.runs import modules


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="runs, or patterns of their names; none: all"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full length; default 1")
    given = parser.parse_args()
    try:
        names = chosen(given.names)
    except ValueError as problem:
        parser.error(str(problem))
    failed = []
    for number, name in enumerate(names, 1):
        print(f"== {number}/{len(names)} {name}", flush=True)
        command = [sys.executable, "-m", f"tests.soak.{name}", "--scale", str(given.scale)]
        run = subprocess.run(command, check=False)
        if run.returncode:
            failed.append(name)
    print(f"== {len(names) - len(failed)} of {len(names)} passed" + "".join(f"; FAILED: {n}" for n in failed))
    sys.exit(1 if failed else 0)


def chosen(patterns: Sequence[str]) -> list[str]:
    """The runs whose names fit; all where nothing is asked for. Raises `ValueError` for what fits none."""
    names = modules()
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise ValueError(f"there is no run {pattern}; there are {', '.join(names)}")
    return [name for name in names if not patterns or any(fnmatch.fnmatch(name, p) for p in patterns)]


if __name__ == "__main__":
    main()
