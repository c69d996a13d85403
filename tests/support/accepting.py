"""How a server of a test stops, so that nobody whom it has just accepted is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol

__all__ = ["accept_no_more"]


class _Socket(Protocol):
    def fileno(self) -> int: ...


async def accept_no_more(sockets: Iterable[_Socket]) -> None:
    """Accept nobody from now on, and let those begin who were accepted just now. Then the server can be closed.

    asyncio accepts a connection in one turn of the loop and makes its transport in a later one. If the server was closed in
    between, the transport is not made, and nobody closes the socket: the test after this one is told of it.
    """
    loop = asyncio.get_running_loop()
    if not isinstance(loop, asyncio.SelectorEventLoop):
        return  # uvloop does both in one turn
    for sock in sockets:
        loop.remove_reader(sock.fileno())
    for _ in range(10):  # more than it takes
        await asyncio.sleep(0)
