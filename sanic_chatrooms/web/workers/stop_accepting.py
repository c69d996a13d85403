"""Stops a worker from accepting connections before Sanic would.

All workers accept from one queue, and Sanic goes on accepting until all stop listeners have run. A worker that sends its
connections away would then get many of them back. Sanic keeps its server only in a local variable of its runner, so this
module looks for it there.
"""

import asyncio
import sys
from types import FrameType

__all__ = ["stop_accepting"]

_RUNNER, _SERVER = "sanic.server.runners", "http_server"


def stop_accepting() -> bool:
    """Accept no more connections; those that are open stay. Call it on the worker's event loop. -> was the server found?"""
    server = _find(sys._getframe())
    if server is None:
        return False
    server.close()
    return True


def _find(frame: FrameType | None) -> asyncio.AbstractServer | None:
    while frame is not None:
        if frame.f_globals.get("__name__") == _RUNNER and _SERVER in frame.f_locals:
            server: asyncio.AbstractServer = frame.f_locals[_SERVER]
            return server
        frame = frame.f_back
    return None
