"""Floods a server with one kind of command: `_rating.py KIND PORT SECONDS`. Prints a line when it begins, and at the end, as
JSON, how many commands it sent, how many were refused for a rate, and with which codes it was closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable

from tests.support.raw import command, handshake

__all__ = ["KINDS"]

PEERS, CHUNK, PAUSE, AGAIN = 5, 5, 0.005, 0.1
"""Peers; commands in a chunk; seconds between chunks; seconds until a peer that was closed comes back. That is a thousand
commands a second from each: a flood, and yet little for the processor, which is also that of who measures."""
SOURCE = "127.0.0.2"
"""Not the address of those who behave."""
ROOM = "flooded"
_LIMIT = re.compile(rb'"limit":"(\w+)"')

KINDS: dict[str, Callable[[int], bytes]] = {
    "message": lambda n: command("message", room=ROOM, msgId=f"{n:032}", payload={"text": "x" * 100}),
    "change": lambda n: command("message.edit", room=ROOM, payload={"msgId": "none", "body": {"text": "x"}}),
    "live": lambda n: command("typing", room=ROOM, payload={"active": n % 2 == 0}),
    "read": lambda n: command("history", room=ROOM, payload={"limit": 50}),
    "join": lambda n: command("join" if n % 2 else "exit", room=ROOM, payload={}),
    "create": lambda n: command("room.create", msgId=f"{n:032}", payload={"title": "x"}),
    "new_people": lambda n: command("direct", payload={"to": f"u{n}", "body": {"text": "x"}}),
    "bytes": lambda n: command("typing", room=ROOM, payload={"active": n % 2 == 0, "more": "x" * 60_000}),
}


class Flood:
    """Peers of one kind; each comes back when it was closed."""

    def __init__(self, kind: str, port: int, seconds: float) -> None:
        self.make = KINDS[kind]
        self.port = port
        self.ends = time.monotonic() + seconds
        self.sent = 0
        self.refused: Counter[str] = Counter()
        self.closed = 0

    async def run(self) -> None:
        await asyncio.gather(*(self._peer() for _ in range(PEERS)))

    async def _peer(self) -> None:
        while time.monotonic() < self.ends:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._once()
            await asyncio.sleep(AGAIN)

    async def _once(self) -> None:
        host = "127.0.0.1"
        reader, writer = await asyncio.open_connection(host, self.port, local_addr=(SOURCE, 0))
        reading: asyncio.Task[None] | None = None
        try:
            writer.write(handshake(f"{host}:{self.port}"))
            await reader.readuntil(b"\r\n\r\n")
            writer.write(command("join", room=ROOM, payload={"history": 0}))
            reading = asyncio.ensure_future(self._read(reader))
            while time.monotonic() < self.ends and not reading.done():
                for _ in range(CHUNK):
                    self.sent += 1
                    writer.write(self.make(self.sent))
                await writer.drain()
                await asyncio.sleep(PAUSE)
            await asyncio.sleep(PAUSE)
        finally:
            if reading is not None:
                self.closed += reading.done()
                reading.cancel()
            writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(65_536):
            self.refused.update(name.decode() for name in _LIMIT.findall(data))
            if b"\x0f\xad" in data:  # 4013, as in a close frame
                return


async def main(kind: str, port: int, seconds: float) -> None:
    flood = Flood(kind, port, seconds)
    print("begun", flush=True)
    await flood.run()
    print(json.dumps({"sent": flood.sent, "refused": flood.refused, "closed": flood.closed}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
