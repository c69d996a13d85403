"""Runs all long runs, one after the other, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

from tests.soak.runs import modules


def main() -> None:
    failed = []
    names = modules()
    for number, name in enumerate(names, 1):
        print(f"== {number}/{len(names)} {name}", flush=True)
        run = subprocess.run([sys.executable, "-m", f"tests.soak.{name}", *sys.argv[1:]], check=False)
        if run.returncode:
            failed.append(name)
    print(f"== {len(names) - len(failed)} of {len(names)} passed" + "".join(f"; FAILED: {n}" for n in failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
