"""The JavaScript client does again what the readers of `fold_play` did."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support.fold_play import Cases

__all__ = ["NODE", "fold_again"]

NODE = shutil.which("node")


def fold_again(cases: Cases) -> int:
    """How many messages were as they should be: 0 where there is no Node. Raises `AssertionError` for one that was not."""
    if NODE is None:
        return 0
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(cases, file)
        file.flush()
        program = Path(__file__).with_suffix(".mjs")
        run = subprocess.run([NODE, program, file.name], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return int(run.stdout)
