"""Floods a server with one kind of command at a time: `_rating.py PORT CONTROL SECONDS`.

Prints a line when it is ready. Then each line of its input is one turn. `flood KIND N` floods the chat at PORT, from an address for each N. `again KIND N` does the same
work again, by what the flood has noted, against `_discarding.py` at CONTROL: as many connections, the same frames at the same
times, and as many bytes of answers to look through. It prints a line when a turn begins, and one at its end, as JSON: how many
commands were sent, and after a flood how many were refused for a rate, how often a peer was closed, and how often it was not
let in.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
import time
from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.support.raw import command, handshake

__all__ = ["ANSWERS", "KINDS", "ROOM"]

PEERS, CHUNK, PAUSE, AGAIN = 5, 5, 0.005, 0.1
"""Peers; commands in a chunk; seconds between chunks; seconds until a peer that was closed comes back. That is a thousand
commands a second from each: a flood, and yet little for the processor, which is also that of who measures."""
LONGEST = 20.0
"""Seconds that a flood lasts at most."""
HOST = "127.0.0.1"
ROOM = "flooded"
ANSWERS = "answers"
"""In the path of a handshake with the server that discards: bytes that it answers for each byte it reads."""
_LIMIT = re.compile(rb'"limit":"(\w+)"')
_CLOSE = b"\x0f\xad"  # 4013, as in a close frame

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
SOURCES = {kind: f"127.{number}.0" for number, kind in enumerate(KINDS, 1)}
"""How addresses begin: each flood has one of its own, and none has that of those who behave."""


@dataclass
class Visit:
    """One connection of a peer. Times are seconds since the turn began."""

    opened: float
    chunks: list[float] = field(default_factory=list)
    """When each chunk was sent."""
    wrote: int = 0
    heard: int = 0
    """Bytes."""
    ended: float = 0.0


class Peers:
    """What the peers of both turns have in common."""

    def __init__(self, kind: str, number: int, port: int) -> None:
        self.make = KINDS[kind]
        self.source = f"{SOURCES[kind]}.{number + 1}"
        self.port = port
        self.began = time.monotonic()
        self.sent = 0
        self.refused: Counter[str] = Counter()

    @property
    def now(self) -> float:
        return time.monotonic() - self.began

    async def connect(self, path: str) -> tuple[StreamReader, StreamWriter]:
        reader, writer = await asyncio.open_connection(HOST, self.port, local_addr=(self.source, 0))
        writer.write(handshake(f"{HOST}:{self.port}", path=path))
        return reader, writer

    async def send(self, writer: StreamWriter, visit: Visit) -> None:
        """One chunk."""
        for _ in range(CHUNK):
            self.sent += 1
            frame = self.make(self.sent)
            visit.wrote += len(frame)
            writer.write(frame)
        await writer.drain()

    async def read(self, reader: StreamReader, visit: Visit) -> None:
        """Look through the answers, until the peer is closed."""
        while data := await reader.read(65_536):
            visit.heard += len(data)
            self.refused.update(name.decode() for name in _LIMIT.findall(data))
            if _CLOSE in data:
                return


class Flood(Peers):
    """Peers of one kind; each comes back when it was closed. `visits` has those of each peer."""

    def __init__(self, kind: str, number: int, port: int, seconds: float) -> None:
        super().__init__(kind, number, port)
        self.kind = kind
        self.seconds = seconds
        self.closed = 0
        self.turned_away = 0
        """Handshakes that were refused."""
        self.visits: list[list[Visit]] = [[] for _ in range(PEERS)]

    async def run(self) -> None:
        await asyncio.gather(*map(self._peer, self.visits))

    @property
    def goes_on(self) -> bool:
        """So long, and on a slow machine until something was refused."""
        return self.now < self.seconds or (self.now < LONGEST and not self.refused[self.kind])

    async def _peer(self, visits: list[Visit]) -> None:
        while self.goes_on:
            visits.append(visit := Visit(self.now))
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._once(visit)
            visit.ended = self.now
            await asyncio.sleep(AGAIN)

    async def _once(self, visit: Visit) -> None:
        reader, writer = await self.connect("/chat/ws")
        reading: asyncio.Task[None] | None = None
        try:
            if b" 101 " not in await reader.readuntil(b"\r\n\r\n"):
                self.turned_away += 1
                return
            writer.write(command("join", room=ROOM, payload={"history": 0}))
            reading = asyncio.ensure_future(self.read(reader, visit))
            while self.goes_on and not reading.done():
                visit.chunks.append(self.now)
                await self.send(writer, visit)
                await asyncio.sleep(PAUSE)
            await asyncio.sleep(PAUSE)
        finally:
            if reading is not None:
                self.closed += reading.done()
                reading.cancel()
            writer.transport.abort()


class Again(Peers):
    """Does once more what the peers of a flood did."""

    def __init__(self, kind: str, number: int, port: int, visits: list[list[Visit]]) -> None:
        super().__init__(kind, number, port)
        self.visits = visits

    async def run(self) -> None:
        await asyncio.gather(*map(self._peer, self.visits))

    async def _peer(self, visits: list[Visit]) -> None:
        for visit in visits:
            await self._at(visit.opened)
            await self._once(visit)

    async def _once(self, noted: Visit) -> None:
        reader, writer = await self.connect(f"/?{ANSWERS}={noted.heard / max(1, noted.wrote)}")
        visit = Visit(self.now)
        try:
            await reader.readuntil(b"\r\n\r\n")
            if noted.chunks:
                writer.write(command("join", room=ROOM, payload={"history": 0}))
            reading = asyncio.ensure_future(self.read(reader, visit))
            for at in noted.chunks:
                await self._at(at)
                await self.send(writer, visit)
            await self._at(noted.ended)
            reading.cancel()
        finally:
            writer.transport.abort()

    async def _at(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds - self.now))


def say(**told: object) -> None:
    print(json.dumps(told), flush=True)


async def main(port: int, control: int, seconds: float) -> None:
    visits: list[list[Visit]] = []
    say(ready=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        turn, kind, number = line.split()
        say(begun=turn)
        if turn == "flood":
            flood = Flood(kind, int(number), port, seconds)
            await flood.run()
            visits = flood.visits
            say(sent=flood.sent, refused=flood.refused, closed=flood.closed, turned_away=flood.turned_away)
        else:
            again = Again(kind, int(number), control, visits)
            await again.run()
            say(sent=again.sent)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
