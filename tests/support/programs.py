"""Programs of the documentation that run beside an app: in processes of their own, killed and started again."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from sanic_chatrooms import ChatRooms
from tests.support.process import ROOT, with_root_on_path

__all__ = ["EXAMPLES", "Program", "followed", "loaded", "started"]

EXAMPLES = ROOT / "docs" / "examples"
LEASE = 3.0
"""Seconds after which another loop takes over from one whose process was killed: a test waits for them, and a pause of the machine is
shorter."""
_RUN = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from sanic_chatrooms.follows import turn
turn.LEASE, turn.ASK_EVERY = float(sys.argv[3]), 0.2
asyncio.run(__import__(sys.argv[2]).main())
"""


class Program:
    """A running one."""

    def __init__(self, name: str, log: Path, env: dict[str, str]) -> None:
        self._log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _RUN, str(EXAMPLES), name, str(LEASE)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **with_root_on_path(env)},
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def started(name: str, log: Path, **env: str) -> Iterator[Program]:
    """The program `name` of docs/examples, for as long as the block lasts. Its output goes on in the file `log`."""
    program = Program(name, log, env)
    try:
        yield program
    finally:
        program.kill()


def loaded(name: str) -> Any:
    """The program as a module of its own."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def followed(chat: ChatRooms, name: str, *rooms: str) -> None:
    """Wait until a loop of this name has kept where it begins in these rooms."""
    store = chat.running().backends.store
    async with asyncio.timeout(80):  # its process starts meanwhile
        for room in rooms:
            while not any(kind.startswith("follow.") for kind in await store.facts_about(room, name)):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
