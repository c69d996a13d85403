"""The listening socket of this worker, closed before Sanic would close it.

Workers accept from one queue, and Sanic goes on accepting until all stop listeners have run. A worker that sends its
connections away would so get many of them back, to send them away again, or refuse them while others could serve.
Sanic keeps its server in a local variable of its runner and nowhere else; so it is looked for there.
"""

import asyncio
import sys
from types import FrameType

__all__ = ["stop_listening"]

_RUNNER, _SERVER = "sanic.server.runners", "http_server"


def stop_listening() -> bool:
    """Accept no more connections, as a step of this worker's own loop; what is connected stays. False: not found."""
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
