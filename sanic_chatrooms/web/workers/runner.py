"""Finds what Sanic's runner keeps in local variables alone: its server, and what makes a protocol for each connection."""

import sys
from collections.abc import Iterator
from typing import Any

__all__ = ["in_runner"]

_RUNNER = "sanic.server.runners"


def in_runner(name: str) -> Iterator[Any]:
    """What is called so, in each runner that runs the event loop. Call it on that loop."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__") == _RUNNER and name in frame.f_locals:
            yield frame.f_locals[name]
        frame = frame.f_back  # type: ignore[assignment]
