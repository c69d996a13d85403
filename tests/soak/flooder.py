"""Floods a server for some seconds: `flooder.py KIND PORT SECONDS`. Prints a line when it begins, and at the end, as
JSON, how many bytes it sent and with which codes it was closed.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from tests.support.raw import Raw, command, handshake
from tests.support.wire import masked

__all__ = ["KINDS"]

PEERS, PAUSE = 5, 0.001
"""Seconds between chunks: the flood shall not be short of a processor, nor take that of who measures."""
LOOK_AFTER, LOOK_FOR, OPEN_FOR = 0.3, 20.0, 0.5
"""Seconds of flooding after which a peer that should have been closed reads, for how long, and for how long one that
should not."""
ENOUGH = 20
"""Chunks after which such a peer must have been closed."""
OPEN = "open"
KEY = bytes(4)


class Kind(NamedTuple):
    """What is sent again and again, and how the server ends it."""

    code: str
    chunks: Callable[[], AsyncIterator[bytes]]
    reads: bool = False
    """Whether the answers are read."""


async def pings() -> AsyncIterator[bytes]:
    while True:
        yield masked(9, b"x" * 125, key=KEY) * 50


async def fragments() -> AsyncIterator[bytes]:
    yield masked(1, b"", fin=False, key=KEY)
    while True:
        yield masked(0, b"", fin=False, key=KEY) * 200


async def drip() -> AsyncIterator[bytes]:
    frame = command("ping", payload={"text": "x" * 2_000})
    while True:
        for byte in frame:
            yield bytes((byte,))


async def commands() -> AsyncIterator[bytes]:
    chunk = command("ping", msgId=7) * 100  # each is answered by an error
    while True:
        yield chunk


async def half() -> AsyncIterator[bytes]:
    yield handshake("127.0.0.1")[:-2]
    while True:
        await asyncio.sleep(0.05)
        yield b""


KINDS = {
    "pings that nobody reads the answers of": Kind("1008", pings),
    "empty fragments": Kind("1008", fragments),
    "one-byte segments": Kind(OPEN, drip, reads=True),
    "commands that nobody reads the answers of": Kind(OPEN, commands),
    "half handshakes": Kind(OPEN, half),
}


class Flood:
    """Peers of one kind; each comes back when it was closed."""

    def __init__(self, kind: Kind, port: int, seconds: float) -> None:
        self.kind = kind
        self.port = port
        self.ends = time.monotonic() + seconds
        self.sent = 0
        self.codes: Counter[str] = Counter()

    async def run(self) -> None:
        await asyncio.gather(*(self._peer() for _ in range(PEERS)))

    async def _peer(self) -> None:
        while time.monotonic() < self.ends:
            raw = Raw(*await asyncio.open_connection("127.0.0.1", self.port, limit=4_096))
            if self.kind.chunks is not half:
                raw.writer.write(handshake(f"127.0.0.1:{self.port}"))
                await raw.reader.readuntil(b"\r\n\r\n")
            reading = asyncio.ensure_future(self._read(raw)) if self.kind.reads else None
            self.codes[await self._flood(raw)] += 1
            if reading is not None:
                reading.cancel()
            await raw.close()
            await asyncio.sleep(0.1)  # connecting again and again would be another flood

    async def _flood(self, raw: Raw) -> str:
        closes = self.kind.code != OPEN
        until, chunks = (time.monotonic() + LOOK_AFTER if closes else self.ends), 0
        async for chunk in self.kind.chunks():
            raw.writer.write(chunk)
            self.sent += len(chunk)
            chunks += 1
            enough = time.monotonic() >= until and (chunks >= ENOUGH or not closes)
            if enough or not await self._drained(raw, until + LOOK_FOR * closes):
                break
            await asyncio.sleep(PAUSE)
        return await self._look(raw)

    @staticmethod
    async def _drained(raw: Raw, until: float) -> bool:
        while time.monotonic() < until:
            try:
                async with asyncio.timeout(0.05):
                    await raw.writer.drain()
                    return True
            except TimeoutError:
                pass
            except ConnectionError:
                return False
        return False

    async def _look(self, raw: Raw) -> str:
        """Read at last: the code that it was closed with is behind the answers."""
        if self.kind.reads:
            return "closed" if raw.reader.at_eof() else OPEN
        try:
            async with asyncio.timeout(LOOK_FOR if self.kind.code != OPEN else OPEN_FOR):
                return str(await raw.close_code())
        except TimeoutError:
            return OPEN

    @staticmethod
    async def _read(raw: Raw) -> None:
        while await raw.reader.read(65_536):
            pass


async def main(kind: str, port: int, seconds: float) -> None:
    flood = Flood(KINDS[kind], port, seconds)
    print("begun", flush=True)
    await flood.run()
    print(json.dumps({"sent": flood.sent, "codes": flood.codes}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
