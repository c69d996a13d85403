"""Four workers on one Valkey, a room in which much is said, and sockets that cost little: they note the highest number they get
and how they end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sanic_chatrooms import ChatRooms, User, connect
from tests.support.process import ServerProcess, start_app
from tests.support.raw import CLOSE, command, handshake
from tests.support.valkey import running
from tests.support.wire import masked, token

__all__ = ["HALL", "Hall", "Socket", "served_hall"]

HALL = "hall"
WORKERS, LISTENERS, RATE = 4, 200, 100.0
"""20,000 deliveries a second."""
WITHIN = 30.0
ALIVE = 20.0
APP = Path(__file__).with_name("_app.py")
_LONGEST = 24  # bytes of a number with its name
_SEQ = re.compile(rb'"seq":(\d+)')
_WHOLE = re.compile(rb'"seq":(\d+)[^\d]')


class Socket(asyncio.Protocol):
    """One connection. `status` is the HTTP status of the handshake, 0 where there was none."""

    def __init__(self, port: int, shown: str) -> None:
        loop = asyncio.get_running_loop()
        self.status: asyncio.Future[int] = loop.create_future()
        self.ended: asyncio.Future[int] = loop.create_future()
        """The code with which the server closed it; 1006: without one."""
        self.ended_at = 0.0
        self.highest = 0
        """The highest number in anything that came, and the beginning of that."""
        self.told_by = b""
        self.listens = False
        """Only the last number is of interest."""
        self.answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.transport: asyncio.Transport
        self._hello = handshake(f"127.0.0.1:{port}", token=shown)
        self._data = b""

    @classmethod
    async def open(cls, port: int, shown: str) -> Socket:
        """Connect and show the token; the answer is in `status`."""
        loop = asyncio.get_running_loop()
        _, socket = await loop.create_connection(lambda: cls(port, shown), "127.0.0.1", port)
        return socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._hello)

    def data_received(self, data: bytes) -> None:
        if self.listens:
            self._skim(data)
            return
        data, at = self._data + data, 0
        if not self.status.done():
            head = data.find(b"\r\n\r\n")
            if head >= 0:
                self.status.set_result(int(data[9:12]))
                at = head + 4
        if self.status.done() and self.status.result() == 101:
            at = self._frames(data, at)
        self._data = data[at:]

    def _skim(self, data: bytes) -> None:
        """Note the last number only, which costs a twentieth."""
        data = self._data + data
        at = data.rfind(b'"seq":')
        found = _WHOLE.match(data, at) if at >= 0 else None
        if found is not None:
            self.highest = max(self.highest, int(found[1]))
        self._data = data[-_LONGEST:]

    def _frames(self, data: bytes, at: int) -> int:
        while len(data) >= at + 2:
            size, start = data[at + 1], at + 2
            if size >= 126:
                start += 2 if size == 126 else 8
                size = int.from_bytes(data[at + 2 : start], "big")
            if len(data) < start + size:
                break
            self._frame(data[at] & 15, data[start : start + size])
            at = start + size
        return at

    def _frame(self, opcode: int, payload: bytes) -> None:
        if opcode == CLOSE:
            self._end(int.from_bytes(payload[:2], "big"))
            self.transport.write(masked(CLOSE, payload))
        elif opcode == 1:
            highest = max(map(int, _SEQ.findall(payload)), default=0)
            if highest > self.highest:
                self.highest, self.told_by = highest, payload[:80]
            if b'"replyTo"' in payload:
                self.answers.put_nowait(json.loads(payload))

    def _end(self, code: int) -> None:
        if not self.ended.done():
            self.ended_at = time.monotonic()
            self.ended.set_result(code)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.status.done():
            self.status.set_result(0)
        self._end(1006)

    async def ask(self, type: str, **keys: Any) -> dict[str, Any] | None:
        """The answer; None where the connection ends before it."""
        self.transport.write(command(type, msgId=secrets.token_hex(16), **keys))
        answer = asyncio.ensure_future(self.answers.get())
        ends: list[asyncio.Future[Any]] = [answer, self.ended]
        await asyncio.wait(ends, timeout=WITHIN, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        answer.cancel()
        return None

    def cut(self) -> None:
        """Be gone without a word."""
        self.transport.abort()


class Hall:
    """The app's side, in this process, which serves nobody itself; and everybody who listens."""

    def __init__(self, chat: ChatRooms, server: ServerProcess, scale: float) -> None:
        self.chat = chat
        self.server = server
        self.port = server.port
        self.said = 0
        self.rate = RATE
        self._count = max(10, int(LISTENERS * min(1.0, 10 * scale)))
        self._listeners: list[Socket] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._began, self._first = 0.0, 0

    async def fill(self, rate: float = RATE, **room: Any) -> None:
        """Everybody is in the room, and from now on so many messages are said a second."""
        self.rate = rate
        await self.chat.create_room(HALL, **room)
        for start in range(0, self._count, 10):
            some = range(start, min(start + 10, self._count))
            self._listeners += await asyncio.gather(*(self._listen(f"listener-{n}") for n in some))
        self._first = (await self.chat.running().store.heads((HALL,)))[HALL].seq
        self._began = time.monotonic()
        self._tasks = [asyncio.ensure_future(self._talk()), asyncio.ensure_future(self._keep_alive())]

    async def _listen(self, user: str) -> Socket:
        await self.chat.add_member(HALL, User(user, user))
        socket = await Socket.open(self.port, token(user, iat=int(time.time())))
        answer = await socket.ask("join", room=HALL, payload={"history": 0})
        assert answer is not None
        assert answer["type"] == "ack", answer
        socket.listens = True
        return socket

    async def _talk(self) -> None:
        while True:
            if self.said < (time.monotonic() - self._began) * self.rate:
                await self.chat.publish(HALL, "message", {"text": "and so on " * 8})
                self.said += 1
            else:
                await asyncio.sleep(1 / self.rate)

    async def _keep_alive(self) -> None:
        """A sign of life of those who only listen, in place of answers to pings."""
        while True:
            await asyncio.sleep(ALIVE)
            for socket in self._listeners:
                socket.transport.write(command("ping"))

    async def end(self) -> tuple[list[str], dict[str, Any]]:
        """Everybody has heard everything; what is wrong, and the figures."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        seconds = time.monotonic() - self._began
        head = (await self.chat.running().store.heads((HALL,)))[HALL].seq
        deadline = time.monotonic() + WITHIN
        while time.monotonic() < deadline and any(s.highest < head for s in self._listeners):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        late = [socket for socket in self._listeners if socket.highest < head]
        ends = Counter(socket.ended.result() for socket in self._listeners if socket.ended.done())
        for socket in self._listeners:
            socket.cut()
        wrong = [f"{len(late)} listeners did not hear everything"] if late else []
        wrong += [f"listeners were cut off: {dict(ends)}"] if ends else []
        heard = (head - self._first) * len(self._listeners)
        return wrong, {"deliveries a second": f"{heard / seconds:,.0f}"}


@contextlib.asynccontextmanager
async def served_hall(scale: float) -> AsyncIterator[Hall]:
    name = f"soak_{secrets.token_hex(6)}"
    with running() as valkey:
        env = {"SOAK_STORE": valkey.url, "SOAK_SETTINGS": json.dumps({"name": name, "presence_grace": 0.5})}
        server = await asyncio.to_thread(start_app, APP, workers=WORKERS, env=env, within=90.0)
        try:
            async with connect(name, store=valkey.url, namespace="none") as chat:
                yield Hall(chat, server, scale)
        finally:
            await asyncio.to_thread(server.stop)
