"""Many who talk in one room, at little cost for the process that plays them; and what it took until each was heard."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from pathlib import Path

from tests.support.process import ServerProcess
from tests.support.raw import command, handshake
from tests.support.server import http_request

__all__ = ["Crowd", "Member", "memory", "percentile", "sessions"]

WITHIN = 20.0
_SPOKEN = re.compile(rb"@(\d+\.\d+)@")
_LONGEST = 32  # of what is spoken: so much may be cut off at the end of a chunk


class Member(asyncio.Protocol):
    """One in the room: hears when each message was spoken. `delays` has the seconds between."""

    def __init__(self, port: int, room: str) -> None:
        self.delays: list[float] = []
        self.joined = asyncio.get_running_loop().create_future()
        self.lost = asyncio.Event()
        self.transport: asyncio.Transport
        self._hello = handshake(f"127.0.0.1:{port}") + command("join", room=room)
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._hello)

    def data_received(self, data: bytes) -> None:
        now, end = time.monotonic(), 0
        data = self._tail + data
        if not self.joined.done():
            if b'"type":"ack"' in data:
                self.joined.set_result(None)
            self._tail = data
            return
        for spoken in _SPOKEN.finditer(data):
            self.delays.append(now - float(spoken[1]))
            end = spoken.end()
        self._tail = data[max(end, len(data) - _LONGEST) :]

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
        if not self.joined.done():
            self.joined.set_exception(ConnectionError("lost before it had joined"))

    def say(self, room: str, size: int) -> None:
        """A message of about `size` bytes, with the time in it."""
        text = f"@{time.monotonic():.6f}@" + "x" * size
        self.transport.write(command("message", room=room, payload={"text": text}))


class Crowd:
    """Members of one room of one server."""

    def __init__(self, port: int, room: str) -> None:
        self.port = port
        self.room = room
        self.members: list[Member] = []

    async def join(self, count: int) -> None:
        """So many more, ten at a time."""
        for _ in range(0, count, 10):
            new = [await self._connect() for _ in range(min(10, count))]
            async with asyncio.timeout(WITHIN):
                await asyncio.gather(*(member.joined for member in new))
            self.members += new

    async def _connect(self) -> Member:
        loop = asyncio.get_running_loop()
        _, member = await loop.create_connection(lambda: Member(self.port, self.room), "127.0.0.1", self.port)
        return member

    async def talk(self, seconds: float, rate: float, size: int) -> int:
        """All in turn, `rate` messages a second in all; how many were spoken."""
        began, spoken = time.monotonic(), 0
        while (now := time.monotonic() - began) < seconds:
            while spoken < now * rate:
                self.members[spoken % len(self.members)].say(self.room, size)
                spoken += 1
            await asyncio.sleep(1 / rate)
        return spoken

    async def heard(self, spoken: int) -> list[str]:
        """Wait until each has heard all of it; who has not, in words."""
        ends = time.monotonic() + WITHIN
        while time.monotonic() < ends and any(len(m.delays) < spoken for m in self.members):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        wrong = [len(m.delays) for m in self.members if len(m.delays) != spoken]
        return (
            [f"{len(wrong)} members heard {min(wrong)} to {max(wrong)} of {spoken} messages"] if wrong else []
        )

    def delays(self) -> list[float]:
        """Of all members and messages so far; they are forgotten."""
        found = [delay for member in self.members for delay in member.delays]
        for member in self.members:
            member.delays.clear()
        return found

    def leave(self) -> None:
        for member in self.members:
            member.transport.abort()
        self.members.clear()


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def memory(server: ServerProcess) -> int:
    """KiB that the worker holds; 0 where the system does not say it this way."""
    status = Path(f"/proc/{server.workers[-1]}/status")
    if not status.exists():
        return 0
    found = re.search(r"VmRSS:\s+(\d+)", status.read_text())
    return int(found[1]) if found else 0


async def sessions(port: int) -> int:
    """How many connections the server counts."""
    return int(json.loads((await http_request("127.0.0.1", port, "GET", "/sessions")).text))


def narrow_socket(port: int) -> socket.socket:
    """Connected, with a small window: what its owner does not read stays with the server."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    sock.connect(("127.0.0.1", port))
    return sock
