"""A server that reads and discards: what a flood is sent to that shall cost the chat nothing. Prints its port, and serves until
its input ends.

It answers the first bytes of a connection as a handshake, and what comes then with as many bytes as the path of that asks for.
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import cast

import uvloop

from tests.soak._rating import ANSWERS

__all__: list[str] = []

_RATIO = re.compile(rb"%b=([0-9.e-]+)" % ANSWERS.encode())
_HELLO = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
_REFUSAL = (
    b'\x81\x7e\x00\x9a{"type":"error","payload":{"code":"rate_limited","message":"too fast; try again in 1.0 s",'
    b'"temporary":true,"retryAfter":0.987,"limit":"nothing"},"timestamp":1.0}'
)


class Discarding(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._ratio: float | None = None
        self._owed = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's derives from nothing

    def data_received(self, data: bytes) -> None:
        if self._ratio is None:
            found = _RATIO.search(data)
            assert found is not None
            self._ratio = float(found[1])
            self._transport.write(_HELLO)
            return
        self._owed += len(data) * self._ratio
        if self._owed >= len(_REFUSAL):
            times, self._owed = divmod(self._owed, len(_REFUSAL))
            self._transport.write(_REFUSAL * int(times))


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Discarding, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main())
